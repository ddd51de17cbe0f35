//! Usage of whole answers, error bodies, model lists and the test provider.
#![cfg(test)]

use serde_json::{Value, json};
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::TokenUsage;
use topdog_wire::echo::{ECHO_NAME, can_echo, echo_answer, echo_stream_events};
use topdog_wire::models::{ModelEntry, model_list, model_object};
use topdog_wire::{
    LimitDetails, PublicError, StreamRelay, error_body, estimate_input, read_head, usage_of_answer,
};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/openai/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn tokens(input: u64, cache_read: u64, output: u64, reasoning: u64) -> Option<TokenUsage> {
    Some(TokenUsage { input, cache_read, output, reasoning, ..TokenUsage::default() })
}

#[test]
fn answers_tell_their_usage_in_buckets_that_do_not_overlap() {
    let cases = [
        (Operation::Chat, "chat_answer.json", tokens(1006, 1000, 50, 250)),
        (Operation::Embeddings, "embeddings_answer.json", tokens(8, 0, 0, 0)),
        (Operation::Responses, "responses_answer.json", tokens(36, 64, 23, 64)),
        (Operation::ImageGeneration, "image_answer.json", tokens(50, 0, 50, 0)),
        (Operation::Transcription, "transcription_answer.json", tokens(14, 0, 45, 0)),
        (Operation::Transcription, "transcription_by_duration.json", None),
        (Operation::Moderations, "moderation_answer.json", None),
    ];
    for (operation, name, expected) in cases {
        assert_eq!(usage_of_answer(operation, &fixture(name)), expected, "{name}");
    }
}

