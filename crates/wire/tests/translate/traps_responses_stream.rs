//! Responses, streamed: the facts that are got wrong, one test each.

use crate::given::{CONTEXT, events, stream};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, OpenAiChat, OpenAiResponses};
use topdog_wire::translate::{Dialect, StreamTranslator};

fn named(events: &[Value]) -> String {
    let line = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(line).collect()
}

fn chat(chunks: &[Value]) -> String {
    let line = |chunk: &Value| format!("data: {chunk}\n\n");
    chunks.iter().map(line).collect()
}

fn delta(delta: Value) -> Value {
    json!({"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn translate(from: Dialect, to: Dialect, upstream: &str) -> (Vec<Value>, StreamTranslator) {
    let (out, translator) = stream(from, to, upstream.as_bytes(), usize::MAX);
    (events(&out), translator)
}

/// A stream of chat's with everything in it, told to a client of Responses.
fn whole() -> (String, StreamTranslator) {
    let call = |index: u64, text: &str| {
        json!({"index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": "f", "arguments": text}})
    };
    let piece = |index: u64, text: &str| json!({"index": index, "function": {"arguments": text}});
    let detail = |text: &str| json!([{"type": "reasoning.summary", "summary": text, "index": 0}]);
    let sealed =
        json!([{"type": "reasoning.summary", "data": "gA==", "format": "openai-responses-v1", "index": 0}]);
    let all = [
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning_details": detail("Hm")})),
        delta(json!({"reasoning_details": detail("m.")})),
        delta(json!({"reasoning_details": sealed})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo"})),
        delta(json!({"tool_calls": [call(0, "")]})),
        delta(json!({"tool_calls": [call(1, "{\"b\":")]})),
        delta(json!({"tool_calls": [piece(0, "{\"a\":1}"), piece(1, "2}")]})),
        finish("tool_calls"),
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}),
    ];
    let upstream = chat(&all) + "data: [DONE]\n\n";
    stream(OpenAiChat, OpenAiResponses, upstream.as_bytes(), usize::MAX)
}

#[test]
fn events_are_named_and_numbered_without_gaps_and_end_without_done() {
    let (out, translator) = whole();
    assert!(translator.is_done());
    assert!(!out.contains("[DONE]"));
    let mut lines = out.lines();
    let mut number = 0;
    while let Some(name) = lines.next() {
        let name = name.strip_prefix("event: ").unwrap();
        let data: Value =
            serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((data["type"].as_str(), data["sequence_number"].as_u64()), (Some(name), Some(number)));
        assert_eq!(lines.next(), Some(""));
        number += 1;
    }
    let told = events(&out);
    assert_eq!(told[0]["type"], "response.created");
    assert_eq!(told[1]["type"], "response.in_progress");
    assert_eq!(told[0]["response"]["status"], "in_progress");
    assert_eq!(told.last().unwrap()["type"], "response.completed");
}

#[test]
fn every_item_is_told_from_its_beginning_to_its_end_and_once_more_at_the_end() {
    let (out, _) = whole();
    let told = events(&out);
    let mut items: Vec<Value> = Vec::new();
    let mut pieces: Vec<String> = Vec::new();
    for event in &told {
        let kind = event["type"].as_str().unwrap();
        let index = event["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match kind {
            "response.output_item.added" => {
                assert_eq!(index, Some(items.len()), "one after another");
                assert_eq!(index, Some(pieces.len()));
                pieces.push(String::new());
            }
            "response.output_item.done" => {
                assert_eq!(index, Some(items.len()));
                items.push(event["item"].clone());
            }
            _ if kind.ends_with(".delta") => {
                assert_eq!(index, Some(items.len()), "of the item that is open");
                pieces[index.unwrap()].push_str(event["delta"].as_str().unwrap());
            }
            _ => {}
        }
    }
    assert_eq!(pieces, ["Hmm.", "Hello", "{\"a\":1}", "{\"b\":2}"]);
    assert_eq!(items[0]["summary"], json!([{"type": "summary_text", "text": "Hmm."}]));
    assert_eq!(items[0]["encrypted_content"], "gA==");
    assert_eq!(items[1]["content"][0]["text"], "Hello");
    assert_eq!((&items[2]["call_id"], &items[2]["arguments"]), (&json!("call_0"), &json!("{\"a\":1}")));
    assert_eq!((&items[3]["call_id"], &items[3]["status"]), (&json!("call_1"), &json!("completed")));
    let last = &told.last().unwrap()["response"];
    assert_eq!(last["output"], Value::from(items));
    assert_eq!((&last["status"], &last["usage"]["input_tokens"]), (&json!("completed"), &json!(9)));
}

