//! Many streams of one HTTP/2 connection, each of which ends for itself.

use crate::http::{Line, soon};
use crate::protocols::connect;
use crate::server::{Place, Server, Setup, Tenant, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The client's leaving must reach the provider within this time.
const SOON: Duration = Duration::from_millis(100);

/// A connection that lives as long as the test.
async fn connection(server: &Server<'_>) -> SendRequest<Full<Bytes>> {
    let transport = TokioIo::new(connect(server.gateway).await);
    // A small window, so that a stream that is not read is soon at its end.
    let handshake =
        http2::Builder::new(TokioExecutor::new()).initial_stream_window_size(0x4000).handshake(transport);
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(acme: &Tenant, body: &Value) -> Request<Full<Bytes>> {
    Request::post("http://topdog.test/v1/chat/completions")
        .header("authorization", format!("Bearer {}", acme.api_key))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

/// The next bytes of a streamed answer.
async fn next(response: &mut Response<Incoming>) -> String {
    let frame = soon(response.body_mut().frame()).await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_reset_stream_cancels_its_own_request_and_no_other() {
    let mut upstream = Upstream::start(Reply::Stream { events: 200, every: Duration::from_millis(5) }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut sender = connection(&server).await;
    let mut left = soon(sender.send_request(request(&acme, &streamed_chat()))).await.unwrap();
    let mut kept = soon(sender.send_request(request(&acme, &streamed_chat()))).await.unwrap();
    assert!(next(&mut left).await.contains("word0"));
    assert!(next(&mut kept).await.contains("word0"));
    let left_at = Instant::now();
    drop(left);
    let after = upstream.hung_up().await.duration_since(left_at);
    assert!(after < SOON, "the provider was cancelled after {after:?}");
    let rest = soon(kept.into_body().collect()).await.unwrap().to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"), "the other stream is whole");
}

#[tokio::test]
async fn a_stream_reset_before_any_answer_cancels_the_provider() {
    let mut upstream = Upstream::start(Reply::Silence).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut sender = connection(&server).await;
    let waiting = tokio::spawn(sender.send_request(request(&acme, &chat())));
    upstream.has_received(1).await;
    let left_at = Instant::now();
    waiting.abort();
    let after = upstream.hung_up().await.duration_since(left_at);
    assert!(after < SOON, "the provider was cancelled after {after:?}");
}

#[tokio::test]
async fn two_hundred_streams_share_a_connection() {
    let upstream = Upstream::start(Reply::Stream { events: 3, every: Duration::from_millis(20) }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let sender = connection(&server).await;
    let mut streams = JoinSet::new();
    for _ in 0..200 {
        let (mut sender, request) = (sender.clone(), request(&acme, &streamed_chat()));
        streams.spawn(async move {
            let response = soon(sender.send_request(request)).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
            assert!(body.ends_with(b"data: [DONE]\n\n"));
        });
    }
    streams.join_all().await;
    assert_eq!(upstream.requests().len(), 200);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_up_no_other() {
    let upstream = Upstream::start(Reply::Stream { events: 20_000, every: Duration::ZERO }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut sender = connection(&server).await;
    let unread = soon(sender.send_request(request(&acme, &streamed_chat()))).await.unwrap();
    let read = soon(sender.send_request(request(&acme, &streamed_chat()))).await.unwrap();
    let body = soon(read.into_body().collect()).await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert!(server.resident_bytes() < 200 * 1024 * 1024);
    drop(unread);
}

#[tokio::test]
async fn a_client_that_resets_without_end_is_cut_off_and_costs_no_other() {
    let upstream = Upstream::start(Reply::Silence).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut sender = connection(&server).await;
    for _ in 0..2000 {
        // Polled once, so that the request goes out, then dropped, so that it is reset.
        let mut sent = Box::pin(sender.send_request(request(&acme, &chat())));
        let _ = tokio::time::timeout(Duration::from_micros(50), &mut sent).await;
        if sender.is_closed() {
            break;
        }
    }
    let mut other = connection(&server).await;
    let models = Request::get("http://topdog.test/v1/models")
        .header("authorization", format!("Bearer {}", acme.api_key))
        .body(Full::default())
        .unwrap();
    assert_eq!(soon(other.send_request(models)).await.unwrap().status(), 200);
    assert!(!place.log().contains("panicked"), "{}", place.log());
}

/// What HTTP/2 begins with: the preface, and empty settings (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// Headers of stream 1 that say that more of them follow.
const HALF_A_HEAD: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];

#[tokio::test]
async fn a_client_that_stops_within_its_preface_or_head_is_let_go() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream)
        .set(&["server.header_timeout_ms=200", "server.send_idle_timeout_ms=200"]);
    let server = place.start(&setup).await;
    let mut waited_for = Vec::new();
    for beginning in [
        PREFACE[..8].to_vec(),
        PREFACE[..14].to_vec(),
        PREFACE[..20].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, SETTINGS].concat(),
        [PREFACE, SETTINGS, HALF_A_HEAD].concat(),
    ] {
        let mut line = Line::connect(server.gateway).await;
        line.send(&beginning).await;
        let closed = tokio::time::timeout(Duration::from_secs(5), line.is_closed()).await;
        if closed.is_err() {
            waited_for.push(beginning.len());
        }
    }
    assert!(waited_for.is_empty(), "clients that sent so many bytes are waited for: {waited_for:?}");
}
