//! Bedrock ConverseStream: the facts that are got wrong, one test each.

use crate::frames::to_wire;
use crate::given::{CONTEXT, events, stream};
use serde_json::{Value, json};
use topdog_wire::event_stream::Decoder;
use topdog_wire::translate::Dialect::{Anthropic, BedrockConverse, OpenAiChat};
use topdog_wire::translate::{Dialect, StreamTranslator};

fn wire(told: &[(&str, Value)]) -> Vec<u8> {
    let line = |(name, data): &(&str, Value)| {
        let kind = if name.ends_with("Exception") { "exception" } else { "event" };
        format!("{kind}: {name}\ndata: {data}\n\n")
    };
    to_wire(BedrockConverse, told.iter().map(line).collect::<String>().as_bytes())
}

fn start() -> (&'static str, Value) {
    ("messageStart", json!({"role": "assistant"}))
}

fn text(index: u32, words: &str) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": {"text": words}}))
}

fn end(index: u32) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

fn stop(reason: &str) -> (&'static str, Value) {
    ("messageStop", json!({"stopReason": reason}))
}

fn metadata() -> (&'static str, Value) {
    let usage = json!({"inputTokens": 25, "outputTokens": 9, "totalTokens": 34, "cacheReadInputTokens": 7});
    ("metadata", json!({"usage": usage, "metrics": {"latencyMs": 1}}))
}

fn whole() -> Vec<(&'static str, Value)> {
    vec![start(), text(0, "hi"), end(0), stop("end_turn"), metadata()]
}

fn translate(to: Dialect, upstream: &[u8]) -> (Vec<Value>, StreamTranslator) {
    let (out, translator) = stream(BedrockConverse, to, upstream, usize::MAX);
    (events(&out), translator)
}

/// FIELD: the usage comes after `messageStop`.
#[test]
fn the_stream_is_not_over_before_its_usage() {
    let all = whole();
    let (early, translator) = {
        let mut translator = StreamTranslator::new(BedrockConverse, OpenAiChat, &CONTEXT);
        let mut out = Vec::new();
        translator.push(&wire(&all[..4]), b"", &mut out);
        (String::from_utf8(out).unwrap(), translator)
    };
    assert!(!translator.is_done() && !early.contains("[DONE]"));
    let (told, translator) = translate(OpenAiChat, &wire(&all));
    let usage = translator.usage().unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (25, 7, 9));
    assert_eq!(told[told.len() - 2]["usage"]["prompt_tokens"], 32);
    assert_eq!(told.last().unwrap(), "[DONE]");
}

#[test]
fn usage_that_never_comes_leaves_a_stream_that_is_done_and_uncounted() {
    let (told, translator) = translate(OpenAiChat, &wire(&whole()[..4]));
    assert!(translator.is_done());
    assert_eq!((translator.usage(), told.last().unwrap()), (None, &json!("[DONE]")));
}

#[test]
fn usage_before_the_stop_is_taken_too() {
    let (_, translator) =
        translate(OpenAiChat, &wire(&[start(), text(0, "x"), end(0), metadata(), stop("end_turn")]));
    assert!(translator.is_done());
    assert_eq!(translator.usage().unwrap().output, 9);
}

/// FIELD: `contentBlockStart` is absent for text.
#[test]
fn texts_begin_with_their_first_piece_or_with_an_empty_start() {
    let begun = ("contentBlockStart", json!({"contentBlockIndex": 0, "start": {}}));
    let all = vec![
        start(),
        begun,
        text(0, "a"),
        text(0, "b"),
        end(0),
        text(1, "c"),
        end(1),
        stop("end_turn"),
        metadata(),
    ];
    for all in [all.clone(), [&all[..1], &all[2..]].concat()] {
        let (told, _) = translate(Anthropic, &wire(&all));
        let kinds: Vec<_> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]
        );
    }
}

#[test]
fn a_block_that_is_never_ended_ends_with_the_message() {
    let (told, translator) =
        translate(Anthropic, &wire(&[start(), text(0, "a"), stop("end_turn"), metadata()]));
    assert!(translator.is_done());
    assert!(told.iter().any(|event| event["type"] == "content_block_stop"));
}

#[test]
fn a_call_without_arguments_is_called_with_an_empty_object() {
    let call = json!({"toolUse": {"toolUseId": "t1", "name": "now"}});
    let begun = ("contentBlockStart", json!({"contentBlockIndex": 0, "start": call}));
    let (told, _) = translate(OpenAiChat, &wire(&[start(), begun, end(0), stop("tool_use"), metadata()]));
    let pieces: Vec<_> = told
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(pieces.concat(), "{}");
}

