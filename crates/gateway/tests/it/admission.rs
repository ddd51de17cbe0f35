//! What is let in, what it is sent as, and what is counted.

use crate::rig::{Rig, SECRET, Wish, run};
use crate::upstream::Script;
use topdog_domain::api_key::Scope;
use topdog_domain::tier::Limit;
use topdog_domain::usage::{Outcome, UsageSource};

const ANSWER: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":18,"prompt_tokens_details":{"cached_tokens":2}}}"#;

fn answering() -> Wish {
    Wish { script: Script::json(ANSWER), ..Wish::default() }
}

#[test]
fn a_request_goes_through_with_only_model_and_key_changed() {
    run(async {
        let rig = Rig::start(answering()).await;
        let body = r#"{ "messages":[{"role":"user","content":"hé\u00e9"}], "model" : "openai/gpt-4o-mini", "unknown":{"x":[1.0e5]} }"#;
        let reply = rig.chat(body).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ANSWER));
        let (head, sent) = rig.upstream.last();
        assert_eq!(sent, body.replace("openai/gpt-4o-mini", "gpt-4o-mini"));
        assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
        assert!(head.contains(&format!("authorization: bearer {SECRET}")), "{head}");
        assert!(!head.contains("td_live_"), "the Top Dog key stays here: {head}");
        for expected in [
            "x-request-id: req_",
            "x-upstream-request-id: up-1",
            "x-topdog-provider: openai",
            "x-topdog-model: gpt-4o-mini",
            "x-topdog-overhead-us: ",
            "x-ratelimit-limit-requests: 1000",
            "x-ratelimit-remaining-requests: 999",
        ] {
            assert!(reply.head.contains(expected), "{expected} in {}", reply.head);
        }
        assert!(!reply.head.contains("set-cookie"));
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.status, record.is_counted), (Outcome::Completed, 200, true));
        assert_eq!((record.tokens.input, record.tokens.cache_read, record.tokens.output), (10, 2, 18));
        assert_eq!(record.source, UsageSource::Provider);
        assert_eq!(record.cost_nanodollars, Some(10 * 150 + 2 * 75 + 18 * 600));
        assert!(record.key_use.as_ref().is_some_and(|k| k.version == 1 && !k.is_audited));
        let metrics = rig.metrics.encode();
        for line in [
            r#"topdog_requests_total{plan="Pro",data_segment="general",operation="chat",status_class="2xx"} 1"#,
            r#"topdog_tokens_total{plan="Pro",data_segment="general",kind="cache_read"} 2"#,
            r#"topdog_gateway_overhead_seconds_count{plan="Pro",data_segment="general"} 1"#,
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        let audits = rig.spool.audits();
        assert_eq!(audits.iter().map(|a| a.action.as_str()).collect::<Vec<_>>(), ["provider_key.open"]);
    });
}

#[test]
fn a_thousand_at_once_against_a_hundred() {
    run(async {
        let wish = Wish { facts: |f| f.api_keys[0].llm_requests_per_day = Limit::Of(100), ..answering() };
        let rig = std::rc::Rc::new(Rig::start(wish).await);
        let requests: Vec<_> = (0..1000)
            .map(|_| {
                let rig = rig.clone();
                tokio::task::spawn_local(async move {
                    rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await.status
                })
            })
            .collect();
        let mut statuses = Vec::new();
        for request in requests {
            statuses.push(request.await.unwrap());
        }
        assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 100);
        assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 900);
        assert_eq!(rig.upstream.count(), 100);
    });
}

#[test]
fn a_denied_request_counts_nothing_and_says_everything() {
    run(async {
        let rig = Rig::start(Wish { tier: "FREE", ..answering() }).await;
        for _ in 0..2 {
            assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await.status, 200);
        }
        for _ in 0..30 {
            let denied = rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await;
            assert_eq!(denied.status, 429);
            let error = &denied.json()["error"];
            assert_eq!(error["code"], "tier_limit");
            assert_eq!(error["limit"], "llm_requests_per_day");
            assert_eq!((error["allowed"].as_u64(), error["used"].as_u64()), (Some(2), Some(2)));
            assert_eq!(error["lifted_by"], "PRO");
            assert_eq!(error["resets_at"], "2025-11-26T00:00:00Z");
            assert!(
                denied.head.contains("retry-after: 86400") || denied.head.contains("retry-after: "),
                "{}",
                denied.head
            );
            assert!(denied.head.contains("x-topdog-error-source: gateway"));
        }
        // 30 denials took nothing of the 20 API calls: 18 are left, and listing models takes one each.
        for call in 0..18 {
            assert_eq!(rig.get("/v1/models").await.status, 200, "call {call}");
        }
        let denied = rig.get("/v1/models").await;
        assert_eq!(
            (denied.status, denied.json()["error"]["limit"].as_str()),
            (429, Some("api_calls_per_day"))
        );
        rig.clock.advance_seconds(86_400);
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await.status, 200, "a new UTC day");
    });
}

