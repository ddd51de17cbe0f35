//! How connections are reused, given up and never used twice for one request.

use std::time::{Duration, Instant};

use crate::upstream::{Upstream, egress, post, soon};
use bytes::Bytes;
use futures_util::future::select_all;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use topdog_egress::{Lost, Pool, PoolSettings, RequestBody, SendError, UpstreamBody};

fn pool() -> Pool {
    Pool::new(egress(), PoolSettings::default())
}

async fn text(response: Response<UpstreamBody>) -> String {
    let bytes = soon(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const OK_CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

#[tokio::test]
async fn one_connection_carries_request_after_request() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let server = async {
        let mut peer = upstream.accept().await;
        let mut seen = Vec::new();
        for answer in [OK, OK_CHUNKED, OK, OK_CHUNKED, OK, "HTTP/1.1 204 No Content\r\n\r\n", OK] {
            seen.push(peer.request().await);
            peer.write(answer).await;
        }
        assert!(upstream.is_left_alone().await);
        seen
    };
    let client = async {
        for turn in 0..7 {
            let response = pool.send(&origin, post("/v1/x?y=z", "{}")).await.unwrap();
            assert_eq!(text(response).await, if turn == 5 { "" } else { "ok" });
            assert_eq!(pool.idle(&origin), 1, "after request {turn}");
        }
    };
    let (seen, ()) = tokio::join!(server, client);
    let first = &seen[0];
    assert!(first.starts_with("POST /v1/x?y=z HTTP/1.1\r\n"), "{first}");
    assert!(first.contains(&format!("host: {}\r\n", upstream.address)), "{first}");
    assert!(first.ends_with("\r\n\r\n{}"), "{first}");
}

#[tokio::test]
async fn the_targets_host_replaces_whatever_the_request_says() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let mut request = post("https://evil.example/v1/models", "");
    request.headers_mut().insert("host", "evil.example".parse().unwrap());
    let (head, response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            let head = peer.request().await;
            peer.write(OK).await;
            head
        },
        pool.send(&origin, request)
    );
    assert!(response.is_ok());
    assert!(head.starts_with("POST /v1/models HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("evil"), "{head}");
}

#[tokio::test]
async fn a_connection_that_died_in_the_pool_is_replaced_unseen() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let server = async {
        let mut first = upstream.accept().await;
        first.request().await;
        first.write(OK).await;
        drop(first);
        let mut second = upstream.accept().await;
        second.request().await;
        second.write(OK).await;
        second
    };
    let client = async {
        for _ in 0..2 {
            let response = pool.send(&origin, post("/", "{}")).await.unwrap();
            assert_eq!(text(response).await, "ok");
        }
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_not_sent_again() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    for half_answer in ["", "HTTP/1.1 200 OK\r\nconte"] {
        let (_, result) = tokio::join!(
            async {
                let mut peer = upstream.accept().await;
                peer.request().await;
                peer.write(half_answer).await;
            },
            pool.send(&origin, post("/", "{}"))
        );
        let error = result.unwrap_err();
        assert!(matches!(error, SendError::BeforeHead(Lost::Closed)), "{error:?}");
        assert!(error.may_have_been_sent());
        assert!(upstream.is_left_alone().await);
    }
}

#[tokio::test]
async fn nonsense_is_no_answer() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(70_000));
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    for answer in ["SSH-2.0-OpenSSH\r\n\r\n", upgrade, &huge] {
        let (_, result) = tokio::join!(
            async {
                let mut peer = upstream.accept().await;
                peer.request().await;
                peer.write(answer).await;
                peer.closed().await;
            },
            pool.send(&origin, post("/", "{}"))
        );
        assert_eq!(result.unwrap_err(), SendError::BeforeHead(Lost::Malformed), "{:.20}", answer);
    }
    assert_eq!(pool.idle(&origin), 0);
}

#[tokio::test]
async fn dropping_the_body_hangs_up_at_once() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let (mut peer, response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n").await;
            peer
        },
        pool.send(&origin, post("/", "{}"))
    );
    let mut body = response.unwrap().into_body();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "ok");
    let dropped = Instant::now();
    drop(body);
    soon(peer.closed()).await;
    assert!(dropped.elapsed() < Duration::from_millis(100), "{:?}", dropped.elapsed());
    assert_eq!(pool.idle(&origin), 0);
}

#[tokio::test]
async fn dropping_the_wait_for_an_answer_hangs_up_at_once() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let mut peer = tokio::select! {
        peer = async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            peer
        } => peer,
        _ = pool.send(&origin, post("/", "{}")) => panic!("answered without an answer"),
    };
    let dropped = Instant::now();
    soon(peer.closed()).await;
    assert!(dropped.elapsed() < Duration::from_millis(100), "{:?}", dropped.elapsed());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_its_connection_gone() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    for half in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
    ] {
        let (_, response) = tokio::join!(
            async {
                let mut peer = upstream.accept().await;
                peer.request().await;
                peer.write(half).await;
            },
            pool.send(&origin, post("/", "{}"))
        );
        assert!(soon(response.unwrap().into_body().collect()).await.is_err());
        assert_eq!(pool.idle(&origin), 0);
    }
}

