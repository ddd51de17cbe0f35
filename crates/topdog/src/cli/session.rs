use super::api::Api;
use super::credential::Credential;
use super::exit::Exit;
use super::failure::Failure;
use super::globals::Globals;
use super::print::{self, Output};
use serde::Deserialize;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use topdog_egress::{BaseUrl, Client, Egress, EgressPolicy, Origin, Scheme, roots_from_pem};

/// A command's talk with a server: whom it speaks to and for, and how it shows what it hears.
pub(crate) struct Session {
    /// The server.
    pub(crate) api: Api,
    /// How answers are printed.
    pub(crate) output: Output,
    /// The options by which the server was found, for a command that is to find it again.
    pub(crate) whereabouts: String,
}

impl Session {
    /// Finds the server and the caller's credential; says nothing to the server yet.
    pub(crate) fn open(globals: &Globals) -> Result<Self, Failure> {
        let credential = Credential::find(globals)?;
        let url = match &globals.url {
            Some(url) => url.clone(),
            None => listening_at(&globals.data_dir())?,
        };
        let base = BaseUrl::parse(&url).map_err(|error| Failure::usage(format!("--url: {error}")))?;
        if base.origin().scheme() == Scheme::Http && !is_on_this_machine(base.origin()) {
            print::note(&format_args!(
                "warning: the credential goes to {base} unencrypted; use https where the network is not your own"
            ));
        }
        let egress = Egress::new(policy(globals.ca_file.as_deref())?)
            .map_err(|error| Failure::usage(format!("--ca-file: {error}")))?;
        let whereabouts = globals.data_dir.as_deref().map(option_of).unwrap_or_default();
        Ok(Self { api: Api::new(base, Client::new(egress), credential), output: globals.output, whereabouts })
    }

    /// How the API is told which organisation is meant: by what was given, else the key's own.
    pub(crate) fn org<'a>(&self, given: Option<&'a str>) -> Result<&'a str, Failure> {
        match given {
            Some(org) => Ok(org),
            None if self.api.is_operator() => {
                Err(Failure::usage("the operator belongs to no organisation; name one with --org"))
            }
            None => Ok("current"),
        }
    }
}

/// The option that names the data folder, as a shell takes it.
fn option_of(data_dir: &Path) -> String {
    let path = data_dir.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if path.chars().all(is_plain) {
        format!("--data-dir {path} ")
    } else {
        format!("--data-dir '{}' ", path.replace('\'', r"'\''"))
    }
}

fn policy(ca_file: Option<&Path>) -> Result<EgressPolicy, Failure> {
    let Some(file) = ca_file else { return Ok(EgressPolicy::operator()) };
    let pem = std::fs::read(file)
        .map_err(|error| Failure::usage(format!("--ca-file {}: can't be read: {error}", file.display())))?;
    let roots = roots_from_pem(&pem).map_err(|error| Failure::usage(format!("--ca-file: {error}")))?;
    Ok(EgressPolicy::operator().trust_roots(roots))
}

/// What a running server says of itself, in `run/listen.json` of its data folder.
pub(crate) fn listening_at(data_dir: &Path) -> Result<String, Failure> {
    said_by(data_dir).map(|listening| listening.url)
}

/// Where its metrics and health are, by the same file.
pub(crate) fn admin_listens_at(data_dir: &Path) -> Result<String, Failure> {
    let mut admin = said_by(data_dir)?.admin;
    if admin.ip().is_unspecified() {
        admin.set_ip(if admin.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    Ok(format!("http://{admin}"))
}

fn said_by(data_dir: &Path) -> Result<Listening, Failure> {
    let file = data_dir.join("run").join("listen.json");
    let text = std::fs::read(&file).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::NotFound => "there is none".to_owned(),
            _ => format!("it can't be read ({error})"),
        };
        let message = format!(
            "no server is running on {}: its address would be in {}, and {why}; start one with `topdog serve`, or \
             name its address with --url",
            data_dir.display(),
            file.display()
        );
        Failure::with(Exit::Unreachable, message)
    })?;
    serde_json::from_slice(&text).map_err(|_| {
        Failure::failed(format!("{} can't be understood; name the address with --url", file.display()))
    })
}

#[derive(Deserialize)]
struct Listening {
    url: String,
    admin: SocketAddr,
}

fn is_on_this_machine(origin: &Origin) -> bool {
    let host = origin.authority().host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_as_a_shell_takes_it() {
        assert_eq!(option_of(Path::new("/srv/top-dog")), "--data-dir /srv/top-dog ");
        assert_eq!(option_of(Path::new("a b'; rm")), r"--data-dir 'a b'\''; rm' ");
    }

    #[test]
    fn the_address_is_what_the_server_wrote() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(listening_at(folder.path()).map_err(|f| f.exit()), Err(Exit::Unreachable));
        std::fs::create_dir(folder.path().join("run")).expect("a folder");
        let file = folder.path().join("run/listen.json");
        std::fs::write(
            &file,
            r#"{"gateway":"127.0.0.1:1","admin":"127.0.0.1:2","url":"http://127.0.0.1:1"}"#,
        )
        .expect("a file");
        assert_eq!(listening_at(folder.path()), Ok("http://127.0.0.1:1".into()));
        assert_eq!(admin_listens_at(folder.path()), Ok("http://127.0.0.1:2".into()));
        let everywhere = r#"{"admin":"[::]:3","url":"http://127.0.0.1:1"}"#;
        std::fs::write(&file, everywhere).expect("a file");
        assert_eq!(admin_listens_at(folder.path()), Ok("http://[::1]:3".into()));
    }

    #[test]
    fn only_loopback_is_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            let base = BaseUrl::parse(url).expect(url);
            assert_eq!(is_on_this_machine(base.origin()), expected, "{url}");
        }
    }
}
