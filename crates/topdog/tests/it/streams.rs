//! Streams that do not end well: who leaves, who dies, who does not read.

use crate::http::PATIENCE;
use crate::server::{Place, Setup, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use std::time::{Duration, Instant};

/// The client's leaving must reach the provider within this time.
const SOON: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_client_that_leaves_a_stream_cancels_the_provider() {
    let stream = Reply::Stream { events: 10_000, every: Duration::from_millis(5) };
    let mut upstream = Upstream::start(stream).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&streamed_chat())).await;
    line.head().await.unwrap();
    line.chunk().await.unwrap();
    let left_at = Instant::now();
    drop(line);
    let after = upstream.hung_up().await.duration_since(left_at);
    assert!(after < SOON, "the provider was cancelled after {after:?}");
    server
        .until("it is recorded as left by its client", async || {
            let events = server.usage_events("acme").await;
            events.first().is_some_and(|event| event["outcome"] == "client_gone")
        })
        .await;
}

#[tokio::test]
async fn a_client_that_leaves_before_any_answer_cancels_the_provider() {
    let mut upstream = Upstream::start(Reply::Silence).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    upstream.has_received(1).await;
    let left_at = Instant::now();
    drop(line);
    let after = upstream.hung_up().await.duration_since(left_at);
    assert!(after < SOON, "the provider was cancelled after {after:?}");
}

#[tokio::test]
async fn a_provider_that_dies_within_a_stream_is_never_taken_for_success() {
    let upstream = Upstream::start(Reply::StreamThenDie { events: 3 }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&streamed_chat())).await;
    let head = line.head().await.unwrap();
    let (_, body) = line.body(&head).await;
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("word2"), "what came before is passed on: {text}");
    assert!(text.contains("data: {\"error\":"), "the dialect's failure event: {text}");
    assert!(!text.contains("[DONE]"), "{text}");
    server
        .until("it is recorded as failed", async || {
            let events = server.usage_events("acme").await;
            events.first().is_some_and(|event| event["outcome"] == "upstream_failed")
        })
        .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_provider_not_the_memory() {
    let upstream = Upstream::start(Reply::Endless).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let before = server.resident_bytes();
    let mut lines = Vec::new();
    for _ in 0..8 {
        let mut line = server.line().await;
        line.send(acme.chat(&streamed_chat())).await;
        line.head().await.unwrap();
        lines.push(line);
    }
    let stalled = stalled(&upstream).await;
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(
        grown < 24 * 1024 * 1024,
        "{grown} bytes more for 8 streams that nobody reads ({stalled} were sent)"
    );
}

/// Waits until the provider can send no more; how much it had sent.
async fn stalled(upstream: &Upstream) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    let mut written = upstream.written();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = upstream.written();
        if now == written {
            return written;
        }
        assert!(Instant::now() < deadline, "the provider is never stopped, {now} bytes so far");
        written = now;
    }
}
