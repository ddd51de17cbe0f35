//! Never one request over a limit, whatever happens at the same time.

use crate::engines::{Database, on_both_engines};
use crate::http::{Answer, Line, request, try_send};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::Value;
use tokio::task::JoinSet;
use topdog_domain::quota::lease_size;

const LIMIT: usize = 100;
const CLIENTS: usize = 1000;
const ROUNDS: usize = 10;

/// How concurrent requests ended.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) admitted: usize,
    pub(crate) refused: usize,
    /// The connection broke before an answer.
    pub(crate) broken: usize,
}

/// Requests that the server has but for their last byte: all of them are under way when the first is complete.
pub(crate) struct Rush {
    lines: Vec<Line>,
}

impl Rush {
    pub(crate) async fn ready(server: &Server<'_>, tenant: &Tenant, count: usize) -> Self {
        let mut lines = JoinSet::new();
        for _ in 0..count {
            let (gateway, mut request) = (server.gateway, tenant.chat(&chat()));
            lines.spawn(async move {
                let mut line = Line::connect(gateway).await;
                request.pop();
                assert!(line.send(request).await, "the server takes no more");
                line
            });
        }
        Self { lines: lines.join_all().await }
    }

    /// Completes them all.
    pub(crate) fn go(self) -> JoinSet<Option<Answer>> {
        let mut requests = JoinSet::new();
        for mut line in self.lines {
            requests.spawn(async move {
                line.send("}").await;
                line.answer().await
            });
        }
        requests
    }
}

pub(crate) async fn ends(requests: JoinSet<Option<Answer>>) -> Ends {
    let mut ends = Ends::default();
    for answer in requests.join_all().await {
        match answer.as_ref().map(Answer::status) {
            Some(200) => ends.admitted += 1,
            Some(429) => ends.refused += 1,
            None => ends.broken += 1,
            Some(_) => panic!("unexpected: {}", answer.unwrap().text()),
        }
    }
    ends
}

async fn limited(server: &Server<'_>, name: &str) -> Tenant {
    server.tier_with_llm_requests("HUNDRED", LIMIT as u64).await;
    server.organisation(name, "HUNDRED").await
}

/// How many of the limit the ledger has granted to any node.
async fn granted(server: &Server<'_>, name: &str) -> usize {
    let quota = server.operator("GET", &format!("/organisations/{name}/quota"), &Value::Null).await.json();
    let lines = quota["data"].as_array().unwrap_or_else(|| panic!("{quota}"));
    let llm = lines.iter().find(|line| line["limit"] == "llm_requests_per_day").unwrap();
    llm["used"].as_u64().unwrap_or_else(|| panic!("{quota}")) as usize
}

