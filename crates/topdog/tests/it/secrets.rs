//! The canary of every test: what a server was given as a secret is nowhere but where it belongs.
//!
//! Each [`crate::server::Place`] has one of these. It learns the secrets by listening to what the test sends and is
//! told, and at the test's end it looks for them in all that is left: every file of the place, what the server printed
//! and logged, what callers heard (metrics and errors among it), and the database where that is a server.

use crate::scanner::Scanner;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex, Weak};

/// Whoever connects there is heard by these.
static LISTENING: Mutex<BTreeMap<SocketAddr, Weak<Secrets>>> = Mutex::new(BTreeMap::new());

/// The most that is kept of one answer, and of all answers of success on the data plane.
const MOST: usize = 1 << 20;

/// What must not be seen, and what was.
#[derive(Default)]
pub(crate) struct Secrets {
    known: Mutex<Vec<Secret>>,
    heard: Mutex<Heard>,
    stores: Mutex<Vec<String>>,
}

struct Secret {
    label: String,
    bytes: Vec<u8>,
    /// Files that may hold it.
    homes: Vec<PathBuf>,
}

#[derive(Default)]
struct Heard {
    text: Vec<u8>,
    bytes_of_success: usize,
}

/// A request, as far as it says what its answer may hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    line: String,
}

impl Secrets {
    /// Hears all that is said at that address from now on.
    pub(crate) fn listen(self: &Arc<Self>, address: SocketAddr) {
        LISTENING.lock().unwrap().insert(address, Arc::downgrade(self));
    }

    /// Whose server is at that address.
    pub(crate) fn at(address: SocketAddr) -> Option<Arc<Self>> {
        LISTENING.lock().unwrap().get(&address)?.upgrade()
    }

    /// A secret from now on; what is too short to be told from chance is none.
    pub(crate) fn add(&self, label: &str, secret: impl AsRef<[u8]>) {
        self.add_at(label, secret, []);
    }

    /// A secret that those files may hold, and nothing else.
    pub(crate) fn add_at(
        &self,
        label: &str,
        secret: impl AsRef<[u8]>,
        homes: impl IntoIterator<Item = PathBuf>,
    ) {
        let bytes = secret.as_ref().trim_ascii();
        if bytes.len() < 8 {
            return;
        }
        let mut known = self.known.lock().unwrap();
        match known.iter_mut().find(|secret| secret.bytes == bytes) {
            Some(secret) => secret.homes.extend(homes),
            None => known.push(Secret {
                label: label.to_owned(),
                bytes: bytes.to_owned(),
                homes: homes.into_iter().collect(),
            }),
        }
    }

    /// What the test has moved elsewhere may be there too.
    pub(crate) fn moved(&self, from: &Path, to: &Path) {
        for secret in &mut *self.known.lock().unwrap() {
            if secret.homes.iter().any(|home| home == from) {
                secret.homes.push(to.to_owned());
            }
        }
    }

    /// A variable of the server's environment: a key, or the address of its database, which is searched as well.
    pub(crate) fn learn_variable(&self, name: &str, value: &str) {
        if let Some((_, rest)) = value.split_once("://") {
            let password = rest.split_once('@').and_then(|(user, _)| Some(user.split_once(':')?.1));
            self.add("the database's password", password.unwrap_or_default());
            let mut stores = self.stores.lock().unwrap();
            if !stores.iter().any(|known| known == value) {
                stores.push(value.to_owned());
            }
        } else if name != "TMPDIR" && !name.starts_with("DEFAULT_") && !name.starts_with("ENABLE_") {
            self.add(name, value);
        }
    }

    /// What the server has made for itself.
    pub(crate) fn learn_own(&self, data_dir: &Path) {
        let token = data_dir.join("operator.token");
        if let Ok(text) = std::fs::read_to_string(&token) {
            self.add_at("the operator's token", text, [token]);
        }
        let root = data_dir.join("root.key");
        for line in std::fs::read_to_string(&root).unwrap_or_default().lines() {
            if let Some((_, key)) = line.split_once(' ').filter(|(word, _)| word.starts_with('v')) {
                self.add_at("the root key", STANDARD.decode(key).unwrap(), [root.clone()]);
            }
        }
    }

    /// Listens to what is sent: a provider's key is a secret from here on.
    pub(crate) fn asked(&self, bytes: &[u8]) -> Asked {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(&line[..line.len().min(300)]).into_owned();
        if line.starts_with("POST /api/v1/")
            && let Some(body) = behind(bytes, b"\r\n\r\n")
            && let Ok(body) = serde_json::from_slice::<Value>(body)
            && let Some(secret) = body["secret"].as_str()
        {
            self.add("a provider key", secret);
        }
        Asked { line }
    }

