//! A running `topdog serve` in a folder of its own, and what an operator does with it.

use crate::http::{Answer, Line, PATIENCE, request, try_send};
use crate::secrets::Secrets;
use crate::upstream::Upstream;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use topdog_store::spool::RecorderPlace;

/// What a server is started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    config: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    is_unread: bool,
}

impl Setup {
    /// Free ports, two threads, and that provider as OpenAI.
    pub(crate) fn with_upstream(upstream: &Upstream) -> Self {
        Self::new().config(&format!(
            "[providers.openai]\nbase_url = '{}'\n\n[[egress.allow]]\nnet = '127.0.0.0/8'\nplain_http = true\n",
            upstream.url()
        ))
    }

    /// Free ports and nothing else.
    pub(crate) fn new() -> Self {
        Self::default().arguments(&[
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--workers",
            "2",
        ])
    }

    /// More of the configuration file.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// Settings of the configuration, as `--set` takes them.
    pub(crate) fn set(self, settings: &[&str]) -> Self {
        settings.iter().fold(self, |setup, setting| setup.arguments(&["--set", setting]))
    }

    /// More arguments.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Nobody reads what it prints and logs, which goes into pipes.
    pub(crate) const fn unread(mut self) -> Self {
        self.is_unread = true;
        self
    }

    /// A variable of the environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The folder of a server, which may be started in it again and again. At its end, whatever the server was given as a
/// secret must be nowhere but where it belongs.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) secrets: Arc<Secrets>,
    recorder: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let recorder = RecorderPlace::Auto.find().ok().flatten();
        Self {
            folder: tempfile::tempdir().unwrap(),
            secrets: Arc::default(),
            recorder: recorder.map(|memory| tempfile::tempdir_in(memory).unwrap()),
        }
    }

    /// Where the spool's recorder is; none, where this machine has no memory file system.
    pub(crate) fn recorder_dir(&self) -> Option<&Path> {
        self.recorder.as_ref().map(tempfile::TempDir::path)
    }

    /// A file of the test's own, which may hold that secret.
    pub(crate) fn keep_secret(&self, file: &Path, secret: &str) {
        self.secrets.add_at("a secret in a file", secret, [file.to_owned()]);
    }

    /// Where a secret is that has no business there; searched for at the end of every test.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let folders = [Some(self.path()), self.recorder_dir()];
        self.secrets.leaks(&folders.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Everything that a server leaves: its data, its configuration, what it printed.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// What the last server printed on standard output.
    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(self.path().join("stdout")).unwrap()
    }

    /// What the last server logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("stderr")).unwrap()
    }

    /// Runs a server that is expected to end by itself: how, and what it said.
    pub(crate) fn run_to_end(&self, setup: &Setup) -> (ExitStatus, String) {
        let mut child = self.spawn(setup);
        let status = wait(&mut child);
        (status, self.log())
    }

    /// Starts a server and waits until it takes requests.
    pub(crate) async fn start(&self, setup: &Setup) -> Server<'_> {
        let listen = self.data_dir().join("run/listen.json");
        let _ = std::fs::remove_file(&listen);
        let mut child = self.spawn(setup);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(address) =
                std::fs::read(&listen).ok().and_then(|text| serde_json::from_slice(&text).ok())
            {
                return Server::new(self, child, &address);
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", self.log());
            }
            assert!(Instant::now() < deadline, "the server does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Starts the process and leaves the rest to the caller.
    pub(crate) fn spawn(&self, setup: &Setup) -> Child {
        let config = self.path().join("topdog.toml");
        std::fs::write(&config, &setup.config).unwrap();
        let log = |name: &str| {
            // What a server before it has said is kept: it is searched at the end.
            let path = self.path().join(name);
            let earlier = (0..).map(|n| self.path().join(format!("{name}-{n}"))).find(|path| !path.exists());
            let _ = std::fs::rename(&path, earlier.unwrap());
            let file = File::create(path).unwrap();
            if setup.is_unread { Stdio::piped() } else { file.into() }
        };
        setup.variables.iter().for_each(|(name, value)| self.secrets.learn_variable(name, value));
        let has_own_dir = setup.arguments.iter().any(|argument| argument == "--demo");
        let recorder = self.recorder_dir().map_or("off".into(), Path::to_string_lossy);
        let mut command = Command::new(env!("CARGO_BIN_EXE_topdog"));
        command.arg("serve").arg("--config").arg(&config);
        command.args(["--set", &format!("spool.recorder_dir={recorder}")]).args(&setup.arguments);
        if !has_own_dir {
            command.arg("--data-dir").arg(self.data_dir());
        }
        command
            .env_clear()
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .unwrap()
    }
}

