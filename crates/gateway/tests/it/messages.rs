//! Anthropic's Messages, natively: bytes through, its own headers, errors in its shape, its own ends of streams.

use crate::rig::{Reply, Rig, Wish, run, secret_for};
use crate::upstream::Script;
use std::time::Duration;
use topdog_domain::api_key::Scope;
use topdog_domain::directory::OrgFacts;
use topdog_domain::labels::DataSegment;
use topdog_domain::provider::{Family, Operation};
use topdog_domain::tier::Limit;
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

const PATH: &str = "/v1/messages";
const ASK: &str = r#"{"model":"anthropic/claude-sonnet-4-5", "max_tokens":9,  "messages":[{"role":"user","content":"hi"}]}"#;
const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":7}}"#;

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":300,\"output_tokens\":1}}}\n\n";
const BLOCK: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const DELTA: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"twelve bytes\"}}\n\n";
const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
const BLOCK_END: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
const LAST: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n\n";
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const EVENTS: [&str; 7] = [START, BLOCK, DELTA, PING, BLOCK_END, LAST, STOP];

fn streaming(events: &[&str]) -> Script {
    let pieces = events.iter().map(|event| event.as_bytes().to_vec()).collect();
    Script::Chunks { pieces, pause: Duration::from_millis(2), has_end: true }
}

fn ask_stream() -> String {
    ASK.replace(r#""max_tokens":9"#, r#""max_tokens":9,"stream":true"#)
}

/// It is an error as Anthropic's SDKs read it: of that class, with our code, and the id of the request.
fn assert_error(reply: &Reply, status: u16, class: &str, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let body = reply.json();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&class.into(), &code.into()), "{body}");
    let request = body["request_id"].as_str().unwrap_or_default();
    assert!(request.starts_with("req_"), "{body}");
    for header in ["x-request-id", "request-id"] {
        assert!(reply.head.contains(&format!("\r\n{header}: {request}")), "{}", reply.head);
    }
}

#[test]
fn what_is_asked_and_answered_passes_as_it_is() {
    run(async {
        let rig = Rig::start(Wish { script: Script::json(ANSWER), ..Wish::default() }).await;
        let reply = rig.messages(PATH, "anthropic-beta: a-2025, b-2026\r\n", ASK).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ANSWER));
        assert!(reply.head.contains("\r\nrequest-id: req_"), "{}", reply.head);
        assert!(reply.head.contains("\r\nx-topdog-provider: anthropic"), "{}", reply.head);
        let (head, body) = rig.upstream.last();
        assert_eq!(body, ASK.replace("anthropic/", ""), "the model is spliced, and nothing else");
        assert!(head.starts_with("post /v1/messages http/1.1"), "{head}");
        assert!(head.contains(&format!("\r\nx-api-key: {}", secret_for(Family::Anthropic))), "{head}");
        assert!(!head.contains("authorization") && !head.contains(&rig.token.to_lowercase()), "{head}");
        assert!(head.contains("\r\nanthropic-version: 2023-06-01"), "what nobody sent has a default: {head}");
        assert!(head.contains("\r\nanthropic-beta: a-2025, b-2026"), "{head}");
        let record = &rig.records(1).await[0];
        let used =
            TokenUsage { input: 5, cache_read: 300, cache_write_5m: 20, output: 7, ..TokenUsage::default() };
        assert_eq!((record.tokens, record.source), (used, UsageSource::Provider));
        assert_eq!((record.operation, record.provider.as_str()), (Operation::Messages, "anthropic"));
        rig.messages(PATH, "anthropic-version: 2099-01-01\r\n", ASK).await;
        let head = rig.upstream.last().0;
        assert!(head.contains("\r\nanthropic-version: 2099-01-01") && !head.contains("2023-06-01"), "{head}");
        rig.messages("/v1/messages?beta=true", "", ASK).await;
        assert!(rig.upstream.last().0.starts_with("post /v1/messages?beta=true http"));
    });
}