on_both_engines! {
    async fn a_thousand_at_once_against_a_limit_of_a_hundred_admit_exactly_a_hundred(database: &Database) {
        let upstream = Upstream::start(Reply::Completion).await;
        let place = Place::new();
        let server = place.start(&database.keep(Setup::with_upstream(&upstream))).await;
        let acme = limited(&server, "acme").await;
        let ends = ends(Rush::ready(&server, &acme, CLIENTS).await.go()).await;
        assert_eq!((ends.admitted, ends.refused), (LIMIT, CLIENTS - LIMIT), "{ends:?}");
        assert_eq!(upstream.requests().len(), LIMIT);

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

    async fn a_kill_amid_a_thousand_never_admits_one_more(database: &Database) {
        let place = Place::new();
        for round in 0..ROUNDS {
            let mut killed = Killed::new(&place, database, Reply::Completion, round).await;
            let (server, acme) = killed.start().await;
            let requests = Rush::ready(&server, &acme, CLIENTS).await.go();
            // Later in each round, so that the kill meets other states.
            killed.upstream.has_received(5 + round * 9).await;
            server.kill();
            let before = ends(requests).await;
            assert!(before.broken > 0, "nothing was in the middle in round {round}: {before:?}");
            // Whoever has no answer asks again, all at once.
            killed.is_exact(&acme, before).await;
        }
    }

    async fn a_kill_loses_one_lease_at_most(database: &Database) {
        let place = Place::new();
        for round in 0..ROUNDS {
            // Nothing is answered, so that at the kill every admitted request is known: it is at the provider.
            let mut killed = Killed::new(&place, database, Reply::Silence, round).await;
            let (server, acme) = killed.start().await;
            let first = 5 + round * 9;
            let requests = Rush::ready(&server, &acme, first).await.go();
            killed.upstream.has_received(first).await;
            server.kill();
            let before = ends(requests).await;
            assert_eq!(before.broken, first, "{before:?}");
            killed.upstream.reply_with(Reply::Completion);
            let waiting = Ends { broken: CLIENTS - first, ..before };
            let admitted = killed.is_exact(&acme, waiting).await;
            let lost = (LIMIT - admitted) as u64;
            assert!(lost <= lease_size(LIMIT as u64, 0), "{lost} are lost in round {round}, more than a lease");
        }
    }

    async fn a_kill_after_a_lease_is_filled_up_ahead_loses_one_lease_at_most(database: &Database) {
        const LARGE: u64 = 20_000;
        // The first lease is 800 units; it is filled up when a quarter of it is left.
        const USED: usize = 610;
        let upstream = Upstream::start(Reply::Completion).await;
        let place = Place::new();
        let setup = database.keep(Setup::with_upstream(&upstream));
        let server = place.start(&setup).await;
        server.tier_with_llm_requests("LARGE", LARGE).await;
        let acme = server.organisation("acme", "LARGE").await;
        let ends = ends(Rush::ready(&server, &acme, USED).await.go()).await;
        assert_eq!(ends.admitted, USED, "{ends:?}");
        // What is leased and not used, the running server does not tell. Its lease is filled up meanwhile.
        for _ in 0..20 {
            assert_eq!(granted(&server, "acme").await, USED);
        }
        server.kill();
        let server = place.start(&setup).await;
        let lost = granted(&server, "acme").await - USED;
        assert!(lost as u64 <= lease_size(LARGE, 0), "{lost} are lost, more than a lease");
    }
}

/// An organisation whose server is killed.
struct Killed<'a> {
    place: &'a Place,
    setup: Setup,
    upstream: Upstream,
    round: usize,
}

impl<'a> Killed<'a> {
    async fn new(place: &'a Place, database: &Database, reply: Reply, round: usize) -> Self {
        let upstream = Upstream::start(reply).await;
        Self { place, setup: database.keep(Setup::with_upstream(&upstream)), upstream, round }
    }

    fn name(&self) -> String {
        format!("acme-{}", self.round)
    }

    async fn start(&self) -> (Server<'a>, Tenant) {
        let server = self.place.start(&self.setup).await;
        let tenant = limited(&server, &self.name()).await;
        (server, tenant)
    }

    /// Starts again and lets as many ask at once as have no answer: those and no others are admitted that the ledger
    /// has not granted before. How many were admitted in all, by what the provider has seen.
    async fn is_exact(&self, acme: &Tenant, before: Ends) -> usize {
        let server = self.place.start(&self.setup).await;
        let granted = granted(&server, &self.name()).await;
        let seen = self.upstream.requests().len();
        let after = ends(Rush::ready(&server, acme, before.broken).await.go()).await;
        let told =
            format!("round {}: {granted} granted, {seen} seen, {before:?}, then {after:?}", self.round);
        assert!(before.admitted <= seen && seen <= granted && granted <= LIMIT, "{told}");
        assert_eq!((after.admitted, after.broken), (LIMIT - granted, 0), "{told}");
        let seen_in_all = self.upstream.requests().len();
        assert_eq!(seen_in_all, seen + after.admitted, "{told}");
        seen_in_all
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