/// Portkey-AI/gateway#1142: a stream's exception swallowed with status 200.
#[test]
fn exceptions_within_a_stream_are_told_in_the_clients_words() {
    for (name, kind) in [
        ("throttlingException", "rate_limit_error"),
        ("modelStreamErrorException", "api_error"),
        ("validationException", "invalid_request_error"),
        ("internalServerException", "api_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("brandNewException", "api_error"),
    ] {
        for before in [0, 2, 4] {
            let mut all = whole()[..before].to_vec();
            all.push((name, json!({"message": "told"})));
            let (told, translator) = translate(Anthropic, &wire(&all));
            assert!(translator.has_failed() && !translator.is_done(), "{name} after {before}");
            let last = told.last().unwrap();
            assert_eq!((&last["error"]["type"], &last["error"]["message"]), (&json!(kind), &json!("told")));
        }
    }
}

/// maximhq/bifrost#597: half of Bedrock's streams ended abruptly with no completion event.
#[test]
fn a_stream_without_its_stop_has_failed_wherever_it_was_cut() {
    let all = wire(&whole());
    let sound = wire(&whole()[..4]).len();
    for cut in 0..all.len() {
        let (told, translator) = translate(OpenAiChat, &all[..cut]);
        assert_eq!(translator.is_done(), cut == sound, "{cut}");
        assert_eq!(translator.has_failed(), cut != sound, "{cut}");
        assert_eq!(told.iter().any(|event| event == "[DONE]"), cut == sound, "{cut}");
    }
}

#[test]
fn a_damaged_frame_is_a_failure_and_nothing_of_it_is_told() {
    let all = wire(&whole());
    let before = wire(&whole()[..1]).len();
    let frame = wire(&whole()[1..2]).len();
    for at in before..before + frame {
        let mut damaged = all.clone();
        damaged[at] ^= 0x10;
        let (told, translator) = translate(OpenAiChat, &damaged);
        assert!(translator.has_failed(), "{at}");
        assert_eq!(told.last().unwrap()["error"]["code"], "upstream_failed");
        assert!(!told.iter().any(|chunk| chunk["choices"][0]["delta"]["content"] == "hi"), "{at}");
    }
}

#[test]
fn events_that_nobody_knows_are_passed_over_and_those_that_lack_something_are_not() {
    let mut all = whole();
    all.insert(2, ("somethingNew", json!({"x": 1})));
    let (_, translator) = translate(OpenAiChat, &wire(&all));
    assert!(translator.is_done());
    for broken in [
        ("contentBlockDelta", json!({"delta": {"text": "x"}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0})),
        ("contentBlockDelta", json!({"contentBlockIndex": 9, "delta": {"toolUse": {"input": "{}"}}})),
        ("messageStop", json!({})),
        ("metadata", json!({})),
    ] {
        let (_, translator) = translate(OpenAiChat, &wire(&[start(), text(0, "x"), broken.clone()]));
        assert!(translator.has_failed(), "{broken:?}");
    }
}

/// anomalyco/opencode#46283: the base64 of each piece stands for itself.
#[test]
fn withheld_reasoning_in_pieces_is_joined_by_its_bytes() {
    let piece = |base64: &str| {
        let delta = json!({"reasoningContent": {"redactedContent": base64}});
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}))
    };
    let all = [start(), piece("EmwKAg=="), piece("GAH7/w=="), end(0), stop("end_turn"), metadata()];
    let (told, _) = translate(Anthropic, &wire(&all));
    assert_eq!(told[1]["content_block"]["data"], "topdog.bedrock.EmwKAhgB+/8=");
}

/// What Converse's clients get: no start for texts, numbered blocks, and the usage last.
#[test]
fn a_client_of_converse_gets_its_own_order() {
    let upstream = include_bytes!("../fixtures/anthropic/streams/tools.sse");
    let (out, translator) = stream(Anthropic, BedrockConverse, upstream, 5);
    assert!(translator.is_done());
    let names: Vec<_> = out.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names[..2], ["messageStart", "contentBlockDelta"]);
    assert_eq!(names[names.len() - 2..], ["messageStop", "metadata"]);
    let indexes: Vec<_> =
        events(&out).iter().filter_map(|event| event["contentBlockIndex"].as_u64()).collect();
    assert!(indexes.is_sorted() && indexes[0] == 0, "{indexes:?}");
    for event in events(&out) {
        if let Some(input) = event["delta"].get("toolUse") {
            assert!(input["input"].is_string(), "{event}");
        }
    }
}

/// A failure for a client of Converse is an exception with sound checksums, and the key is not in it.
#[test]
fn failures_are_exceptions_without_keys_and_their_checksums_are_right() {
    let failed = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\
        \"message\":\"slow down sk-secret-of-the-customer\"}}\n\n";
    let mut translator = StreamTranslator::new(Anthropic, BedrockConverse, &CONTEXT);
    let mut out = Vec::new();
    translator.push(failed.as_bytes(), b"sk-secret-of-the-customer", &mut out);
    assert!(translator.has_failed());
    let mut told = Vec::new();
    let mut decoder = Decoder::default();
    decoder
        .push(&out, &mut |message| {
            let name = message.text(":exception-type").unwrap().to_owned();
            told.push((name, serde_json::from_slice::<Value>(message.payload).unwrap()));
        })
        .unwrap();
    assert!(decoder.finish().is_ok());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, "throttlingException");
    assert_eq!(told[0].1["message"], "slow down [redacted]");
}

#[test]
fn a_dead_upstream_ends_in_an_exception_and_not_in_a_stop() {
    let upstream = include_bytes!("../fixtures/anthropic/streams/died.sse");
    let (out, translator) = stream(Anthropic, BedrockConverse, upstream, usize::MAX);
    assert!(translator.has_failed());
    assert!(out.contains("exception: internalServerException"), "{out}");
    assert!(!out.contains("messageStop") && !out.contains("metadata"), "{out}");
}