#[test]
fn strange_usage_is_no_usage_and_never_wraps() {
    let usage = |body: &str| usage_of_answer(Operation::Chat, body.as_bytes());
    assert_eq!(usage(r#"{"usage":null}"#), None);
    assert_eq!(usage(r#"{"usage":{}}"#), None);
    assert_eq!(usage(r#"{"usage":{"prompt_tokens":"3"}}"#), None);
    assert_eq!(usage(r#"{"choices":[{"usage":{"prompt_tokens":3}}]}"#), None);
    assert_eq!(usage(r#"{"usage":{"prompt_tokens":3}"#), None, "torn");
    let seven = usage(r#"{"usage":{"prompt_tokens":7}}"#);
    assert_eq!(seven.map(|told| told.input), Some(7));
    for body in [
        r#"{"id":"x","usage" : {"prompt_tokens":7} , "later":[{"a":1}] }"#,
        r#"{"usage":{"prompt_tokens":7},"text":"\"usage\":{\"prompt_tokens\":9}"}"#,
        r#"{"usage":{"prompt_tokens":7},"choices":[{"usage":{"prompt_tokens":9}}]}"#,
        r#"{"usage":{"prompt_tokens":7},"nested":{"usage":{"prompt_tokens":9}}}"#,
        r#"{"usage":{"prompt_tokens":7},"list":["usage"]}"#,
    ] {
        assert_eq!(usage(body), seven, "{body}");
    }
    for body in [
        r#"{"nested":{"usage":{"prompt_tokens":9}}}"#,
        r#"{"list":["usage",{"prompt_tokens":9}]}"#,
        r#""usage""#,
    ] {
        assert_eq!(usage(body), None, "{body}");
    }
    assert_eq!(usage_of_answer(Operation::Speech, br#"{"usage":{"prompt_tokens":3}}"#), None);
    let over = r#"{"usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5},
                   "completion_tokens_details":{"reasoning_tokens":9,"other":null}}}"#;
    assert_eq!(usage(over), tokens(0, 5, 0, 9));
    let deepseek = r#"{"usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":4}}"#;
    assert_eq!(usage(deepseek), tokens(6, 4, 2, 0));
}

#[test]
fn input_is_estimated_at_four_bytes_a_token() {
    assert_eq!([0, 1, 4, 5].map(estimate_input), [0, 1, 1, 2]);
}

#[test]
fn refusals_have_openais_shape_and_the_limits_facts() {
    let mut error = PublicError {
        message: "You have used your 2 LLM requests of today.".into(),
        param: None,
        code: "tier_limit".into(),
        details: None,
    };
    assert_eq!(
        error_body(Family::OpenAi, 429, &error, Some("req_1")),
        r#"{"error":{"message":"You have used your 2 LLM requests of today.","type":"rate_limit_error","param":null,"code":"tier_limit"}}"#
    );
    error.details = Some(LimitDetails {
        limit: "llm_requests_per_day".into(),
        allowed: Some(2),
        used: Some(2),
        resets_at: Some("2026-11-25T00:00:00Z".into()),
        lifted_by: Some("PRO".into()),
        ..LimitDetails::default()
    });
    let body = parsed(&error_body(Family::OpenAi, 429, &error, Some("req_1")));
    let facts = json!({"limit": "llm_requests_per_day", "allowed": 2, "used": 2,
        "resets_at": "2026-11-25T00:00:00Z", "lifted_by": "PRO"});
    for (name, value) in facts.as_object().unwrap() {
        assert_eq!(&body["error"][name], value);
    }
    assert_eq!(body["error"].get("plans_url"), None);
}

/// A refusal with all that one can have.
fn full_refusal() -> PublicError {
    PublicError {
        message: "the limit is reached".into(),
        param: Some("model".into()),
        code: "tier_limit".into(),
        details: Some(LimitDetails {
            limit: "llm_requests_per_day".into(),
            unit: Some("requests"),
            allowed: Some(2),
            used: Some(2),
            resets_at: Some("2026-11-25T00:00:00Z".into()),
            set_by: Some("policy of organisation, version 1".into()),
            lifted_by: Some("PRO".into()),
            plans_url: Some("/docs/quotas".into()),
        }),
    }
}

#[test]
fn refusals_have_anthropics_shape_and_lose_nothing() {
    let body = parsed(&error_body(Family::Anthropic, 429, &full_refusal(), Some("req_1")));
    let error = json!({
        "type": "rate_limit_error", "message": "the limit is reached", "code": "tier_limit", "param": "model",
        "details": {"error_code": "tier_limit"}, "limit": "llm_requests_per_day", "unit": "requests", "allowed": 2, "used": 2, "resets_at": "2026-11-25T00:00:00Z",
        "set_by": "policy of organisation, version 1",
        "lifted_by": "PRO", "plans_url": "/docs/quotas",
    });
    assert_eq!(body, json!({"type": "error", "error": error, "request_id": "req_1"}));
    let plain = PublicError { message: "no".into(), param: None, code: "x".into(), details: None };
    assert_eq!(
        error_body(Family::Anthropic, 400, &plain, None),
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"no","details":{"error_code":"x"},"code":"x"}}"#
    );
}

#[test]
fn anthropics_classes_are_those_of_its_manual() {
    let class = |status| {
        let body = parsed(&error_body(Family::Anthropic, status, &full_refusal(), None));
        body["error"]["type"].as_str().unwrap().to_owned()
    };
    for (status, expected) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (408, "timeout_error"),
        (413, "request_too_large"),
        (415, "invalid_request_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (431, "invalid_request_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ] {
        assert_eq!(class(status), expected, "{status}");
    }
}

#[test]
fn refusals_have_coheres_and_geminis_shapes_and_lose_nothing() {
    let body = parsed(&error_body(Family::Cohere, 429, &full_refusal(), Some("req_1")));
    assert_eq!(
        body,
        json!({"id": "req_1", "message": "the limit is reached", "code": "tier_limit", "param": "model",
            "limit": "llm_requests_per_day", "unit": "requests", "allowed": 2, "used": 2, "resets_at": "2026-11-25T00:00:00Z",
            "set_by": "policy of organisation, version 1", "lifted_by": "PRO", "plans_url": "/docs/quotas"})
    );
    let body = parsed(&error_body(Family::Gemini, 429, &full_refusal(), Some("req_1")));
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "tier_limit", "domain": "topdog", "metadata": {
            "limit": "llm_requests_per_day", "unit": "requests", "allowed": "2", "used": "2", "resets_at": "2026-11-25T00:00:00Z",
            "set_by": "policy of organisation, version 1",
            "lifted_by": "PRO", "plans_url": "/docs/quotas"}},
        {"@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": "model", "description": "the limit is reached"}]},
        {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "req_1"},
    ]);
    let error = json!({"code": 429, "message": "the limit is reached", "status": "RESOURCE_EXHAUSTED",
        "details": details});
    assert_eq!(body, json!({"error": error}));
    let plain = PublicError { message: "no".into(), param: None, code: "x".into(), details: None };
    assert_eq!(
        error_body(Family::Gemini, 404, &plain, None),
        r#"{"error":{"code":404,"message":"no","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"x","domain":"topdog"}]}}"#
    );
}

#[test]
fn models_are_listed_as_anthropic_lists_them() {
    let entry = |id| ModelEntry { id, owned_by: "anthropic", created: 1_700_000_000 };
    let object = |id| {
        format!(r#"{{"type":"model","id":"{id}","display_name":"{id}","created_at":"2023-11-14T22:13:20Z"}}"#)
    };
    assert_eq!(model_object(Family::Anthropic, entry("a")), object("a"));
    assert_eq!(
        model_list(Family::Anthropic, [entry("a"), entry("b")].into_iter()),
        format!(
            r#"{{"data":[{},{}],"has_more":false,"first_id":"a","last_id":"b"}}"#,
            object("a"),
            object("b")
        )
    );
    assert_eq!(
        model_list(Family::Anthropic, std::iter::empty()),
        r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#
    );
}

#[test]
fn models_are_listed_as_openai_lists_them() {
    let entry = ModelEntry { id: "openai/gpt-4o", owned_by: "openai", created: 1_700_000_000 };
    let object = r#"{"id":"openai/gpt-4o","object":"model","created":1700000000,"owned_by":"openai"}"#;
    assert_eq!(model_object(Family::OpenAi, entry), object);
    assert_eq!(
        model_list(Family::OpenAi, [entry].into_iter()),
        format!(r#"{{"object":"list","data":[{object}]}}"#)
    );
    assert_eq!(model_list(Family::OpenAi, std::iter::empty()), r#"{"object":"list","data":[]}"#);
}

const CHAT: &[u8] = br#"{"model":"test/echo","messages":[{"role":"system","content":"be kind"},
    {"role":"user","content":[{"type":"text","text":"hello there,"},{"type":"image_url","image_url":{"url":"x"}},
    {"type":"text","text":"top dog"}]}]}"#;

#[test]
fn the_test_provider_echoes_and_says_that_it_is_a_test() {
    let answer = parsed(&echo_answer(Operation::Chat, CHAT));
    assert_eq!(answer["choices"][0]["message"]["content"], "hello there, top dog");
    assert_eq!((&answer["model"], &answer["system_fingerprint"]), (&json!(ECHO_NAME), &json!(ECHO_NAME)));
    assert_eq!(answer["id"], format!("chatcmpl-{ECHO_NAME}"));
    assert_eq!(answer["usage"]["prompt_tokens"], 6);
    assert_eq!(answer["usage"]["completion_tokens"], 4);

    let answer = parsed(&echo_answer(Operation::Responses, br#"{"input":"one two"}"#));
    assert_eq!(answer["output"][0]["content"][0]["text"], "one two");
    let messages = br#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"role":"assistant","content":"b"}]}"#;
    assert_eq!(parsed(&echo_answer(Operation::Responses, messages))["output"][0]["content"][0]["text"], "a");
    let answer = parsed(&echo_answer(Operation::Completions, br#"{"prompt":["x y","z"]}"#));
    assert_eq!(answer["choices"][0]["text"], "z");
    let body =
        br#"{"system":"be kind","messages":[{"role":"user","content":[{"type":"text","text":"one two"}]}]}"#;
    let answer = parsed(&echo_answer(Operation::Messages, body));
    assert_eq!(answer["content"], json!([{"type": "text", "text": "one two"}]));
    assert_eq!((&answer["type"], &answer["stop_reason"]), (&json!("message"), &json!("end_turn")));
    assert_eq!(answer["usage"], json!({"input_tokens": 4, "output_tokens": 2}));
    assert_eq!(echo_answer(Operation::CountTokens, body), r#"{"input_tokens":4}"#);
}

#[test]
fn the_test_provider_refuses_what_it_does_not_serve() {
    for operation in Operation::ALL {
        let answer = parsed(&echo_answer(operation, b"{}"));
        // Cohere's errors have no object around them.
        let is_error = !answer["error"].is_null() || answer["code"] == "unsupported_operation";
        assert_eq!(is_error, !can_echo(operation), "{operation:?}");
    }
}

#[test]
fn embeddings_of_the_test_provider_depend_on_the_text_alone() {
    let embed = |body: Value| parsed(&echo_answer(Operation::Embeddings, body.to_string().as_bytes()));
    let two = embed(json!({"input": ["a", "b"]}));
    let vector = |answer: &Value, at: usize| -> Vec<f64> {
        answer["data"][at]["embedding"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
    };
    assert_eq!(vector(&two, 0), vector(&embed(json!({"input": "a"})), 0));
    assert_ne!(vector(&two, 0), vector(&two, 1));
    let length: f64 = vector(&two, 0).iter().map(|n| n * n).sum();
    assert!((length - 1.0).abs() < 1e-5);
    assert_eq!(embed(json!({"input": [1, 2, 3]}))["data"].as_array().unwrap().len(), 1, "one list of tokens");
    let base64 = embed(json!({"input": "a", "encoding_format": "base64"}));
    assert_eq!(base64["data"][0]["embedding"].as_str().unwrap().len(), 44, "32 bytes");
}

#[test]
fn long_questions_are_echoed_in_part_and_on_a_character() {
    let body = json!({"messages": [{"role": "user", "content": "é".repeat(40_000)}]}).to_string();
    let answer = parsed(&echo_answer(Operation::Chat, body.as_bytes()));
    assert_eq!(answer["choices"][0]["message"]["content"].as_str().unwrap().len(), 64 * 1024);
}

#[test]
fn echoed_streams_read_like_a_providers() {
    for operation in [Operation::Chat, Operation::Completions, Operation::Responses, Operation::Messages] {
        let body =
            br#"{"messages":[{"role":"user","content":"one two"}],"prompt":"one two","input":"one two"}"#;
        assert!(read_head(body).is_ok());
        let mut relay = StreamRelay::new(operation, false);
        for event in echo_stream_events(operation, body, true) {
            assert!(event.ends_with(b"\n\n"));
            relay.feed(event, b"", &mut |_| {});
        }
        assert!(relay.is_done() && !relay.has_failed(), "{operation:?}");
        assert_eq!(relay.usage(), tokens(2, 0, 2, 0), "{operation:?}");
        assert_eq!(relay.delivered_text_bytes(), "one two".len() as u64, "{operation:?}");
    }
    let unasked = echo_stream_events(Operation::Chat, CHAT, false);
    assert!(unasked.iter().all(|event| !String::from_utf8_lossy(event).contains("usage")));
    assert_eq!(unasked.last().unwrap().as_ref(), b"data: [DONE]\n\n");
    assert!(echo_stream_events(Operation::Embeddings, b"{}", true).is_empty());
}
