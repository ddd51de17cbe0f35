//! Never one request over a limit, whatever happens at the same time.

use crate::engines::{Database, on_both_engines};
use crate::http::{request, try_send};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::Value;
use tokio::task::JoinSet;
use topdog_domain::quota::lease_size;

const LIMIT: u64 = 100;
const ROUNDS: usize = 10;
const CLIENTS: u64 = 4;

/// How concurrent requests ended.
#[derive(Debug, Default)]
struct Ends {
    admitted: u64,
    refused: u64,
    /// The connection broke before an answer.
    broken: u64,
}

/// Sends so many requests at once, each on a connection of its own.
async fn send_at_once(server: &Server<'_>, tenant: &Tenant, count: u64) -> JoinSet<Option<u16>> {
    let mut requests = JoinSet::new();
    for _ in 0..count {
        let (gateway, request) = (server.gateway, tenant.chat(&chat()));
        requests.spawn(async move { Some(try_send(gateway, &request).await?.status()) });
    }
    requests
}

async fn ends(requests: JoinSet<Option<u16>>) -> Ends {
    let mut ends = Ends::default();
    for status in requests.join_all().await {
        match status {
            Some(200) => ends.admitted += 1,
            Some(429) => ends.refused += 1,
            None => ends.broken += 1,
            Some(other) => panic!("unexpected status {other}"),
        }
    }
    ends
}

async fn limited(server: &Server<'_>) -> Tenant {
    server.tier_with_llm_requests("HUNDRED", LIMIT).await;
    server.organisation("acme", "HUNDRED").await
}

on_both_engines! {
    async fn a_thousand_at_once_against_a_limit_of_a_hundred_admit_exactly_a_hundred(database: &Database) {
        let upstream = Upstream::start(Reply::Completion).await;
        let place = Place::new();
        let server = place.start(&database.keep(Setup::with_upstream(&upstream))).await;
        let acme = limited(&server).await;
        let ends = ends(send_at_once(&server, &acme, 1000).await).await;
        assert_eq!((ends.admitted, ends.refused), (LIMIT, 900), "{ends:?}");
        assert_eq!(upstream.requests().len() as u64, LIMIT);

        let refused = try_send(server.gateway, &acme.chat(&chat())).await.unwrap();
        let error = &refused.json()["error"];
        assert_eq!(error["code"], "tier_limit");
        assert_eq!(
            (&error["limit"], &error["allowed"], &error["used"]),
            (&Value::from("llm_requests_per_day"), &Value::from(LIMIT), &Value::from(LIMIT))
        );
        assert!(error["resets_at"].as_str().unwrap().ends_with("T00:00:00Z"), "{error}");
        assert!(refused.head.header("retry-after").is_some());
    }

    async fn a_kill_in_the_middle_of_a_rush_never_admits_one_more(database: &Database) {
        for round in 0..ROUNDS {
            let mut killed = Killed::new(database).await;
            let server = killed.place.start(&killed.setup).await;
            let acme = limited(&server).await;
            let requests = send_at_once(&server, &acme, 500).await;
            // Later in each round, so that the kill meets other states.
            killed.upstream.has_received(5 + round * 9).await;
            server.kill();
            let before = ends(requests).await;

            let (after, admitted) = killed.restarted_until_refused(&acme).await;
            assert!(admitted <= LIMIT, "{admitted} admitted in round {round}: {before:?}, {after:?}");
        }
    }

    async fn a_kill_loses_one_lease_and_what_was_in_flight_at_most(database: &Database) {
        for round in 0..ROUNDS {
            let mut killed = Killed::new(database).await;
            let server = killed.place.start(&killed.setup).await;
            let acme = limited(&server).await;
            let mut clients = JoinSet::new();
            for _ in 0..CLIENTS {
                let (gateway, request) = (server.gateway, acme.chat(&chat()));
                clients.spawn(async move { while try_send(gateway, &request).await.is_some() {} });
            }
            killed.upstream.has_received(5 + round * 9).await;
            server.kill();
            clients.join_all().await;

            let (after, admitted) = killed.restarted_until_refused(&acme).await;
            assert!(admitted <= LIMIT, "{admitted} admitted in round {round}: {after:?}");
            // Each client may have held a unit of a request that had not got to the provider.
            assert!(
                admitted + lease_size(LIMIT, 0) + CLIENTS >= LIMIT,
                "{admitted} admitted in round {round}, more than a lease is lost: {after:?}"
            );
        }
    }
}

/// What outlives a kill.
struct Killed {
    upstream: Upstream,
    place: Place,
    setup: Setup,
    _database: Database,
}

impl Killed {
    async fn new(database: &Database) -> Self {
        let upstream = Upstream::start(Reply::Completion).await;
        let fresh = database.another().await;
        let setup = fresh.keep(Setup::with_upstream(&upstream));
        Self { upstream, place: Place::new(), setup, _database: fresh }
    }

    /// Starts again and sends more than there is left; how that ended, and what the provider has seen in all.
    async fn restarted_until_refused(&self, acme: &Tenant) -> (Ends, u64) {
        let server = self.place.start(&self.setup).await;
        let after = ends(send_at_once(&server, acme, 2 * LIMIT).await).await;
        assert_eq!(after.broken, 0, "{after:?}");
        (after, self.upstream.requests().len() as u64)
    }
}

#[tokio::test]
async fn what_no_provider_accepted_gives_its_llm_request_back() {
    let upstream = Upstream::start(Reply::Refuse { status: 401 }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "FREE").await;
    for _ in 0..5 {
        let answer = try_send(server.gateway, &acme.chat(&chat())).await.unwrap();
        assert_ne!(answer.status(), 429, "{}", answer.text());
    }
    assert_eq!(upstream.requests().len(), 5);
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_the_next_request() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let mut line = server.line().await;
    line.send(acme.chat(&chat())).await;
    assert_eq!(line.answer().await.unwrap().status(), 200);
    let keys = server.operator("GET", "/organisations/acme/api-keys", &Value::Null).await.json();
    let id = keys["data"][0]["id"].as_str().unwrap();
    let revoked =
        server.operator("DELETE", &format!("/organisations/acme/api-keys/{id}"), &Value::Null).await;
    assert!(revoked.status() < 300, "{}", revoked.text());
    line.send(acme.chat(&chat())).await;
    assert_eq!(line.answer().await.unwrap().status(), 401);
    let unknown = request("GET", "/v1/models", &[("authorization", "Bearer nonsense")], b"");
    assert_eq!(try_send(server.gateway, &unknown).await.unwrap().status(), 401);
}
