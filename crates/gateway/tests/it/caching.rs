//! Answers that are kept: who is given one, and above all who is not.

use crate::rig::{Reply, Rig, Wish, run};
use crate::upstream::Script;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::Timestamp;
use topdog_domain::directory::OrgFacts;
use topdog_domain::fakes::samples;
use topdog_domain::labels::DataSegment;
use topdog_domain::policy::{Policy, PolicyInForce, PolicyScope};
use topdog_domain::tier::{Limit, Tier, TierCatalogue};
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

const ANSWER: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":18}}"#;
const BODY: &str =
    r#"{"model":"gpt-4o-mini","temperature":0,"messages":[{"role":"user","content":"hello"}]}"#;

fn policy(scope: PolicyScope, version: u32, json: &str) -> PolicyInForce {
    let policy = Policy::stored(json).expect("a good policy");
    PolicyInForce { scope, version, since: samples::NEW_YEAR, policy: Some(Arc::new(policy)) }
}

fn cached(facts: &mut OrgFacts) {
    facts.policies = vec![policy(PolicyScope::Organisation, 1, r#"{"cache":{"ttl_seconds":60}}"#)];
}

async fn rig() -> Rig {
    Rig::start(Wish { tier: "TEAMS-LARGE", script: Script::json(ANSWER), facts: cached, ..Wish::default() })
        .await
}

fn says(reply: &Reply) -> Option<&'static str> {
    ["hit", "miss"].into_iter().find(|word| reply.head.contains(&format!("x-topdog-cache: {word}")))
}

#[test]
fn the_same_question_is_asked_of_the_provider_once_and_costs_once() {
    run(async {
        let rig = rig().await;
        let first = rig.chat(BODY).await;
        assert_eq!((first.status, says(&first)), (200, Some("miss")));
        rig.clock.advance_seconds(7);
        let again = r#"{ "messages": [{"role":"user", "content":"hello"}], "model":"openai/gpt-4o-mini","temperature":0.0}"#;
        assert_eq!(says(&rig.chat(again).await), Some("miss"), "0.0 is written otherwise, and never mind");
        let again = again.replace("0.0", "0");
        let second = rig.chat(&again).await;
        assert_eq!((second.status, says(&second), second.body.as_str()), (200, Some("hit"), ANSWER));
        for expected in
            ["age: 7", "content-type: application/json", "x-topdog-model: gpt-4o-mini", "x-request-id: req_"]
        {
            assert!(second.head.contains(expected), "{expected} in {}", second.head);
        }
        assert_eq!(rig.upstream.count(), 2);
        let records = rig.records(3).await;
        let hit = &records[2];
        assert_eq!((hit.outcome, hit.status, hit.is_counted), (Outcome::Completed, 200, false));
        assert_eq!(
            (hit.source, hit.tokens, hit.cost_nanodollars),
            (UsageSource::Cache, TokenUsage::default(), Some(0))
        );
        assert!(hit.key_use.is_none() && hit.bytes_out == ANSWER.len() as u64);
        rig.clock.advance_seconds(60);
        assert_eq!(says(&rig.chat(&again).await), Some("miss"), "its time is over");
    });
}

#[test]
fn no_other_organisation_is_given_an_answer() {
    run(async {
        let rig = rig().await;
        let (token, mut facts) = rig.tenant_facts("other", "TEAMS-LARGE").await;
        cached(&mut facts);
        rig.directory.replace_org(facts.organisation.id, Some(facts));
        assert_eq!(says(&rig.chat(BODY).await), Some("miss"));
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
        assert_eq!(says(&rig.chat_as(&token, BODY).await), Some("miss"));
        assert_eq!(rig.upstream.count(), 2);
    });
}

#[test]
fn a_key_that_is_revoked_or_may_not_is_given_nothing() {
    run(async {
        let mut rig = rig().await;
        rig.chat(BODY).await;
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
        let provider_keys = rig.facts.provider_keys.clone();
        rig.change(|facts| facts.provider_keys.clear());
        assert_eq!(rig.chat(BODY).await.code(), "no_provider_key");
        rig.change(|facts| facts.provider_keys = provider_keys);
        rig.change(|facts| facts.api_keys[0].models = vec!["openai/gpt-4o".to_owned()]);
        assert_eq!(rig.chat(BODY).await.code(), "model_not_allowed");
        rig.change(|facts| facts.api_keys[0].models.clear());
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
        let denying = r#"{"cache":{"ttl_seconds":60},"deny":["gpt-4o-mini"]}"#;
        rig.change(|facts| facts.policies = vec![policy(PolicyScope::Organisation, 2, denying)]);
        assert_eq!(rig.chat(BODY).await.code(), "policy_denied");
        rig.change(|facts| {
            facts.policies = vec![policy(PolicyScope::Organisation, 3, r#"{"cache":{"ttl_seconds":60}}"#)]
        });
        assert_eq!(says(&rig.chat(BODY).await), Some("miss"), "another version of the policy begins anew");
        let id = rig.facts.provider_keys[0].id;
        rig.change(|facts| facts.provider_keys[0].id = topdog_domain::ProviderKeyId::new());
        let other = rig.chat(BODY).await;
        assert_ne!(says(&other), Some("hit"), "nor is what another provider key was answered given");
        rig.change(|facts| facts.provider_keys[0].id = id);
        let keys = std::mem::take(&mut rig.facts.api_keys);
        rig.change(|_| {});
        assert_eq!(rig.chat(BODY).await.code(), "invalid_api_key");
        rig.change(|facts| facts.api_keys = keys);
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
    });
}

#[test]
fn what_shapes_an_answer_makes_it_another() {
    run(async {
        let rig = rig().await;
        rig.chat(BODY).await;
        let mut asked = 1;
        for other in [
            BODY.replace("hello", "Hello"),
            BODY.replace("gpt-4o-mini", "gpt-4o"),
            BODY.replace("\"messages\"", "\"seed\":1,\"messages\""),
            BODY.replace("\"messages\"", "\"stream\":true,\"messages\""),
        ] {
            rig.chat(&other).await;
            asked += 1;
            assert_eq!(rig.upstream.count(), asked, "{other}");
        }
        for path in ["/v1/completions", "/v1/chat/completions?x=1"] {
            rig.post(path, BODY).await;
            asked += 1;
            assert_eq!(rig.upstream.count(), asked, "{path}");
        }
        let version = "anthropic-version: 2023-06-01\r\n";
        let body =
            r#"{"model":"anthropic/claude-3-5-haiku-latest","temperature":0,"max_tokens":5,"messages":[]}"#;
        for lines in
            [version.to_owned(), format!("{version}anthropic-beta: x\r\n"), format!("{version}x-own: y\r\n")]
        {
            rig.messages("/v1/messages", &lines, body).await;
            asked += 1;
            assert_eq!(rig.upstream.count(), asked, "{lines}");
        }
        let sdks = format!("{version}x-stainless-retry-count: 3\r\nuser-agent: other\r\ntraceparent: 00\r\n");
        assert_eq!(says(&rig.messages("/v1/messages", &sdks, body).await), Some("hit"));
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
    });
}

#[test]
fn only_what_may_be_kept_is_kept() {
    run(async {
        let rig = rig().await;
        for body in [
            r#"{"model":"gpt-4o-mini","messages":[]}"#.to_owned(),
            BODY.replace("\"temperature\":0", "\"temperature\":0.7"),
            BODY.replace("\"messages\"", "\"store\":true,\"messages\""),
        ] {
            for _ in 0..2 {
                assert_eq!(says(&rig.chat(&body).await), None, "{body}");
            }
        }
        for (path, body, expected) in [
            ("/v1/responses", r#"{"model":"gpt-4o-mini","temperature":0,"input":"a"}"#, None),
            (
                "/v1/responses",
                r#"{"model":"gpt-4o-mini","temperature":0,"input":"a","store":false}"#,
                Some("hit"),
            ),
            (
                "/v1/responses",
                r#"{"model":"gpt-4o-mini","temperature":0,"input":"a","store":false,"previous_response_id":"r"}"#,
                None,
            ),
            ("/v1/embeddings", r#"{"model":"text-embedding-3-small","input":"a"}"#, Some("hit")),
            ("/v1/moderations", r#"{"input":"a","temperature":0}"#, None),
        ] {
            rig.post(path, body).await;
            assert_eq!(says(&rig.post(path, body).await), expected, "{path} {body}");
        }
        for script in [
            Script::Answer { status: 500, content_type: "application/json", body: "{}".to_owned() },
            Script::json(r#"{"error":{"message":"all is not well"}}"#),
            Script::json(&format!(r#"{{"id":"{}"}}"#, "x".repeat(300 * 1024))),
        ] {
            rig.upstream.now_does(script);
            let body = BODY.replace("hello", "other");
            for _ in 0..2 {
                assert_eq!(says(&rig.chat(&body).await), Some("miss"));
            }
        }
    });
}

#[test]
fn a_client_may_want_a_fresh_answer_or_none_kept() {
    run(async {
        let rig = rig().await;
        let body =
            r#"{"model":"anthropic/claude-3-5-haiku-latest","temperature":0,"max_tokens":5,"messages":[]}"#;
        let ask = |lines: &'static str| rig.messages("/v1/messages", lines, body);
        assert_eq!(says(&ask("cache-control: no-store\r\n").await), None);
        assert_eq!(says(&ask("").await), Some("miss"));
        assert_eq!(says(&ask("cache-control: no-cache\r\n").await), Some("miss"));
        assert_eq!(says(&ask("cache-control: max-age=9, No-Store\r\n").await), None);
        assert_eq!(says(&ask("").await), Some("hit"));
        assert_eq!(rig.upstream.count(), 4);
    });
}

#[test]
fn a_stream_is_given_again_whole_and_one_that_broke_off_never() {
    run(async {
        let rig = rig().await;
        let body = BODY.replace("\"messages\"", "\"stream\":true,\"messages\"");
        let events =
            [r#"{"choices":[{"delta":{"content":"a"}}]}"#, r#"{"choices":[{"delta":{"content":"b"}}]}"#];
        let broken = Script::stream(&events).dying();
        rig.upstream.now_does(broken);
        for _ in 0..2 {
            assert_eq!(says(&rig.chat(&body).await), Some("miss"));
        }
        let failing = [events[0], r#"{"error":{"message":"overloaded"}}"#, "[DONE]"];
        rig.upstream.now_does(Script::stream(&failing));
        for _ in 0..2 {
            assert_eq!(says(&rig.chat(&body).await), Some("miss"));
        }
        let whole = [
            events[0],
            events[1],
            r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            "[DONE]",
        ];
        let Script::Chunks { pieces, has_end, .. } = Script::stream(&whole) else { unreachable!() };
        let slowly = Script::Chunks { pieces, has_end, pause: Duration::from_millis(100) };
        rig.upstream.now_does(slowly);
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            rig.token,
            body.len()
        );
        drop(rig.heard_of(&request, "\"a\"").await);
        rig.records(5).await;
        rig.upstream.now_does(Script::stream(&whole));
        let first = rig.chat(&body).await;
        assert_eq!(says(&first), Some("miss"), "a client that left has kept nothing");
        let second = rig.chat(&body).await;
        assert_eq!(says(&second), Some("hit"));
        assert!(second.head.contains("content-type: text/event-stream"), "{}", second.head);
        assert_eq!(second.body, first.body);
        assert!(
            second.body.contains("[DONE]") && !second.body.contains("usage"),
            "as the client was sent it"
        );
        assert_eq!(rig.upstream.count(), 6);
    });
}

#[test]
fn regulated_segments_are_left_out_unless_the_policy_says_so_and_are_recorded_first() {
    run(async {
        let mut rig = rig().await;
        rig.change(|facts| facts.organisation.data_segment = Some(DataSegment::Medical));
        for _ in 0..2 {
            assert_eq!(says(&rig.chat(BODY).await), None);
        }
        let regulated = r#"{"cache":{"ttl_seconds":60,"regulated":true}}"#;
        rig.change(|facts| facts.policies = vec![policy(PolicyScope::Organisation, 2, regulated)]);
        assert_eq!(says(&rig.chat(BODY).await), Some("miss"));
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
        rig.directory.doubt();
        assert_eq!(rig.chat(BODY).await.status, 503, "what may be revoked is not given");
        rig.directory.confirm_until(Timestamp::from_micros(i64::MAX));
        rig.spool.set_healthy(false);
        assert_eq!(rig.chat(BODY).await.code(), "records_unavailable");
        rig.spool.set_healthy(true);
        rig.change(|facts| facts.organisation.data_segment = None);
        assert_eq!(says(&rig.chat(BODY).await), Some("miss"), "nor does what was kept there leave it");
        let key = rig.facts.api_keys[0].id;
        rig.change(|facts| {
            facts.organisation.data_segment = Some(DataSegment::Scientific);
            cached(facts);
            facts.policies.push(policy(PolicyScope::Key(key), 1, regulated));
        });
        assert_eq!(says(&rig.chat(BODY).await), None, "a narrower policy opens nothing");
    });
}

#[test]
fn a_hit_takes_a_call_of_the_tier_and_nothing_of_limits_or_caps() {
    run(async {
        let mut rig = rig().await;
        let capped = r#"{"cache":{"ttl_seconds":60},"caps":[{"requests":1,"per":"day"}]}"#;
        rig.change(|facts| {
            facts.policies = vec![policy(PolicyScope::Organisation, 2, capped)];
            facts.api_keys[0].llm_requests_per_day = Limit::Of(1);
        });
        for _ in 0..5 {
            assert_eq!(rig.chat(BODY).await.status, 200);
        }
        assert_eq!(rig.chat(&BODY.replace("hello", "other")).await.status, 429);
        assert_eq!(rig.upstream.count(), 1);
    });
}

#[test]
fn a_tier_without_policies_has_no_caching() {
    run(async {
        let mut rig = rig().await;
        rig.chat(BODY).await;
        assert_eq!(says(&rig.chat(BODY).await), Some("hit"));
        rig.change(|facts| facts.organisation.tier = samples::organisation("x", "PRO").organisation.tier);
        assert_eq!(says(&rig.chat(BODY).await), None);
        rig.directory.replace_all(TierCatalogue::new(Tier::standard_catalogue()), vec![rig.facts.clone()]);
        assert_eq!(says(&rig.chat(BODY).await), None);
    });
}

#[test]
fn what_is_kept_is_bounded() {
    run(async {
        let rig = rig().await;
        rig.upstream.now_does(Script::json(&format!(r#"{{"id":"{}"}}"#, "x".repeat(200 * 1024))));
        for number in 0..20 {
            assert_eq!(says(&rig.chat(&BODY.replace("hello", &number.to_string())).await), Some("miss"));
        }
        let view = rig.directory.snapshot().org(rig.facts.organisation.id).unwrap().clone();
        assert!(view.cache.bytes() <= 1 << 20 && view.cache.bytes() > 900 * 1024, "{}", view.cache.bytes());
        assert_eq!(says(&rig.chat(&BODY.replace("hello", "19")).await), Some("hit"));
        assert_eq!(says(&rig.chat(&BODY.replace("hello", "0")).await), Some("miss"), "the oldest went");
        view.cache.forget_expired(Timestamp::from_micros(i64::MAX));
        assert_eq!(view.cache.bytes(), 0, "all is given back");
    });
}

#[test]
fn a_fallbacks_answer_is_not_kept_in_anothers_place_and_is_what_a_cap_counts() {
    run(async {
        let mut rig = rig().await;
        let routed = r#"{"cache":{"ttl_seconds":60},"caps":[{"dollars":"1","per":"day"}],
            "routes":[{"for":["gpt-4o"],"fallbacks":["openai/gpt-4o-mini"]}]}"#;
        rig.change(|facts| facts.policies = vec![policy(PolicyScope::Organisation, 2, routed)]);
        let body = BODY.replace("gpt-4o-mini", "gpt-4o");
        let failing =
            || Script::Answer { status: 503, content_type: "application/json", body: "{}".to_owned() };
        for asked in [2, 4] {
            rig.upstream.next_does([failing(), Script::json(ANSWER)]);
            let reply = rig.chat(&body).await;
            assert!(reply.head.contains("x-topdog-model: gpt-4o-mini"), "{}", reply.head);
            assert_eq!((reply.status, says(&reply), rig.upstream.count()), (200, Some("miss"), asked));
        }
        rig.upstream.now_does(Script::json(ANSWER));
        assert_eq!(says(&rig.chat(&body).await), Some("miss"));
        let reply = rig.chat(&body).await;
        assert_eq!(says(&reply), Some("hit"));
        assert!(reply.head.contains("x-topdog-model: gpt-4o\r\n"), "{}", reply.head);
        let org = rig.directory.snapshot().org(rig.facts.organisation.id).unwrap().clone();
        let meter = org.meters.caps.of("organisation:spend_per_day");
        let day = topdog_domain::ports::Clock::now(rig.clock.as_ref()).day().window();
        meter.return_lease(rig.ledger.as_ref()).await.unwrap();
        let granted = topdog_domain::ports::CapLedger::cap_granted(
            rig.ledger.as_ref(),
            rig.facts.organisation.id,
            day.start,
        );
        let costs: Vec<i64> =
            rig.records(4).await.iter().filter_map(|record| record.cost_nanodollars).collect();
        let spent: i64 = costs.iter().sum();
        assert_eq!(granted.await.unwrap()[0].granted, u64::try_from(spent).unwrap(), "{costs:?}");
        assert!(costs[0] < costs[2] && costs[3] == 0, "{costs:?}");
    });
}