/// What a pipe holds on Linux (pipe(7)).
const PIPE_BYTES: u64 = 65_536;

impl Drop for Place {
    fn drop(&mut self) {
        // A test that fails says why by itself, and a second panic would end the process.
        if !std::thread::panicking() {
            let leaks = self.leaks();
            assert!(leaks.is_empty(), "secrets are where they do not belong: {leaks:#?}");
        }
    }
}

/// A running server; it is killed when it is dropped.
pub(crate) struct Server<'a> {
    pub(crate) place: &'a Place,
    child: Child,
    pub(crate) gateway: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) url: String,
    pub(crate) operator_token: String,
}

impl<'a> Server<'a> {
    fn new(place: &'a Place, child: Child, listen: &Value) -> Self {
        let address = |name: &str| listen[name].as_str().unwrap().parse().unwrap();
        let token = std::fs::read_to_string(place.data_dir().join("operator.token")).unwrap();
        place.secrets.learn_own(&place.data_dir());
        place.secrets.listen(address("gateway"));
        place.secrets.listen(address("admin"));
        Self {
            place,
            child,
            gateway: address("gateway"),
            admin: address("admin"),
            url: listen["url"].as_str().unwrap().to_owned(),
            operator_token: token.trim().to_owned(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.read_pipes();
    }

    /// Is there more of its log than a pipe holds?
    pub(crate) fn has_full_pipe(&self) -> bool {
        let pipe = self.child.stderr.as_ref().unwrap();
        // Pages of it that a line did not fit into stay unfinished.
        rustix::io::ioctl_fionread(pipe).unwrap() > PIPE_BYTES / 2
    }

    /// Puts what nobody has read where it is searched.
    fn read_pipes(&mut self) {
        let pipes = [
            ("stdout", self.child.stdout.take().map(OwnedFd::from)),
            ("stderr", self.child.stderr.take().map(OwnedFd::from)),
        ];
        for (name, pipe) in pipes {
            let Some(pipe) = pipe else { continue };
            let mut unread = Vec::new();
            File::from(pipe).read_to_end(&mut unread).unwrap();
            std::fs::write(self.place.path().join(name), unread).unwrap();
        }
    }

    /// Sends a signal and goes on.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.hear_metrics();
        self.signal(rustix::process::Signal::TERM);
        wait(&mut self.child)
    }

    /// What it tells of itself at the end; one that has ended or does not answer tells nothing.
    fn hear_metrics(&self) {
        let hear = || -> std::io::Result<String> {
            let mut line = std::net::TcpStream::connect_timeout(&self.admin, Duration::from_secs(1))?;
            line.set_read_timeout(Some(Duration::from_secs(1)))?;
            line.write_all(b"GET /metrics HTTP/1.1\r\nhost: topdog.test\r\nconnection: close\r\n\r\n")?;
            let mut said = String::new();
            line.read_to_string(&mut said)?;
            Ok(said)
        };
        self.place.secrets.hear(hear().unwrap_or_default().as_bytes());
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Memory in use, bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most memory that was ever in use, bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        self.status_line(name).trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// What the kernel says of the process under that name.
    pub(crate) fn status_line(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    }

    /// A connection to the gateway.
    pub(crate) async fn line(&self) -> Line {
        Line::connect(self.gateway).await
    }

    /// One request to the admin listener.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        try_send(self.admin, &request("GET", path, &[], b"")).await.unwrap()
    }

    /// A call of the management API by the operator.
    pub(crate) async fn operator(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.manage(&self.operator_token, method, path, body).await
    }

    /// A call of the management API.
    pub(crate) async fn manage(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let call = management_call(token, method, path, body);
        try_send(self.gateway, &call).await.expect("an answer of the management API")
    }

    /// Makes an organisation with an OpenAI key and a Top Dog key.
    pub(crate) async fn organisation(&self, name: &str, tier: &str) -> Tenant {
        let made = self.operator("POST", "/organisations", &json!({ "name": name, "tier": tier })).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let provider_key = format!("sk-proj-canary{}{name}", random());
        let body = json!({ "provider": "openai", "name": "default", "secret": provider_key });
        let made = self.operator("POST", &format!("/organisations/{name}/provider-keys"), &body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let body = json!({ "name": "test", "scopes": ["llm"] });
        let made = self.operator("POST", &format!("/organisations/{name}/api-keys"), &body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let api_key = made.json()["secret"].as_str().unwrap().to_owned();
        Tenant { api_key, provider_key }
    }

    /// Makes a tier like PRO but for its limit of LLM requests.
    pub(crate) async fn tier_with_llm_requests(&self, name: &str, limit: u64) {
        let mut tier = self.operator("GET", "/tiers/PRO", &Value::Null).await.json();
        tier["name"] = name.into();
        tier["llm_requests_per_day"] = limit.into();
        let made = self.operator("PUT", &format!("/tiers/{name}"), &tier).await;
        assert!(made.status() < 300, "{}", made.text());
    }

    /// All usage events of an organisation, through all pages, once everything spooled is shipped.
    pub(crate) async fn usage_events(&self, org: &str) -> Vec<Value> {
        self.pages(&format!("/organisations/{org}/usage/events")).await
    }

    /// All audit entries of an organisation, in the order of the chain.
    pub(crate) async fn audit(&self, org: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
            let path = format!("/organisations/{org}/audit?after={after}&limit=200");
            let page = self.operator("GET", &path, &Value::Null).await.json();
            let entries = page["data"].as_array().unwrap();
            if entries.is_empty() {
                return all;
            }
            all.extend(entries.iter().cloned());
        }
    }

    async fn pages(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let query = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
            let page = self.operator("GET", &format!("{path}?limit=200{query}"), &Value::Null).await.json();
            all.extend(page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return all,
            }
        }
    }

    /// Runs the command line against this server's data folder.
    pub(crate) fn cli(&self, arguments: &[&str]) -> std::process::Output {
        self.cli_fed(arguments, "")
    }

    /// The same, with something on standard input.
    pub(crate) fn cli_fed(&self, arguments: &[&str], input: &str) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_topdog"));
        command.args(arguments).arg("--data-dir").arg(self.place.data_dir()).env_clear();
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        self.place.secrets.commanded(arguments, input, &output);
        output
    }

