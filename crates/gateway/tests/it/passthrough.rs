//! What Top Dog has no operation of its own for: passed through by the same journey, and past no rule.

use crate::rig::{Reply, Rig, Wish, run, secret_for};
use crate::upstream::Script;
use std::time::Duration;
use topdog_domain::Timestamp;
use topdog_domain::directory::OrgFacts;
use topdog_domain::labels::DataSegment;
use topdog_domain::policy::{Policy, PolicyDocument, PolicyInForce, PolicyScope};
use topdog_domain::provider::{Family, Manner, Operation, ProviderApi};
use topdog_domain::tier::Limit;
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

const TIER: &str = "ENTERPRISE-STANDARD";
const JOB: &str = r#"{ "model":"gpt-4o-mini-2024-07-18", "training_file":"file-1","x":1.0 }"#;

fn wish(script: Script) -> Wish {
    Wish { tier: TIER, script, ..Wish::default() }
}

async fn ask(rig: &Rig, method: &str, path: &str, lines: &str, body: &str) -> Reply {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let token = &rig.token;
    rig.raw(&format!(
        "{method} {path} HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {token}\r\n{lines}connection: close\r\n{length}\r\n{body}"
    ))
    .await
}

const JSON: &str = "content-type: application/json\r\n";

/// The key may use this one model only.
fn only_gpt_4o(facts: &mut OrgFacts) {
    facts.api_keys[0].models = vec!["openai/gpt-4o".to_owned()];
}

fn policy(facts: &mut OrgFacts, allow: Option<&[&str]>, deny: &[&str]) {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let document = PolicyDocument { allow: allow.map(owned), deny: owned(deny), ..PolicyDocument::default() };
    let policy = Some(Policy::check(document).unwrap().into());
    let (scope, since) = (PolicyScope::Organisation, Timestamp::from_micros(1));
    facts.policies = vec![PolicyInForce { scope, version: 1, since, policy }];
}

#[test]
fn what_is_asked_and_answered_passes_as_it_is() {
    run(async {
        let answer = r#"{"id":"ftjob-1","usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
        let rig = Rig::start(wish(Script::json(answer))).await;
        let lines = format!(
            "{JSON}cookie: a=b\r\nx-api-key: {}\r\nopenai-beta: x=1\r\nx-hop: y\r\nconnection: x-hop\r\n",
            rig.token
        );
        let reply = ask(&rig, "POST", "/providers/openai/fine_tuning/jobs?after=3", &lines, JOB).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, answer));
        assert!(
            !reply.head.contains("set-cookie") && reply.head.contains("\r\nx-topdog-provider: openai"),
            "{}",
            reply.head
        );
        let (head, body) = rig.upstream.last();
        assert_eq!(body, JOB, "nothing of it changes");
        assert!(head.starts_with("post /v1/fine_tuning/jobs?after=3 http/1.1"), "{head}");
        assert!(
            head.contains(&format!("\r\nauthorization: bearer {}\r\n", secret_for(Family::OpenAi))),
            "{head}"
        );
        assert!(
            !head.contains(&rig.token.to_lowercase()) && !head.contains("cookie") && !head.contains("x-hop"),
            "{head}"
        );
        assert!(head.contains("\r\nopenai-beta: x=1"), "{head}");
        let record = &rig.records(1).await[0];
        assert_eq!((record.operation, record.provider.as_str()), (Operation::Passthrough, "openai"));
        assert_eq!(&*record.model, "gpt-4o-mini-2024-07-18");
        assert_eq!((record.tokens.input, record.tokens.output, record.source), (5, 7, UsageSource::Provider));
        assert!(record.is_counted && record.key_use.is_some());
        for (method, path) in
            [("PATCH", "/x"), ("PUT", "/x/y"), ("DELETE", "/x"), ("GET", "/v1/x"), ("POST", "/x")]
        {
            let reply = ask(&rig, method, &format!("/providers/openai{path}"), "", "").await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let there = path.strip_prefix("/v1").unwrap_or(path);
            let expected = format!("{} /v1{there} http/1.1", method.to_lowercase());
            assert!(rig.upstream.last().0.starts_with(&expected), "{}", rig.upstream.last().0);
        }
    });
}

