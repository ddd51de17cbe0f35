//! Streams of Cohere's and Gemini's own that pass to callers who speak the same: the bytes as they came however they are cut, and of
//! what they tell the same as the translator reads, which is another reader of the same fixtures.
#![cfg(test)]

use bytes::Bytes;
use std::path::{Path, PathBuf};
use topdog_domain::provider::Operation;
use topdog_wire::StreamRelay;
use topdog_wire::json_array::EventsAsArray;
use topdog_wire::translate::{AnswerContext, Dialect, StreamTranslator};

const SECRET: &str = "Zq8xW3nT7vB1kL5mR9yH2";

const CONTEXT: AnswerContext<'static> =
    AnswerContext { id: "id", created: 1, model: "m", wants_usage: true, is_json_array: false };

const DIALECTS: [(Dialect, Operation); 2] =
    [(Dialect::Cohere, Operation::CohereChat), (Dialect::Gemini, Operation::GenerateContent)];

fn cases(dialect: Dialect) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dialect.name());
    let files = std::fs::read_dir(folder.join("streams")).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> =
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().matches('.').count() == 1).collect();
    cases.sort();
    assert!(cases.len() >= 4);
    cases
}

struct Relayed {
    relay: StreamRelay,
    client: Vec<u8>,
}

fn relayed<'a>(operation: Operation, pieces: impl Iterator<Item = &'a [u8]>) -> Relayed {
    let mut relay = StreamRelay::new(operation, false);
    let mut client = Vec::new();
    let secret = SECRET.as_bytes();
    for piece in pieces {
        relay.feed(Bytes::copy_from_slice(piece), secret, &mut |bytes: Bytes| {
            client.extend_from_slice(&bytes)
        });
    }
    client.extend(relay.finish(secret).unwrap_or_default());
    Relayed { relay, client }
}

#[test]
fn streams_pass_as_they_come_and_tell_what_the_translator_reads_of_them() {
    for (dialect, operation) in DIALECTS {
        for case in cases(dialect) {
            let upstream = std::fs::read(&case).unwrap();
            let mut translator = StreamTranslator::new(dialect, Dialect::OpenAiChat, &CONTEXT);
            let mut out = Vec::new();
            translator.push(&upstream, b"", &mut out);
            translator.end(b"", &mut out);
            for size in (1..40).chain([64, 100, 1000, usize::MAX]) {
                let Relayed { relay, client } = relayed(operation, upstream.chunks(size));
                let name = format!("{} by {size}", case.display());
                assert_eq!(client, upstream, "{name}");
                assert_eq!(relay.usage(), translator.usage(), "{name}");
                assert_eq!(relay.has_failed(), translator.has_failed(), "{name}");
                assert_eq!(relay.is_done() && !relay.has_failed(), translator.is_done(), "{name}");
                let has_text = translator.estimated_output() > 0;
                assert_eq!(relay.delivered_text_bytes() > 0, has_text, "{name}");
                assert!(relay.says_when_done());
            }
        }
    }
}

#[test]
fn a_failure_that_ends_a_stream_of_coheres_is_told_without_the_key() {
    let escaped: String = SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    for written in [SECRET, &escaped] {
        let stream = format!(
            "event: message-end\ndata: {{\"type\":\"message-end\",\"delta\":{{\"finish_reason\":\"ERROR\",\
             \"error\":\"bad {written}\",\"code\":\"bad_key\"}}}}\n\n"
        );
        let expected = stream.replace(written, "[redacted]");
        for first in 0..stream.len() {
            let (one, two) = stream.as_bytes().split_at(first);
            let Relayed { relay, client } = relayed(Operation::CohereChat, [one, two].into_iter());
            let client = String::from_utf8(client).unwrap();
            assert_eq!(client, expected, "cut at {first}");
            assert_eq!((relay.has_failed(), relay.failure_code()), (true, Some("bad_key")));
        }
    }
}

#[test]
fn a_stream_that_dies_ends_with_its_own_failure_event_and_no_other_end() {
    let mut relay = StreamRelay::new(Operation::CohereChat, false);
    let torn = b"event: content-delta\ndata: {\"type\":\"content-delta\",\"ind";
    relay.feed(Bytes::from_static(torn), b"", &mut |_| {});
    let event = relay.failure_event("upstream_failed", "it broke off", "req_1");
    let event = String::from_utf8(event.to_vec()).unwrap();
    let data = event.strip_prefix("\n\nevent: message-end\ndata: ").unwrap_or_else(|| panic!("{event}"));
    let told: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(told["type"], "message-end");
    assert_eq!(
        (&told["delta"]["finish_reason"], &told["delta"]["code"]),
        (&"ERROR".into(), &"upstream_failed".into())
    );
    assert!(told["delta"]["error"].as_str().unwrap().contains("req_1"), "{told}");
    assert!(!event.contains("COMPLETE") && !event.contains("[DONE]"), "{event}");
}

