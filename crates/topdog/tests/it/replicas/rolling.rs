//! Three replicas started again one after the other, under load, as an upgrade does it: nobody notices.

use super::{Chance, REPLICAS, Replicas, places};
use crate::engines::Database;
use crate::http::Line;
use crate::server::streamed_chat;
use crate::upstream::{Reply, Upstream};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::{JoinSet, block_in_place};

const CLIENTS: usize = 12;
/// How long a load balancer takes until it sends a replica nothing new.
const OUT_OF_ROTATION: Duration = Duration::from_millis(100);
const STREAM: Reply = Reply::Stream { events: 20, every: Duration::from_millis(10) };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(STREAM).await;
    let places = places(REPLICAS);
    let mut replicas = Replicas::start(&places, &database, &upstream, &[]).await;
    replicas.server(0).tier_with_llm_requests("LARGE", 100_000).await;
    let acme = replicas.server(0).organisation("acme", "LARGE").await;
    let known =
        async |replica: usize| replicas.ask(replica, &acme.chat(&streamed_chat())).await.status() == 200;
    for replica in 0..REPLICAS {
        replicas.server(replica).until("it knows the key", async || known(replica).await).await;
    }
    let before = upstream.requests().len();
    let rotation = Rotation(Arc::new(Mutex::new((0..REPLICAS).map(|n| replicas.gateways.of(n)).collect())));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let request = acme.chat(&streamed_chat());
        clients.spawn(ask_on(
            rotation.clone(),
            request,
            Chance::new(client as u64 * 77 + 1),
            is_over.clone(),
        ));
    }
    for replica in 0..REPLICAS {
        let gateway = replicas.gateways.of(replica);
        rotation.0.lock().unwrap().retain(|other| *other != gateway);
        tokio::time::sleep(OUT_OF_ROTATION).await;
        let server = replicas.servers[replica].take().unwrap();
        assert!(block_in_place(|| server.stop()).success());
        replicas.start_again(replica).await;
        rotation.0.lock().unwrap().push(replicas.gateways.of(replica));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let answered: usize = clients.join_all().await.into_iter().sum();
    eprintln!("{answered} streams, none of which failed");
    assert!(answered > CLIENTS * REPLICAS, "there was load: {answered}");
    let sent = upstream.requests().len();
    assert_eq!(sent - before, answered, "something was sent twice, or not at all");
    let server = replicas.server(0);
    server.until("each is recorded once", async || server.usage_events("acme").await.len() == sent).await;
}

#[derive(Clone)]
struct Rotation(Arc<Mutex<Vec<SocketAddr>>>);

/// How many whole streams a client was answered; anything else fails the test.
async fn ask_on(rotation: Rotation, request: Vec<u8>, mut chance: Chance, is_over: Arc<AtomicBool>) -> usize {
    let mut answered = 0;
    while !is_over.load(Ordering::Relaxed) {
        let gateway = {
            let all = rotation.0.lock().unwrap();
            all[chance.below(all.len() as u64) as usize]
        };
        let mut line = Line::connect(gateway).await;
        assert!(line.send(&request).await, "{gateway} takes no request");
        let answer = line.answer().await.unwrap_or_else(|| panic!("{gateway} broke off"));
        let text = answer.text();
        assert!(answer.status() == 200 && text.ends_with("data: [DONE]\n\n"), "{}: {text}", answer.status());
        answered += 1;
        tokio::time::sleep(chance.millis(0, 30)).await;
    }
    answered
}
