//! Policies on the way of a request: aliases are spliced, rules refuse before anyone is called.

use crate::rig::{Reply, Rig, Wish, run};
use std::sync::Arc;
use topdog_domain::directory::OrgFacts;
use topdog_domain::fakes::samples;
use topdog_domain::policy::{Policy, PolicyInForce, PolicyScope};
use topdog_domain::tier::Tier;

fn policy(scope: PolicyScope, json: &str) -> PolicyInForce {
    let policy = Policy::stored(json).expect("a good policy");
    PolicyInForce { scope, version: 1, since: samples::NEW_YEAR, policy: Some(Arc::new(policy)) }
}

pub(crate) fn of_org(facts: &mut OrgFacts, json: &str) {
    facts.policies = vec![policy(PolicyScope::Organisation, json)];
}

async fn rig() -> Rig {
    let mut rig = Rig::start(Wish { tier: "PRO-PLUS", ..Wish::default() }).await;
    rig.change(|facts| {
        of_org(
            facts,
            r#"{"aliases":{"fast":"small","small":"openai/gpt-4o-mini","sly":"openai/gpt-4","far":"mistral/large-x"},
                "deny":["openai/gpt-4","gpt-3*"]}"#,
        );
    });
    rig
}

pub(crate) fn body(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[]}}"#)
}

fn message(reply: &Reply) -> String {
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_alias_is_sent_as_its_model_and_shown() {
    run(async {
        let rig = rig().await;
        for asked in ["fast", "small"] {
            let reply = rig.chat(&body(asked)).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(reply.head.contains("x-topdog-model: gpt-4o-mini"), "{}", reply.head);
        }
        for (_, body) in &rig.upstream.seen.borrow().requests {
            assert!(body.contains(r#""model":"gpt-4o-mini""#), "{body}");
        }
        let records = rig.records(2).await;
        assert_eq!((&*records[0].model_requested, &*records[0].model), ("fast", "gpt-4o-mini"));
    });
}

#[test]
fn a_denied_model_reaches_nobody_by_whatever_name() {
    run(async {
        let mut rig = rig().await;
        for (asked, rule) in [
            ("openai/gpt-4", "openai/gpt-4"),
            ("gpt-4", "openai/gpt-4"),
            ("sly", "openai/gpt-4"),
            ("openai/GPT-4", "openai/gpt-4"),
            ("openai/models/gpt-4", "openai/gpt-4"),
            ("openai/gpt-3.5-turbo", "gpt-3*"),
        ] {
            let reply = rig.chat(&body(asked)).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (403, "policy_denied"),
                "{asked}: {}",
                reply.body
            );
            assert_eq!(reply.json()["error"]["param"], "model");
            let message = message(&reply);
            assert!(
                message.contains(&format!("deny `{rule}`")) && message.contains("your organisation"),
                "{message}"
            );
        }
        let key = rig.facts.api_keys[0].id;
        rig.change(|facts| {
            of_org(facts, r#"{"deny":["gpt-3*"]}"#);
            facts.policies.push(policy(
                PolicyScope::Key(key),
                r#"{"aliases":{"mine":"openai/gpt-3.5-turbo"},"allow":["openai/gpt-3.5-turbo","openai/gpt-4"]}"#,
            ));
        });
        assert_eq!(rig.chat(&body("mine")).await.code(), "policy_denied", "a key allows itself nothing");
        let refused = rig.chat(&body("openai/gpt-4o")).await;
        assert!(
            message(&refused).contains("this API key") && message(&refused).contains("allow"),
            "{}",
            refused.body
        );
        assert_eq!(rig.upstream.count(), 0);
        assert!(rig.admitted().is_empty(), "no LLM request is counted");
        assert_eq!(rig.chat(&body("openai/gpt-4")).await.status, 200, "the next request sees the change");
    });
}

#[test]
fn an_alias_opens_no_provider_that_is_closed_to_the_key() {
    run(async {
        let mut rig = rig().await;
        assert_eq!(rig.chat(&body("far")).await.code(), "tier_limit", "the tier lacks that provider");
        rig.change(|facts| facts.api_keys[0].models = vec!["openai/*".to_owned()]);
        assert_eq!(rig.chat(&body("far")).await.code(), "model_not_allowed");
        assert_eq!(rig.chat(&body("fast")).await.status, 200);
        rig.change(|facts| of_org(facts, r#"{"aliases":{"lost":"nothing-like-it"}}"#));
        assert_eq!(rig.chat(&body("lost")).await.code(), "model_not_found");
    });
}

#[test]
fn what_is_listed_is_what_may_be_used() {
    run(async {
        let rig = rig().await;
        let list = rig.get("/v1/models").await.json();
        let ids: Vec<String> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect();
        for there in ["fast", "small", "openai/gpt-4o-mini", "openai/gpt-4o"] {
            assert!(ids.iter().any(|id| id == there), "{there} of {ids:?}");
        }
        for denied in ["sly", "far", "openai/gpt-4", "openai/gpt-3.5-turbo"] {
            assert!(!ids.iter().any(|id| id == denied), "{denied} is listed");
        }
        assert_eq!(rig.get("/v1/models/fast").await.json()["owned_by"], "openai");
        assert_eq!(rig.get("/v1/models/sly").await.status, 404);
        for id in ids.iter().filter(|id| id.starts_with("openai/gpt-4") || !id.contains('/')) {
            assert_eq!(rig.chat(&body(id)).await.status, 200, "{id} is listed");
        }
    });
}

#[test]
fn a_model_whose_name_is_a_denied_alias_is_there_no_more_than_it_may_be_asked_for() {
    run(async {
        let mut rig = rig().await;
        assert_eq!(rig.get("/v1/models/gpt-4o").await.status, 200);
        rig.change(|facts| of_org(facts, r#"{"aliases":{"gpt-4o":"openai/gpt-4"},"deny":["openai/gpt-4"]}"#));
        assert_eq!(rig.chat(&body("gpt-4o")).await.code(), "policy_denied");
        assert_eq!(rig.get("/v1/models/gpt-4o").await.status, 404);
        assert_eq!(rig.get("/v1/models/openai%2Fgpt-4o").await.status, 200, "by its whole name it may");
    });
}

#[test]
fn a_lower_tier_keeps_the_rules_and_loses_the_aliases() {
    run(async {
        let mut rig = rig().await;
        rig.change(|facts| facts.organisation.tier = samples::tier("FREE"));
        assert!(Tier::standard_catalogue().iter().any(|tier| !tier.byok_policies_enabled));
        assert_eq!(rig.chat(&body("openai/gpt-4")).await.code(), "policy_denied");
        let alias = rig.chat(&body("fast")).await;
        assert_eq!((alias.status, alias.code().as_str()), (403, "tier_limit"), "{}", alias.body);
        assert_eq!(alias.json()["error"]["limit"], "byok_policies");
        assert_eq!(rig.upstream.count(), 0);
        let list = rig.get("/v1/models").await.body;
        assert!(!list.contains("\"fast\"") && !list.contains("\"openai/gpt-4\""));
    });
}
