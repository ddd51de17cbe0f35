//! Streams: the facts that are got wrong, one test each.

use crate::given::{CONTEXT, events, stream};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, OpenAiChat};
use topdog_wire::translate::{AnswerContext, Dialect, StreamTranslator};

fn claude(events: &[Value]) -> String {
    let line = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(line).collect()
}

fn chat(chunks: &[Value]) -> String {
    let line = |chunk: &Value| format!("data: {chunk}\n\n");
    chunks.iter().map(line).collect()
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude", "content": [],
        "usage": {"input_tokens": 25, "output_tokens": 1}}})
}

fn text(words: &str) -> [Value; 3] {
    [
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}),
        json!({"type": "content_block_stop", "index": 0}),
    ]
}

fn end(reason: &str, usage: Value) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}),
        json!({"type": "message_stop"}),
    ]
}

fn whole() -> Vec<Value> {
    [vec![start()], text("hi").to_vec(), end("end_turn", json!({"output_tokens": 9})).to_vec()].concat()
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

#[test]
fn the_role_comes_first_and_done_last() {
    let (told, _) = translate(Anthropic, OpenAiChat, &claude(&whole()));
    assert_eq!(told[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(told.last().unwrap(), "[DONE]");
}

#[test]
fn usage_comes_only_where_it_was_asked_for() {
    let context = AnswerContext { wants_usage: false, ..CONTEXT };
    let mut translator = StreamTranslator::new(Anthropic, OpenAiChat, &context);
    let mut out = Vec::new();
    translator.push(claude(&whole()).as_bytes(), b"", &mut out);
    translator.finish(b"", &mut out);
    assert!(!String::from_utf8(out).unwrap().contains("usage"));
    assert_eq!(translator.usage().unwrap().output, 9, "and is known all the same");

    let (told, _) = translate(Anthropic, OpenAiChat, &claude(&whole()));
    let usage = &told[told.len() - 2];
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens"], 25);
    assert!(told[..told.len() - 2].iter().all(|chunk| chunk["usage"].is_null()));
}

#[test]
fn cumulative_usage_is_not_added_up_whichever_end_tells_the_truth() {
    for (first, last) in [
        (json!({"input_tokens": 25, "output_tokens": 1}), json!({"output_tokens": 9})),
        (json!({"input_tokens": 0, "output_tokens": 0}), json!({"input_tokens": 25, "output_tokens": 9})),
        (json!({"input_tokens": 25, "output_tokens": 1}), json!({"input_tokens": 25, "output_tokens": 9})),
        (json!({"input_tokens": 25, "output_tokens": 1}), json!({"input_tokens": 0, "output_tokens": 9})),
    ] {
        let mut begun = start();
        begun["message"]["usage"] = first;
        let all = [vec![begun], text("x").to_vec(), end("end_turn", last).to_vec()].concat();
        let (_, translator) = translate(Anthropic, OpenAiChat, &claude(&all));
        let usage = translator.usage().unwrap();
        assert_eq!((usage.input, usage.output), (25, 9));
    }
}

/// maximhq/bifrost#597 and FIELD's rule (c): an end without the last event is a failure.
#[test]
fn a_stream_without_its_last_event_has_failed() {
    for cut in 0..whole().len() {
        let (told, translator) = translate(Anthropic, OpenAiChat, &claude(&whole()[..cut]));
        assert!(translator.has_failed() && !translator.is_done());
        assert_eq!(told.last().unwrap()["error"]["code"], "upstream_failed");
        assert!(!told.iter().any(|event| event == "[DONE]"));
    }
    let died = chat(&[delta(json!({"role": "assistant", "content": "Hel"})), finish("stop")]);
    let (told, translator) = translate(OpenAiChat, Anthropic, &died);
    assert!(translator.has_failed());
    assert_eq!(told.last().unwrap()["type"], "error");
    assert!(!told.iter().any(|event| event["type"] == "message_stop"));
}

/// maximhq/bifrost#5546: an empty chunk and a clean [DONE] made of a dead upstream.
#[test]
fn done_without_a_reason_is_a_failure() {
    let stream = chat(&[delta(json!({"content": "Hel"}))]) + "data: [DONE]\n\n";
    let (told, translator) = translate(OpenAiChat, Anthropic, &stream);
    assert!(translator.has_failed());
    assert_eq!(told.last().unwrap()["type"], "error");
}

/// Portkey-AI/gateway#1142: an exception within a 200 swallowed.
#[test]
fn an_error_within_a_stream_is_told_in_the_clients_words() {
    let failed = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    let (told, translator) = translate(Anthropic, OpenAiChat, &claude(&[start(), failed]));
    assert!(translator.has_failed());
    let error = &told.last().unwrap()["error"];
    assert_eq!(
        *error,
        json!({"message": "slow down", "type": "rate_limit_error", "param": null, "code": "rate_limit_exceeded"})
    );
    for failed in [
        json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}),
        json!({"error": {"message": "slow down", "code": 429}}),
        json!({"object": "error", "message": "slow down", "code": 429}),
    ] {
        let stream = chat(&[delta(json!({"content": "x"})), failed]) + "data: [DONE]\n\n";
        let (told, translator) = translate(OpenAiChat, Anthropic, &stream);
        assert!(translator.has_failed());
        assert_eq!(told.last().unwrap()["error"]["type"], "rate_limit_error");
        assert_eq!(told.last().unwrap()["error"]["message"], "slow down");
    }
}

#[test]
fn nothing_follows_a_failure() {
    let failed = json!({"error": {"message": "m"}});
    let stream = chat(&[failed, delta(json!({"content": "x"})), finish("stop")]) + "data: [DONE]\n\n";
    let (told, _) = translate(OpenAiChat, Anthropic, &stream);
    assert_eq!(told.len(), 1);
}

/// BerriAI/litellm#31298: what is internal leaked through a failure in mid-stream.
#[test]
fn a_key_in_a_failure_is_taken_out() {
    let failed = json!({"error": {"message": "Incorrect key sk-secret-of-the-customer given"}});
    let (told, _) = translate(OpenAiChat, Anthropic, &chat(&[failed]));
    assert!(!told[0].to_string().contains("secret-of-the"), "{}", told[0]);
}

/// tensorzero/tensorzero#475: a stream that failed half-way, its tokens unknown.
#[test]
fn what_was_told_before_a_failure_is_kept() {
    let died = claude(&[vec![start()], text("some words").to_vec()].concat());
    let (_, translator) = translate(Anthropic, OpenAiChat, &died);
    assert_eq!(translator.usage().unwrap().input, 25);
    assert_eq!(translator.estimated_output(), 3);
}

#[test]
fn our_own_failure_is_told_in_the_clients_dialect_once() {
    for (from, to, expected) in [
        (
            Anthropic,
            OpenAiChat,
            "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,\"code\":\"c\"}}\n\n",
        ),
        (
            OpenAiChat,
            Anthropic,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"m\",\"details\":{\"error_code\":\"c\"},\"code\":\"c\"}}\n\n",
        ),
    ] {
        let mut translator = StreamTranslator::new(from, to, &CONTEXT);
        let mut out = Vec::new();
        translator.fail("c", "m", &mut out);
        translator.fail("c", "m", &mut out);
        translator.finish(b"", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn pings_and_comments_keep_a_stream_alive_and_say_nothing() {
    let alive = [vec![start(), json!({"type": "ping"})], whole()[1..].to_vec()].concat();
    let (out, _) = stream(Anthropic, OpenAiChat, claude(&alive).as_bytes(), usize::MAX);
    assert!(out.contains("\n\n: ping\n\n"));
    let commented = format!(
        ": OPENROUTER PROCESSING\n\n{}\n\n: more\n\ndata: {}\n\ndata: [DONE]\n\n",
        chat(&[delta(json!({"content": "x"}))]),
        finish("stop")
    );
    let (told, translator) = translate(OpenAiChat, Anthropic, &commented);
    assert!(translator.is_done());
    assert_eq!(told.last().unwrap()["type"], "message_stop");
}

#[test]
fn calls_whose_pieces_come_interleaved_are_told_one_after_another() {
    let piece = |index: u64, text: &str| json!({"index": index, "function": {"arguments": text}});
    let begin = |index: u64| {
        json!({"index": index, "id": format!("call_{index}"), "type": "function",
        "function": {"name": "f", "arguments": ""}})
    };
    let all = [
        delta(json!({"tool_calls": [begin(0)]})),
        delta(json!({"tool_calls": [begin(1), piece(1, "{\"b\":")]})),
        delta(json!({"tool_calls": [piece(0, "{\"a\":\"}\\\"")]})),
        delta(json!({"tool_calls": [piece(1, "2}"), piece(0, "\"}")]})),
        delta(json!({"tool_calls": [begin(2), piece(2, "{\"c\":")]})),
        delta(json!({"tool_calls": [piece(2, "3}")]})),
        finish("tool_calls"),
    ];
    let (told, translator) = translate(OpenAiChat, Anthropic, &(chat(&all) + "data: [DONE]\n\n"));
    assert!(translator.is_done());
    let mut open = None;
    let mut inputs = vec![String::new(); 3];
    for event in &told {
        let index = event["index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(open, None, "one at a time");
                assert_eq!(event["content_block"]["id"], format!("call_{}", index.unwrap()));
                open = index;
            }
            "content_block_delta" => {
                assert_eq!(open, index);
                inputs[index.unwrap()].push_str(event["delta"]["partial_json"].as_str().unwrap());
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index);
            }
            _ => {}
        }
    }
    assert_eq!(inputs, ["{\"a\":\"}\\\"\"}", "{\"b\":2}", "{\"c\":3}"]);
}

#[test]
fn a_whole_call_is_not_held_back_by_the_next() {
    let call = |index: u64, text: &str| {
        delta(
            json!({"tool_calls": [{"index": index, "id": "x", "function": {"name": "f", "arguments": text}}]}),
        )
    };
    let mut translator = StreamTranslator::new(OpenAiChat, Anthropic, &CONTEXT);
    let mut out = Vec::new();
    translator.push(chat(&[call(0, "{}"), call(1, "{\"a\"")]).as_bytes(), b"", &mut out);
    assert!(String::from_utf8(out).unwrap().ends_with("\"partial_json\":\"{\\\"a\\\"\"}}\n\n"));
}

#[test]
fn a_call_without_arguments_has_an_empty_object_in_a_stream_too() {
    let call = [
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "1", "name": "f", "input": {}}}),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    let all = [vec![start()], call.to_vec(), end("tool_use", json!({})).to_vec()].concat();
    let (told, _) = translate(Anthropic, OpenAiChat, &claude(&all));
    let arguments: String = told
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{}");
}

