//! The database is away: what is known is served all the same, and nothing of it is lost.

use crate::cable::Cable;
use crate::engines::Database;
use crate::http::try_send;
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Longer than an opened key is fresh, and than the vault waits before it asks again.
const OUTAGE: Duration = Duration::from_secs(8);
const KEYS_ARE_FRESH: &str = "vault.cache_ttl_seconds=1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_keys_are_served_while_the_database_refuses() {
    known_keys_are_served_while_it_is(Cable::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_keys_are_served_while_the_database_hangs() {
    known_keys_are_served_while_it_is(Cable::Silent).await;
}

async fn known_keys_are_served_while_it_is(cable: Cable) {
    let Some(database) = Database::postgres().await else { return };
    let wire = database.wire().await;
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = Setup::with_upstream(&upstream).set(&[KEYS_ARE_FRESH]).variable("KEPT", "sk-kept-elsewhere");
    let server = place.start(&database.keep_behind(&wire, setup)).await;

    // One with a limit, on its lease; one that is regulated; and one whose key is kept elsewhere.
    server.tier_with_llm_requests("MANY", 100_000).await;
    let mut many = Caller::new(&server, "many", "MANY", "general").await;
    let mut medical = Caller::new(&server, "medical", "ENTERPRISE-STANDARD", "medical").await;
    let mut kept = Caller::new(&server, "kept", "ENTERPRISE-STANDARD", "general").await;
    refer(&server, "kept", "env:KEPT").await;
    // One that must ask for each unit of its limit.
    server.tier_with_llm_requests("FEW", 10).await;
    let few = server.organisation("few", "FEW").await;
    assert_eq!(try_send(server.gateway, &few.chat(&chat())).await.unwrap().status(), 200);
    for caller in [&mut many, &mut medical, &mut kept] {
        caller.is_served().await;
    }

    wire.be(cable);
    let begun = Instant::now();
    while begun.elapsed() < OUTAGE {
        for caller in [&mut many, &mut medical, &mut kept] {
            caller.is_served().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Many at once wait no longer than one does: none for a turn at which it would only hear the same.
    let (begun, mut requests) = (Instant::now(), JoinSet::new());
    for _ in 0..20 {
        let (gateway, request) = (server.gateway, few.chat(&chat()));
        requests.spawn(async move { try_send(gateway, &request).await.unwrap() });
    }
    for refused in requests.join_all().await {
        let found = (refused.status(), refused.code());
        assert_eq!(found, (503, "ledger_unavailable".to_owned()), "{}", refused.text());
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let unknown =
        Tenant { api_key: many.tenant.api_key.replace("td_live_", "td_live_0"), ..many.tenant.clone() };
    assert_eq!(try_send(server.gateway, &unknown.chat(&chat())).await.unwrap().status(), 401);
    let of_outage: usize = [&many, &medical, &kept].map(|caller| caller.served.len()).iter().sum();
    assert!(of_outage > 30, "there was traffic: {of_outage}");

    wire.be(Cable::Whole);
    let is_shipped = async || server.admin("/metrics").await.text().contains("topdog_spool_lag_bytes 0\n");
    server.until("everything spooled is shipped", is_shipped).await;
    for caller in [&many, &medical, &kept] {
        caller.is_recorded_once(&server).await;
    }
    let sent = |key: &str| {
        let is_it = |request: &&crate::upstream::Received| {
            request.header("authorization") == Some(&format!("Bearer {key}"))
        };
        upstream.requests().iter().filter(is_it).count()
    };
    assert_eq!(sent("sk-kept-elsewhere"), kept.served.len());
    assert_eq!(sent(&medical.tenant.provider_key), medical.served.len());
    assert_eq!(try_send(server.gateway, &few.chat(&chat())).await.unwrap().status(), 200);
}

/// Gives the organisation's key by reference instead.
async fn refer(server: &Server<'_>, name: &str, reference: &str) {
    let path = format!("/organisations/{name}/provider-keys");
    let keys = server.operator("GET", &path, &Value::Null).await.json();
    let id = keys["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{keys}"));
    let gone = server.operator("DELETE", &format!("{path}/{id}"), &Value::Null).await;
    assert!(gone.status() < 300, "{}", gone.text());
    let body = json!({ "provider": "openai", "name": "default", "reference": reference });
    let made = server.operator("POST", &path, &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
}

/// A client that keeps count of what it was answered.
struct Caller {
    name: String,
    tenant: Tenant,
    request: Vec<u8>,
    gateway: SocketAddr,
    /// The ids of its requests.
    served: Vec<String>,
}

impl Caller {
    async fn new(server: &Server<'_>, name: &str, tier: &str, segment: &str) -> Self {
        let tenant = server.organisation(name, tier).await;
        let text = String::from_utf8(tenant.chat(&chat())).unwrap();
        let request = text.replacen("\r\n", &format!("\r\nx-data-segment: {segment}\r\n"), 1).into_bytes();
        Self { name: name.to_owned(), tenant, request, gateway: server.gateway, served: Vec::new() }
    }

    async fn is_served(&mut self) {
        let begun = Instant::now();
        let answer = try_send(self.gateway, &self.request).await.unwrap();
        assert_eq!(answer.status(), 200, "{} at {:?}: {}", self.name, begun.elapsed(), answer.text());
        self.served.push(answer.head.header("x-request-id").unwrap().to_owned());
    }

    /// Usage and audit of each of its requests are there once, and of no other.
    async fn is_recorded_once(&self, server: &Server<'_>) {
        let count = |ids: Vec<String>| {
            let mut times = HashMap::new();
            ids.into_iter().for_each(|id| *times.entry(id).or_insert(0) += 1);
            times
        };
        let expected = count(self.served.clone());
        let events = server.usage_events(&self.name).await;
        let events = events.iter().map(|event| event["request"].as_str().unwrap().to_owned());
        assert_eq!(count(events.collect()), expected, "usage of {}", self.name);
        let entries = server.audit(&self.name).await;
        let bodies = entries
            .iter()
            .map(|entry| serde_json::from_str::<Value>(entry["body"].as_str().unwrap()).unwrap());
        let uses = bodies.filter(|body| body["action"] == "provider_key.use");
        let uses = uses.map(|body| body["request"].as_str().unwrap().to_owned());
        assert_eq!(count(uses.collect()), expected, "audit of {}", self.name);
        let verified = server.cli(&["audit", "verify", "--org", &self.name]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}
