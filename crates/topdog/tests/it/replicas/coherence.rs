//! What changes on one replica holds on every other within a second.

use super::{REPLICAS, Replicas, places};
use crate::engines::Database;
use crate::http::{Answer, PATIENCE};
use crate::server::{Server, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_holds_on_every_replica_within_a_second() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(REPLICAS);
    let replicas = Replicas::start(&places, &database, &upstream, &[]).await;
    let first = replicas.server(0);
    first.tier_with_llm_requests("NONE", 0).await;
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let name = format!("acme-{round}");
        let acme = first.organisation(&name, "PRO-PLUS").await;
        let mut told = |what: &str, times: Vec<Duration>| {
            let most = times.iter().max().copied().unwrap();
            assert!(most < SECOND, "{what} took {times:?}");
            slowest = slowest.max(most);
        };
        let is = |status| move |answer: &Answer| answer.status() == status;
        told("a new key", replicas.until(&acme, is(200)).await);

        change(first, "PATCH", &format!("/organisations/{name}"), &json!({ "tier": "NONE" })).await;
        told("a lower tier", replicas.until(&acme, is(429)).await);
        change(first, "PATCH", &format!("/organisations/{name}"), &json!({ "tier": "PRO-PLUS" })).await;
        told("a higher tier", replicas.until(&acme, is(200)).await);

        let policy = format!("/organisations/{name}/policies/organisation");
        let rule = json!({ "expected_version": 0, "document": { "deny": ["openai/*"] } });
        change(first, "PUT", &policy, &rule).await;
        told("a rule", replicas.until(&acme, is(403)).await);
        change(first, "DELETE", &policy, &Value::Null).await;
        told("its deletion", replicas.until(&acme, is(200)).await);

        let keys = format!("/organisations/{name}/provider-keys");
        let new = format!("sk-proj-rotated{}", crate::server::random());
        let id = only(first, &keys).await;
        change(first, "POST", &format!("{keys}/{id}/rotate"), &json!({ "secret": new })).await;
        let bearer = format!("Bearer {new}");
        let is_sent = |answer: &Answer| {
            let requests = upstream.requests();
            answer.status() == 200 && requests.last().unwrap().header("authorization") == Some(&bearer)
        };
        told("a rotated provider key", replicas.until(&acme, is_sent).await);

        let keys = format!("/organisations/{name}/api-keys");
        let id = only(first, &keys).await;
        change(first, "DELETE", &format!("{keys}/{id}"), &Value::Null).await;
        told("a revoked key", replicas.until(&acme, is(401)).await);
    }
    eprintln!("the slowest of {} changes took {slowest:?}", ROUNDS * 7);
}

impl Replicas<'_> {
    /// How long after now each of them first gave such an answer.
    async fn until(&self, tenant: &Tenant, is_so: impl Fn(&Answer) -> bool) -> Vec<Duration> {
        let (request, begun) = (tenant.chat(&chat()), Instant::now());
        let mut times = Vec::new();
        for replica in 0..self.servers.len() {
            loop {
                let asked = begun.elapsed();
                let answer = self.ask(replica, &request).await;
                if is_so(&answer) {
                    times.push(asked);
                    break;
                }
                assert!(asked < PATIENCE, "replica {replica} never hears of it: {}", answer.text());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        times
    }
}

async fn change(server: &Server<'_>, method: &str, path: &str, body: &Value) {
    let changed = server.operator(method, path, body).await;
    assert!(changed.status() < 300, "{method} {path}: {}", changed.text());
}

/// The id of the only thing listed there.
async fn only(server: &Server<'_>, path: &str) -> String {
    let listed = server.operator("GET", path, &Value::Null).await.json();
    listed["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned()
}