/// Portkey-AI/gateway#1259: usage beside the last choice, and Groq's in a place of its own.
#[test]
fn usage_is_found_wherever_compatible_providers_tell_it() {
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 3});
    let beside = {
        let mut last = finish("stop");
        last["usage"] = usage.clone();
        last
    };
    let groq = {
        let mut last = finish("stop");
        last["x_groq"] = json!({"usage": usage});
        last
    };
    for last in [beside, groq] {
        let (told, translator) = translate(OpenAiChat, Anthropic, &(chat(&[last]) + "data: [DONE]\n\n"));
        assert_eq!(translator.usage().unwrap().input, 9);
        assert_eq!(told[told.len() - 2]["usage"]["output_tokens"], 3);
    }
}

/// BerriAI/litellm#15601: thinking lost in streams with tools. What a client joins from the pieces by
/// index, sent back, is what the provider said.
#[test]
fn thinking_streamed_to_chat_returns_byte_for_byte() {
    let upstream = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/anthropic/streams/thinking.sse"),
    )
    .unwrap();
    let (out, _) = stream(Anthropic, OpenAiChat, &upstream, 7);
    let mut details: Vec<Value> = Vec::new();
    let mut content = String::new();
    for chunk in events(&out) {
        let delta = &chunk["choices"][0]["delta"];
        content.push_str(delta["content"].as_str().unwrap_or_default());
        for piece in delta["reasoning_details"].as_array().into_iter().flatten() {
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if details.len() == index {
                details.push(piece.clone());
                continue;
            }
            for (name, value) in piece.as_object().unwrap() {
                match (details[index].get(name).and_then(Value::as_str), value.as_str()) {
                    (Some(before), Some(more)) if !matches!(name.as_str(), "type" | "format") => {
                        details[index][name] = Value::String(format!("{before}{more}"));
                    }
                    _ => details[index][name] = value.clone(),
                }
            }
        }
    }
    let body = json!({"messages": [{"role": "assistant", "content": content, "reasoning_details": details}]});
    let sent = crate::given::strict(OpenAiChat, Anthropic, &body.to_string());
    let expected = json!([
        {"type": "thinking", "thinking": "1071 = 2 × 462 + 147", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/="},
        {"type": "redacted_thinking", "data": "EmwKAhgB+/=="},
        {"type": "thinking", "thinking": "", "signature": "OmittedText=="},
        {"type": "text", "text": "The GCD is 21."},
    ]);
    assert_eq!(sent["messages"][0]["content"], expected);
}

