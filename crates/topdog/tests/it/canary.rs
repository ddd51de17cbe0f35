//! No secret is anywhere it has no business: every file, every log line, every answer is searched.

use crate::http::{Answer, Head, request, try_send};
use crate::scanner::Scanner;
use crate::server::{Place, Server, Setup, Tenant, chat, random, streamed_chat};
use crate::upstream::{Reply, Upstream, echo};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

/// Everything that anyone outside was told, and what must not have been in it.
#[derive(Default)]
struct Told {
    scanner: Scanner,
    text: Vec<u8>,
}

impl Told {
    fn secret(&mut self, label: &str, secret: &str) {
        self.scanner.add(label, secret.as_bytes());
    }

    fn hear(&mut self, answer: &Answer) {
        self.text.extend(format!("{:?}\n", answer.head).bytes());
        self.text.extend(&answer.body);
        self.text.push(b'\n');
        // What escapes hide from the search, any reader sees.
        for part in answer.text().split("data: ") {
            if let Ok(json) = serde_json::from_str(part) {
                self.hear_strings(&json);
            }
        }
    }

    fn hear_strings(&mut self, json: &Value) {
        match json {
            Value::String(text) => self.text.extend(format!("{text}\n").bytes()),
            Value::Array(all) => all.iter().for_each(|one| self.hear_strings(one)),
            Value::Object(all) => all.values().for_each(|one| self.hear_strings(one)),
            _ => {}
        }
    }

    fn hear_command(&mut self, server: &Server<'_>, arguments: &[&str], input: &str) -> bool {
        let output = server.cli_fed(arguments, input);
        self.text.extend([output.stdout, output.stderr].concat());
        output.status.success()
    }
}