/// icebear0828/codex-proxy-rs#90 as FIELD has it: Codex passes a bare `error` over and waits.
#[test]
fn a_failure_is_response_failed_and_the_last_event() {
    let failed =
        json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}});
    let upstream = chat(&[delta(json!({"content": "Hel"})), failed, finish("stop")]) + "data: [DONE]\n\n";
    let (told, translator) = translate(OpenAiChat, OpenAiResponses, &upstream);
    assert!(translator.has_failed());
    let last = told.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["status"], "failed");
    assert_eq!(last["response"]["error"], json!({"code": "rate_limit_exceeded", "message": "slow down"}));
    assert_eq!(last["sequence_number"], told.len() - 1);
    assert!(!told.iter().any(|event| event["type"] == "error"));
}

#[test]
fn a_stream_that_died_or_never_began_has_failed() {
    for upstream in [String::new(), chat(&[delta(json!({"content": "Hel"})), finish("stop")])] {
        let (told, translator) = translate(OpenAiChat, OpenAiResponses, &upstream);
        assert!(translator.has_failed());
        assert_eq!(told[0]["type"], "response.created", "which clients demand first");
        assert_eq!(told.last().unwrap()["type"], "response.failed");
        assert_eq!(told.last().unwrap()["response"]["error"]["code"], "upstream_failed");
    }
    let mut translator = StreamTranslator::new(OpenAiChat, OpenAiResponses, &CONTEXT);
    let mut out = Vec::new();
    translator.fail("c", "m", &mut out);
    translator.fail("c", "m", &mut out);
    let told = events(std::str::from_utf8(&out).unwrap());
    assert_eq!(told.iter().filter(|event| event["type"] == "response.failed").count(), 1);
}

#[test]
fn a_key_in_a_failure_is_taken_out_wherever_it_stands() {
    let failed = json!({"error": {"message": "Incorrect \"key\" sk-secret-of-the-customer given"}});
    let (told, _) = translate(OpenAiChat, OpenAiResponses, &chat(&[failed]));
    let all = Value::from(told).to_string();
    assert!(all.contains("response.failed") && !all.contains("secret-of-the"), "{all}");
}

#[test]
fn what_ends_incomplete_says_so() {
    let all = chat(&[delta(json!({"content": "x"})), finish("length")]) + "data: [DONE]\n\n";
    let (told, translator) = translate(OpenAiChat, OpenAiResponses, &all);
    assert!(translator.is_done());
    let last = told.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"], json!({"reason": "max_output_tokens"}));
}

fn response(status: &str, more: Value) -> Value {
    let mut response = json!({"id": "resp_1", "created_at": 1, "model": "gpt", "status": status, "output": [],
        "usage": {"input_tokens": 3, "output_tokens": 4}});
    for (name, value) in more.as_object().unwrap() {
        response[name] = value.clone();
    }
    response
}

fn created() -> Value {
    json!({"type": "response.created", "sequence_number": 0, "response": response("in_progress", json!({}))})
}

fn text(words: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "m",
        "delta": words, "logprobs": []})
}

fn completed(more: Value) -> Value {
    json!({"type": "response.completed", "response": response("completed", more)})
}

#[test]
fn a_stream_without_its_last_event_has_failed() {
    let whole = [created(), text("Hi"), completed(json!({}))];
    for cut in 0..whole.len() {
        let (told, translator) = translate(OpenAiResponses, OpenAiChat, &named(&whole[..cut]));
        assert!(translator.has_failed());
        assert_eq!(told.last().unwrap()["error"]["code"], "upstream_failed");
    }
    let (told, translator) = translate(OpenAiResponses, OpenAiChat, &named(&whole));
    assert!(translator.is_done());
    assert_eq!(told.last().unwrap(), "[DONE]");
    assert_eq!(translator.usage().unwrap().output, 4);
}

