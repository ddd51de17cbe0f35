//! `kill -9` under load: what was acknowledged is there, once.

use crate::engines::Database;
use crate::http::{Line, PATIENCE};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Where there is no recorder, an answer of the general segment is acknowledged when so much time has passed since it
/// was whole: the commit window's upper bound. With one, as in regulated segments, it is when it is whole.
const WINDOW: Duration = Duration::from_millis(20);
const CLIENTS: usize = 8;

/// A request whose whole answer a client has.
#[derive(Debug, Clone)]
struct Answered {
    request: String,
    at: Instant,
    is_regulated: bool,
    /// How long before the kill.
    before_kill: Duration,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_record_survives_twenty_kills_under_load_and_is_there_once() {
    survives(20, &Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_where_the_database_is_a_server() {
    if let Some(database) = Database::postgres().await {
        survives(2, &database).await;
    }
}

async fn survives(kills: usize, database: &Database) {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let window = if place.recorder_dir().is_some() { Duration::ZERO } else { WINDOW };
    if !window.is_zero() {
        eprintln!("RECORDER SKIPPED: /dev/shm is no memory file system here, so {window:?} may be lost");
    }
    let setup = database.keep(Setup::with_upstream(&upstream));
    let mut tenant = None;
    let mut acknowledged = Vec::new();
    for kill in 0..kills {
        let server = place.start(&setup).await;
        let acme = match &tenant {
            Some(tenant) => Tenant::clone(tenant),
            None => tenant.insert(server.organisation("acme", "ENTERPRISE-STANDARD").await).clone(),
        };
        let answered = Arc::new(Mutex::new(Vec::new()));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(load(server.gateway, acme.clone(), client % 2 == 0, answered.clone()));
        }
        tokio::time::sleep(Duration::from_millis(60 + 17 * kill as u64)).await;
        let killed_at = Instant::now();
        server.kill();
        clients.join_all().await;
        let answered = answered.lock().unwrap();
        acknowledged.extend(
            answered
                .iter()
                .filter(|answer| {
                    let window = if answer.is_regulated { Duration::ZERO } else { window };
                    answer.at + window < killed_at
                })
                .cloned()
                .map(|answer| Answered { before_kill: killed_at - answer.at, ..answer }),
        );
    }
    assert!(acknowledged.len() > kills, "there was load: {}", acknowledged.len());

    let server = place.start(&setup).await;
    everything_is_shipped(&server).await;
    let events = count(server.usage_events("acme").await.iter().map(|event| text(&event["request"])));
    let audit = server.audit("acme").await;
    let uses = count(audit.iter().filter(|entry| is_key_use(entry)).map(entry_request));
    let missing: Vec<_> =
        acknowledged.iter().filter(|answer| !events.contains_key(&answer.request)).collect();
    let earliest = missing.iter().map(|answer| answer.before_kill).max();
    assert!(missing.is_empty(), "{} of {} are lost, up to {earliest:?}", missing.len(), acknowledged.len());
    for answer in &acknowledged {
        assert_eq!(events.get(&answer.request), Some(&1), "usage of {answer:?}");
        assert_eq!(uses.get(&answer.request), Some(&1), "audit of {answer:?}");
    }
    assert!(events.values().all(|times| *times == 1), "a usage event is there twice");
    assert!(uses.values().all(|times| *times == 1), "an audit entry is there twice");
    eprintln!("{} of {} are acknowledged, none is lost", acknowledged.len(), events.len());
    let verified = server.cli(&["audit", "verify", "--org", "acme"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// Waits while there is less and less to ship, as on an overloaded machine it takes long.
async fn everything_is_shipped(server: &Server<'_>) {
    let (mut least, mut since) = (u64::MAX, Instant::now());
    while least > 0 {
        let metrics = server.admin("/metrics").await.text();
        let lag = metrics.lines().find_map(|line| line.strip_prefix("topdog_spool_lag_bytes "));
        let lag = lag.unwrap().parse().unwrap();
        if lag < least {
            (least, since) = (lag, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "the last {least} bytes are not shipped: {}", server.place.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn load(gateway: SocketAddr, tenant: Tenant, is_regulated: bool, answered: Arc<Mutex<Vec<Answered>>>) {
    let mut line = Line::connect(gateway).await;
    let mut request = tenant.chat(&chat());
    if is_regulated {
        let text = String::from_utf8(request).unwrap();
        request = text.replacen("\r\n", "\r\nx-data-segment: medical\r\n", 1).into_bytes();
    }
    loop {
        if !line.send(&request).await {
            return;
        }
        let Some(head) = line.head().await else { return };
        let (is_whole, body) = line.body(&head).await;
        if !is_whole {
            return;
        }
        assert_eq!(head.status, 200, "{}", String::from_utf8_lossy(&body));
        let request = head.header("x-request-id").unwrap().to_owned();
        answered.lock().unwrap().push(Answered {
            request,
            at: Instant::now(),
            is_regulated,
            before_kill: Duration::ZERO,
        });
    }
}

fn count(ids: impl Iterator<Item = String>) -> HashMap<String, u32> {
    let mut times = HashMap::new();
    for id in ids {
        *times.entry(id).or_default() += 1;
    }
    times
}

fn is_key_use(entry: &Value) -> bool {
    text(&body_of(entry)["action"]) == "provider_key.use"
}

fn entry_request(entry: &Value) -> String {
    text(&body_of(entry)["request"])
}

/// The entry's own words: the chain is over their text.
fn body_of(entry: &Value) -> Value {
    match &entry["body"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