#[tokio::test]
async fn a_peer_that_closes_after_its_answer_is_not_pooled() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let (_, response) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok").await;
        },
        pool.send(&origin, post("/", "{}"))
    );
    assert_eq!(text(response.unwrap()).await, "ok");
    assert_eq!(pool.idle(&origin), 0);
}

#[tokio::test]
async fn no_head_in_time_is_said_and_hangs_up() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let (_, result) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.request().await;
            soon(peer.closed()).await;
        },
        pool.send_within(Duration::from_millis(30), &origin, post("/", "{}"))
    );
    assert_eq!(result.unwrap_err(), SendError::HeadTimeout);
}

#[tokio::test]
async fn a_peer_that_does_not_read_the_request_is_given_up() {
    let upstream = Upstream::bind().await;
    let origin = upstream.origin();
    let settings = PoolSettings { send_idle_timeout: Duration::from_millis(100), ..PoolSettings::default() };
    let pool = Pool::new(egress(), settings);
    let endless = stream::repeat_with(|| Ok(http_body::Frame::data(Bytes::from_static(&[b'a'; 64 * 1024]))));
    let whole = Bytes::from(vec![b'a'; 64 << 20]);
    for body in [RequestBody::stream(StreamBody::new(endless)), RequestBody::Full(whole)] {
        let request = Box::new(Request::post("/").body(body).unwrap());
        let send = async { soon(pool.send(&origin, request)).await.map(|_| ()) };
        let (_deaf, result) = tokio::join!(upstream.accept(), send);
        assert_eq!(result.unwrap_err(), SendError::HeadTimeout);
    }
}

#[tokio::test]
async fn surplus_connections_are_closed() {
    let upstream = Upstream::bind().await;
    let origin = upstream.origin();
    let settings = PoolSettings { max_idle_per_origin: 2, ..PoolSettings::default() };
    let pool = Pool::new(egress(), settings);
    let serve = async {
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(upstream.accept().await);
        }
        for peer in &mut peers {
            peer.request().await;
            peer.write(OK).await;
        }
        peers
    };
    let send = || async { text(pool.send(&origin, post("/", "{}")).await.unwrap()).await };
    let (mut peers, ..) = tokio::join!(serve, send(), send(), send());
    assert_eq!(pool.idle(&origin), 2);
    soon(select_all(peers.iter_mut().map(|peer| Box::pin(peer.closed())))).await;
}

#[tokio::test]
async fn what_lay_idle_too_long_is_neither_used_nor_kept() {
    let upstream = Upstream::bind().await;
    let origin = upstream.origin();
    let pool = Pool::new(egress(), PoolSettings { idle_timeout: Duration::ZERO, ..PoolSettings::default() });
    let serve = || async {
        let mut peer = upstream.accept().await;
        peer.request().await;
        peer.write(OK).await;
        peer
    };
    let send = || async { text(pool.send(&origin, post("/", "{}")).await.unwrap()).await };
    let (mut first, _) = tokio::join!(serve(), send());
    let (mut second, _) = tokio::join!(serve(), send());
    soon(first.closed()).await;
    pool.sweep();
    assert_eq!(pool.idle(&origin), 0);
    soon(second.closed()).await;
}

#[tokio::test]
async fn a_streamed_body_goes_out_as_it_comes_and_its_failure_is_its_own() {
    let (upstream, pool) = (Upstream::bind().await, pool());
    let origin = upstream.origin();
    let frames = [Ok(http_body::Frame::data(Bytes::from_static(b"part"))), Err("client gone".into())];
    let body = RequestBody::stream(StreamBody::new(stream::iter(frames)));
    let request = Box::new(Request::post("/upload").body(body).unwrap());
    let (_, result) = tokio::join!(
        async {
            let mut peer = upstream.accept().await;
            peer.closed().await;
        },
        pool.send(&origin, request)
    );
    assert_eq!(result.unwrap_err(), SendError::BeforeHead(Lost::RequestBody));
}

/// A thousand open streams hold a thousand of these.
#[tokio::test]
async fn waiting_for_an_answer_costs_little_memory() {
    let pool = pool();
    let origin = topdog_egress::Origin::parse("http://127.0.0.1:1").unwrap();
    let size = size_of_val(&pool.send(&origin, post("/", "")));
    assert!(size < 3 * 1024, "{size} bytes");
}
