use super::finding::Finding;
use crate::cli::exit::Exit;
use crate::cli::globals::Globals;
use crate::cli::route::Route;
use crate::cli::session::{Session, listening_at};
use crate::config::Config;
use std::net::{SocketAddr, TcpListener};
use topdog_platform::api::VaultStatus;

/// The listeners; and the server itself where one runs.
pub(super) async fn check(config: &Config, globals: &Globals) -> Vec<Finding> {
    let mut findings = exposed(config);
    let is_running = globals.url.is_some() || listening_at(&config.data_dir).is_ok();
    if is_running {
        findings.push(vault(globals).await);
    } else {
        findings.push(Finding::warn(
            "server",
            "none is running on this data folder",
            "start one: `topdog serve`",
        ));
        findings.push(port("server.listen", config.server.listen));
        findings.push(port("admin.listen", config.admin_listen));
    }
    findings
}

/// Asking what is pending makes the server reach its database and know its root key.
async fn vault(globals: &Globals) -> Finding {
    const CHECK: &str = "server";
    let session = match Session::open(globals) {
        Ok(session) => session,
        Err(failure) => {
            return Finding::fail(CHECK, failure.to_string(), "see what --help says of credentials");
        }
    };
    if !session.api.is_operator() {
        return Finding::warn(CHECK, "only the operator can ask about the vault", "leave the API key out");
    }
    match session.api.get::<VaultStatus>(Route::new("vault")).await {
        Ok(VaultStatus { under_old_root: 0, under_old_org_key: 0, .. }) => {
            Finding::ok(CHECK, "it answers, and nothing is sealed under older keys")
        }
        Ok(status) => Finding::warn(
            CHECK,
            format!(
                "it answers; {} are pending under an older root key, {} under older organisation keys",
                status.under_old_root, status.under_old_org_key
            ),
            "a rotation is going on; if the numbers do not fall, see the log",
        ),
        Err(failure) if failure.exit() == Exit::Unreachable => {
            Finding::fail(CHECK, failure.to_string(), "if it died, start it again; the log says why")
        }
        Err(failure) => Finding::fail(CHECK, failure.to_string(), "see the server's log"),
    }
}

fn port(check: &'static str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) => Finding::fail(
            check,
            format!("{address} can't be listened on: {error}"),
            "end what listens there, or set another address",
        ),
    }
}

fn exposed(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.server.tls.is_none() && !config.server.listen.ip().is_loopback() {
        findings.push(Finding::warn(
            "server.tls",
            format!("keys come to {} unencrypted", config.server.listen),
            "set server.tls, or let only a gateway that speaks TLS reach it",
        ));
    }
    if !config.admin_listen.ip().is_loopback() {
        findings.push(Finding::warn(
            "admin.listen",
            format!("metrics are served without authentication at {}", config.admin_listen),
            "keep it off public networks",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn a_port_in_use_fails() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        assert_eq!(port("server.listen", address).level, Level::Fail);
        drop(taken);
        assert_eq!(port("server.listen", address).level, Level::Ok);
    }
}
