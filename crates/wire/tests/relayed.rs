//! Streams of Cohere's own that pass to callers who speak the same: the bytes as they came however they are cut, and of
//! what they tell the same as the translator reads, which is another reader of the same fixtures.
#![cfg(test)]

use bytes::Bytes;
use std::path::{Path, PathBuf};
use topdog_domain::provider::Operation;
use topdog_wire::StreamRelay;
use topdog_wire::translate::{AnswerContext, Dialect, StreamTranslator};

const SECRET: &str = "Zq8xW3nT7vB1kL5mR9yH2";

const CONTEXT: AnswerContext<'static> =
    AnswerContext { id: "id", created: 1, model: "m", wants_usage: true, is_json_array: false };

const DIALECTS: [(Dialect, Operation); 1] = [(Dialect::Cohere, Operation::CohereChat)];

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
