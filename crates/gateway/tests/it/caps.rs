//! Caps that customers set: taken before anyone is called, settled to what was used.

use crate::rig::{Reply, Rig, Wish, run};
use crate::upstream::Script;
use std::rc::Rc;
use std::sync::Arc;
use topdog_domain::fakes::samples;
use topdog_domain::policy::{Policy, PolicyInForce, PolicyScope};
use topdog_domain::ports::CapLedger as _;
use topdog_domain::tier::Limit;

/// 12 tokens in, 18 out: 12 * 150 + 18 * 600 = 12,600 nano-dollars of gpt-4o-mini.
const ANSWER: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":18}}"#;
const COST: u64 = 12_600;

async fn rig(caps: &str) -> Rig {
    let mut rig =
        Rig::start(Wish { tier: "TEAMS-LARGE", script: Script::json(ANSWER), ..Wish::default() }).await;
    cap(&mut rig, &[(PolicyScope::Organisation, caps)]);
    rig
}

fn cap(rig: &mut Rig, of_scopes: &[(PolicyScope, &str)]) {
    let policy = |(scope, caps): &(PolicyScope, &str)| {
        let policy = Policy::stored(&format!(r#"{{"caps":[{caps}]}}"#)).expect("a good policy");
        PolicyInForce { scope: *scope, version: 7, since: samples::NEW_YEAR, policy: Some(Arc::new(policy)) }
    };
    let policies = of_scopes.iter().map(policy).collect();
    rig.change(|facts| facts.policies = policies);
}

fn body(max_tokens: u64) -> String {
    format!(r#"{{"model":"gpt-4o-mini","messages":[],"max_tokens":{max_tokens}}}"#)
}

async fn ask(rig: &Rig) -> Reply {
    rig.chat(&body(100)).await
}

/// What the ledger has granted of the organisation's caps, less what this node has not spent of it.
async fn used(rig: &Rig, name: &str) -> u64 {
    let org = rig.facts.organisation.id;
    let now = topdog_domain::ports::Clock::now(rig.clock.as_ref());
    let granted = rig.ledger.cap_granted(org, now).await.unwrap();
    let granted = granted.iter().find(|used| used.resource == name).map_or(0, |used| used.granted);
    let meter = rig.directory.snapshot().org(org).unwrap().meters.caps.of(name);
    granted
        - [now.minute().window(), now.day().window(), now.month()]
            .map(|w| meter.unspent(w))
            .iter()
            .sum::<u64>()
}

async fn many(rig: &Rc<Rig>, count: usize, body: &str) -> (usize, usize) {
    let requests: Vec<_> = (0..count)
        .map(|_| {
            let (rig, body) = (rig.clone(), body.to_owned());
            tokio::task::spawn_local(async move { rig.chat(&body).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap());
    }
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    // A machine that is busy otherwise may let a head come too late for its timeout: such a request is none.
    assert!(count(200) + count(429) + 20 >= statuses.len(), "{statuses:?}");
    (count(200), count(429))
}

#[test]
fn a_thousand_at_once_against_a_cap_of_a_hundred_requests() {
    run(async {
        let rig = Rc::new(rig(r#"{"requests":100,"per":"day"}"#).await);
        assert_eq!(many(&rig, 1000, &body(100)).await.0, 100);
        assert_eq!(rig.upstream.count(), 100);
        assert_eq!(used(&rig, "organisation:requests_per_day").await, 100);
    });
}

#[test]
fn spending_is_never_past_its_cap_and_uses_it_to_its_end() {
    run(async {
        // Each may cost 100 * 600 and its few input tokens, and costs 12,600 in the end.
        let rig = Rc::new(rig(r#"{"dollars":"0.001","per":"day"}"#).await);
        for _ in 0..20 {
            many(&rig, 50, &body(100)).await;
        }
        let spent = used(&rig, "organisation:spend_per_day").await;
        assert_eq!(spent, rig.upstream.count() as u64 * COST, "what is not used comes back");
        assert!(spent <= 1_000_000 && spent > 1_000_000 - 75_000, "{spent}");
        assert_eq!(ask(&rig).await.code(), "cap_exceeded");
        assert_eq!(rig.chat(&body(1)).await.status, 200, "a smaller one still fits");
    });
}

#[test]
fn a_refusal_tells_the_cap_its_use_its_reset_and_who_set_it() {
    run(async {
        let rig = rig(r#"{"tokens":200,"per":"minute"},{"dollars":"1","per":"month"}"#).await;
        let refused = rig.chat(&body(500)).await;
        let error = &refused.json()["error"];
        assert_eq!((refused.status, error["code"].as_str()), (429, Some("cap_exceeded")));
        assert_eq!(
            (error["limit"].as_str(), error["unit"].as_str()),
            (Some("tokens_per_minute"), Some("tokens"))
        );
        assert_eq!((error["allowed"].as_u64(), error["used"].as_u64()), (Some(200), Some(0)));
        assert_eq!(error["resets_at"], "2025-11-25T00:01:00Z");
        assert_eq!(error["set_by"], "policy of organisation, version 7");
        assert!(refused.head.contains("retry-after: 60"), "{}", refused.head);
        assert_eq!(rig.upstream.count(), 0);
        assert_eq!(used(&rig, "organisation:spend_per_month").await, 0, "what was taken before goes back");
        let anthropic = rig.messages("/v1/messages", "anthropic-version: 2023-06-01\r\n", &body(500)).await;
        assert_eq!(anthropic.json()["error"]["limit"], "tokens_per_minute", "{}", anthropic.body);
        assert_eq!(anthropic.json()["error"]["type"], "rate_limit_error");
        assert_eq!(ask(&rig).await.status, 200);
        assert_eq!(used(&rig, "organisation:tokens_per_minute").await, 30);
        assert_eq!(used(&rig, "organisation:spend_per_month").await, COST);
        rig.clock.advance_seconds(60);
        assert_eq!(used(&rig, "organisation:tokens_per_minute").await, 0, "a new minute");
        assert_eq!(used(&rig, "organisation:spend_per_month").await, COST, "the same month");
    });
}

#[test]
fn what_no_provider_accepted_uses_nothing_and_what_it_cost_is_kept() {
    run(async {
        let caps = r#"{"requests":3,"per":"day"},{"tokens":100000,"per":"day"},{"concurrent":1}"#;
        let rig = rig(caps).await;
        rig.upstream.now_does(Script::Answer {
            status: 500,
            content_type: "application/json",
            body: "{}".to_owned(),
        });
        for _ in 0..5 {
            assert_eq!(ask(&rig).await.status, 500);
        }
        assert_eq!(used(&rig, "organisation:requests_per_day").await, 0);
        rig.upstream.now_does(Script::json(ANSWER));
        for _ in 0..3 {
            assert_eq!(ask(&rig).await.status, 200);
        }
        assert_eq!(used(&rig, "organisation:tokens_per_day").await, 90);
        assert_eq!(ask(&rig).await.json()["error"]["limit"], "requests_per_day");
    });
}

#[test]
fn an_answer_longer_than_its_estimate_is_counted_past_the_cap_and_ends_it() {
    run(async {
        let rig = rig(r#"{"tokens":1000,"per":"day"}"#).await;
        rig.upstream.now_does(Script::json(
            r#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":1500}}"#,
        ));
        assert_eq!(ask(&rig).await.status, 200);
        let refused = ask(&rig).await;
        assert_eq!(
            (refused.code().as_str(), refused.json()["error"]["used"].as_u64()),
            ("cap_exceeded", Some(1512))
        );
        assert_eq!(used(&rig, "organisation:tokens_per_day").await, 1512);
    });
}

#[test]
fn a_client_that_leaves_and_one_that_is_torn_hold_no_place() {
    run(async {
        let rig = rig(r#"{"concurrent":1},{"tokens":1000000,"per":"day"}"#).await;
        let events = [r#"{"choices":[{"delta":{"content":"abcdefgh"}}]}"#; 40];
        rig.upstream.now_does(Script::stream(&events));
        let body = r#"{"model":"gpt-4o-mini","messages":[],"stream":true}"#;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            rig.token,
            body.len()
        );
        for _ in 0..3 {
            let stream = rig.heard_of(&request, "abcdefgh").await;
            let refused = ask(&rig).await;
            assert_eq!(refused.json()["error"]["limit"], "concurrent_requests", "{}", refused.body);
            assert!(refused.head.contains("retry-after: 1\r\n"), "{}", refused.head);
            let before = rig.admitted().len();
            drop(stream);
            rig.records(before + 1).await;
        }
        rig.upstream.now_does(Script::json(ANSWER));
        assert_eq!(ask(&rig).await.status, 200);
        let used = used(&rig, "organisation:tokens_per_day").await;
        assert!(
            used > 30 && used < 3 * 200,
            "estimates of what was delivered, not what was set aside: {used}"
        );
    });
}

#[test]
fn a_price_that_is_not_known_is_refused_unless_the_cap_lets_it_through() {
    run(async {
        let mut rig = rig(r#"{"dollars":"1","per":"day"}"#).await;
        let body = r#"{"model":"openai/brand-new","messages":[]}"#;
        let refused = rig.chat(body).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "price_unknown"));
        assert_eq!(rig.upstream.count(), 0);
        cap(
            &mut rig,
            &[(PolicyScope::Organisation, r#"{"dollars":"0","per":"day","unknown_price":"allow"}"#)],
        );
        assert_eq!(rig.chat(body).await.status, 200);
        assert_eq!(ask(&rig).await.code(), "cap_exceeded", "what has a price is capped");
    });
}

#[test]
fn every_scope_holds_and_each_counts_its_own() {
    run(async {
        let mut rig = rig("").await;
        let key = rig.facts.api_keys[0].id;
        cap(
            &mut rig,
            &[
                (PolicyScope::Organisation, r#"{"requests":5,"per":"day"}"#),
                (PolicyScope::Key(key), r#"{"requests":2,"per":"day"}"#),
            ],
        );
        let other = rig.tenant("other", "PRO-PLUS").await;
        for _ in 0..2 {
            assert_eq!(ask(&rig).await.status, 200);
        }
        let refused = ask(&rig).await;
        assert_eq!(refused.json()["error"]["set_by"], format!("policy of {key}, version 7"));
        assert_eq!(
            used(&rig, "organisation:requests_per_day").await,
            2,
            "a refusal takes nothing of the others"
        );
        cap(&mut rig, &[(PolicyScope::Organisation, r#"{"requests":3,"per":"day"}"#)]);
        assert_eq!(ask(&rig).await.status, 200, "what was used stays when the cap changes");
        assert_eq!(ask(&rig).await.code(), "cap_exceeded");
        assert_eq!(rig.chat_as(&other, &body(1)).await.status, 200, "another organisation is not held");
    });
}

#[test]
fn a_refusal_by_a_cap_takes_no_call_and_no_request_of_the_tier() {
    run(async {
        let mut rig = rig(r#"{"requests":0,"per":"minute"}"#).await;
        rig.change(|facts| facts.api_keys[0].llm_requests_per_day = Limit::Of(1));
        for _ in 0..5 {
            assert_eq!(ask(&rig).await.code(), "cap_exceeded");
        }
        rig.change(|facts| facts.policies.clear());
        assert_eq!(ask(&rig).await.status, 200);
        assert_eq!(rig.admitted().len(), 1);
    });
}

#[test]
fn a_ledger_that_is_away_refuses_what_it_must_count_and_recovers() {
    run(async {
        let rig = rig(r#"{"requests":100,"per":"day"}"#).await;
        assert_eq!(ask(&rig).await.status, 200);
        rig.ledger.set_away(true);
        let mut last = 200;
        for _ in 0..10 {
            last = ask(&rig).await.status;
        }
        assert_eq!(last, 503, "no more than was leased");
        rig.ledger.set_away(false);
        assert_eq!(ask(&rig).await.status, 200);
    });
}
