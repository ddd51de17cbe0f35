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
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && socket.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
                heard.lock().unwrap().push(String::from_utf8(head).unwrap());
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