#[test]
fn tokens_are_counted_by_the_provider_and_cost_none() {
    run(async {
        let rig =
            Rig::start(Wish { script: Script::json(r#"{"input_tokens":14}"#), ..Wish::default() }).await;
        let reply = rig.messages("/v1/messages/count_tokens", "", ASK).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"input_tokens":14}"#));
        assert!(rig.upstream.last().0.starts_with("post /v1/messages/count_tokens http"));
        let record = &rig.records(1).await[0];
        assert_eq!((record.operation, record.tokens.total()), (Operation::CountTokens, 0));
        assert!(record.is_counted, "it reached a provider");
    });
}

#[test]
fn every_refusal_has_anthropics_shape() {
    run(async {
        let mut rig = Rig::start(Wish::default()).await;
        let none = rig.raw("POST /v1/messages HTTP/1.1\r\nhost: td\r\nconnection: close\r\n\r\n").await;
        assert_error(&none, 401, "authentication_error", "missing_api_key");
        let wrong =
            "POST /v1/messages HTTP/1.1\r\nhost: td\r\nx-api-key: sk-ant-1\r\nconnection: close\r\n\r\n";
        assert_error(&rig.raw(wrong).await, 401, "authentication_error", "invalid_api_key");
        let two = rig.messages(PATH, "authorization: Bearer other\r\n", ASK).await;
        assert_error(&two, 401, "authentication_error", "invalid_api_key");
        let same = format!("authorization: Bearer {}\r\n", rig.token);
        assert_eq!(rig.messages(PATH, &same, ASK).await.status, 200, "the same key twice is one");
        for (path, body, status, class, code) in [
            (PATH, "{", 400, "invalid_request_error", "invalid_json"),
            (PATH, r#"{"max_tokens":1}"#, 400, "invalid_request_error", "missing_required_parameter"),
            (PATH, r#"{"model":"claude-sonet"}"#, 404, "not_found_error", "model_not_found"),
            (PATH, r#"{"model":"cohere/command"}"#, 403, "permission_error", "tier_limit"),
            ("/v1/messages/batches", "{}", 404, "not_found_error", "not_found"),
        ] {
            assert_error(&rig.messages(path, "", body).await, status, class, code);
        }
        let version = "anthropic-version: 2023-06-01\r\n";
        assert_error(&rig.messages("/v1/nothing", version, "{}").await, 404, "not_found_error", "not_found");
        assert_error(&rig.get(PATH).await, 405, "invalid_request_error", "method_not_allowed");
        let label = rig.messages(PATH, "x-plan: bogus\r\n", ASK).await;
        assert_error(&label, 400, "invalid_request_error", "invalid_label");
        let large = format!(r#"{{"model":"claude","x":"{}"}}"#, "y".repeat(1 << 20));
        assert_error(&rig.messages(PATH, "", &large).await, 413, "request_too_large", "body_too_large");
        let bad = "POST /v1/messages HTTP/1.1\r\nhost: td\r\nhost: td\r\n\r\n";
        assert_error(&rig.raw(bad).await, 400, "invalid_request_error", "malformed_request");
        rig.upstream.now_does(Script::Close);
        assert_error(&rig.messages(PATH, "", ASK).await, 502, "api_error", "upstream_failed");
        rig.change(|f| f.provider_keys.retain(|key| key.provider.as_str() != "anthropic"));
        assert_error(&rig.messages(PATH, "", ASK).await, 403, "permission_error", "no_provider_key");
        rig.change(|f| f.api_keys[0].scopes = vec![Scope::UsageRead]);
        assert_error(&rig.messages(PATH, "", ASK).await, 403, "permission_error", "scope_missing");
    });
}

#[test]
fn a_limit_is_told_with_all_that_openais_callers_hear() {
    run(async {
        let facts = |f: &mut OrgFacts| f.api_keys[0].llm_requests_per_day = Limit::Of(1);
        let rig = Rig::start(Wish { facts, ..Wish::default() }).await;
        assert_eq!(rig.messages(PATH, "", ASK).await.status, 200);
        let reply = rig.messages(PATH, "", ASK).await;
        assert_error(&reply, 429, "rate_limit_error", "tier_limit");
        let error = &reply.json()["error"];
        assert_eq!(
            (&error["limit"], &error["allowed"]),
            (&"key_llm_requests_per_day".into(), &1.into()),
            "{error}"
        );
        assert!(reply.head.contains("\r\nretry-after: "), "{}", reply.head);
    });
}

#[test]
fn a_stream_passes_and_tells_its_usage() {
    run(async {
        let rig = Rig::start(Wish { script: streaming(&EVENTS), ..Wish::default() }).await;
        let reply = rig.messages(PATH, "", &ask_stream()).await;
        assert_eq!(reply.body, EVENTS.concat());
        assert!(
            !rig.upstream.last().1.contains("stream_options"),
            "that is OpenAI's: {}",
            rig.upstream.last().1
        );
        let record = &rig.records(1).await[0];
        let used = TokenUsage { input: 5, cache_read: 300, output: 15, ..TokenUsage::default() };
        assert_eq!((record.tokens, record.source), (used, UsageSource::Provider));
        assert_eq!((record.outcome, record.is_counted), (Outcome::Completed, true));
    });
}

#[test]
fn a_provider_that_dies_in_its_stream_never_looks_like_a_success() {
    run(async {
        let torn = &DELTA[..DELTA.len() / 2];
        for events in [&EVENTS[..1], &EVENTS[..3], &EVENTS[..6], &[START, BLOCK, torn]] {
            for script in [streaming(events), streaming(events).dying()] {
                let rig = Rig::start(Wish { script, ..Wish::default() }).await;
                let reply = rig.messages(PATH, "", &ask_stream()).await;
                assert!(!reply.body.contains("message_stop"), "{}", reply.body);
                let (before, last) = reply.body.trim_end().rsplit_once("\n\n").unwrap();
                assert!(events.concat().starts_with(before.trim_end()), "{before}");
                let data = last.strip_prefix("event: error\ndata: ").unwrap_or_else(|| panic!("{last}"));
                let error: serde_json::Value = serde_json::from_str(data).unwrap();
                assert_eq!((&error["type"], &error["error"]["type"]), (&"error".into(), &"api_error".into()));
                let record = &rig.records(1).await[0];
                assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamFailed, true));
                assert_eq!(record.error_code.as_deref(), Some("upstream_failed"));
            }
        }
    });
}

#[test]
fn a_failure_within_a_stream_passes_and_is_no_success() {
    run(async {
        let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
        let rig = Rig::start(Wish { script: streaming(&[START, BLOCK, error]), ..Wish::default() }).await;
        let reply = rig.messages(PATH, "", &ask_stream()).await;
        assert_eq!(reply.body, [START, BLOCK, error].concat(), "and no second one behind it");
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamError, true));
        assert_eq!(record.error_code.as_deref(), Some("overloaded_error"));
    });
}

#[test]
fn a_providers_own_error_passes_with_its_status() {
    run(async {
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011"}"#;
        let head = "529 Overloaded\r\ncontent-type: application/json\r\nretry-after: 7\r\nrequest-id: req_011\r\n\
                    anthropic-ratelimit-requests-remaining: 0\r\nx-should-retry: true";
        let script = Script::Verbatim { head: head.to_owned(), body: body.as_bytes().to_vec() };
        let rig = Rig::start(Wish { script, ..Wish::default() }).await;
        let reply = rig.messages(PATH, "", ASK).await;
        assert_eq!((reply.status, reply.body.as_str()), (529, body));
        for line in [
            "retry-after: 7",
            "anthropic-ratelimit-requests-remaining: 0",
            "x-should-retry: true",
            "x-upstream-request-id: req_011",
            "x-topdog-error-source: upstream",
        ] {
            assert!(reply.head.contains(&format!("\r\n{line}")), "{line}: {}", reply.head);
        }
        assert_eq!(reply.head.matches("\r\nrequest-id: ").count(), 1, "{}", reply.head);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.status, record.is_counted), (Outcome::UpstreamError, 529, false));
    });
}

