//! Cohere's streams: the facts that are got wrong, one test each.

use crate::given::{events, stream};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, Cohere, OpenAiChat};
use topdog_wire::translate::{Dialect, StreamTranslator};

fn cohere(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect()
}

fn start() -> Value {
    json!({"type": "message-start", "id": "s", "delta": {"message": {"role": "assistant", "content": []}}})
}

fn piece(words: &str) -> Value {
    json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": words}}}})
}

fn end(delta: Value) -> Value {
    json!({"type": "message-end", "delta": delta})
}

fn translate(from: Dialect, to: Dialect, upstream: &str) -> (Vec<Value>, StreamTranslator) {
    let (out, translator) = stream(from, to, upstream.as_bytes(), usize::MAX);
    (events(&out), translator)
}

fn fixture(dialect: Dialect, case: &str) -> String {
    let folder = format!("{}/tests/fixtures/{}", env!("CARGO_MANIFEST_DIR"), dialect.name());
    std::fs::read_to_string(format!("{folder}/streams/{case}.sse")).unwrap()
}

fn kinds(told: &[Value]) -> Vec<&str> {
    told.iter().map(|event| event["type"].as_str().or(event.as_str()).unwrap()).collect()
}

#[test]
fn events_come_as_clients_wait_for_them() {
    let (mut told, translator) = translate(Anthropic, Cohere, &fixture(Anthropic, "thinking"));
    assert!(translator.is_done());
    // Citations come wherever the text has them.
    told.retain(|event| !event["type"].as_str().is_some_and(|kind| kind.starts_with("citation")));
    assert_eq!(told[0]["delta"]["message"]["role"], "assistant");
    let mut order = kinds(&told);
    order.dedup();
    let expected = [
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "content-start",
        "content-delta",
        "content-end",
        "message-end",
        "[DONE]",
    ];
    assert_eq!(order, expected, "and reasoning that is withheld has no block");
    let blocks: Vec<_> = told.iter().filter(|event| event["type"] == "content-start").collect();
    assert_eq!(blocks[0]["delta"]["message"]["content"], json!({"type": "thinking", "thinking": ""}));
    assert_eq!(blocks[1]["index"], 1);
    assert_eq!(translator.dropped()[0], "reasoning has no seal here");
}

#[test]
fn calls_come_one_at_a_time_and_their_delta_is_one_object() {
    let (told, _) = translate(OpenAiChat, Cohere, &fixture(OpenAiChat, "parallel_tools_interleaved"));
    let mut open = None;
    for event in
        told.iter().filter(|event| event["type"].as_str().is_some_and(|kind| kind.starts_with("tool-call")))
    {
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "tool-call-start" => {
                assert_eq!(open.replace(index), None);
                assert!(event["delta"]["message"]["tool_calls"]["id"].is_string());
            }
            "tool-call-delta" => {
                assert_eq!(open, Some(index));
                assert!(event["delta"]["message"]["tool_calls"]["function"]["arguments"].is_string());
            }
            _ => assert_eq!(open.take(), Some(index)),
        }
    }
    assert_eq!(told[told.len() - 2]["delta"]["finish_reason"], "TOOL_CALL");
}

#[test]
fn a_plan_is_reasoning_and_calls_without_arguments_are_an_empty_object() {
    let (told, translator) = translate(Cohere, OpenAiChat, &fixture(Cohere, "tools"));
    let of = |name: &str| -> String {
        told.iter().filter_map(|chunk| chunk["choices"][0]["delta"][name].as_str()).collect()
    };
    assert_eq!((of("reasoning"), of("content")), ("I will look it up.".into(), String::new()));
    let calls: Vec<_> =
        told.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].as_object()).collect();
    let arguments = |index: u64| -> String {
        let own = calls.iter().filter(|call| call["index"] == index);
        own.filter_map(|call| call["function"]["arguments"].as_str()).collect()
    };
    assert_eq!(arguments(0), "{\n    \"location\": \"Toronto\"\n}");
    assert_eq!(arguments(1), "{}");
    let usage = translator.usage().unwrap();
    assert_eq!((usage.input, usage.output), (50, 26), "what is billed, and not the 793 of the whole prompt");
}

#[test]
fn what_speaks_like_cohere_is_understood() {
    let (told, translator) = translate(Cohere, Anthropic, &fixture(Cohere, "bare"));
    assert!(translator.is_done());
    let input: String = told.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(input, "{\"a\":1}");
    let usage = translator.usage().unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (7, 1, 3));
}