#[test]
fn each_provider_gets_its_own_key_and_hears_of_no_other() {
    run(async {
        let rig = Rig::start(wish(Script::json("{}"))).await;
        for (family, path, there, line) in [
            (Family::Anthropic, "/v1/files", "/v1/files", "x-api-key: "),
            (Family::Cohere, "/v1/tokenize", "/v1/tokenize", "authorization: bearer "),
            (
                Family::Gemini,
                "/v1beta/cachedContents?key=TOKEN&pageSize=2",
                "/v1beta/cachedcontents?pagesize=2",
                "x-goog-api-key: ",
            ),
        ] {
            let path = format!("/providers/{}{}", family.name(), path.replace("TOKEN", &rig.token));
            let reply = ask(&rig, "GET", &path, "", "").await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let (head, _) = rig.upstream.last();
            assert!(head.starts_with(&format!("get {there} http/1.1")), "{head}");
            assert!(head.contains(&format!("\r\n{line}{}", secret_for(family))), "{head}");
            for other in Family::ALL.into_iter().filter(|other| *other != family) {
                assert!(!head.contains(secret_for(other)), "{head}");
            }
            assert!(!head.contains(&rig.token.to_lowercase()), "{head}");
        }
        let queried = format!("/providers/openai/x?a={}", rig.token);
        assert_eq!(ask(&rig, "GET", &queried, "", "").await.code(), "invalid_query");
        assert_eq!(rig.upstream.count(), 3);
    });
}

#[test]
fn an_operations_path_is_that_operation_with_all_its_rules() {
    run(async {
        let answer = r#"{"id":"c","object":"chat.completion","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
        let rig = Rig::start(wish(Script::json(answer))).await;
        let chat = r#"{"model":"gpt-4o","stream":true,"messages":[]}"#;
        for path in ["/chat/completions", "/v1/chat/completions", "/ch%61t/completions", "/chat/completions/"]
        {
            let reply = ask(&rig, "POST", &format!("/providers/openai{path}"), JSON, chat).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            let (head, body) = rig.upstream.last();
            assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
            assert!(body.contains("\"model\":\"gpt-4o\"") && body.contains("include_usage"), "{body}");
        }
        for record in rig.records(4).await {
            assert_eq!((record.operation, &*record.model_requested), (Operation::Chat, "openai/gpt-4o"));
            assert!(record.cost_nanodollars.is_some(), "its price is known");
        }
        let content = r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#;
        for path in ["gemini-2.5-flash:generateContent", "gemini-2.5-flash:generate%43ontent"] {
            let path = format!("/providers/gemini/v1beta/models/{path}?key={}", rig.token);
            assert_eq!(ask(&rig, "POST", &path, JSON, content).await.status, 200);
            let (head, _) = rig.upstream.last();
            assert!(
                head.starts_with("post /v1beta/models/gemini-2.5-flash:generatecontent http/1.1"),
                "{head}"
            );
        }
        assert_eq!(rig.records(6).await[5].operation, Operation::GenerateContent);
        let claude = ask(
            &rig,
            "POST",
            "/providers/anthropic/v1/messages",
            JSON,
            r#"{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[]}"#,
        )
        .await;
        assert_eq!(claude.status, 200, "{}", claude.body);
        assert!(rig.upstream.last().0.contains("\r\nanthropic-version: 2023-06-01"));
        let none = ask(&rig, "POST", "/providers/cohere/v2/chat", JSON, "{}").await;
        assert_eq!(
            (none.status, &none.json()["code"]),
            (400, &"missing_required_parameter".into()),
            "{}",
            none.body
        );
    });
}

