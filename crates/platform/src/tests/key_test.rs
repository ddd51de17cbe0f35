use super::{CANARY, OPERATOR, Reply, World};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A provider on this machine that says always the same, and what it was asked.
struct Provider {
    base_url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    async fn saying(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                // Byte by byte, so that nothing of the body is taken with the head.
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = socket.read_u8().await else { break };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                let _ = socket.read_exact(&mut vec![0; length.unwrap_or(0)]).await;
                heard.lock().unwrap().push(head);
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { base_url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Keeps a key and tests it.
async fn tested(world: &World) -> Reply {
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    let made =
        world.post(&path, OPERATOR, json!({ "provider": "openai", "secret": CANARY })).await.expect(201);
    world.post(&format!("{path}/{}/test", made.id()), OPERATOR, json!({})).await
}

#[tokio::test]
async fn a_good_key_is_said_to_be_and_nothing_more() {
    let provider =
        Provider::saying("HTTP/1.1 200 OK\r\nx-private: yes\r\ncontent-length: 12\r\n\r\n{\"data\":\"xx\"")
            .await;
    let world = World::with_openai(&provider.base_url).await;
    let reply = tested(&world).await.expect(200);
    assert_eq!((&reply.body["result"], &reply.body["status_class"]), (&json!("ok"), &json!("2xx")));
    assert!(!reply.text.contains("xx\"}") && reply.headers.get("x-private").is_none());
    let asked = provider.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("GET /v1/models HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains(&format!("authorization: Bearer {CANARY}\r\n")));
    let audits = world.spool.audits();
    assert!(audits.iter().any(|entry| entry.action == "provider_key.test" && entry.detail["version"] == "1"));
}

#[tokio::test]
async fn a_refused_key_is_said_to_be_without_the_providers_words() {
    let answer = "HTTP/1.1 401 No\r\ncontent-length: 42\r\n\r\nIncorrect API key provided: sk-canary-01234";
    let provider = Provider::saying(answer).await;
    let world = World::with_openai(&provider.base_url).await;
    let reply = tested(&world).await.expect(200);
    assert_eq!((&reply.body["result"], &reply.body["status_class"]), (&json!("refused"), &json!("4xx")));
    assert!(!reply.text.contains("sk-canary") && !reply.text.contains("Incorrect"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Provider::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let answer =
        format!("HTTP/1.1 302 Go\r\nlocation: {}/models\r\ncontent-length: 0\r\n\r\n", elsewhere.base_url);
    let provider = Provider::saying(answer.leak()).await;
    let world = World::with_openai(&provider.base_url).await;
    let reply = tested(&world).await.expect(200);
    assert_eq!((&reply.body["result"], &reply.body["status_class"]), (&json!("refused"), &json!("3xx")));
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let world = World::with_openai(&base_url).await;
    let reply = tested(&world).await.expect(200);
    assert_eq!(reply.body["result"], "unreachable");
    assert_eq!(reply.body["status_class"], json!(null));
}

#[tokio::test]
async fn what_can_not_be_audited_is_not_done() {
    let provider = Provider::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let world = World::with_openai(&provider.base_url).await;
    world.spool.set_healthy(false);
    tested(&world).await.refused(503, "records_unavailable");
    assert!(provider.asked().is_empty());
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_any_more_is_unreachable() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    let (file, reference) = world.key_file("key");
    let wish = json!({ "provider": "openai", "reference": reference });
    let made = world.post(&path, OPERATOR, wish).await.expect(201);
    std::fs::remove_file(file).unwrap();
    let reply = world.post(&format!("{path}/{}/test", made.id()), OPERATOR, json!({})).await.expect(200);
    assert_eq!(reply.body["result"], "unreachable");
}

#[tokio::test]
async fn every_api_is_asked_in_its_own_way_and_never_for_what_costs() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let pair = "AKIAEXAMPLE12345:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    for (dialect, more, secret, line, header) in [
        ("anthropic", json!({}), CANARY, "GET /v1/models ", format!("x-api-key: {CANARY}\r\n")),
        ("azure", json!({}), CANARY, "GET /v1/models ", format!("api-key: {CANARY}\r\n")),
        (
            "azure",
            json!({ "api_version": "2024-10-21" }),
            CANARY,
            "GET /v1/models?api-version=2024-10-21 ",
            format!("api-key: {CANARY}\r\n"),
        ),
        (
            "bedrock",
            json!({ "region": "eu-west-1" }),
            pair,
            "POST /v1/model/top-dog-key-test/converse ",
            "authorization: AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE12345/".to_owned(),
        ),
        (
            "vertex",
            json!({}),
            "ya29.canary",
            "POST /v1/publishers/google/models/top-dog-key-test:countTokens ",
            "authorization: Bearer ya29.canary\r\n".to_owned(),
        ),
    ] {
        for (answer, told) in [(400, ["refused", "ok"]), (403, ["refused"; 2]), (200, ["ok"; 2])] {
            let answer = format!("HTTP/1.1 {answer} X\r\ncontent-length: 0\r\n\r\n");
            let provider = Provider::saying(answer.leak()).await;
            let name = format!("e{}", provider.base_url.rsplit_once(':').unwrap().1.replace("/v1", ""));
            let mut endpoint = json!({ "name": name, "base_url": provider.base_url, "dialect": dialect });
            endpoint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            world.post(&format!("/organisations/{org}/endpoints"), OPERATOR, endpoint).await.expect(201);
            let keys = format!("/organisations/{org}/provider-keys");
            let wish = json!({ "provider": name, "secret": secret });
            let made = world.post(&keys, OPERATOR, wish).await.expect(201);
            let path = format!("{keys}/{}/test", made.id());
            let reply = world.post(&path, OPERATOR, json!({})).await.expect(200);
            let asks_for_no_model = matches!(dialect, "bedrock" | "vertex");
            assert_eq!(
                reply.body["result"],
                told[usize::from(asks_for_no_model)],
                "{dialect}: {}",
                reply.text
            );
            let asked = provider.asked().remove(0);
            assert!(asked.starts_with(line) && asked.contains(&header), "{asked}");
            assert!(!asked.contains("wJalr"), "what signs is not sent");
        }
    }
}