    /// Waits until a question has the answer yes.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so().await {
            assert!(Instant::now() < deadline, "it never became true that {what}: {}", self.place.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() && matches!(self.child.try_wait(), Ok(None)) {
            self.hear_metrics();
        }
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.read_pipes();
    }
}

/// An organisation with its keys.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) api_key: String,
    pub(crate) provider_key: String,
}

impl Tenant {
    /// A chat request's bytes.
    pub(crate) fn chat(&self, body: &Value) -> Vec<u8> {
        self.post("/v1/chat/completions", body.to_string().as_bytes())
    }

    /// Any request's bytes.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Vec<u8> {
        let authorization = format!("Bearer {}", self.api_key);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        request("POST", path, &headers, body)
    }
}

/// The bytes of a call of the management API.
pub(crate) fn management_call(token: &str, method: &str, path: &str, body: &Value) -> Vec<u8> {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    request(method, &format!("/api/v1{path}"), &headers, &body)
}

/// A small chat.
pub(crate) fn chat() -> Value {
    json!({ "model": "openai/gpt-4o-mini", "messages": [{ "role": "user", "content": "hello" }] })
}

/// A small chat whose answer is streamed.
pub(crate) fn streamed_chat() -> Value {
    let mut chat = chat();
    chat["stream"] = true.into();
    chat
}

/// Digits that no other call has had.
pub(crate) fn random() -> String {
    let id = topdog_domain::RequestId::new().to_string();
    id[id.len() - 20..].to_owned()
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the server does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}
