//! Never one admission over a limit, with replicas killed and paused at random; what is lost to it is told.

use super::{Chance, Gateways, REPLICAS, Replicas, places, report};
use crate::engines::Database;
use crate::http::try_send;
use crate::server::chat;
use crate::upstream::{Reply, Upstream};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use topdog_domain::quota::lease_size;

const CLIENTS: usize = 24;

/// The size of every run; `scripts/faults` takes a hundred thousand against five thousand.
const REQUESTS: usize = 4_000;
const LIMIT: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_paused_replicas_never_admit_one_too_many() {
    let Some(database) = Database::postgres().await else { return };
    let (requests, limit) =
        (size("TOPDOG_REPLICAS_REQUESTS", REQUESTS), size("TOPDOG_REPLICAS_LIMIT", LIMIT));
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(REPLICAS);
    let mut replicas = Replicas::start(&places, &database, &upstream, &[]).await;
    replicas.server(0).tier_with_llm_requests("LIMITED", limit as u64).await;
    let acme = replicas.server(0).organisation("acme", "LIMITED").await;
    let request = acme.chat(&chat());

    let seed = topdog_domain::RequestId::new().uuid().as_u64_pair().1;
    let load = Load { gateways: replicas.gateways.clone(), request, ..Load::new(requests) };
    let load = Arc::new(load);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(load.clone().run(Chance::new(seed.rotate_left(client as u32))));
    }
    let (mut chance, begun) = (Chance::new(seed), Instant::now());
    let (mut kills, mut pauses) = (0_u64, 0_u64);
    while load.sent.load(Ordering::Relaxed) < requests {
        let victim = chance.below(REPLICAS as u64) as usize;
        if chance.below(2) == 0 {
            replicas.kill_and_start(victim).await;
            kills += 1;
        } else {
            replicas.pause(victim, chance.millis(50, 1_500)).await;
            pauses += 1;
        }
        tokio::time::sleep(chance.millis(20, 200)).await;
    }
    clients.join_all().await;
    let took = begun.elapsed();

    // What is still leased is spent, so that what is lost is all that is missing.
    for replica in 0..REPLICAS {
        while replicas.ask(replica, &load.request).await.status() != 429 {}
    }
    let (admitted, ends) = (upstream.requests().len(), load.ends.lock().unwrap().clone());
    let lost = limit.saturating_sub(admitted);
    let told = format!(
        "seed {seed}: {requests} requests in {took:.1?}, {kills} kills, {pauses} pauses: {admitted} of {limit} admitted, \
         {lost} lost ({:.2} %); {ends:?}",
        100.0 * lost as f64 / limit as f64
    );
    eprintln!("{told}");
    report("limit", &json!({ "told": told }));
    assert!(kills > 0 && pauses > 0, "{told}");
    assert!(admitted <= limit, "over the limit. {told}");
    assert!(ends.get("200").copied().unwrap_or_default() <= admitted, "an answer of nobody. {told}");
    let most = kills * (lease_size(limit as u64, 0) + CLIENTS as u64);
    assert!(lost as u64 <= most, "more than a lease and what was under way is lost for each kill. {told}");
}

/// Clients who ask any replica, each on a connection of its own.
struct Load {
    gateways: Gateways,
    request: Vec<u8>,
    count: usize,
    sent: AtomicUsize,
    ends: Mutex<BTreeMap<String, usize>>,
}

impl Load {
    fn new(count: usize) -> Self {
        Self {
            gateways: Gateways::default(),
            request: Vec::new(),
            count,
            sent: AtomicUsize::new(0),
            ends: Mutex::default(),
        }
    }

    async fn run(self: Arc<Self>, mut chance: Chance) {
        while self.sent.fetch_add(1, Ordering::Relaxed) < self.count {
            let gateway = self.gateways.of(chance.below(REPLICAS as u64) as usize);
            let end = match try_send(gateway, &self.request).await {
                None => "broken".to_owned(),
                Some(answer) if matches!(answer.status(), 200 | 429) => answer.status().to_string(),
                Some(answer) => format!("{} {}", answer.status(), answer.code()),
            };
            *self.ends.lock().unwrap().entry(end).or_default() += 1;
            tokio::time::sleep(chance.millis(0, 20)).await;
        }
    }
}

/// How long a replica may be paused before others could be said to wait for it.
const PAUSE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_replica_holds_up_no_other() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(2);
    let replicas = Replicas::start(&places, &database, &upstream, &[]).await;
    // One by one, so that the paused one is most likely at its ledger.
    replicas.server(0).tier_with_llm_requests("SMALL", 64).await;
    for round in 0..6 {
        let acme = replicas.server(0).organisation(&format!("acme-{round}"), "SMALL").await;
        let request = acme.chat(&chat());
        while replicas.ask(1, &request).await.status() != 200 {}
        let mut busy = JoinSet::new();
        for _ in 0..8 {
            let (gateway, request) = (replicas.server(0).gateway, request.clone());
            busy.spawn(async move { try_send(gateway, &request).await });
        }
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        replicas.server(0).signal(rustix::process::Signal::STOP);
        let begun = Instant::now();
        for _ in 0..5 {
            let answer = replicas.ask(1, &request).await;
            assert_eq!(answer.status(), 200, "{} after {:?}", answer.text(), begun.elapsed());
        }
        assert!(begun.elapsed() < PAUSE, "{:?}", begun.elapsed());
        replicas.server(0).signal(rustix::process::Signal::CONT);
        busy.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_idle_replica_has_leased_is_there_for_the_others() {
    const LIMIT: usize = 200;
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(2);
    let replicas = Replicas::start(&places, &database, &upstream, &[]).await;
    replicas.server(0).tier_with_llm_requests("LIMITED", LIMIT as u64).await;
    let acme = replicas.server(0).organisation("acme", "LIMITED").await;
    let request = acme.chat(&chat());
    // It leases ten, and needs one.
    assert_eq!(replicas.ask(0, &request).await.status(), 200);
    let spends_all = async || {
        while replicas.ask(1, &request).await.status() == 200 {}
        upstream.requests().len() == LIMIT
    };
    replicas.server(1).until("the whole limit is spent", spends_all).await;
    assert_eq!(replicas.ask(0, &request).await.status(), 429);
    assert_eq!(upstream.requests().len(), LIMIT);
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment how large it is to be")]
fn size(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}
