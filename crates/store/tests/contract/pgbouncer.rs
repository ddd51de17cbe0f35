//! A PgBouncer of the test's own, in transaction mode, with fewer connections than its clients have.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// It is ended when it is dropped.
pub(crate) struct PgBouncer {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    /// Before the server of that URL, of which it serves every database; none, and loudly, where it is not installed.
    pub(crate) fn before(url: &str) -> Option<Self> {
        let Some(program) = program() else {
            // Not by a macro, whose words a test's success would swallow.
            let _ = writeln!(std::io::stderr(), "PGBOUNCER SKIPPED: install pgbouncer (scripts/test does)");
            assert!(!is_ci(), "in CI nothing is skipped");
            return None;
        };
        let (_, rest) = url.split_once("://").unwrap();
        let (user, place) = rest.rsplit_once('@').unwrap();
        let (user, password) = user.split_once(':').unwrap();
        let server: SocketAddr = place.split('/').next().unwrap().parse().unwrap();
        // Free a moment ago; whoever else takes it makes the start fail, never another's database be used.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pgbouncer.ini");
        let (host, port, own) = (server.ip(), server.port(), address.port());
        let config = format!(
            "[databases]\n* = host={host} port={port} user={user} password={password} pool_size=3\n\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {own}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\nmax_client_conn = 500\n"
        );
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            // It refuses to be root, and the other user must reach its file.
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            command.args(["-u", "nobody"]);
        }
        let child = command.arg("-q").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Self { child, address, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "pgbouncer does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(started)
    }

    /// The URL of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://anyone@{}/{database}", self.address)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<&'static Path> {
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment whether it may skip")]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}
