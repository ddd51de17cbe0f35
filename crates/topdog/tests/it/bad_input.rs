//! Bytes that no SDK sends: each is a clear refusal, nothing is forwarded, nothing breaks.

use crate::http::{Answer, Line, request, try_send};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::Value;

/// A server whose provider must never hear of what is sent here.
pub(crate) struct Bed {
    pub(crate) upstream: Upstream,
    place: Place,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self { upstream: Upstream::start(Reply::Completion).await, place: Place::new() }
    }

    pub(crate) async fn start(&self, settings: &[&str]) -> (Server<'_>, Tenant) {
        let server = self.place.start(&Setup::with_upstream(&self.upstream).set(settings)).await;
        let acme = server.organisation("acme", "PRO").await;
        (server, acme)
    }

    /// It still works, and nothing but that last request was forwarded.
    pub(crate) async fn is_unharmed(&self, server: &Server<'_>, acme: &Tenant) {
        let answer = try_send(server.gateway, &acme.chat(&chat())).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(self.upstream.requests().len(), 1, "something bad was forwarded");
        let quota = server.operator("GET", "/organisations/acme/quota", &Value::Null).await.json();
        let mut lines = quota["data"].as_array().unwrap().iter();
        let llm_requests = lines.find(|line| line["limit"] == "llm_requests_per_day").unwrap();
        assert_eq!(llm_requests["used"], 1, "something bad was counted: {quota}");
        assert!(!self.place.log().contains("panicked"), "{}", self.place.log());
    }
}

pub(crate) async fn refused(server: &Server<'_>, request: &[u8]) -> Answer {
    let answer = try_send(server.gateway, request).await.expect("an answer");
    assert!((400..500).contains(&answer.status()), "{}: {}", answer.status(), answer.text());
    answer
}

