//! One tenant takes all that it may; the others get through, and everything comes back.

use crate::rig::{Rig, Wish, run};
use crate::upstream::Script;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use topdog_domain::usage::UsageSource;

const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[]}"#;
const ASK_STREAM: &str = r#"{"model":"gpt-4o-mini","messages":[],"stream":true}"#;

fn open_stream() -> Script {
    let event = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n".to_vec();
    Script::Chunks { pieces: vec![event; 10], pause: Duration::from_secs(30), has_end: true }
}

fn limited() -> Wish {
    Wish {
        script: open_stream(),
        config: |c| {
            c.body_idle_timeout = Duration::from_secs(20);
            c.limits.requests = 10;
            c.limits.requests_per_organisation = 4;
            c.limits.body_bytes = 4 << 20;
            c.limits.body_bytes_per_organisation = 3 << 20;
        },
        ..Wish::default()
    }
}

/// A request whose body of that length never comes to its end.
async fn slow_body(rig: &Rig, length: usize) -> TcpStream {
    let mut line = rig.connect().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n{{",
        rig.token
    );
    line.write_all(head.as_bytes()).await.unwrap();
    line
}

/// A stream that is being read.
async fn running_stream(rig: &Rig) -> TcpStream {
    let mut line = rig.connect().await;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{ASK_STREAM}",
        rig.token,
        ASK_STREAM.len()
    );
    line.write_all(request.as_bytes()).await.unwrap();
    assert!(line.read(&mut [0; 1024]).await.unwrap() > 0);
    line
}

