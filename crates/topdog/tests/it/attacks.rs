//! Bytes that are meant to do harm: to smuggle a request, a header or a path, or to hold the server up.

use crate::bad_input::{Bed, refused};
use crate::http::{Line, request, try_send};
use crate::server::{Server, Tenant, chat};
use serde_json::Value;
use std::time::{Duration, Instant};

const MIB: u64 = 1024 * 1024;

/// The head of a chat up to its authorization, and whatever comes behind it.
fn chat_head(acme: &Tenant, rest: &str) -> Vec<u8> {
    let key = &acme.api_key;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         authorization: Bearer {key}\r\n{rest}"
    )
    .into_bytes()
}

/// Sends bytes with a good chat behind them, which must not be taken for a request of its own.
async fn smuggles_nothing(server: &Server<'_>, acme: &Tenant, bytes: Vec<u8>) {
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    let mut line = server.line().await;
    line.send([bytes, acme.chat(&chat())].concat()).await;
    if let Some(answer) = line.answer().await {
        assert_eq!(answer.status(), 400, "{shown:?}: {}", answer.text());
    }
    assert!(line.answer().await.is_none(), "there was a second answer to {shown:?}");
}

#[tokio::test]
async fn a_body_of_two_lengths_smuggles_no_request() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    for framing in [
        "content-length: 300\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 300\r\n\r\n0\r\n\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "content-length: 0\r\ncontent-length: 300\r\n\r\n",
        "content-length: 0, 300\r\n\r\n",
        "content-length: +0\r\n\r\n",
        "content-length: 0x0\r\n\r\n",
        "content-length: 18446744073709551616\r\n\r\n",
        "content-length : 0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: identity\r\ncontent-length: 0\r\n\r\n",
        "x: y\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n-0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n1\r\n{{0\r\n\r\n",
    ] {
        smuggles_nothing(&server, &acme, chat_head(&acme, framing)).await;
    }
    let old = chat_head(&acme, "transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    let old = String::from_utf8(old).unwrap().replacen("HTTP/1.1", "HTTP/1.0", 1);
    smuggles_nothing(&server, &acme, old.into_bytes()).await;
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_control_character_in_a_header_is_refused() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    for bad in ["a\0b", "a\rb", "a\u{1}b", "a\u{7f}b", "\0", "a\r\r\n"] {
        for name in ["x-request-id", "x-plan", "x-data-segment", "user-agent"] {
            let head = chat_head(&acme, &format!("{name}: {bad}\r\ncontent-length: 0\r\n\r\n"));
            let answer = refused(&server, &head).await;
            assert_eq!(answer.status(), 400, "{name}: {bad:?}");
        }
        let key = format!("Bearer {}{bad}", acme.api_key);
        let head = request("POST", "/v1/chat/completions", &[("authorization", &key)], b"{}");
        assert_eq!(refused(&server, &head).await.status(), 400, "{bad:?}");
    }
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_model_name_that_is_none_gets_into_no_header() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    for model in [
        "openai/gpt\r\nset-cookie: a=b",
        "openai/gpt\nset-cookie: a=b",
        "openai/\0",
        "openai/gpt\u{7f}",
        "openai/gpt\u{2028}x",
        "openai/\u{85}",
        "openai/ ",
        "openai/",
        "/gpt-4o",
        "openai\r\nx/gpt-4o",
        "\u{202e}openai/gpt-4o",
        &format!("openai/{}", "x".repeat(100_000)),
    ] {
        let mut body = chat();
        body["model"] = model.into();
        let answer = try_send(server.gateway, &acme.chat(&body)).await.unwrap();
        let shown = model.chars().take(30).collect::<String>();
        assert!(matches!(answer.status(), 400 | 403 | 404), "{shown:?}: {}", answer.text());
        assert!(answer.head.header("set-cookie").is_none(), "{shown:?}: {:?}", answer.head);
        assert!(answer.body.len() < 2000, "{shown:?} is repeated at length");
    }
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn an_id_that_climbs_names_nothing() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    server.organisation("other", "PRO").await;
    let authorization = format!("Bearer {}", acme.api_key);
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "..%2f",
        "%2e%2e%2fchat",
        "%00",
        "openai%2fgpt%0d%0aset-cookie:%20a=b",
        "%ff",
        "%",
        "%2",
    ] {
        let path = format!("/v1/models/{id}");
        let answer =
            refused(&server, &request("GET", &path, &[("authorization", &authorization)], b"")).await;
        assert_eq!(answer.status(), 404, "{path}: {}", answer.text());
        assert!(answer.head.header("set-cookie").is_none(), "{path}: {:?}", answer.head);
    }
    for path in [
        "/organisations/..%2fother",
        "/organisations/acme%2f..%2fother",
        "/organisations/acme/../other",
        "/organisations/acme/api-keys/..%2f..%2f..%2fother",
        "/organisations/acme/api-keys/%2e%2e",
        "/organisations/acme/provider-keys/%00",
        "/organisations/acme/endpoints/..%2fx",
        "/organisations/%0d%0a",
        "/tiers/..%2f..%2forganisations",
        "/tiers/%ff",
    ] {
        let answer = server.operator("GET", path, &Value::Null).await;
        assert!(matches!(answer.status(), 400 | 404 | 405), "{path}: {} {}", answer.status(), answer.text());
    }
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_before_they_are_sent_and_never_kept() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let before = server.peak_bytes();

    let answer = refused(&server, &chat_head(&acme, "content-length: 104857600\r\n\r\n")).await;
    assert_eq!(answer.status(), 413, "{}", answer.text());
    let stranger = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    pour(server.line().await, stranger, 401).await;
    let grown = server.peak_bytes().saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes for bodies that nobody should have read");

    pour(server.line().await, &chat_head(&acme, "transfer-encoding: chunked\r\n\r\n"), 413).await;
    let grown = server.peak_bytes().saturating_sub(before);
    assert!(grown < 80 * MIB, "{grown} bytes for a body of at most 32 MiB");
    bed.is_unharmed(&server, &acme).await;
}

/// Pours 100 MB behind a head, as long as they are taken.
async fn pour(mut line: Line, head: &[u8], status: u16) {
    line.send(head).await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..1600 {
        if !line.send(&chunk).await {
            break;
        }
    }
    // The connection may be cut while we are still sending.
    if let Some(answer) = line.answer().await {
        assert_eq!(answer.status(), status, "{}", answer.text());
    }
}

#[tokio::test]
async fn dribbling_buys_no_time() {
    let bed = Bed::new().await;
    let (server, acme) =
        bed.start(&["server.header_timeout_ms=300", "server.body_idle_timeout_ms=100"]).await;
    let head = chat_head(&acme, "x-dribbled: ");
    assert!(dribble(server.line().await, &head).await < Duration::from_secs(3));
    let body = chat_head(&acme, "content-length: 1000000\r\n\r\n{\"model\": \"");
    assert!(dribble(server.line().await, &body).await < Duration::from_secs(5));
    bed.is_unharmed(&server, &acme).await;
}

/// Sends a byte every 20 ms behind a beginning; how long that was let happen.
async fn dribble(mut line: Line, beginning: &[u8]) -> Duration {
    let began = Instant::now();
    line.send(beginning).await;
    while line.send(b"x").await && began.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

#[tokio::test]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&["server.header_timeout_ms=1000"]).await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(server.line().await);
    }
    let answer = try_send(server.gateway, &request("GET", "/v1/models", &[], b"")).await.unwrap();
    assert_eq!(answer.status(), 401);
    for mut line in idle {
        assert!(line.is_closed().await);
    }
    bed.is_unharmed(&server, &acme).await;
}