#[test]
fn the_key_is_never_heard_back() {
    run(async {
        let secret = secret_for(Family::Anthropic);
        let rig = Rig::start(Wish::default()).await;
        let error = format!(
            r#"{{"type":"error","error":{{"type":"authentication_error","message":"bad key {secret}"}}}}"#
        );
        for status in [200, 401] {
            rig.upstream.now_does(Script::Answer {
                status,
                content_type: "application/json",
                body: error.clone(),
            });
            let reply = rig.messages(PATH, "", ASK).await;
            assert_eq!(reply.status, status);
            assert!(!reply.body.contains(secret) && reply.body.contains("[redacted]"), "{}", reply.body);
        }
        let event = format!("event: error\ndata: {error}\n\n");
        rig.upstream.now_does(streaming(&[START, &event]));
        let reply = rig.messages(PATH, "", &ask_stream()).await;
        assert!(!reply.body.contains(secret) && reply.body.contains("[redacted]"), "{}", reply.body);
        let encoded = "401 X\r\ncontent-type: application/json\r\ncontent-encoding: br".to_owned();
        rig.upstream.now_does(Script::Verbatim { head: encoded, body: vec![1, 2, 3] });
        assert_error(&rig.messages(PATH, "", ASK).await, 401, "authentication_error", "upstream_error");
    });
}

