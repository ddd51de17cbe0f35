//! HTTP/1.1 byte by byte: where one request ends and the next begins, and that every refusal is one of ours.

use crate::bad_input::Bed;
use crate::http::{Answer, Line, request, soon, try_send};
use crate::protocols::connect;
use crate::server::{Server, Tenant, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A refusal of HTTP itself: in the dialect, with an id, from us, and the last word on its connection.
fn is_ours(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{}", answer.text());
    assert!(answer.head.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!(answer.head.header("x-topdog-error-source"), Some("gateway"));
    assert_eq!(answer.head.header("connection"), Some("close"));
    assert!(answer.head.header("date").is_some());
}

async fn sent(server: &Server<'_>, bytes: impl AsRef<[u8]>) -> (Answer, Line) {
    let mut line = server.line().await;
    line.send(bytes).await;
    (line.answer().await.expect("an answer"), line)
}

#[tokio::test]
async fn what_is_no_http_is_refused_in_the_dialect_of_its_path() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&["server.max_head_bytes=16384", "server.header_timeout_ms=300"]).await;
    let long = "x".repeat(20_000);
    for (bytes, status, code) in [
        ("GET /v1/models HTTP/1.1\r\n\r\n".to_owned(), 400, "malformed_request"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}".to_owned(), 400, "malformed_request"),
        ("GET /v1/models HTTP/3.0\r\nhost: x\r\n\r\n".to_owned(), 400, "malformed_request"),
        ("CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400, "malformed_request"),
        (format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx: {long}"), 431, "head_too_large"),
        (format!("GET /{long}"), 431, "head_too_large"),
        ("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-slow:".to_owned(), 408, "request_timeout"),
        ("POST /v1/x HTTP/1.1\r\nhost: x\r\nexpect: wonders\r\n\r\n".to_owned(), 417, "expectation_failed"),
    ] {
        let (answer, mut line) = sent(&server, &bytes).await;
        is_ours(&answer, status, code);
        assert!(answer.json()["error"]["message"].is_string(), "OpenAI's shape: {}", answer.text());
        assert!(line.is_closed().await);
    }
    let (answer, _) = sent(&server, "GET /api/v1/tiers HTTP/1.1\r\n\r\n").await;
    is_ours(&answer, 400, "malformed_request");
    assert_eq!(answer.head.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["type"], "urn:topdog:malformed_request");
    assert_eq!(answer.json()["instance"].as_str(), answer.head.header("x-request-id"));
    let metrics = try_send(server.admin, &request("GET", "/metrics", &[], b"")).await.unwrap().text();
    let counted = |code: &str| {
        metrics.lines().any(|line| line.contains("topdog_refusals_total") && line.contains(code))
    };
    for code in ["malformed_request", "head_too_large", "request_timeout", "expectation_failed"] {
        assert!(counted(code), "{code} is not counted: {metrics}");
    }
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn bytes_that_dribble_in_do_not_extend_the_time() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&["server.header_timeout_ms=400"]).await;
    let mut line = server.line().await;
    line.send("GET /v1/models HTTP/1.1\r\nhost: x\r\nx: ").await;
    let dribble = async {
        while line.send("y").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon(dribble).await;
    bed.is_unharmed(&server, &acme).await;
}

#[tokio::test]
async fn a_body_is_the_same_however_it_is_cut_and_framed() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let body = chat().to_string();
    let head = |framing: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n{framing}\r\n\r\n",
            acme.api_key
        )
    };
    let (first, second) = body.split_at(body.len() / 2);
    let chunked = format!(
        "{}{:x};a=b\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\nx-trailer: y\r\n\r\n",
        head("transfer-encoding: chunked"),
        first.len(),
        second.len()
    );
    let plain = format!("{}{body}", head(&format!("content-length: {}", body.len())));
    let mut line = server.line().await;
    for wire in [&plain, &chunked] {
        for cut in (1..wire.len()).step_by(37) {
            line.send(&wire[..cut]).await;
            tokio::task::yield_now().await;
            line.send(&wire[cut..]).await;
            let answer = line.answer().await.unwrap();
            assert_eq!(answer.status(), 200, "cut at {cut}: {}", answer.text());
        }
    }
    let forwarded = bed.upstream.requests();
    assert!(forwarded.iter().all(|request| request.body == forwarded[0].body));
}

