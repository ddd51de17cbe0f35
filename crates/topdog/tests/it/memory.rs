//! How much memory open streams cost.

use crate::http::Line;
use crate::server::{Place, Setup, streamed_chat};
use crate::upstream::{Reply, Upstream};
use std::time::Duration;

/// The promise, 60 MB in all, is for a release build: `bench/` holds it to that.
const STREAMS: usize = 1000;
const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_open_streams_take_less_than_a_hundred_mb_without_optimisation() {
    let upstream = Upstream::start(Reply::Stream { events: 1000, every: Duration::from_secs(2) }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "ENTERPRISE-STANDARD").await;
    let before = server.resident_bytes();
    let request = acme.chat(&streamed_chat());
    let mut open: Vec<Line> = Vec::new();
    for _ in 0..STREAMS {
        let mut line = server.line().await;
        line.send(&request).await;
        open.push(line);
    }
    for line in &mut open {
        let head = line.head().await.unwrap();
        if head.status != 200 {
            let (_, refusal) = line.body(&head).await;
            panic!("{}: {}", head.status, String::from_utf8_lossy(&refusal));
        }
        assert!(!line.chunk().await.unwrap().is_empty());
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 100 * MIB, "{grown} bytes for {STREAMS} streams");
    assert_eq!(upstream.requests().len(), STREAMS);
}

/// What the allocator is given huge pages for counts whole where one byte of it is touched.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_takes_no_huge_pages() {
    let place = Place::new();
    let server = place.start(&Setup::default()).await;
    assert_eq!(server.status_line("THP_enabled:"), "0");
}