#[test]
fn both_ways_to_fail_are_read() {
    let error = json!({"code": "rate_limit_exceeded", "message": "slow down"});
    for failed in [
        json!({"type": "response.failed", "response": response("failed", json!({"error": error}))}),
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null}),
        json!({"type": "error", "error": {"type": "requests", "code": "rate_limit_exceeded", "message": "slow down"}}),
    ] {
        let (told, translator) =
            translate(OpenAiResponses, Anthropic, &named(&[created(), text("x"), failed]));
        assert!(translator.has_failed());
        let error = &told.last().unwrap()["error"];
        assert_eq!((&error["type"], &error["message"]), (&json!("rate_limit_error"), &json!("slow down")));
    }
    let silent = json!({"type": "response.failed", "response": response("failed", json!({"error": null}))});
    assert!(translate(OpenAiResponses, OpenAiChat, &named(&[created(), silent])).1.has_failed());
}

/// tensorzero/tensorzero#475: a stream that failed half-way, its tokens unknown.
#[test]
fn what_a_failed_answer_used_is_known() {
    let error = json!({"error": {"code": "server_error", "message": "m"}});
    let failed = json!({"type": "response.failed", "response": response("failed", error)});
    let (_, translator) = translate(OpenAiResponses, Anthropic, &named(&[created(), text("x"), failed]));
    assert!(translator.has_failed());
    assert_eq!(translator.usage().unwrap().output, 4);
}

#[test]
fn a_done_that_some_add_says_nothing() {
    let whole = named(&[created(), text("x"), completed(json!({}))]) + "data: [DONE]\n\n";
    assert!(translate(OpenAiResponses, Anthropic, &whole).1.is_done());
    let torn = named(&[created(), text("x")]) + "data: [DONE]\n\n";
    assert!(translate(OpenAiResponses, Anthropic, &torn).1.has_failed());
}

#[test]
fn what_only_the_last_event_tells_is_not_lost() {
    let output = json!([
        {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]},
        {"type": "function_call", "id": "fc", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}"},
    ]);
    let (told, translator) =
        translate(OpenAiResponses, Anthropic, &named(&[created(), completed(json!({"output": output}))]));
    assert!(translator.is_done());
    let all = Value::from(told).to_string();
    assert!(all.contains("\"text\":\"Hi\"") && all.contains("call_1") && all.contains("tool_use"), "{all}");
}

#[test]
fn nothing_is_told_twice_though_everything_comes_several_times() {
    let upstream = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/openai_responses/streams/tools.sse"),
    )
    .unwrap();
    let (told, _) = translate(OpenAiResponses, OpenAiChat, &upstream);
    let said = |path: fn(&Value) -> &Value| -> String {
        told.iter().filter_map(|chunk| path(&chunk["choices"][0]["delta"]).as_str()).collect()
    };
    assert_eq!(said(|delta| &delta["content"]), "I look.");
    assert_eq!(said(|delta| &delta["tool_calls"][0]["function"]["arguments"]), "{\"city\":\"Paris\"}{}");
}

#[test]
fn an_item_of_the_providers_own_is_whole_to_its_clients_and_told_lost_to_others() {
    let item = json!({"type": "web_search_call", "id": "ws_1", "status": "completed"});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    let (_, translator) =
        translate(OpenAiResponses, OpenAiChat, &named(&[created(), done, completed(json!({}))]));
    assert!(translator.is_done());
    assert_eq!(translator.dropped().len(), 1);
}

#[test]
fn a_seal_on_a_call_follows_it_in_an_item_of_its_own_and_returns() {
    let call = json!({"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "CsQB+/="}}});
    let all = chat(&[delta(json!({"tool_calls": [call]})), finish("tool_calls")]) + "data: [DONE]\n\n";
    let (told, _) = translate(OpenAiChat, OpenAiResponses, &all);
    let output = &told.last().unwrap()["response"]["output"];
    assert_eq!(output[1]["encrypted_content"], "topdog.gemini.last.CsQB+/=");
    let body = json!({"input": output});
    let sent = crate::given::strict(OpenAiResponses, OpenAiChat, &body.to_string());
    let seal = &sent["messages"][0]["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    assert_eq!(seal, "CsQB+/=");
}

#[test]
fn pings_are_comments() {
    let (out, _) = stream(
        OpenAiResponses,
        OpenAiResponses,
        named(&[
            created(),
            json!({"type": "keepalive", "sequence_number": 1}),
            text("x"),
            completed(json!({})),
        ])
        .as_bytes(),
        usize::MAX,
    );
    assert!(out.contains("\n\n: ping\n\n"), "{out}");
}
