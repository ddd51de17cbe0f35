//! Gemini's streams: the facts that are got wrong, one test each.

use crate::given::{CONTEXT, events, stream};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, Gemini, OpenAiChat};
use topdog_wire::translate::{AnswerContext, Dialect, StreamTranslator};

fn chunk(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}], "responseId": "r",
        "modelVersion": "gemini"})
}

fn last(parts: Value, finish: &str, usage: Value) -> Value {
    let mut last = chunk(parts);
    last["candidates"][0]["finishReason"] = json!(finish);
    last["usageMetadata"] = usage;
    last
}

fn usage(output: u64) -> Value {
    json!({"promptTokenCount": 7, "candidatesTokenCount": output, "totalTokenCount": 7 + output})
}

fn sse(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect()
}

fn array(chunks: &[Value]) -> String {
    let objects: Vec<_> = chunks.iter().map(|chunk| format!("{chunk:#}")).collect();
    format!("[{}]\n", objects.join("\n,\r\n"))
}

fn words() -> Vec<Value> {
    vec![
        chunk(json!([{"text": "He\"]}"}])),
        chunk(json!([{"text": "l{l[\\é"}])),
        last(json!([{"text": "o"}]), "STOP", usage(3)),
    ]
}

fn to_array(from: Dialect, upstream: &str) -> (String, StreamTranslator) {
    let context = AnswerContext { is_json_array: true, ..CONTEXT };
    let mut translator = StreamTranslator::new(from, Gemini, &context);
    let mut out = Vec::new();
    translator.push(upstream.as_bytes(), b"sk-secret-of-the-customer", &mut out);
    translator.finish(b"sk-secret-of-the-customer", &mut out);
    (String::from_utf8(out).unwrap(), translator)
}

#[test]
fn a_json_array_says_what_events_say_however_it_is_cut() {
    for client in [OpenAiChat, Anthropic] {
        let (expected, _) = stream(Gemini, client, sse(&words()).as_bytes(), usize::MAX);
        let array = array(&words());
        for size in (1..50).chain([1000]) {
            let (told, translator) = stream(Gemini, client, array.as_bytes(), size);
            assert!(translator.is_done(), "{told}");
            assert_eq!(told, expected, "by {size}");
        }
    }
}

#[test]
fn an_array_that_is_not_closed_has_failed() {
    let array = array(&words());
    for cut in 1..array.trim_end().len() {
        let (told, translator) = stream(Gemini, OpenAiChat, &array.as_bytes()[..cut], usize::MAX);
        assert!(translator.has_failed(), "at {cut}: {told}");
        assert!(!told.contains("[DONE]"));
    }
}

#[test]
fn an_error_instead_of_a_stream_is_told_in_either_form() {
    let error = json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}});
    for upstream in [error.to_string(), format!("[{error}]"), format!("data: {error}\n\n")] {
        let (told, translator) = stream(Gemini, OpenAiChat, upstream.as_bytes(), usize::MAX);
        assert!(translator.has_failed());
        assert_eq!(events(&told)[0]["error"]["message"], "overloaded");
    }
}

/// The dialect has no last word, so an end without a reason is a broken one (maximhq/bifrost#5546).
#[test]
fn an_end_without_a_reason_is_a_failure_and_one_with_it_is_not() {
    let (_, translator) = stream(Gemini, OpenAiChat, sse(&words()[..2]).as_bytes(), usize::MAX);
    assert!(translator.has_failed());
    let (told, translator) = stream(Gemini, OpenAiChat, sse(&words()).as_bytes(), usize::MAX);
    assert!(translator.is_done());
    assert_eq!(events(&told).last().unwrap(), "[DONE]");
    let two = json!({"candidates": [{"index": 0, "finishReason": "STOP"}, {"index": 1, "content": {"parts": [{"text": "x"}]}}]});
    let (_, translator) = stream(Gemini, OpenAiChat, sse(&[two]).as_bytes(), usize::MAX);
    assert!(translator.has_failed(), "the second answer has not ended");
}

#[test]
fn nothing_is_written_behind_the_last_object() {
    let (chat, _) = stream(Gemini, OpenAiChat, sse(&words()).as_bytes(), usize::MAX);
    let (told, translator) = stream(OpenAiChat, Gemini, chat.as_bytes(), usize::MAX);
    assert!(translator.is_done());
    assert!(!told.contains("[DONE]"));
    let told = events(&told);
    let end = told.last().unwrap();
    assert_eq!(end["candidates"][0]["finishReason"], "STOP");
    assert_eq!(end["usageMetadata"], usage(3));
    let texts: String = told
        .iter()
        .filter_map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str())
        .collect();
    assert_eq!(texts, "He\"]}l{l[\\éo");
}