#[test]
fn a_client_that_leaves_a_stream_is_counted_with_what_it_got() {
    run(async {
        let mut events = vec![START, BLOCK];
        events.extend(vec![DELTA; 10_000]);
        let rig = Rig::start(Wish { script: streaming(&events), ..Wish::default() }).await;
        let body = ask_stream();
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: td\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
            rig.token,
            body.len()
        );
        let stream = rig.heard_of(&head, "twelve bytes").await;
        drop(stream);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::ClientGone, true));
        assert_eq!(record.source, UsageSource::Estimated, "the output that it told was that before any text");
        assert_eq!((record.tokens.input, record.tokens.cache_read), (5, 300));
        assert!(record.tokens.output > 3, "{:?}", record.tokens);
    });
}

#[test]
fn the_last_event_of_a_regulated_stream_waits_for_its_record() {
    run(async {
        let facts = |f: &mut OrgFacts| f.organisation.data_segment = Some(DataSegment::Medical);
        let rig = Rig::start(Wish { facts, ..Wish::default() }).await;
        let pieces = EVENTS.iter().map(|event| event.as_bytes().to_vec()).collect();
        rig.upstream.now_does(Script::Chunks { pieces, pause: Duration::from_millis(50), has_end: true });
        let spool = rig.spool.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_millis(150)).await;
            spool.set_healthy(false);
        });
        let reply = rig.messages(PATH, "", &ask_stream()).await;
        assert!(!reply.body.contains("message_stop"), "not before its record is kept: {}", reply.body);
        assert!(
            reply.body.contains("event: error") && reply.body.contains("records_unavailable"),
            "{}",
            reply.body
        );
    });
}

#[test]
fn models_are_listed_in_the_shape_of_who_asks() {
    run(async {
        let rig = Rig::start(Wish::default()).await;
        let token = &rig.token;
        let list = async |line: &str, path: &str| {
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: td\r\nx-api-key: {token}\r\n{line}connection: close\r\n\r\n"
            );
            rig.raw(&request).await.json()
        };
        let theirs = list("anthropic-version: 2023-06-01\r\n", "/v1/models").await;
        let model = &theirs["data"][0];
        assert_eq!(model["type"], "model", "{theirs}");
        assert!(model["display_name"].is_string() && model["created_at"].is_string(), "{theirs}");
        assert_eq!(theirs["has_more"], false, "{theirs}");
        let openais = list("", "/v1/models").await;
        assert_eq!(openais["object"], "list", "{openais}");
    });
}