/// BerriAI/litellm#25322: Gemini's seal on a call, through a client that knows Anthropic's blocks only.
#[test]
fn a_seal_on_a_call_travels_through_messages_and_back_to_chat() {
    let call = json!({"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "CsQB+/="}}});
    let all = chat(&[delta(json!({"tool_calls": [call]})), finish("tool_calls")]) + "data: [DONE]\n\n";
    let (told, _) = translate(OpenAiChat, Anthropic, &all);
    let blocks: Vec<_> = told.iter().filter(|event| event["type"] == "content_block_start").collect();
    assert_eq!(
        blocks[1]["content_block"],
        json!({"type": "redacted_thinking", "data": "topdog.gemini.last.CsQB+/="})
    );
    let body = json!({"max_tokens": 1, "messages": [{"role": "assistant", "content": [
        {"type": "tool_use", "id": "1", "name": "f", "input": {}}, blocks[1]["content_block"]]}]});
    let sent = crate::given::strict(Anthropic, OpenAiChat, &body.to_string());
    let seal = &sent["messages"][0]["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    assert_eq!(seal, "CsQB+/=");
}

#[test]
fn text_after_a_call_is_a_block_of_its_own() {
    let call = json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}});
    let all = [
        delta(json!({"content": "a"})),
        delta(json!({"tool_calls": [call]})),
        delta(json!({"content": "b"})),
        finish("tool_calls"),
    ];
    let (told, _) = translate(OpenAiChat, Anthropic, &(chat(&all) + "data: [DONE]\n\n"));
    let kinds: Vec<_> = told
        .iter()
        .filter(|event| event["type"] == "content_block_start")
        .map(|event| event["content_block"]["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["text", "tool_use", "text"]);
}

#[test]
fn a_second_answer_has_no_room_in_messages_and_that_is_told() {
    let mut second = delta(json!({"content": "x"}));
    second["choices"][0]["index"] = json!(1);
    let all = [delta(json!({"content": "a"})), second, finish("stop")];
    let (told, translator) = translate(OpenAiChat, Anthropic, &(chat(&all) + "data: [DONE]\n\n"));
    assert_eq!(translator.dropped().len(), 2, "{:?}", translator.dropped());
    assert!(!told.iter().any(|event| event["delta"]["text"] == "x"));
}
