//! HTTP/1.1 connections: how they end, and what of them is heard meanwhile.

use crate::rig::{Rig, Wish, run};
use crate::upstream::Script;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use topdog_domain::usage::Outcome;

const ASK: &str = r#"{"model":"gpt-4o-mini"}"#;

fn chat(rig: &Rig, line: &str, length: usize) -> String {
    format!(
        "POST /v1/chat/completions {line}\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
        rig.token
    )
}

/// The beginning of an upload of 512 MiB.
fn upload(rig: &Rig) -> String {
    chat(rig, "HTTP/1.1", 1 << 29).replace("chat/completions", "audio/transcriptions").replace(
        "\r\n\r\n",
        "\r\ncontent-type: multipart/form-data; boundary=B\r\n\r\n--B\r\ncontent-disposition: form-data; \
         name=\"model\"\r\n\r\nwhisper-1\r\n--B\r\ncontent-disposition: form-data; name=\"file\"; \
         filename=\"a.wav\"\r\n\r\n",
    )
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("never: {what}");
}

/// Everything up to the end of the connection, and whether that is an orderly one.
async fn to_the_end(stream: &mut TcpStream) -> (String, bool) {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.unwrap();
    if let Err(error) = &read {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    (String::from_utf8_lossy(&bytes).into_owned(), read.is_ok())
}

/// One answer of known length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert_ne!(count, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
}

#[test]
fn a_client_that_sends_no_more_counts_as_gone() {
    run(async {
        let rig = Rig::start(Wish { script: Script::Silence, ..Wish::default() }).await;
        let mut stream = rig.connect().await;
        stream.write_all((chat(&rig, "HTTP/1.1", ASK.len()) + ASK).as_bytes()).await.unwrap();
        until("the provider is asked", || rig.upstream.count() == 1).await;
        stream.shutdown().await.unwrap();
        until("it is cancelled", || !rig.upstream.seen.borrow().closed_at.is_empty()).await;
        assert_eq!(rig.records(1).await[0].outcome, Outcome::ClientGone);
    });
}

#[test]
fn a_client_that_leaves_behind_what_nobody_reads_counts_as_gone() {
    run(async {
        let rig = Rig::start(Wish { script: Script::Silence, ..Wish::default() }).await;
        for (asked, is_reset) in [(1, false), (2, true)] {
            let mut stream = rig.connect().await;
            // More than is kept of what comes too early.
            let early = "G".repeat(70_000);
            let ask = chat(&rig, "HTTP/1.1", ASK.len()) + ASK + &early;
            stream.write_all(ask.as_bytes()).await.unwrap();
            until("the provider is asked", || rig.upstream.count() == asked).await;
            if is_reset {
                stream.set_zero_linger().unwrap();
            }
            drop(stream);
            until("it is cancelled", || rig.upstream.seen.borrow().closed_at.len() == asked).await;
            assert_eq!(rig.records(asked).await.last().unwrap().outcome, Outcome::ClientGone);
        }
    });
}

#[test]
fn a_client_that_leaves_an_upload_which_the_provider_does_not_read_counts_as_gone() {
    run(async {
        let config = |c: &mut topdog_gateway::GatewayConfig| c.max_body_bytes = 1 << 30;
        let rig = Rig::start(Wish { script: Script::Deaf, config, ..Wish::default() }).await;
        let mut stream = rig.connect().await;
        stream.write_all(upload(&rig).as_bytes()).await.unwrap();
        let piece = vec![b'a'; 256 * 1024];
        let pause = Duration::from_millis(200);
        while let Ok(written) = tokio::time::timeout(pause, stream.write(&piece)).await {
            written.expect("it is not refused");
        }
        assert!(rig.admitted().is_empty(), "it is under way: {:?}", rig.admitted());
        stream.set_zero_linger().unwrap();
        drop(stream);
        let since = Instant::now();
        assert_eq!(rig.records(1).await[0].outcome, Outcome::ClientGone);
        assert!(since.elapsed() < Duration::from_secs(1), "not when the provider's time is up");
    });
}

