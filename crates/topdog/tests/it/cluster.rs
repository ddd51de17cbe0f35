//! A PostgreSQL server of the test's own, which may be killed, paused and started again.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// It is ended when it is dropped.
pub(crate) struct Cluster {
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    /// A fresh one, running; none, and loudly, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            // Not by a macro, whose words a test's success would swallow.
            let _ = writeln!(
                std::io::stderr(),
                "POSTGRES FAULTS SKIPPED: install postgresql (scripts/test does)"
            );
            assert!(!is_ci(), "in CI nothing is skipped");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { bin, folder: tempfile::tempdir().unwrap(), port };
        if rustix::process::geteuid().is_root() {
            // The server refuses to be root.
            run(Command::new("chown").arg("postgres:").arg(cluster.folder.path()));
        }
        run(cluster.tool("initdb").args(["-D", cluster.data(), "-U", "topdog", "-E", "UTF8", "--locale=C"]));
        cluster.start_again();
        Some(cluster)
    }

    /// Where its databases are administered.
    pub(crate) fn url(&self) -> String {
        format!("postgres://topdog@127.0.0.1:{}/postgres", self.port)
    }

    /// `kill -9` of all of it.
    pub(crate) fn kill(&self) {
        self.signal("-KILL");
    }

    /// Stops it in order, with its sessions.
    pub(crate) fn stop(&self) {
        run(self.tool("pg_ctl").args(["-D", self.data(), "-m", "fast", "-w", "stop"]));
    }

    /// Starts it again, after whatever there is to recover.
    pub(crate) fn start_again(&self) {
        let options = format!("-p {} -h 127.0.0.1 -k {} -c max_connections=100", self.port, self.data());
        let log = self.folder.path().join("log");
        let mut start = self.tool("pg_ctl");
        start.args(["-D", self.data(), "-w", "-t", "60", "-o", &options, "-l"]).arg(log).arg("start");
        run(&mut start);
    }

    /// SIGSTOP, or what lets it go on.
    pub(crate) fn pause(&self, is_paused: bool) {
        self.signal(if is_paused { "-STOP" } else { "-CONT" });
    }

    /// The server and each of its processes.
    fn signal(&self, signal: &str) {
        let file = Path::new(self.data()).join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(file) else { return };
        let first = text.lines().next().unwrap().trim().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
        let all = std::iter::once(first)
            .chain(children.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        // One that has ended meanwhile is none of our concern.
        let _ = Command::new("kill").arg(signal).args(all).stderr(Stdio::null()).status();
    }

    fn data(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn tool(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        if !rustix::process::geteuid().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(command: &mut Command) {
    // What it prints goes nowhere: a server that inherits a pipe holds it open.
    let status =
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.filter_map(Result::ok).map(|version| version.path().join("bin"));
    bins.filter(|bin| bin.join("initdb").exists()).max()
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment whether it may skip")]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some()
}
