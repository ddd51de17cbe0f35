//! The main job, once through.

use crate::server::{Place, Setup, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use std::time::Duration;

#[tokio::test]
async fn a_request_goes_to_the_provider_with_the_customers_key_and_nobody_elses() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    let answer = line.answer().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello");
    let requests = upstream.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), Some(format!("Bearer {}", acme.provider_key).as_str()));
    assert!(!requests[0].head.contains(&acme.api_key) && !requests[0].body.contains(&acme.api_key));
    assert!(requests[0].body.contains(r#""model":"gpt-4o-mini""#), "{}", requests[0].body);

    server.until("usage is recorded", async || server.usage_events("acme").await.len() == 1).await;
    let events = server.usage_events("acme").await;
    assert_eq!(events[0]["request"].as_str(), answer.head.header("x-request-id"));
    let audit = server.audit("acme").await;
    let uses = audit.iter().filter(|entry| entry.to_string().contains("provider_key.use")).count();
    assert_eq!(uses, 1, "{audit:?}");
}

#[tokio::test]
async fn a_stream_arrives_as_it_is_made() {
    let upstream = Upstream::start(Reply::Stream { events: 5, every: Duration::from_millis(100) }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&streamed_chat())).await;
    let head = line.head().await.unwrap();
    assert_eq!(head.status, 200);
    let first = String::from_utf8(line.chunk().await.unwrap()).unwrap();
    assert!(first.contains("word0") && !first.contains("word4"), "{first}");
    let (is_whole, rest) = line.body(&head).await;
    let rest = String::from_utf8(rest).unwrap();
    assert!(is_whole && rest.ends_with("data: [DONE]\n\n"), "{rest}");
    assert!(!rest.contains("\"usage\""), "usage was not asked for: {rest}");
    assert!(upstream.requests()[0].body.contains("include_usage"));
}

#[tokio::test]
async fn metrics_tell_of_requests_with_both_labels() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    assert_eq!(line.answer().await.unwrap().status(), 200);
    let metrics = server.admin("/metrics").await;
    assert_eq!(metrics.status(), 200);
    let text = metrics.text();
    let line = text.lines().find(|line| line.starts_with("topdog_requests_total{"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(r#"plan="Pro""#) && line.contains(r#"data_segment="general""#), "{line}");
}
