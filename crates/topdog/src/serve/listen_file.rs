use super::private_file;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// `run/listen.json`: how programs on this machine find a server that took free ports. It is there while the
/// server takes requests.
pub(super) struct ListenFile(PathBuf);

#[derive(Serialize)]
struct Content {
    gateway: SocketAddr,
    admin: SocketAddr,
    url: String,
}

impl ListenFile {
    /// Removes what a server left that was killed.
    pub(super) fn clear(run: &Path) {
        drop(Self(run.join(NAME)));
    }

    /// Writes it, as one step.
    pub(super) fn write(
        run: &Path,
        gateway: SocketAddr,
        admin: SocketAddr,
        is_tls: bool,
    ) -> anyhow::Result<Self> {
        let path = run.join(NAME);
        let content = Content { gateway, admin, url: url(gateway, is_tls) };
        private_file::replace(&path, &serde_json::to_string(&content)?)?;
        Ok(Self(path))
    }
}

const NAME: &str = "listen.json";

impl Drop for ListenFile {
    fn drop(&mut self) {
        // A file that stays behind misleads only until someone connects.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a client on this machine calls the server.
pub(super) fn url(gateway: SocketAddr, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    let mut reachable = gateway;
    if gateway.ip().is_unspecified() {
        reachable.set_ip(match gateway {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("{scheme}://{reachable}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_to_connect_and_goes_with_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let (gateway, admin) = ("0.0.0.0:8080".parse().unwrap(), "127.0.0.1:9090".parse().unwrap());
        let file = ListenFile::write(folder.path(), gateway, admin, false).unwrap();
        let text = std::fs::read_to_string(folder.path().join("listen.json")).unwrap();
        assert_eq!(
            text,
            r#"{"gateway":"0.0.0.0:8080","admin":"127.0.0.1:9090","url":"http://127.0.0.1:8080"}"#
        );
        drop(file);
        assert!(!folder.path().join("listen.json").exists());
    }

    #[test]
    fn with_tls_it_is_https() {
        assert_eq!(url("[::]:8443".parse().unwrap(), true), "https://[::1]:8443");
    }
}