#[tokio::test]
async fn a_body_that_is_no_request_is_a_400_in_the_dialect() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let messages = r#""messages":[{"role":"user","content":"hello"}]"#;
    for body in [
        String::new(),
        "{".to_owned(),
        format!(r#"{{"model":"openai/gpt-4o-mini",{messages}"#),
        format!(r#"{{"model":"openai/gpt-4o-mini",{messages}}} trailing"#),
        format!(r#"{{"model":"openai/gpt-4o-mini","model":"openai/gpt-4o",{messages}}}"#),
        format!(r#"{{"model":"openai/gpt-4o-mini","\u006dodel":"openai/gpt-4o",{messages}}}"#),
        format!(r#"{{"model":7,{messages}}}"#),
        format!(r#"{{"model":null,{messages}}}"#),
        format!(r#"{{{messages}}}"#),
        format!(r#"{{"model":"openai/gpt-4o-mini","stream":"yes",{messages}}}"#),
        format!("[{}]", chat()),
        "\"text\"".to_owned(),
        format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        "{\"model\":\"openai/\u{0}\"}".to_owned(),
    ] {
        let answer = refused(&server, &acme.post("/v1/chat/completions", body.as_bytes())).await;
        assert_eq!(answer.status(), 400, "{}: {}", &body[..body.len().min(80)], answer.text());
        assert!(answer.json()["error"]["message"].is_string());
        assert_eq!(answer.head.header("x-topdog-error-source"), Some("gateway"));
        assert!(answer.head.header("x-request-id").is_some());
    }
    let answer = refused(&server, &acme.post("/v1/chat/completions", b"{\"model\":\"\xff\xfe\"}")).await;
    assert_eq!(answer.status(), 400);
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_model_name_can_not_smuggle_a_header_or_a_path() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    for model in ["no-such-model", "../../admin", "/etc/passwd", "openai", "unknown-provider/x"] {
        let mut body = chat();
        body["model"] = model.into();
        let answer = refused(&server, &acme.chat(&body)).await;
        assert!(!answer.code().is_empty(), "{model}: {}", answer.text());
    }
    let mut body = chat();
    body["model"] = "gpt-4o-mimi".into();
    let answer = refused(&server, &acme.chat(&body)).await;
    assert_eq!(answer.status(), 404);
    assert!(answer.text().contains("gpt-4o-mini"), "the nearest name is told: {}", answer.text());
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_key_that_is_none_is_a_401_whatever_it_looks_like() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let mut changed = acme.api_key.clone();
    let last = changed.pop().unwrap();
    changed.push(if last == 'a' { 'b' } else { 'a' });
    for authorization in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {}", acme.api_key),
        format!("Bearer {}", &acme.api_key[..40]),
        format!("Bearer {changed}"),
        format!("Bearer {}x", acme.api_key),
        format!("Bearer {}", "a".repeat(5000)),
        format!("Bearer {}", acme.provider_key),
    ] {
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let request = request("POST", "/v1/chat/completions", &headers, chat().to_string().as_bytes());
        let answer = refused(&server, &request).await;
        assert_eq!(answer.status(), 401, "{authorization}: {}", answer.text());
        assert!(!answer.text().contains(&acme.api_key[20..]), "{}", answer.text());
    }
    let nothing = request("POST", "/v1/chat/completions", &[], chat().to_string().as_bytes());
    assert_eq!(refused(&server, &nothing).await.status(), 401);
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_label_outside_its_list_is_a_400() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    for (name, value) in [
        ("X-Plan", "Gold"),
        ("X-Plan", "pro"),
        ("X-Plan", ""),
        ("X-Data-Segment", "secret"),
        ("X-Data-Segment", "\u{ff}"),
    ] {
        let authorization = format!("Bearer {}", acme.api_key);
        let headers = [("authorization", authorization.as_str()), (name, value)];
        let request = request("POST", "/v1/chat/completions", &headers, chat().to_string().as_bytes());
        let answer = refused(&server, &request).await;
        assert_eq!(answer.status(), 400, "{name}: {value}");
        assert!(answer.text().contains(name), "{}", answer.text());
    }
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_a_413_and_are_not_kept() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&["server.max_body_bytes=1048576"]).await;
    let before = server.resident_bytes();
    let declared = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 104857600\r\n\r\n",
        acme.api_key
    );
    let answer = refused(&server, declared.as_bytes()).await;
    assert_eq!(answer.status(), 413, "{}", answer.text());

    let mut line = server.line().await;
    line.send(declared.replace("content-length: 104857600", "transfer-encoding: chunked")).await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(65_536));
    for _ in 0..1600 {
        if !line.send(&chunk).await {
            break;
        }
    }
    // The connection may be cut while we are still sending; what counts is that it was not read to its end.
    if let Some(answer) = line.answer().await {
        assert_eq!(answer.status(), 413, "{}", answer.text());
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes more");
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&["server.max_head_bytes=16384"]).await;
    let large = "x".repeat(20_000);
    let request = request("GET", "/v1/models", &[("x-large", &large)], b"");
    let answer = refused(&server, &request).await;
    assert_eq!(answer.status(), 431);
    let many: Vec<_> = (0..500).map(|n| (format!("x-{n}"), "v".to_owned())).collect();
    let many: Vec<_> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let request = crate::http::request("GET", "/v1/models", &many, b"");
    refused(&server, &request).await;
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn headers_that_break_the_framing_are_refused() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let body = chat().to_string();
    let head = |lines: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{lines}\r\n{body}",
            acme.api_key
        )
    };
    let length = body.len();
    for lines in [
        format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1),
        "content-length: -1\r\n".to_owned(),
        "content-length: 1x\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        format!("content-length: {length}\r\nx-a: b\r\n c-continued: d\r\n").replace("\r\n c", "\r\nc c"),
        format!("content-length: {length}\r\nx-null: a\0b\r\n"),
        format!("content-length: {length}\r\nbad header: a\r\n"),
    ] {
        let mut line = server.line().await;
        line.send(head(&lines)).await;
        if let Some(answer) = line.answer().await {
            assert_eq!(answer.status(), 400, "{lines:?}: {}", answer.text());
        }
    }
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_client_that_dawdles_is_let_go() {
    let bed = Bed::new().await;
    let (server, acme) =
        bed.start(&["server.header_timeout_ms=200", "server.body_idle_timeout_ms=200"]).await;
    let mut slow_head = server.line().await;
    slow_head.send("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-slow:").await;
    assert!(slow_head.is_closed().await);

    let mut slow_body = server.line().await;
    let whole = acme.chat(&chat());
    slow_body.send(&whole[..whole.len() - 5]).await;
    if let Some(answer) = slow_body.answer().await {
        assert_eq!(answer.status(), 408, "{}", answer.text());
    }
    assert!(slow_body.is_closed().await);

    let mut silent = Line::connect(server.gateway).await;
    assert!(silent.is_closed().await);
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_path_that_climbs_leads_nowhere() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    for path in [
        "/v1/../api/v1/organisations",
        "/v1/%2e%2e/api/v1/organisations",
        "/v1/chat/completions/../../../etc/passwd",
        "/v1//chat/completions",
        "/v1/chat%2Fcompletions",
        "/api/v1/organisations/..%2f..%2fetc",
        "/api/v1/organisations/org_00000000000000000000000000000000%00",
        "/v1/no-such",
        "/",
    ] {
        let authorization = format!("Bearer {}", acme.api_key);
        let request = request("GET", path, &[("authorization", authorization.as_str())], b"");
        let answer = refused(&server, &request).await;
        assert!(matches!(answer.status(), 400 | 403 | 404 | 405), "{path}: {}", answer.status());
    }
    let wrong_method = request("DELETE", "/v1/chat/completions", &[], b"");
    assert!(matches!(refused(&server, &wrong_method).await.status(), 401 | 405));
    let injection = serde_json::json!({ "name": "a\r\nx: b", "tier": "PRO" });
    let made = server.operator("POST", "/organisations", &injection).await;
    assert!(matches!(made.status(), 400 | 422), "{}", made.text());
    let found = server.operator("GET", "/organisations/acme", &Value::Null).await;
    assert_eq!(found.status(), 200);
    bed.is_unharmed(&server, &acme).await;
}