    /// Listens to an answer. A new key is told this once: it is the only thing that is not heard.
    pub(crate) fn answered(&self, asked: &Asked, status: u16, head: &str, body: &[u8]) {
        let is_api = asked.line.contains(" /api/");
        let body = &body[..body.len().min(MOST)];
        {
            let mut heard = self.heard.lock().unwrap();
            if status < 400 && !is_api {
                if heard.bytes_of_success > MOST {
                    return;
                }
                heard.bytes_of_success += head.len() + body.len();
            }
            heard.text.extend(head.bytes());
        }
        let json = is_api.then(|| serde_json::from_slice::<Value>(body).ok()).flatten();
        if let Some(mut json) = json {
            if status < 300
                && asked.makes_a_key()
                && let Some(Value::String(key)) = json.as_object_mut().and_then(|made| made.remove("secret"))
            {
                self.add("a Top Dog key", secret_part(&key));
            }
            self.hear_strings(&json);
            self.hear(json.to_string().as_bytes());
        } else {
            self.hear(body);
            for part in String::from_utf8_lossy(body).split("data: ") {
                // What escapes hide from the search, any reader sees.
                if let Ok(json) = serde_json::from_str(part) {
                    self.hear_strings(&json);
                }
            }
        }
    }

    /// Listens to a command: what it was fed is a provider's key, and a key that it has made is told this once.
    pub(crate) fn commanded(&self, arguments: &[&str], input: &str, output: &Output) {
        if arguments.contains(&"provider-keys") {
            self.add("a provider key", input);
        }
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let makes_a_key = match arguments {
            ["init" | "apply", ..] => true,
            ["api-keys", verb, ..] => matches!(*verb, "create" | "rotate"),
            _ => false,
        };
        if makes_a_key && let Some(key) = find_key(&printed) {
            self.add("a Top Dog key", secret_part(&key));
            printed = printed.replacen(&key, "", 1);
        }
        if let Some(file) = arguments.iter().skip_while(|word| **word != "--secret-file").nth(1)
            && let Ok(key) = std::fs::read_to_string(file)
        {
            self.add_at("a Top Dog key", secret_part(key.trim()), [PathBuf::from(file)]);
        }
        self.hear(printed.as_bytes());
        self.hear(&output.stderr);
    }

    /// Anything else that somebody outside has been told.
    pub(crate) fn hear(&self, text: &[u8]) {
        let heard = &mut self.heard.lock().unwrap().text;
        heard.extend(text);
        heard.push(b'\n');
    }

    /// As if nobody had been told anything.
    pub(crate) fn forget_what_was_heard(&self) {
        self.heard.lock().unwrap().text.clear();
    }

    fn hear_strings(&self, json: &Value) {
        match json {
            Value::String(text) => self.hear(text.as_bytes()),
            Value::Array(all) => all.iter().for_each(|one| self.hear_strings(one)),
            Value::Object(all) => all.values().for_each(|one| self.hear_strings(one)),
            _ => {}
        }
    }

    /// Whatever of them is where it does not belong: where, and which.
    pub(crate) fn leaks(&self, folders: &[&Path]) -> Vec<String> {
        let known = self.known.lock().unwrap();
        let mut scanner = Scanner::default();
        for secret in &*known {
            scanner.add(&secret.label, &secret.bytes);
        }
        let is_at_home = |path: &Path, what: &[u8]| {
            known.iter().any(|secret| secret.bytes == what && secret.homes.iter().any(|home| home == path))
        };
        let mut leaks: Vec<_> =
            folders.iter().flat_map(|folder| scanner.search(folder, &is_at_home)).collect();
        let heard = &self.heard.lock().unwrap().text;
        leaks.extend(scanner.find(heard).map(|found| format!("what callers heard: {}", found.what)));
        for url in &*self.stores.lock().unwrap() {
            let rows = crate::engines::all_rows(url);
            leaks.extend(scanner.find(rows.as_bytes()).map(|found| format!("the database: {}", found.what)));
        }
        leaks
    }
}

impl Asked {
    fn makes_a_key(&self) -> bool {
        let path = self.line.strip_prefix("POST ").and_then(|rest| rest.split([' ', '?']).next());
        path.is_some_and(|path| {
            path.contains("/api-keys") && (path.ends_with("/api-keys") || path.ends_with("/rotate"))
        })
    }
}

/// What is behind the public id is the secret.
fn secret_part(key: &str) -> &str {
    key.get("td_live_".len() + 12..).unwrap_or(key)
}

/// The first Top Dog key in a text.
fn find_key(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_key = |word: &&str| {
        (word.starts_with("td_live_") || word.starts_with("td_test_")) && word.len() == "td_live_".len() + 61
    };
    words.into_iter().find(is_key).map(str::to_owned)
}

fn behind<'a>(bytes: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(what.len()).position(|window| window == what)?;
    Some(&bytes[at + what.len()..])
}
