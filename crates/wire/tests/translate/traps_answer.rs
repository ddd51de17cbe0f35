//! Answers and errors: the facts that are got wrong, one test each.

use crate::given::{CONTEXT, answer};
use serde_json::{Value, json};
use topdog_domain::usage::TokenUsage;
use topdog_wire::translate::Dialect::{Anthropic, OpenAiChat};
use topdog_wire::translate::{self, BadAnswer};

fn claude(stop_reason: &str, usage: &Value) -> String {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "text", "text": "x"}], "stop_reason": stop_reason, "stop_sequence": null,
        "usage": usage})
    .to_string()
}

fn chat(finish_reason: &str, usage: &Value) -> String {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": finish_reason}],
        "usage": usage})
    .to_string()
}

#[test]
fn stop_reasons_map_one_way_and_back() {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    for (from, to) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "length"),
    ] {
        let told = answer(Anthropic, OpenAiChat, &claude(from, &usage));
        assert_eq!(told["choices"][0]["finish_reason"], to, "{from}");
    }
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1});
    for (from, to) in [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("model_length", "model_context_window_exceeded"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
    ] {
        assert_eq!(answer(OpenAiChat, Anthropic, &chat(from, &usage))["stop_reason"], to, "{from}");
    }
}

#[test]
fn a_paused_turn_is_never_told_as_a_finished_one() {
    let body = claude("pause_turn", &json!({"input_tokens": 1, "output_tokens": 1}));
    let told = translate::answer(Anthropic, OpenAiChat, body.as_bytes(), &CONTEXT).unwrap();
    assert_eq!(told.dropped.len(), 1);
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_ne!(body["choices"][0]["finish_reason"], "stop");
}

/// BerriAI/litellm#9812 and #31282: cached tokens counted twice.
#[test]
fn cached_input_is_counted_once_in_both_directions() {
    let body = claude(
        "end_turn",
        &json!({"input_tokens": 10, "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_5m_input_tokens": 20,
        "ephemeral_1h_input_tokens": 10}, "output_tokens": 5}),
    );
    let told = translate::answer(Anthropic, OpenAiChat, body.as_bytes(), &CONTEXT).unwrap();
    let expected = TokenUsage {
        input: 10,
        cache_read: 200,
        cache_write_5m: 20,
        cache_write_1h: 10,
        output: 5,
        reasoning: 0,
    };
    assert_eq!(told.usage, Some(expected));
    let usage = serde_json::from_slice::<Value>(&told.body).unwrap()["usage"].take();
    assert_eq!(usage["prompt_tokens"], 240);
    assert_eq!(usage["total_tokens"], 245);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 200);
    assert_eq!(usage["prompt_tokens_details"]["cache_write_tokens"], 30);

    let body = chat(
        "stop",
        &json!({"prompt_tokens": 240, "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 4}}),
    );
    let told = translate::answer(OpenAiChat, Anthropic, body.as_bytes(), &CONTEXT).unwrap();
    let expected = TokenUsage {
        input: 10,
        cache_read: 200,
        cache_write_5m: 30,
        cache_write_1h: 0,
        output: 5,
        reasoning: 4,
    };
    assert_eq!(told.usage, Some(expected));
    let usage = serde_json::from_slice::<Value>(&told.body).unwrap()["usage"].take();
    assert_eq!(usage["input_tokens"], 10);
    assert_eq!(usage["output_tokens"], 9);
}

#[test]
fn usage_that_was_not_told_stays_unknown() {
    let body = chat("stop", &Value::Null);
    let told = translate::answer(OpenAiChat, Anthropic, body.as_bytes(), &CONTEXT).unwrap();
    assert_eq!(told.usage, None);
    assert_eq!(told.dropped.len(), 1);
}

#[test]
fn a_refusal_in_words_is_a_refusal() {
    let body = json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": null, "refusal": "No."}}]});
    let told = answer(OpenAiChat, Anthropic, &body.to_string());
    assert_eq!(told["content"], json!([{"type": "text", "text": "No."}]));
    assert_eq!(told["stop_reason"], "refusal");
}

#[test]
fn only_calls_make_a_null_content() {
    let body = json!({"id": "m", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let told = answer(Anthropic, OpenAiChat, &body.to_string());
    assert_eq!(told["choices"][0]["message"]["content"], Value::Null);
    let body = json!({"id": "m", "content": [], "stop_reason": "end_turn"});
    let told = answer(Anthropic, OpenAiChat, &body.to_string());
    assert_eq!(told["choices"][0]["message"]["content"], "");
}

#[test]
fn a_body_that_is_no_answer_is_the_providers_failure() {
    let bad = |body: &str| translate::answer(OpenAiChat, Anthropic, body.as_bytes(), &CONTEXT).unwrap_err();
    assert_eq!(bad("{\"choices\": ["), BadAnswer { path: String::new(), expected: "JSON" });
    assert_eq!(bad("{\"error\": {\"message\": \"x\"}}").path, "choices");
    assert_eq!(bad("<html>").expected, "JSON");
}

#[test]
fn errors_keep_their_class() {
    let told = |from, to, status, body: Value| {
        let (status, body) = translate::error(from, to, status, body.to_string().as_bytes());
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}});
    assert_eq!(told(Anthropic, OpenAiChat, 529, overloaded).0, 503);
    let quota =
        json!({"error": {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}});
    let (status, body) = told(OpenAiChat, Anthropic, 429, quota);
    assert_eq!((status, &body["error"]["type"]), (402, &json!("billing_error")));
    let rate = json!({"error": {"message": "m", "type": "requests", "code": "rate_limit_exceeded"}});
    assert_eq!(told(OpenAiChat, Anthropic, 429, rate).0, 429);
    let bad_gateway = translate::error(OpenAiChat, Anthropic, 502, b"<html>");
    assert_eq!(bad_gateway.0, 502);
    assert!(bad_gateway.1.starts_with(b"{\"type\":\"error\""));
}
