//! Long bodies take as long as they are: a caller must not be able to keep a thread busy with a short one.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use topdog_wire::translate::{self, AnswerContext, Dialect, Mode, ModelTraits, StreamTranslator, Target};

/// How long a chat takes that has so many calls in one turn, and all their results behind it.
fn paired(to: Dialect, calls: usize) -> Duration {
    let ids = || (0..calls).map(|n| format!("c{n}"));
    let call = |id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let mut messages = vec![json!({"role": "user", "content": "q"})];
    messages.push(json!({"role": "assistant", "tool_calls": ids().map(call).collect::<Vec<Value>>()}));
    messages.extend(ids().map(|id| json!({"role": "tool", "tool_call_id": id, "content": "x"})));
    let body = json!({"model": "m", "messages": messages}).to_string();
    took(to, &body, Mode::Strict)
}

/// How long a chat takes that has so many fields which can't be said.
fn unsaid(to: Dialect, fields: usize) -> Duration {
    let fields: String = (0..fields).map(|n| format!("\"f{n}\":1,")).collect();
    let body = format!(r#"{{{fields}"model":"m","messages":[{{"role":"user","content":"q"}}]}}"#);
    took(to, &body, Mode::Lenient)
}

fn took(to: Dialect, body: &str, mode: Mode) -> Duration {
    let target =
        Target { model: "m", default_max_tokens: 9, is_stream: None, traits: ModelTraits::default() };
    let began = Instant::now();
    translate::request(Dialect::OpenAiChat, to, body.as_bytes(), mode, &target).unwrap();
    began.elapsed()
}

#[test]
fn sixteen_times_as_much_takes_no_sixty_times_as_long() {
    for to in [Dialect::Anthropic, Dialect::Cohere, Dialect::Gemini] {
        for (of, take) in [("calls", paired as fn(Dialect, usize) -> Duration), ("fields", unsaid)] {
            let (few, many) = (take(to, 1_000), take(to, 16_000));
            // The machine may be busy with something else; what grows with the square grows by 256.
            assert!(many < few * 60 + Duration::from_millis(300), "{to:?}, {of}: {few:?}, then {many:?}");
        }
    }
}

fn translator(to: Dialect) -> StreamTranslator {
    let context = AnswerContext { id: "1", model: "m", created: 0, wants_usage: true, is_json_array: false };
    StreamTranslator::new(Dialect::OpenAiChat, to, &context)
}

fn push(translator: &mut StreamTranslator, delta: &Value) -> String {
    let mut told = Vec::new();
    let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
    translator.push(format!("data: {chunk}\n\n").as_bytes(), b"", &mut told);
    String::from_utf8(told).unwrap()
}

fn call(index: usize, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": format!("c{index}"),
        "function": {"name": "f", "arguments": arguments}}]})
}

/// How long a stream takes in which so many texts and thoughts wait behind a call that is not whole.
fn waiting(to: Dialect, parts: usize) -> Duration {
    let mut translator = translator(to);
    push(&mut translator, &call(0, "{"));
    let began = Instant::now();
    for _ in 0..parts / 2 {
        push(&mut translator, &json!({"reasoning": "r"}));
        push(&mut translator, &json!({"content": "t"}));
    }
    push(&mut translator, &json!({}));
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let mut told = Vec::new();
    translator.push(end.as_bytes(), b"", &mut told);
    assert!(translator.is_done() && told.len() > parts, "{} bytes", told.len());
    began.elapsed()
}

#[test]
fn parts_of_a_stream_that_wait_cost_no_more_the_more_wait() {
    let (few, many) = (waiting(Dialect::Anthropic, 2_000), waiting(Dialect::Anthropic, 32_000));
    assert!(many < few * 60 + Duration::from_millis(300), "{few:?}, then {many:?}");
}

#[test]
fn a_stream_of_more_calls_or_choices_than_anyone_asks_for_is_a_failure() {
    let mut of_calls = translator(Dialect::Anthropic);
    let told: String = (0..2_000).map(|n| push(&mut of_calls, &call(n, "{}"))).collect();
    assert!(of_calls.has_failed() && told.contains("event: error"));

    let mut of_choices = translator(Dialect::OpenAiResponses);
    let choices: Vec<Value> = (0..200).map(|n| json!({"index": n, "delta": {"content": "x"}})).collect();
    let event = format!("data: {}\n\n", json!({"choices": choices}));
    of_choices.push(event.as_bytes(), b"", &mut Vec::new());
    assert!(of_choices.has_failed());
}

#[test]
fn whatever_a_stream_holds_is_counted() {
    const LONG: usize = 100_000;
    // A seal, behind a call that is not whole.
    let mut waits = translator(Dialect::Anthropic);
    push(&mut waits, &call(0, "{"));
    let seal = json!({"index": 0, "type": "reasoning.encrypted", "data": "x".repeat(LONG)});
    push(&mut waits, &json!({"reasoning_details": [seal]}));
    assert!(waits.held_bytes() > LONG, "{}", waits.held_bytes());

    // An event without an end: a short list of numbers is a long list of nodes.
    let mut torn = translator(Dialect::Anthropic);
    torn.push(b"data: {\"choices\":[],\"x\":[", b"", &mut Vec::new());
    torn.push("0,".repeat(LONG).as_bytes(), b"", &mut Vec::new());
    assert!(torn.held_bytes() > 100 * LONG, "{}", torn.held_bytes());
    torn.push(b"0]}\n\n", b"", &mut Vec::new());
    assert!(torn.held_bytes() < LONG, "it was read: {}", torn.held_bytes());

    // What Responses says once more at the end.
    let mut kept = translator(Dialect::OpenAiResponses);
    push(&mut kept, &json!({"content": "x".repeat(LONG)}));
    assert!(kept.held_bytes() >= LONG, "{}", kept.held_bytes());
}