#[test]
fn citations_behind_the_end_of_their_text_are_still_of_it() {
    let (told, _) = translate(Cohere, OpenAiChat, &fixture(Cohere, "citations"));
    let spans: Vec<_> = told
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["annotations"][0]["url_citation"].as_object())
        .map(|cited| (cited["start_index"].as_u64().unwrap(), cited["end_index"].as_u64().unwrap()))
        .collect();
    assert_eq!(spans, [(12, 27), (32, 36)]);
}

#[test]
fn a_last_event_with_an_error_is_a_failure() {
    let failures = [
        (end(json!({"error": "it broke"})), "it broke"),
        (end(json!({"error": "it broke", "finish_reason": "COMPLETE"})), "it broke"),
        (end(json!({"finish_reason": "ERROR"})), "the provider's answer failed"),
        (end(json!({"finish_reason": "TIMEOUT"})), "the provider gave the answer up, since it took too long"),
        (json!({"type": "error", "message": "internal server error"}), "internal server error"),
    ];
    for (last, message) in failures {
        let (told, translator) = translate(Cohere, OpenAiChat, &cohere(&[start(), piece("Hel"), last]));
        assert!(translator.has_failed());
        assert_eq!(told.last().unwrap()["error"]["message"], message);
    }
    let body = "data: {\"message\":\"too many requests\"}\n\n";
    let (told, _) = translate(Cohere, OpenAiChat, body);
    assert_eq!(told.last().unwrap()["error"]["message"], "too many requests");
}

#[test]
fn what_was_used_by_an_answer_that_failed_is_known() {
    let (_, translator) = translate(Cohere, OpenAiChat, &fixture(Cohere, "failed"));
    assert_eq!(translator.usage().unwrap().input, 3);
}

/// `[DONE]` alone ends nothing, nor does a last event that gives no reason.
#[test]
fn a_stream_without_its_last_event_has_failed() {
    for rest in
        ["", "data: [DONE]\n\n", "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{}}\n\n"]
    {
        let upstream = cohere(&[start(), piece("Hel")]) + rest;
        let (told, translator) = translate(Cohere, Anthropic, &upstream);
        assert!(translator.has_failed() && !translator.is_done());
        assert_eq!(told.last().unwrap()["type"], "error");
    }
}

#[test]
fn a_failure_is_a_last_event_with_an_error_and_no_done() {
    let (told, translator) = translate(OpenAiChat, Cohere, "data: {\"choices\":[]}\n\n");
    assert!(translator.has_failed());
    let last = told.last().unwrap();
    let expected = json!({"error": "the provider's stream broke off before its end", "code": "upstream_failed",
        "finish_reason": "ERROR"});
    assert_eq!(last, &json!({"type": "message-end", "delta": expected}));
}

#[test]
fn nothing_is_said_after_the_last_event() {
    let upstream = cohere(&[start(), piece("a"), end(json!({"finish_reason": "COMPLETE"})), piece("never")]);
    let (told, translator) = translate(Cohere, OpenAiChat, &upstream);
    assert!(translator.is_done());
    assert_eq!(told.last().unwrap(), "[DONE]");
    assert!(!told.iter().any(|chunk| chunk["choices"][0]["delta"]["content"] == "never"));
}

#[test]
fn probabilities_come_with_a_piece_of_text() {
    let (told, _) = translate(Cohere, OpenAiChat, &fixture(Cohere, "thinking"));
    let logprobs: Vec<_> =
        told.iter().filter_map(|chunk| chunk["choices"][0]["logprobs"]["content"][0].as_object()).collect();
    assert_eq!((logprobs.len(), &logprobs[0]["logprob"]), (1, &json!(-0.75)));
    let upstream: String = told
        .iter()
        .map(|chunk| match chunk.as_str() {
            Some(done) => format!("data: {done}\n\n"),
            None => format!("data: {chunk}\n\n"),
        })
        .collect();
    let (back, _) = translate(OpenAiChat, Cohere, &upstream);
    let told = back.iter().find(|event| event["logprobs"].is_object()).unwrap();
    assert_eq!(told["logprobs"], json!({"text": "Three.", "token_ids": [], "logprobs": [-0.75]}));
}