#[test]
fn an_array_is_one_json_document() {
    let (chat, _) = stream(Gemini, OpenAiChat, sse(&words()).as_bytes(), usize::MAX);
    let (told, translator) = to_array(OpenAiChat, &format!(": ping\n\n{chat}"));
    assert!(translator.is_done());
    let all: Vec<Value> = serde_json::from_str(&told).unwrap();
    assert_eq!(all.last().unwrap()["candidates"][0]["finishReason"], "STOP");
    let (back, translator) = stream(Gemini, OpenAiChat, told.as_bytes(), 3);
    assert!(translator.is_done());
    assert_eq!(events(&back).len(), events(&chat).len());
}

/// BerriAI/litellm#31298, in the form that is no stream of events.
#[test]
fn a_failure_closes_the_array_and_has_no_key_in_it() {
    let failed = "data: {\"error\": {\"message\": \"bad key sk-secret-of-the-customer\"}}\n\n";
    let begun = "data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"x\"}}]}\n\n";
    for upstream in [failed.to_owned(), format!("{begun}{failed}")] {
        let (told, translator) = to_array(OpenAiChat, &upstream);
        assert!(translator.has_failed());
        let all: Vec<Value> = serde_json::from_str(&told).unwrap();
        assert_eq!(all.last().unwrap()["error"]["status"], "INTERNAL");
        assert!(!told.contains("secret-of-the"), "{told}");
    }
}

/// Google's Python SDK takes a comment for data.
#[test]
fn a_ping_is_a_blank_line() {
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let mut translator = StreamTranslator::new(Anthropic, Gemini, &CONTEXT);
    let mut out = Vec::new();
    translator.push(ping.as_bytes(), b"", &mut out);
    assert_eq!(out, b"\r\n");
}

#[test]
fn stop_behind_an_earlier_call_means_that_it_waits_for_tools() {
    let chunks = [
        chunk(json!([{"functionCall": {"name": "f", "args": {"a": 1}}}])),
        chunk(json!([{"functionCall": {"name": "g"}}])),
        last(json!([{"text": ""}]), "STOP", usage(9)),
    ];
    let (told, _) = stream(Gemini, OpenAiChat, sse(&chunks).as_bytes(), usize::MAX);
    let told = events(&told);
    let reasons: Vec<_> =
        told.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(reasons, ["tool_calls"]);
    let ids: Vec<_> = told
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["id"].as_str())
        .collect();
    assert_eq!(ids, ["call_req1_1", "call_req1_2"], "made, and never the same");
}

#[test]
fn usage_is_cumulative_and_the_last_counts() {
    let mut chunks = words();
    chunks[0]["usageMetadata"] = usage(1);
    chunks[1]["usageMetadata"] = json!({"trafficType": "ON_DEMAND"});
    let (_, translator) = stream(Gemini, OpenAiChat, sse(&chunks).as_bytes(), usize::MAX);
    let told = translator.usage().unwrap();
    assert_eq!((told.input, told.output), (7, 3));
    let (_, translator) = stream(Gemini, OpenAiChat, sse(&chunks[..1]).as_bytes(), usize::MAX);
    assert_eq!(translator.usage().unwrap().output, 1, "what was told before a failure is kept");
}

#[test]
fn a_call_is_told_whole() {
    let begin = json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{\"a\":"}});
    let more = json!({"index": 0, "function": {"arguments": " 1.50}"}});
    let delta = |call: Value| json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    let upstream = sse(&[delta(begin), delta(more), end]) + "data: [DONE]\n\n";
    let (told, translator) = stream(OpenAiChat, Gemini, upstream.as_bytes(), usize::MAX);
    assert!(translator.is_done());
    assert!(told.contains(r#"{"functionCall":{"id":"1","name":"f","args":{"a": 1.50}}}"#), "{told}");
}

/// BerriAI/litellm#25322, streamed: what a client joins and sends back is what came.
#[test]
fn a_signature_that_comes_behind_its_text_returns_on_it() {
    let chunks = [
        chunk(json!([{"text": "Hel"}])),
        chunk(json!([{"text": "lo"}])),
        last(json!([{"text": "", "thoughtSignature": "Ab+/="}]), "STOP", usage(2)),
    ];
    let (told, _) = stream(Gemini, Anthropic, sse(&chunks).as_bytes(), usize::MAX);
    let blocks: Vec<_> =
        events(&told).into_iter().filter(|event| event["type"] == "content_block_start").collect();
    assert_eq!(blocks.len(), 2);
    let content = json!([{"type": "text", "text": "Hello"}, blocks[1]["content_block"]]);
    let body = json!({"max_tokens": 1, "messages": [{"role": "assistant", "content": content}]});
    let sent = crate::given::strict(Anthropic, Gemini, &body.to_string());
    let expected = json!([{"text": "Hello", "thoughtSignature": "Ab+/="}]);
    assert_eq!(sent["contents"][0]["parts"], expected);
}

#[test]
fn a_blocked_prompt_ends_a_stream_well() {
    let blocked =
        json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}});
    let (told, translator) = stream(Gemini, Anthropic, sse(&[blocked]).as_bytes(), usize::MAX);
    assert!(translator.is_done(), "{told}");
    let end = events(&told).into_iter().find(|event| event["type"] == "message_delta").unwrap();
    assert_eq!(end["delta"]["stop_reason"], "refusal");
}