#[test]
fn what_is_refused_for_what_it_says_is_an_api_call_all_the_same() {
    run(async {
        let wish =
            Wish { tier: "FREE", facts: |f| f.api_keys[0].models = vec!["openai/*".into()], ..answering() };
        let rig = Rig::start(wish).await;
        for _ in 0..4 {
            let unknown = rig.chat(r#"{"model":"nonesuch","messages":[]}"#).await;
            assert_eq!((unknown.status, unknown.code().as_str()), (404, "model_not_found"));
            assert_eq!(rig.get("/v1/models/nonesuch").await.status, 404);
            assert_eq!(rig.chat(r#"{"model":"#).await.status, 400);
            assert_eq!(rig.chat(r#"{"model":"anthropic/claude","messages":[]}"#).await.status, 403);
            let mut scopeless = rig.facts.clone();
            scopeless.api_keys[0].scopes = vec![Scope::UsageRead];
            rig.directory.replace_org(scopeless.organisation.id, Some(scopeless));
            assert_eq!(rig.get("/v1/models").await.code(), "scope_missing");
            rig.directory.replace_org(rig.facts.organisation.id, Some(rig.facts.clone()));
        }
        // Those were 20; what is no authenticated request counts nothing, nor can it be refused for a limit.
        let denied = rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await;
        let error = &denied.json()["error"];
        assert_eq!((denied.status, error["limit"].as_str()), (429, Some("api_calls_per_day")));
        assert_eq!((error["allowed"].as_u64(), error["used"].as_u64()), (Some(20), Some(20)));
        assert_eq!(rig.get("/v1/nonesuch").await.status, 404);
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn what_a_tier_refuses_is_no_api_call() {
    run(async {
        let rig = Rig::start(Wish { tier: "FREE", ..answering() }).await;
        for _ in 0..30 {
            let lacking = rig.chat(r#"{"model":"anthropic/claude","messages":[]}"#).await;
            assert_eq!((lacking.status, lacking.code().as_str()), (403, "tier_limit"));
        }
        assert_eq!(rig.get("/v1/models").await.status, 200);
    });
}

#[test]
fn a_request_that_no_provider_accepted_gives_its_llm_request_back() {
    run(async {
        let rig = Rig::start(Wish { tier: "FREE", ..answering() }).await;
        let ask = || rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#);
        for script in [
            Script::Answer { status: 400, content_type: "application/json", body: r#"{"error":{}}"#.into() },
            Script::Answer { status: 503, content_type: "text/html", body: "<p>".into() },
            Script::Answer { status: 302, content_type: "text/html", body: String::new() },
            Script::Close,
        ] {
            rig.upstream.now_does(script);
            assert!(ask().await.status >= 400);
        }
        rig.upstream.now_does(Script::json(ANSWER));
        assert_eq!((ask().await.status, ask().await.status, ask().await.status), (200, 200, 429));
        let records = rig.records(6).await;
        assert_eq!(records.iter().filter(|r| r.is_counted).count(), 2);
        assert!(
            records
                .iter()
                .filter(|r| !r.is_counted)
                .all(|r| r.source == UsageSource::None && r.tokens.total() == 0)
        );
    });
}

#[test]
fn the_ledger_away_refuses_rather_than_guesses() {
    run(async {
        let rig = Rig::start(answering()).await;
        rig.ledger.set_away(true);
        let reply = rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "ledger_unavailable"));
        rig.ledger.set_away(false);
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await.status, 200);
        rig.ledger.set_away(true);
        assert_eq!(rig.chat(r#"{"model":"gpt-4o-mini","messages":[]}"#).await.status, 200, "from the lease");
    });
}

#[test]
fn what_is_not_a_model_request_goes_to_the_control_plane() {
    run(async {
        let rig = Rig::start(answering()).await;
        assert_eq!(rig.get("/api/v1/organisations").await.body, "control of 127.0.0.1");
        assert_eq!(rig.get("/").await.body, "control of 127.0.0.1");
    });
}

#[test]
fn a_key_beyond_the_tiers_number_is_refused_until_an_older_one_goes() {
    run(async {
        let older = |facts: &mut topdog_domain::directory::OrgFacts| {
            let mut key = topdog_domain::fakes::samples::api_key(facts.organisation.id, "older");
            key.created_at = topdog_domain::Timestamp::from_micros(0);
            facts.api_keys.push(key);
        };
        let mut rig = Rig::start(Wish { tier: "FREE", facts: older, ..answering() }).await;
        let body = r#"{"model":"gpt-4o-mini","messages":[]}"#;
        let reply = rig.chat(body).await;
        assert_eq!(reply.status, 403, "{}", reply.body);
        let error = serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()["error"].clone();
        assert_eq!(error["code"], "tier_limit", "{error}");
        assert_eq!((&error["allowed"], &error["used"]), (&1.into(), &2.into()), "{error}");
        assert_eq!((&error["limit"], &error["lifted_by"]), (&"api_keys".into(), &"PRO".into()), "{error}");
        assert_eq!(rig.upstream.count(), 0);
        rig.change(|facts| facts.api_keys.truncate(1));
        assert_ne!(rig.chat(body).await.status, 403);
        assert_eq!(rig.upstream.count(), 1);
    });
}