#[test]
fn an_endpoints_own_dialect_decides_which_operation_a_path_is() {
    run(async {
        let mut rig = Rig::start(wish(Script::json("{}"))).await;
        for (name, path, api) in [("ant", "/v1", ProviderApi::Anthropic), ("gem", "", ProviderApi::Gemini)] {
            rig.endpoint(name, path, Manner::of(api), "own-key-0123456789abcdef").await;
        }
        rig.change(|facts| policy(facts, None, &["ant/claude-opus*", "gem/gemini-3*"]));
        let ask_for = async |path: &str, body: &str| {
            let reply = ask(&rig, "POST", &format!("/providers/{path}"), JSON, body).await;
            (reply.status, reply.body)
        };
        let messages = |model: &str| format!(r#"{{"model":"{model}","max_tokens":9,"messages":[]}}"#);
        let content = r#"{"contents":[]}"#;
        assert_eq!(ask_for("ant/v1/messages", &messages("claude-sonnet-4-5")).await.0, 200);
        assert!(rig.upstream.last().0.starts_with("post /v1/messages http"), "{}", rig.upstream.last().0);
        assert_eq!(ask_for("gem/v1beta/models/gemini-2.5-flash:generateContent", content).await.0, 200);
        let operations: Vec<Operation> = rig.records(2).await.iter().map(|record| record.operation).collect();
        assert_eq!(operations, [Operation::Messages, Operation::GenerateContent]);
        let (status, body) = ask_for("ant/messages", &messages("claude-opus-4-5")).await;
        assert!(status == 403 && body.contains("permission_error"), "in its own shape: {body}");
        let (status, body) = ask_for("gem/v1beta/models/gemini-3-pro:generateContent", content).await;
        assert!(status == 403 && body.contains("PERMISSION_DENIED"), "in its own shape: {body}");
        assert_eq!(rig.upstream.count(), 2);
    });
}

#[test]
fn no_path_leads_out_of_the_providers_base() {
    run(async {
        let rig = Rig::start(wish(Script::json("{}"))).await;
        for path in [
            "/../x",
            "/..",
            "/a/../../x",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a/%2e%2e%2fx",
            "/a%2f..%2fb",
            "/a%5c..%5cb",
            "//x",
            "/a//b",
            "/%252e%252e/x",
            "/..;/x",
            "/..;a/x",
            "/a%00",
            "/a%0d%0ab:c",
            "/%",
            "/%ff",
        ] {
            let reply = ask(&rig, "GET", &format!("/providers/openai{path}"), "", "").await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "invalid_path"),
                "{path}: {}",
                reply.body
            );
        }
        for path in [
            "/providers/",
            "/providers/openai",
            "/providers/openai/",
            "/providers/OPENAI/x",
            "/providers/%6fpenai/x",
            "/providers/../x",
        ] {
            let reply = ask(&rig, "GET", path, "", "").await;
            assert!(matches!(reply.status, 400 | 404), "{path}: {}", reply.body);
        }
        for name in ["nothing", "test"] {
            let reply = ask(&rig, "GET", &format!("/providers/{name}/x"), "", "").await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "operation_unsupported"),
                "{}",
                reply.body
            );
        }
        assert_eq!(ask(&rig, "OPTIONS", "/providers/openai/x", "", "").await.status, 405);
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn a_restricted_key_reaches_no_other_model_and_none_unseen() {
    run(async {
        let form = "content-type: multipart/form-data; boundary=b\r\n";
        let rig = Rig::start(Wish {
            tier: TIER,
            facts: only_gpt_4o,
            script: Script::json("{}"),
            ..Wish::default()
        })
        .await;
        for (method, path, lines, body, code) in [
            ("POST", "/assistants", JSON, r#"{"model":"gpt-5"}"#, "model_unseen"),
            ("POST", "/assistants", JSON, r#"{"model":"gpt-4o"}"#, "model_unseen"),
            ("POST", "/evals", JSON, r#"{"model":"gpt-4o","data_source":{"model":"gpt-5"}}"#, "model_unseen"),
            ("POST", "/models/gpt-4o/y", JSON, r#"{"model":"gpt-5","x":"\ud800"}"#, "model_unseen"),
            ("POST", "/x", JSON, r#"{"model":"gpt-4o","models":["gpt-5"]}"#, "model_unseen"),
            ("POST", "/models/gpt-5/x", JSON, r#"{"model":"gpt-4o"}"#, "model_unseen"),
            ("POST", "/deployments/gpt-4o/deployments/gpt-5", JSON, "{}", "model_unseen"),
            ("GET", "/models/gpt-5", "", "", "model_unseen"),
            ("POST", "/chat/completions", JSON, r#"{"model":"gpt-5"}"#, "model_not_allowed"),
            ("POST", "/ch%61t/completions", JSON, r#"{"model":"gpt-5"}"#, "model_not_allowed"),
            ("POST", "/threads/t/runs", JSON, r#"{"assistant_id":"a"}"#, "model_unseen"),
            ("POST", "/x", form, "--b\r\n\r\n", "model_unseen"),
            ("POST", "/models/gpt-4o/x", form, "--b\r\n\r\n", "model_unseen"),
            ("POST", "/x", "content-type: text/plain\r\n", r#"{"model":"gpt-4o"}"#, "model_unseen"),
            ("POST", "/x", "", "", "model_unseen"),
            ("GET", "/x", "", "", "model_unseen"),
            ("DELETE", "/x", "", "", "model_unseen"),
        ] {
            let reply = ask(&rig, method, &format!("/providers/openai{path}"), lines, body).await;
            assert_eq!((reply.status, reply.code().as_str()), (403, code), "{method} {path}: {}", reply.body);
        }
        // What a file asks for is not seen, whatever stands beside it; and what is kept there is of all models.
        for (method, path, body) in [
            ("POST", "/v1/batches", r#"{"input_file_id":"f","metadata":{"model":"gpt-4o"}}"#),
            ("POST", "/v1/files", "{}"),
            ("GET", "/v1/responses/resp_1", ""),
            ("DELETE", "/v1/responses/resp_1", ""),
            ("GET", "/v1/files/f/content", ""),
        ] {
            assert_eq!(ask(&rig, method, path, JSON, body).await.code(), "model_unseen", "{method} {path}");
        }
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn policies_hold_for_what_is_passed_through() {
    run(async {
        for (allow, deny, path, body, status) in [
            (None, &["openai/gpt-5*"][..], "/providers/openai/x", r#"{"model":"gpt-5-mini"}"#, 403),
            (None, &["openai/gpt-5*"], "/providers/openai/x", r#"{"model":"gpt-4o"}"#, 403),
            (None, &["openai/gpt-5*"], "/providers/openai/chat/completions", r#"{"model":"gpt-4o"}"#, 200),
            (Some(&["anthropic/*"][..]), &[], "/v1/files", r#"{}"#, 403),
            (None, &["openai/gpt-5*"], "/providers/openai/x", r#"{}"#, 403),
            (Some(&["anthropic/*"][..]), &[], "/providers/openai/x", r#"{"model":"gpt-4o"}"#, 403),
            (None, &["openai/*"], "/v1/files", r#"{}"#, 403),
            (None, &["cohere/*"], "/v1/files", r#"{}"#, 403),
            (None, &[], "/v1/files", r#"{}"#, 200),
        ] {
            let mut rig = Rig::start(wish(Script::json("{}"))).await;
            rig.change(|facts| policy(facts, allow, deny));
            let reply = ask(&rig, "POST", path, JSON, body).await;
            assert_eq!(reply.status, status, "{allow:?} {deny:?} {path} {body}: {}", reply.body);
            assert_eq!(rig.upstream.count(), usize::from(status == 200));
        }
    });
}

#[test]
fn nothing_is_passed_through_that_a_guardrail_could_not_judge() {
    run(async {
        let rules = r#"{"guardrails":{"max_input_bytes":60,"rules":[{"name":"keys","action":"ACTION","keywords":["secret"]}]}}"#;
        let policy = |action| Some(Policy::stored(&rules.replace("ACTION", action)).unwrap().into());
        let (scope, since) = (PolicyScope::Organisation, Timestamp::from_micros(1));
        let mut rig = Rig::start(wish(Script::json("{}"))).await;
        rig.change(|facts| {
            facts.policies = vec![PolicyInForce { scope, version: 1, since, policy: policy("block") }]
        });
        for (method, path) in
            [("POST", "/providers/openai/x"), ("GET", "/v1/responses/resp_1"), ("POST", "/v1/files")]
        {
            let reply = ask(&rig, method, path, JSON, if method == "POST" { JOB } else { "" }).await;
            assert_eq!(reply.code(), "guardrail_blocked", "{path}: {}", reply.body);
        }
        assert_eq!(rig.upstream.count(), 0);
        let said = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"my secret"}]}"#;
        let reply = ask(&rig, "POST", "/providers/openai/ch%61t/completions", JSON, said).await;
        assert_eq!(reply.code(), "guardrail_blocked", "it is judged as any chat: {}", reply.body);
        let reply =
            ask(&rig, "POST", "/providers/openai/chat/completions", JSON, &said.replace("secret", "x")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        rig.change(|facts| {
            facts.policies = vec![PolicyInForce { scope, version: 2, since, policy: policy("flag") }]
        });
        assert_eq!(ask(&rig, "POST", "/providers/openai/x", JSON, r#"{"a":"secret"}"#).await.status, 200);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(99));
        assert_eq!(ask(&rig, "POST", "/providers/openai/x", JSON, &long).await.code(), "guardrail_blocked");
    });
}

#[test]
fn tiers_keys_and_limits_hold_for_what_is_passed_through() {
    run(async {
        let free = Rig::start(Wish { tier: "FREE", ..Wish::default() }).await;
        assert_eq!(ask(&free, "GET", "/providers/openai/files", "", "").await.code(), "tier_limit");
        assert_eq!(ask(&free, "GET", "/v1/files", "", "").await.code(), "tier_limit");
        let pro = Rig::start(Wish::default()).await;
        let reply = ask(&pro, "GET", "/providers/cohere/v1/tokenize", "", "").await;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (403, &"tier_limit".into()),
            "in its shape: {}",
            reply.body
        );
        let facts = |f: &mut OrgFacts| f.api_keys[0].llm_requests_per_day = Limit::Of(1);
        let mut rig = Rig::start(Wish { tier: TIER, facts, ..Wish::default() }).await;
        assert_eq!(ask(&rig, "GET", "/v1/files", "", "").await.status, 200);
        let second = ask(&rig, "GET", "/v1/files", "", "").await;
        assert_eq!(
            (second.status, second.code().as_str()),
            (429, "tier_limit"),
            "it is an LLM request as any"
        );
        rig.change(|f| {
            f.api_keys[0].llm_requests_per_day = Limit::Unlimited;
            f.provider_keys.clear();
        });
        assert_eq!(ask(&rig, "GET", "/v1/files", "", "").await.code(), "no_provider_key");
        let none = rig.raw("GET /providers/openai/x HTTP/1.1\r\nhost: td\r\nconnection: close\r\n\r\n").await;
        assert_eq!((none.status, none.code().as_str()), (401, "missing_api_key"));
    });
}

#[test]
fn what_openai_keeps_is_read_and_counted_once() {
    run(async {
        let kept = r#"{"id":"resp_1","object":"response","status":"completed","usage":{"input_tokens":5,"output_tokens":7}}"#;
        let rig = Rig::start(wish(Script::json(kept))).await;
        for (method, path) in [
            ("GET", "/v1/responses/resp_1"),
            ("GET", "/v1/responses/resp_1/input_items?limit=2"),
            ("POST", "/v1/responses/resp_1/cancel"),
            ("DELETE", "/v1/responses/resp_1"),
            ("GET", "/v1/files"),
            ("GET", "/v1/batches/batch_1"),
        ] {
            let reply = ask(&rig, method, path, "", "").await;
            assert_eq!((reply.status, reply.body.as_str()), (200, kept), "{path}");
            let expected = format!("{} {path} http/1.1", method.to_lowercase());
            assert!(rig.upstream.last().0.starts_with(&expected), "{}", rig.upstream.last().0);
        }
        for record in rig.records(6).await {
            assert_eq!((record.operation, record.source), (Operation::Resource, UsageSource::None));
            assert_eq!((record.tokens, record.cost_nanodollars), (TokenUsage::default(), None));
            assert_eq!(record.outcome, Outcome::Completed);
        }
        ask(&rig, "GET", "/v1/files/file-1", "x-topdog-provider: cohere\r\n", "").await;
        let (head, _) = rig.upstream.last();
        assert!(
            head.starts_with("get /files/file-1 http/1.1") && head.contains(secret_for(Family::Cohere)),
            "{head}"
        );
        assert!(!head.contains("x-topdog"), "{head}");
        assert_eq!(ask(&rig, "PUT", "/v1/files/file-1", "", "").await.status, 405);
        rig.upstream.now_does(Script::Answer {
            status: 200,
            content_type: "application/jsonl",
            body: "{}\n{}\n".to_owned(),
        });
        assert_eq!(ask(&rig, "GET", "/v1/files/file-1/content", "", "").await.body, "{}\n{}\n");
        let error = r#"{"error":{"message":"no such File object","code":null}}"#.to_owned();
        rig.upstream.now_does(Script::Answer {
            status: 404,
            content_type: "application/json",
            body: error.clone(),
        });
        let reply = ask(&rig, "GET", "/v1/files/file-9", "", "").await;
        assert_eq!((reply.status, reply.body), (404, error));
        let moved = "302 Found\r\nlocation: https://elsewhere.example/x".to_owned();
        rig.upstream.now_does(Script::Verbatim { head: moved, body: Vec::new() });
        let reply = ask(&rig, "GET", "/v1/files/file-1/content", "", "").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_failed"));
        assert!(!reply.head.contains("elsewhere"), "{}", reply.head);
    });
}

#[test]
fn uploads_are_streamed_through_unread() {
    run(async {
        let rig = Rig::start(Wish {
            config: |config| config.max_body_bytes = 64 << 20,
            ..wish(Script::json(r#"{"id":"file-1"}"#))
        })
        .await;
        // More than the organisation may hold in memory.
        let large = "x".repeat(20 << 20);
        let body = format!(
            "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{large}\r\n--b--\r\n"
        );
        let reply =
            ask(&rig, "POST", "/v1/files", "content-type: multipart/form-data; boundary=b\r\n", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let (head, sent) = rig.upstream.last();
        assert!(sent == body, "as it came");
        assert!(head.contains("content-type: multipart/form-data; boundary=b"), "{head}");
        let record = &rig.records(1).await[0];
        assert_eq!(
            (record.operation, record.tokens.total()),
            (Operation::Resource, 0),
            "no tokens are made of bytes"
        );
    });
}

#[test]
fn streams_pass_and_what_is_regulated_waits_for_its_record() {
    run(async {
        let events = [
            r#"{"object":"thread.message.delta","delta":{"x":1}}"#,
            r#"{"object":"thread.run","usage":{"prompt_tokens":5,"completion_tokens":7}}"#,
        ];
        let rig = Rig::start(wish(Script::stream(&events))).await;
        let reply = ask(&rig, "POST", "/providers/openai/threads/runs", JSON, "{}").await;
        assert_eq!(reply.body, format!("data: {}\n\ndata: {}\n\n", events[0], events[1]));
        let record = &rig.records(1).await[0];
        assert_eq!((record.tokens.input, record.tokens.output, record.source), (5, 7, UsageSource::Provider));
        let rig = Rig::start(wish(Script::stream(&events).dying())).await;
        let reply = ask(&rig, "POST", "/providers/openai/threads/runs", JSON, "{}").await;
        assert!(reply.body.contains("\"error\"") && reply.body.contains("upstream_failed"), "{}", reply.body);
        let facts = |f: &mut OrgFacts| f.organisation.data_segment = Some(DataSegment::Medical);
        let rig = Rig::start(Wish { tier: TIER, facts, ..Wish::default() }).await;
        let pieces = events.iter().map(|event| format!("data: {event}\n\n").into_bytes()).collect();
        rig.upstream.now_does(Script::Chunks { pieces, pause: Duration::from_millis(50), has_end: true });
        let spool = rig.spool.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_millis(80)).await;
            spool.set_healthy(false);
        });
        let reply = ask(&rig, "POST", "/providers/openai/threads/runs", JSON, "{}").await;
        assert!(
            reply.body.contains("thread.message") && !reply.body.contains("thread.run\""),
            "{}",
            reply.body
        );
        assert!(reply.body.contains("records_unavailable"), "{}", reply.body);
    });
}