/// The stream as one array, cut so; what it is told of its death in the end, if it dies.
fn as_array(stream: &[u8], size: usize, death: Option<&[u8]>) -> String {
    let mut array = EventsAsArray::default();
    let mut out = Vec::new();
    for piece in stream.chunks(size) {
        array.push(piece, &mut |bytes| out.extend_from_slice(&bytes));
    }
    match death {
        None => array.finish(&mut |bytes| out.extend_from_slice(&bytes)),
        Some(event) => out.extend_from_slice(&array.failed(event).unwrap()),
    }
    assert_eq!(array.failed(b"data: {}\n\n").is_none(), death.is_none(), "what is closed is closed");
    String::from_utf8(out).unwrap()
}

#[test]
fn a_stream_is_one_array_of_the_same_objects_however_it_is_cut_and_wherever_it_dies() {
    let death: &[u8] = b"\n\ndata: {\"error\":{\"code\":500}}\n\n";
    for case in cases(Dialect::Gemini) {
        let stream = std::fs::read(&case).unwrap();
        let text = String::from_utf8(stream.clone()).unwrap();
        let objects: Vec<serde_json::Value> =
            text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
        let whole = as_array(&stream, usize::MAX, None);
        let told: Vec<serde_json::Value> = serde_json::from_str(&whole).unwrap();
        assert_eq!(told, objects, "{}", case.display());
        for size in (1..40).chain([100, 1000]) {
            assert_eq!(as_array(&stream, size, None), whole, "{} by {size}", case.display());
        }
        for at in 0..stream.len() {
            let told: Vec<serde_json::Value> =
                serde_json::from_str(&as_array(&stream[..at], 7, Some(death))).unwrap();
            let (last, before) = told.split_last().unwrap();
            assert_eq!(last["error"]["code"], 500);
            assert_eq!(before, &objects[..before.len()], "{} dead at {at}", case.display());
        }
    }
    assert_eq!(as_array(b"", 1, None), "[]");
    assert_eq!(as_array(b"data: no json\n\ndata: {\"a\":1}", 1, None), "[{\"a\":1}]");
}

#[test]
fn a_long_chunk_of_geminis_tells_its_end_and_usage_behind_the_picture() {
    let picture = "x".repeat(100_000);
    let stream = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"inlineData\":{{\"data\":\"{picture}\"}}}}]}},\
         \"finishReason\":\"STOP\",\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":5,\
         \"candidatesTokenCount\":7,\"totalTokenCount\":12}}}}\r\n\r\n"
    );
    for size in [1000, 70_000, usize::MAX] {
        let Relayed { relay, client } = relayed(Operation::GenerateContent, stream.as_bytes().chunks(size));
        assert_eq!(client, stream.as_bytes());
        assert!(relay.is_done(), "by {size}");
        let usage = relay.usage().unwrap();
        assert_eq!((usage.input, usage.output), (5, 7), "by {size}");
    }
}

#[test]
fn a_stream_of_geminis_is_done_when_every_answer_is() {
    let chunk = |index: u32, reason: &str| {
        format!("data: {{\"candidates\":[{{\"index\":{index},\"finishReason\":\"{reason}\"}}]}}\r\n\r\n")
    };
    let stream =
        [chunk(0, ""), chunk(1, ""), chunk(0, "STOP"), chunk(1, "FINISH_REASON_UNSPECIFIED")].concat();
    let Relayed { relay, .. } = relayed(Operation::GenerateContent, stream.as_bytes().chunks(9));
    assert!(!relay.is_done(), "the second one has not ended");
    let stream = stream + &chunk(1, "MAX_TOKENS");
    assert!(relayed(Operation::GenerateContent, stream.as_bytes().chunks(9)).relay.is_done());
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n";
    assert!(relayed(Operation::GenerateContent, blocked.as_bytes().chunks(9)).relay.is_done());
    let quoted = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\\"finishReason\\\":\\\"STOP\\\"\"}]}}]}\r\n\r\n";
    assert!(
        !relayed(Operation::GenerateContent, quoted.as_bytes().chunks(9)).relay.is_done(),
        "text is no reason"
    );
}