#[test]
fn a_provider_that_does_not_read_an_upload_is_given_up_long_before_its_answer_is_due() {
    run(async {
        let config = |c: &mut topdog_gateway::GatewayConfig| {
            c.max_body_bytes = 1 << 30;
            c.upstream_idle_timeout = Duration::from_millis(200);
            c.upstream_head_timeout = Duration::from_secs(60);
        };
        let rig = Rig::start(Wish { script: Script::Deaf, config, ..Wish::default() }).await;
        let (mut read, mut write) = rig.connect().await.into_split();
        write.write_all(upload(&rig).as_bytes()).await.unwrap();
        let writing = tokio::task::spawn_local(async move {
            let piece = vec![b'a'; 256 * 1024];
            while write.write(&piece).await.is_ok() {}
        });
        let mut head = [0; 12];
        let reading = read.read_exact(&mut head);
        tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
        assert_eq!(&head, b"HTTP/1.1 504");
        writing.abort();
        assert_eq!(rig.records(1).await[0].outcome, Outcome::UpstreamFailed);
    });
}

#[test]
fn a_client_that_leaves_within_what_could_become_http_2_gives_its_place_back() {
    run(async {
        let config = |c: &mut topdog_gateway::GatewayConfig| {
            c.max_connections = 3;
            c.header_timeout = Duration::from_secs(30);
        };
        let rig = Rig::start(Wish { config, ..Wish::default() }).await;
        for begun in ["P", "PRI * HTTP/2.", "PR"] {
            let mut stream = rig.connect().await;
            stream.write_all(begun.as_bytes()).await.unwrap();
            drop(stream);
        }
        let since = Instant::now();
        loop {
            let mut stream = rig.connect().await;
            let ask = "GET /v1/nowhere HTTP/1.1\r\nhost: td\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(ask.as_bytes()).await;
            let (text, _) = to_the_end(&mut stream).await;
            if text.starts_with("HTTP/1.1 404 ") {
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(5), "all places are taken: {text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn an_address_can_not_take_all_places_but_a_trusted_proxy_can() {
    run(async {
        type Change = fn(&mut topdog_gateway::GatewayConfig);
        let small: Change = |c| (c.max_connections, c.max_connections_per_ip) = (4, 2);
        let trusting: Change = |c| {
            (c.max_connections, c.max_connections_per_ip) = (4, 2);
            c.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        };
        for (config, places) in [(small, 2), (trusting, 4)] {
            let rig = Rig::start(Wish { config, ..Wish::default() }).await;
            let ask = "GET /v1/nowhere HTTP/1.1\r\nhost: td\r\n\r\n";
            let mut held = Vec::new();
            for _ in 0..places {
                let mut stream = rig.connect().await;
                stream.write_all(ask.as_bytes()).await.unwrap();
                assert!(answer(&mut stream).await.starts_with("HTTP/1.1 404 "));
                held.push(stream);
            }
            let mut one_more = rig.connect().await;
            assert_eq!(to_the_end(&mut one_more).await.0, "");
            // A place that is given back is another's.
            let mut last = held.pop().unwrap();
            last.shutdown().await.unwrap();
            to_the_end(&mut last).await;
            let mut next = rig.connect().await;
            next.write_all(ask.as_bytes()).await.unwrap();
            assert!(answer(&mut next).await.starts_with("HTTP/1.1 404 "));
        }
    });
}

#[test]
fn a_client_that_breaks_off_its_body_hears_so() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let mut stream = rig.connect().await;
        stream.write_all((chat(&rig, "HTTP/1.1", 100) + ASK).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let (text, _) = to_the_end(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("incomplete_body"), "{text}");
        let mut stream = rig.connect().await;
        let chunked = chat(&rig, "HTTP/1.1", 0).replace("content-length: 0", "transfer-encoding: chunked");
        stream.write_all(format!("{chunked}5\r\nhelloX").as_bytes()).await.unwrap();
        let (text, _) = to_the_end(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("incomplete_body"), "{text}");
        assert!(text.contains("connection: close"), "{text}");
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn a_torn_answer_is_no_orderly_end_for_a_client_that_knows_no_chunks() {
    run(async {
        // Longer than what is held until it is whole.
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let long = format!("[\"{}", "1".repeat(300_000));
        for (end, is_orderly) in [("0\r\n\r\n", true), ("", false)] {
            let rig = Rig::start(Wish::default()).await;
            let begun = format!("{head}{:x}\r\n{long}\r\n", long.len());
            let writes = [begun, format!("2\r\n\"]\r\n{end}")].map(String::into_bytes).to_vec();
            rig.upstream.now_does(Script::Raw { writes, pause: Duration::from_millis(50) });
            let mut stream = rig.connect().await;
            let ask = chat(&rig, "HTTP/1.0", ASK.len()) + ASK;
            stream.write_all(ask.as_bytes()).await.unwrap();
            let (text, was_orderly) = to_the_end(&mut stream).await;
            assert!(text.starts_with("HTTP/1.0 200 ") && text.contains("111"), "{text:.300}");
            assert_eq!(was_orderly, is_orderly);
        }
    });
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    run(async {
        let pieces = vec![format!("data: {{\"x\":\"{}\"}}\n\n", "x".repeat(60_000)).into_bytes(); 4000];
        let script = Script::Chunks { pieces, pause: Duration::ZERO, has_end: true };
        let config = |c: &mut topdog_gateway::GatewayConfig| c.send_idle_timeout = Duration::from_millis(200);
        let rig = Rig::start(Wish { script, config, ..Wish::default() }).await;
        let mut stream = rig.connect().await;
        stream.write_all((chat(&rig, "HTTP/1.1", ASK.len()) + ASK).as_bytes()).await.unwrap();
        until("it is given up", || !rig.admitted().is_empty()).await;
        assert_eq!(rig.records(1).await[0].outcome, Outcome::ClientGone);
    });
}

#[test]
fn a_stopping_node_closes_what_is_idle_and_lets_the_rest_end() {
    run(async {
        let answering = Script::Raw {
            writes: vec![b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()],
            pause: Duration::ZERO,
        };
        let rig = Rig::start(Wish { script: Script::Silence, ..Wish::default() }).await;
        let (mut fresh, mut idle, mut busy) = (rig.connect().await, rig.connect().await, rig.connect().await);
        idle.write_all(b"GET /v1/nowhere HTTP/1.1\r\nhost: td\r\n\r\n").await.unwrap();
        let first = answer(&mut idle).await;
        assert!(first.starts_with("HTTP/1.1 404 ") && !first.contains("connection: close"), "{first}");
        let ask = chat(&rig, "HTTP/1.1", ASK.len());
        busy.write_all(ask.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        rig.upstream.now_does(answering);
        rig.stop.send_replace(true);
        let since = Instant::now();
        for stream in [&mut idle, &mut fresh] {
            let (text, is_orderly) = to_the_end(stream).await;
            assert!(text.is_empty() && is_orderly, "{text}");
        }
        assert!(since.elapsed() < Duration::from_millis(150), "at once, not when a head is overdue");
        busy.write_all(ASK.as_bytes()).await.unwrap();
        let (text, is_orderly) = to_the_end(&mut busy).await;
        assert!(text.starts_with("HTTP/1.1 200 ") && is_orderly, "{text}");
        assert!(text.contains("connection: close") && text.ends_with("{}"), "{text}");
    });
}

#[test]
fn much_that_comes_too_early_is_answered_and_not_all_kept() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let stream = rig.connect().await;
        let (mut read, mut write) = stream.into_split();
        let one = "GET /v1/nowhere HTTP/1.1\r\nhost: td\r\n\r\n";
        let last = "GET /v1/nowhere HTTP/1.1\r\nhost: td\r\nconnection: close\r\n\r\n";
        let all = (chat(&rig, "HTTP/1.1", ASK.len()) + ASK) + &one.repeat(5000) + last;
        let writing = tokio::task::spawn_local(async move {
            write.write_all(all.as_bytes()).await.unwrap();
            write
        });
        let mut bytes = Vec::new();
        tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut bytes)).await.unwrap().unwrap();
        drop(writing.await);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("HTTP/1.1 404 ").count(), 5001);
        assert!(text.starts_with("HTTP/1.1 200 "), "{text:.300}");
    });
}