impl Rig {
    /// What a gauge shows, over all labels.
    fn gauge(&self, name: &str) -> u64 {
        let metrics = self.metrics.encode();
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    async fn until(&self, requests: u64, body_bytes: u64) {
        let now = || (self.gauge("topdog_requests_in_flight{"), self.gauge("topdog_buffered_body_bytes "));
        for _ in 0..1000 {
            if now() == (requests, body_bytes) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(now(), (requests, body_bytes));
    }
}

#[test]
fn a_tenant_with_all_its_places_taken_leaves_the_others_theirs() {
    run(async {
        let rig = Rig::start(limited()).await;
        let globex = rig.tenant("globex", "PRO").await;
        let lines = [
            running_stream(&rig).await,
            running_stream(&rig).await,
            slow_body(&rig, 100).await,
            slow_body(&rig, 100).await,
        ];
        rig.until(4, 200).await;
        rig.upstream.now_does(Script::json("{}"));
        for _ in 0..3 {
            let refused = rig.chat(ASK).await;
            assert_eq!((refused.status, refused.code().as_str()), (429, "concurrency_limit"));
            assert!(refused.head.contains("retry-after: 1\r\n"), "{}", refused.head);
            assert!(refused.head.contains("x-topdog-error-source: gateway"), "{}", refused.head);
            assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
            assert_eq!(rig.chat_as(&globex, ASK).await.status, 200, "others get through");
        }
        // It is refused before its body is read: the answer comes though the body does not.
        let mut line = slow_body(&rig, 1000).await;
        let mut answer = [0; 12];
        line.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 429");
        drop(lines);
        rig.until(0, 0).await;
        assert_eq!(rig.chat(ASK).await.status, 200, "the places are free again");
    });
}

#[test]
fn a_node_with_all_places_taken_sheds() {
    run(async {
        let wish = Wish {
            config: |c| {
                c.body_idle_timeout = Duration::from_secs(20);
                c.limits.requests = 2;
            },
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        let globex = rig.tenant("globex", "PRO").await;
        let lines = [slow_body(&rig, 100).await, slow_body(&rig, 100).await];
        rig.until(2, 200).await;
        let shed = rig.chat_as(&globex, ASK).await;
        assert_eq!((shed.status, shed.code().as_str()), (503, "overloaded"));
        assert!(shed.head.contains("retry-after: 1\r\n"));
        drop(lines);
        rig.until(0, 0).await;
        assert_eq!(rig.chat_as(&globex, ASK).await.status, 200);
    });
}

#[test]
fn a_tenant_with_all_its_memory_taken_leaves_the_others_theirs() {
    run(async {
        let rig = Rig::start(limited()).await;
        rig.upstream.now_does(Script::json("{}"));
        let globex = rig.tenant("globex", "PRO").await;
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.push(slow_body(&rig, 1 << 20).await);
        }
        rig.until(3, 3 << 20).await;
        let refused = rig.chat(ASK).await;
        assert_eq!((refused.status, refused.code().as_str()), (429, "body_memory_limit"));
        assert!(refused.head.contains("retry-after: 1\r\n"));
        assert_eq!(rig.chat_as(&globex, ASK).await.status, 200, "others get through");
        // The node's own end: 1 MiB is left to all others.
        let large = format!("{{\"model\":\"gpt-4o-mini\",\"x\":\"{}\"}}", "y".repeat((1 << 20) - 100));
        assert_eq!(rig.chat_as(&globex, &large).await.status, 200);
        lines.push(slow_body_of(&rig, &globex, 1 << 20).await);
        rig.until(4, 4 << 20).await;
        let shed = rig.chat_as(&globex, ASK).await;
        assert_eq!((shed.status, shed.code().as_str()), (503, "overloaded"));
        drop(lines);
        rig.until(0, 0).await;
        assert_eq!(rig.chat(&large).await.status, 200);
        rig.until(0, 0).await;
    });
}

async fn slow_body_of(rig: &Rig, token: &str, length: usize) -> TcpStream {
    let mut line = rig.connect().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{{"
    );
    line.write_all(head.as_bytes()).await.unwrap();
    line
}

#[test]
fn a_body_of_unknown_length_takes_memory_as_it_grows() {
    run(async {
        let wish = Wish {
            config: |c| {
                c.body_idle_timeout = Duration::from_secs(20);
                c.limits.body_bytes_per_organisation = 300_000;
            },
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        let mut line = rig.connect().await;
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
            rig.token
        );
        line.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("{:x}\r\n{}\r\n", 50_000, " ".repeat(50_000));
        line.write_all(chunk.as_bytes()).await.unwrap();
        for _ in 0..1000 {
            if rig.gauge("topdog_buffered_body_bytes ") >= 50_000 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let held = rig.gauge("topdog_buffered_body_bytes ");
        assert!((50_000..=300_000).contains(&held), "{held}");
        for _ in 0..8 {
            let _ = line.write_all(chunk.as_bytes()).await;
        }
        let mut answer = [0; 12];
        line.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 429");
        rig.until(0, 0).await;
        let body = format!("{}{ASK}", " ".repeat(200_000));
        assert_eq!(rig.chat(&body).await.status, 200, "what fits is taken");
        rig.until(0, 0).await;
    });
}

#[test]
fn however_a_request_ends_it_gives_everything_back() {
    run(async {
        let wish = Wish {
            config: |c| {
                c.upstream_head_timeout = Duration::from_millis(80);
                c.upstream_idle_timeout = Duration::from_millis(80);
            },
            ..Wish::default()
        };
        let rig = Rig::start(wish).await;
        let event = b"data: {}\n\n".to_vec();
        let endings = [
            Script::json("{}"),
            Script::json(&format!("[\"{}\"]", "x".repeat(200_000))),
            Script::json(&format!("[\"{}\"]", "x".repeat(600_000))),
            Script::stream(&["{}", "[DONE]"]),
            Script::stream(&["{}"]).dying(),
            Script::Chunks { pieces: vec![event; 2], pause: Duration::from_secs(30), has_end: true },
            Script::Torn,
            Script::Close,
            Script::Silence,
            Script::HangingError,
            Script::Answer { status: 500, content_type: "application/json", body: "{}".into() },
            Script::Answer { status: 302, content_type: "text/html", body: String::new() },
            Script::Answer { status: 200, content_type: "audio/mpeg", body: "x".repeat(100_000) },
        ];
        for ending in endings {
            rig.upstream.now_does(ending);
            rig.chat(ASK).await;
            rig.until(0, 0).await;
        }
        assert_eq!(rig.chat("{").await.status, 400);
        assert_eq!(rig.get("/v1/models").await.status, 200);
        rig.until(0, 0).await;
        // Clients that leave: within their body, before the answer, within the stream.
        rig.upstream.now_does(Script::Silence);
        drop(slow_body(&rig, 100).await);
        rig.until(0, 0).await;
        rig.upstream.now_does(open_stream());
        for _ in 0..20 {
            drop(running_stream(&rig).await);
        }
        rig.until(0, 0).await;
        assert_eq!(rig.directory.snapshot().orgs().map(|org| org.occupancy.requests.now()).sum::<u64>(), 0);
    });
}

#[test]
fn an_answer_that_finds_no_memory_passes_all_the_same() {
    run(async {
        let wish = Wish { config: |c| c.limits.body_bytes_per_organisation = 1 << 20, ..Wish::default() };
        let rig = Rig::start(wish).await;
        let answer = |length: usize| {
            format!(r#"{{"x":"{}","usage":{{"prompt_tokens":1,"completion_tokens":2}}}}"#, "x".repeat(length))
        };
        for (length, source) in [(100_000, UsageSource::Provider), (2 << 20, UsageSource::Estimated)] {
            rig.upstream.now_does(Script::json(&answer(length)));
            let reply = rig.chat(ASK).await;
            assert_eq!((reply.status, reply.body.len()), (200, answer(length).len()));
            rig.until(0, 0).await;
            assert_eq!(rig.admitted().last().unwrap().source, source, "{length}");
        }
    });
}

#[test]
fn who_does_not_read_a_long_answer_keeps_its_place_taken() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        rig.upstream.now_does(Script::json(&format!("[\"{}\"]", "x".repeat(250_000))));
        // By HTTP/2, where a client decides how much is on its way; a socket's buffers would take all of it.
        let io = TokioIo::new(rig.connect().await);
        let mut client = http2::Builder::new(TokioExecutor::new());
        let client = client.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        let (mut sender, connection) = client.handshake(io).await.unwrap();
        tokio::task::spawn_local(connection);
        let request = http::Request::post("http://td/v1/chat/completions")
            .header("authorization", format!("Bearer {}", rig.token))
            .body(Full::new(Bytes::from_static(ASK.as_bytes())))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        rig.records(1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(rig.gauge("topdog_requests_in_flight{"), 1, "settled, and still to be read");
        let held = rig.gauge("topdog_buffered_body_bytes ");
        assert!((1..250_004).contains(&held), "{held}");
        drop(answer);
        rig.until(0, 0).await;
    });
}