#[tokio::test]
async fn what_follows_too_early_is_answered_in_its_turn() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let mut line = server.line().await;
    let mut all = acme.chat(&chat());
    all.extend(request("GET", "/v1/nowhere", &[], b""));
    all.extend(b"\r\n");
    all.extend(request("GET", "/livez", &[("connection", "close")], b""));
    all.extend(request("GET", "/v1/never", &[], b""));
    line.send(all).await;
    for status in [200, 404, 200] {
        assert_eq!(line.answer().await.unwrap().status(), status);
    }
    assert!(line.answer().await.is_none(), "nothing is answered behind the last");
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked_only_when_its_body_is_wanted() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let body = chat().to_string();
    let head = |key: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
    };
    let mut line = server.line().await;
    line.send(head(&acme.api_key)).await;
    assert_eq!(line.head().await.unwrap().status, 100);
    line.send(&body).await;
    assert_eq!(line.answer().await.unwrap().status(), 200);
    // Who sends at once is not asked.
    line.send(format!("{}{body}", head(&acme.api_key))).await;
    assert_eq!(line.answer().await.unwrap().status(), 200);
    // Who is refused is not asked either, and may not go on: its body may come or not.
    let (answer, mut line) = sent(&server, head("td_live_none")).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.head.header("connection"), Some("close"));
    assert!(line.is_closed().await);
}

#[tokio::test]
async fn a_body_that_nobody_wanted_is_passed_over_where_it_is_small() {
    let bed = Bed::new().await;
    let (server, _acme) = bed.start(&[]).await;
    let head = |length: usize| {
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
    };
    let (answer, mut line) = sent(&server, head(1000)).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.head.header("connection"), None);
    line.send("x".repeat(1000)).await;
    line.send(request("GET", "/v1/nowhere", &[], b"")).await;
    assert_eq!(line.answer().await.unwrap().status(), 404);
    let (answer, mut line) = sent(&server, head(1_000_000)).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.head.header("connection"), Some("close"));
    // It can be read although we are still sending.
    line.send("x".repeat(100_000)).await;
    assert!(line.is_closed().await);
}

#[tokio::test]
async fn answers_to_old_and_to_special_requests() {
    let upstream = Upstream::start(Reply::Stream { events: 3, every: Duration::from_millis(1) }).await;
    let place = crate::server::Place::new();
    let server = place.start(&crate::server::Setup::with_upstream(&upstream)).await;
    let acme: Tenant = server.organisation("acme", "PRO").await;
    // HTTP/1.0 knows no chunks: the end of the connection is the end of the answer.
    let old = String::from_utf8(acme.chat(&streamed_chat())).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let mut socket = connect(server.gateway).await;
    socket.write_all(old.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon(socket.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 ") && head.contains("connection: close"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("data: {") && body.ends_with("data: [DONE]\n\n"), "{body}");
    // HEAD is answered by a head, and the next request on the connection is understood.
    let mut line = server.line().await;
    line.send(request("HEAD", "/livez", &[], b"")).await;
    let head = line.head().await.unwrap();
    assert_eq!(head.status, 200);
    line.send(request("GET", "/livez", &[], b"")).await;
    let answer = line.answer().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(head.header("content-length"), answer.head.header("content-length"));
    // HTTP/1.0 keeps the connection where it asks for it.
    line.send("GET /livez HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").await;
    let answer = line.answer().await.unwrap();
    assert_eq!((answer.status(), answer.head.header("connection")), (200, Some("keep-alive")));
    line.send("GET http://topdog.test/livez HTTP/1.0\r\n\r\n").await;
    assert_eq!(line.answer().await.unwrap().head.header("connection"), Some("close"));
    assert!(line.is_closed().await);
}

#[tokio::test]
async fn a_short_answer_leaves_in_one_write() {
    let bed = Bed::new().await;
    let (server, acme) = bed.start(&[]).await;
    let mut client = connect(server.gateway).await;
    let mut first = vec![0; 64 * 1024];
    // Two writes would wake a waiting reader twice: not every time, but hardly never in so many.
    for _ in 0..30 {
        client.write_all(&acme.chat(&chat())).await.unwrap();
        let length = client.read(&mut first).await.unwrap();
        let text = String::from_utf8_lossy(&first[..length]);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(body.len().to_string(), announced, "the body came with its head");
    }
}
