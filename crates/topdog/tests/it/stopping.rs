//! How a server stops, and what it leaves.

use crate::server::{Place, Setup, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use rustix::process::Signal;
use std::time::Duration;

const SLOW_STREAM: Reply = Reply::Stream { events: 20, every: Duration::from_millis(25) };

#[tokio::test]
async fn a_running_stream_ends_before_the_server_does() {
    let mut upstream = Upstream::start(SLOW_STREAM).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&streamed_chat())).await;
    upstream.has_received(1).await;
    server.signal(Signal::TERM);
    let answer = line.answer().await.unwrap();
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    assert!(server.ended().success());
    assert!(!place.data_dir().join("run/listen.json").exists());
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cut_off_and_still_recorded() {
    let mut upstream = Upstream::start(Reply::Silence).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream).set(&["server.drain_timeout_ms=100"]);
    let server = place.start(&setup).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    upstream.has_received(1).await;
    assert!(server.stop().success());
    let server = place.start(&setup).await;
    server.until("the cut request is recorded", async || server.usage_events("acme").await.len() == 1).await;
}

#[tokio::test]
async fn a_stream_that_outlasts_the_drain_is_told_so() {
    let mut upstream = Upstream::start(Reply::Stream { events: 200, every: Duration::from_millis(25) }).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream).set(&["server.drain_timeout_ms=200"]);
    let server = place.start(&setup).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&streamed_chat())).await;
    upstream.has_received(1).await;
    server.signal(Signal::TERM);
    let answer = line.answer().await.unwrap();
    let (text, is_done) = (answer.text(), answer.text().contains("[DONE]"));
    assert!(answer.status() == 200 && text.contains("server_shutting_down") && !is_done, "{text}");
    assert!(server.ended().success());
    let server = place.start(&setup).await;
    server.until("the cut stream is recorded", async || server.usage_events("acme").await.len() == 1).await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut upstream = Upstream::start(Reply::Silence).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    upstream.has_received(1).await;
    server.signal(Signal::TERM);
    server.until("it is stopping", async || place.log().contains("stopping")).await;
    server.signal(Signal::INT);
    assert_eq!(server.ended().code(), Some(1));
}

#[tokio::test]
async fn stopping_gives_leases_back() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream);
    let server = place.start(&setup).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    for _ in 0..3 {
        line.send(acme.chat(&chat())).await;
        assert_eq!(line.answer().await.unwrap().status(), 200);
    }
    assert!(server.stop().success());
    let server = place.start(&setup).await;
    let quota = server.operator("GET", "/organisations/acme/quota", &serde_json::Value::Null).await.json();
    let lines = quota["data"].as_array().unwrap_or_else(|| panic!("{quota}"));
    let llm = lines.iter().find(|line| line["limit"] == "llm_requests_per_day").unwrap();
    assert_eq!(llm["used"], 3, "{quota}");
}