/// A provider key with every character that some form of writing would change.
fn provider_key() -> String {
    format!(r#"sk-{}/+"\%&={}"#, random(), random())
}

/// Where an organisation's provider key comes from.
#[derive(Debug, Clone, Copy)]
enum From {
    StandardInput,
    Environment,
    File,
}

/// An organisation whose provider key is from there, and a key of its own, which is told as the one thing that is.
async fn organisation(server: &Server<'_>, told: &mut Told, name: &str, from: From) -> String {
    let body = json!({ "name": name, "tier": "ENTERPRISE-STANDARD" });
    told.hear(&server.operator("POST", "/organisations", &body).await);
    let file = server.place.path().join("secrets/file.key");
    let add = ["provider-keys", "add", "--org", name, "--provider", "openai"];
    let is_added = match from {
        From::StandardInput => {
            let key = provider_key();
            told.secret(&format!("{name}'s key"), &key);
            told.hear_command(server, &[&add[..], &["--stdin"]].concat(), &key)
        }
        From::Environment => {
            told.hear_command(server, &[&add[..], &["--reference", "env:CANARY"]].concat(), "")
        }
        From::File => {
            let reference = format!("file:{}", file.display());
            told.hear_command(server, &[&add[..], &["--reference", &reference]].concat(), "")
        }
    };
    assert!(is_added, "{}", String::from_utf8_lossy(&told.text));
    let body = json!({ "name": "test", "scopes": ["llm"] });
    let made = server.operator("POST", &format!("/organisations/{name}/api-keys"), &body).await;
    let api_key = made.json()["secret"].as_str().unwrap().to_owned();
    // What is behind the public id is the secret.
    told.secret(&format!("{name}'s Top Dog key"), &api_key["td_live_".len() + 12..]);
    api_key
}

/// Requests that succeed or fail with the provider, and such as show what they should not.
async fn use_key(server: &Server<'_>, told: &mut Told, api_key: &str) {
    let authorization = format!("Bearer {api_key}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    for body in [chat(), streamed_chat(), json!({ "model": api_key }), json!({ "model": 1, "key": api_key })]
    {
        let text = body.to_string();
        let sent = request("POST", "/v1/chat/completions", &headers, text.as_bytes());
        let mut line = server.line().await;
        // What a caller sends as a model's name is told to that caller.
        let is_echoed = body["model"] == api_key;
        if is_echoed {
            line = line.unheard();
        }
        line.send(&sent).await;
        let answer = line.answer().await.unwrap();
        if !is_echoed {
            told.hear(&answer);
        }
    }
    let misplaced = [("authorization", format!("Bearer x{api_key}")), ("x-plan", api_key.to_owned())];
    for (name, value) in &misplaced {
        let headers = [("content-type", "application/json"), (*name, value.as_str())];
        let sent = request("POST", "/v1/chat/completions", &headers, chat().to_string().as_bytes());
        told.hear(&try_send(server.gateway, &sent).await.unwrap());
    }
}

/// Management calls with a key in every place where it does not belong.
async fn misplace(server: &Server<'_>, told: &mut Told, name: &str) {
    let key = provider_key();
    told.secret("a misplaced key", &key);
    let of_org = |path: &str| format!("/organisations/{name}/{path}");
    for (path, body) in [
        ("provider-keys", json!({ "provider": key })),
        ("provider-keys", json!({ "provider": "openai", "name": "other", "reference": key })),
        ("provider-keys", json!({ "provider": "openai", "name": "other", "secrets": key })),
        ("provider-keys", json!({ "provider": "openai", "name": "other", "secret": { "key": key } })),
        ("provider-keys", json!({ "provider": "openai", "name": "other", "secret": [key] })),
        (
            "provider-keys",
            json!({ "provider": "openai", "name": "other", "secret": key, "reference": "env:X" }),
        ),
        ("provider-keys", json!({ "provider": "openai", "name": "other", "secret": format!("{key}\r\n") })),
        ("provider-keys", json!(key)),
        ("api-keys", json!({ "name": "x", "mode": key })),
        ("api-keys", json!({ "name": "x", "scopes": [key] })),
        ("api-keys", json!({ "name": "x", "ip_allow": [key] })),
        ("api-keys", json!({ "name": "x", "expires_at": key })),
        ("endpoints", json!({ "name": "mine", "base_url": key })),
        (
            "endpoints",
            json!({ "name": "mine", "base_url": format!("https://user:{}@x.example/v1", &key[..30]) }),
        ),
    ] {
        let answer = server.operator("POST", &of_org(path), &body).await;
        assert!((400..500).contains(&answer.status()), "{path}: {}", answer.status());
        told.hear(&answer);
    }
    for argument in ["--secret", "--key"] {
        let add = ["provider-keys", "add", "--org", name, "--provider", "openai", argument, &key];
        assert!(!told.hear_command(server, &add, ""), "a key was taken as an argument");
    }
}

/// All that can be read of an organisation, and of the whole.
async fn read_all(server: &Server<'_>, told: &mut Told, name: &str) {
    for path in [
        "",
        "/api-keys",
        "/provider-keys",
        "/usage",
        "/usage/events",
        "/debug-logs",
        "/audit",
        "/vault",
        "/quota",
    ] {
        told.hear(&server.operator("GET", &format!("/organisations/{name}{path}"), &Value::Null).await);
    }
    told.hear_command(server, &["provider-keys", "test", "--org", name, "openai"], "");
    told.hear_command(server, &["audit", "list", "--org", name, "--limit", "1000"], "");
    told.hear(&server.admin("/metrics").await);
}

/// Spoils what is stored of a key.
async fn tamper(place: &Place) {
    let file = SqliteConnectOptions::new().filename(place.data_dir().join("topdog.db"));
    let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
    let statement = "UPDATE sealed_secrets SET ciphertext = wrapped_data_key";
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

// The commands wait for the provider, which must have a thread to answer on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_in_any_file_log_metric_or_answer() {
    let place = Place::new();
    let mut told = Told::default();
    let (in_file, in_variable) = (provider_key(), provider_key());
    told.secret("the file's key", &in_file);
    told.secret("the variable's key", &in_variable);
    std::fs::create_dir(place.path().join("secrets")).unwrap();
    std::fs::write(place.path().join("secrets/file.key"), &in_file).unwrap();
    place.keep_secret(&place.path().join("secrets/file.key"), &in_file);

    let replies = [
        Reply::Completion,
        Reply::Refuse { status: 401 },
        Reply::StreamThenDie { events: 1 },
        Reply::Echo { status: 401 },
        Reply::Echo { status: 200 },
        Reply::EchoEncoded { status: 403 },
        Reply::EchoEncoded { status: 200 },
    ];
    for (run, reply) in replies.into_iter().enumerate() {
        let upstream = Upstream::start(reply).await;
        let setup =
            Setup::with_upstream(&upstream).set(&["log.level=trace"]).variable("CANARY", &in_variable);
        let server = place.start(&setup).await;
        let mut made = Vec::new();
        for from in [From::StandardInput, From::Environment, From::File] {
            let name = format!("org-{run}-{from:?}").to_lowercase();
            let api_key = organisation(&server, &mut told, &name, from).await;
            use_key(&server, &mut told, &api_key).await;
            let is_recorded = async || server.usage_events(&name).await.len() >= 2;
            server.until("the requests are recorded", is_recorded).await;
            made.push((name, api_key));
        }
        assert_eq!(upstream.requests().len(), 6, "each organisation's two requests got to the provider");
        misplace(&server, &mut told, &made[0].0).await;
        let rotated = server.operator("POST", "/vault/rotate-root", &json!({})).await;
        told.hear(&rotated);
        for (name, _) in &made {
            read_all(&server, &mut told, name).await;
        }
        keep_log(&place, &format!("log-{run}"));
        assert!(server.stop().success());

        tamper(&place).await;
        let server = place.start(&setup).await;
        use_key(&server, &mut told, &made[0].1).await;
        keep_log(&place, &format!("log-{run}-tampered"));
        server.kill();
    }
    for passed_on in ["bad key: ", "bad key, of an echo"] {
        let is_told = String::from_utf8_lossy(&told.text).contains(passed_on);
        assert!(is_told, "the provider's error is passed on: {passed_on}");
    }
    let found = told.scanner.find(&told.text).map(|found| &*found.what);
    assert_eq!(found, None, "a secret is in an answer");

    std::fs::remove_dir_all(place.path().join("secrets")).unwrap();
    assert_eq!(told.scanner.search(place.path(), &|_, _| false), [""; 0], "secrets are in files");
}

/// A server that has been used.
async fn used(place: &Place) -> (Upstream, Tenant) {
    let upstream = Upstream::start(Reply::Completion).await;
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    assert_eq!(try_send(server.gateway, &acme.chat(&chat())).await.unwrap().status(), 200);
    (upstream, acme)
}

#[tokio::test]
async fn every_test_fails_that_leaves_a_secret_in_a_file() {
    let place = Place::new();
    let (_upstream, acme) = used(&place).await;
    assert_eq!(place.leaks(), [""; 0]);
    let own = |name: &str| std::fs::read_to_string(place.data_dir().join(name)).unwrap();
    let planted = place.data_dir().join("spool/planted");
    for secret in [&acme.provider_key, &acme.api_key, &own("operator.token"), &own("root.key")] {
        std::fs::write(&planted, format!("something before {secret}")).unwrap();
        let leaks = place.leaks();
        assert!(leaks.len() == 1 && leaks[0].contains("/planted: "), "{leaks:?}");
    }
    // A file may hold the one secret that it is for, and no other.
    place.keep_secret(&planted, &acme.provider_key);
    std::fs::write(&planted, &acme.provider_key).unwrap();
    assert_eq!(place.leaks(), [""; 0]);
    std::fs::write(&planted, format!("{}{}", acme.provider_key, acme.api_key)).unwrap();

    let place = std::panic::AssertUnwindSafe(place);
    let ended = std::panic::catch_unwind(move || drop(place.0));
    let said = *ended.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("/planted: a Top Dog key, raw"), "{said}");
}

#[tokio::test]
async fn and_one_whose_client_is_told_one() {
    let place = Place::new();
    let (upstream, acme) = used(&place).await;
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    // A caller is told the name of the model that it has asked for, and this one asks for its own key.
    let mut body = chat();
    body["model"] = acme.api_key.as_str().into();
    let mut line = server.line().await.unheard();
    line.send(acme.chat(&body)).await;
    assert_eq!(line.answer().await.unwrap().status(), 404);
    assert_eq!(place.leaks(), [""; 0]);
    assert_eq!(try_send(server.gateway, &acme.chat(&body)).await.unwrap().status(), 404);
    let leaks = place.leaks();
    assert!(leaks.len() == 1 && leaks[0].starts_with("what callers heard: a Top Dog key"), "{leaks:?}");
    place.secrets.forget_what_was_heard();
}

#[test]
fn a_test_that_fails_anyway_ends_by_its_own_words() {
    let failed = std::panic::catch_unwind(|| {
        let place = Place::new();
        place.secrets.add("a secret", "0123456789abcdef");
        std::fs::write(place.path().join("planted"), "0123456789abcdef").unwrap();
        panic!("its own words");
    });
    assert_eq!(*failed.unwrap_err().downcast::<&str>().unwrap(), "its own words");
}

#[test]
fn an_echo_that_is_passed_on_as_it_came_is_found() {
    let key = provider_key();
    for does_stream in [false, true] {
        let echo = echo(401, &format!("Bearer {key}"), does_stream, "identity");
        let (head, body) = echo.split_once("\r\n\r\n").unwrap();
        let headers = head.lines().filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let headers =
            headers.into_iter().filter(|(name, _)| name.starts_with("x-") || name.starts_with("www-"));
        let of_headers = headers.map(|header| (vec![header], String::new()));
        // One form of the key alone, so that none hides behind another.
        let (begin, forms) = body.split_once("\"keys\":[").unwrap();
        let (forms, end) = forms.split_once(']').unwrap();
        let forms = forms.split("\",\"").map(|form| format!("\"{}\"", form.trim_matches('"')));
        let of_bodies = forms.map(|form| (Vec::new(), format!("{begin}\"keys\":[{form}]{end}")));
        for (headers, body) in of_headers.chain(of_bodies) {
            let mut told = Told::default();
            told.secret("a key", &key);
            told.hear(&Answer {
                head: Head { status: 401, headers: headers.clone() },
                body: body.clone().into(),
            });
            assert!(told.scanner.find(&told.text).is_some(), "{headers:?} {body}");
        }
    }
}

/// Puts away what a server has logged so far and goes on logging, before another writes its own.
fn keep_log(place: &Place, name: &str) {
    for stream in ["stdout", "stderr"] {
        std::fs::rename(place.path().join(stream), place.path().join(format!("{name}-{stream}"))).unwrap();
    }
}
