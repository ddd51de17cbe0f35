//! Never one request over a limit, whatever happens at the same time.

use crate::http::{request, try_send};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::Value;
use tokio::task::JoinSet;
use topdog_domain::quota::lease_size;

const LIMIT: u64 = 100;

/// How concurrent requests ended.
#[derive(Debug, Default)]
struct Ends {
    admitted: u64,
    refused: u64,
    /// The connection broke before an answer.
    broken: u64,
}

/// Sends so many requests at once, each on a connection of its own.
async fn send_at_once(server: &Server<'_>, tenant: &Tenant, count: usize) -> JoinSet<Option<u16>> {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_against_a_limit_of_a_hundred_admit_exactly_a_hundred() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_never_admits_one_more_and_loses_one_lease_at_most() {
    for round in 0..10 {
        let mut upstream = Upstream::start(Reply::Completion).await;
        let place = Place::new();
        let setup = Setup::with_upstream(&upstream);
        let server = place.start(&setup).await;
        let acme = limited(&server).await;
        let requests = send_at_once(&server, &acme, 500).await;
        // Later in each round, so that the kill meets other states.
        upstream.has_received(5 + round * 9).await;
        server.kill();
        let before = ends(requests).await;

        let server = place.start(&setup).await;
        let after = ends(send_at_once(&server, &acme, 500).await).await;
        let admitted = upstream.requests().len() as u64;
        let explained = admitted + before.broken;
        assert!(admitted <= LIMIT, "{admitted} admitted in round {round}: {before:?}, {after:?}");
        assert!(
            explained + lease_size(LIMIT, 0) >= LIMIT,
            "{admitted} admitted in round {round}, more than a lease is lost: {before:?}, {after:?}"
        );
        assert_eq!(after.broken, 0);
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
