//! Anthropic's Messages, passed on in its own dialect: the bytes untouched, and what is learnt of them on the way.
//! Streams are those of `fixtures/anthropic/streams`, made after its manual.
#![cfg(test)]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;
use topdog_domain::provider::Operation;
use topdog_domain::usage::TokenUsage;
use topdog_wire::splice::{splice, tells_usage_when_asked};
use topdog_wire::{StreamRelay, failure_event, read_head, usage_of_answer};

const SECRET: &str = "sk-ant-api03-Zq8xW3nT7vB1kL5mR9yH2-AA";

fn fixture(name: &str) -> Vec<u8> {
    let folder = format!("{}/tests/fixtures/anthropic", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// What came through, and the relay that it came through.
fn relay<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, StreamRelay) {
    let mut relay = StreamRelay::new(Operation::Messages, false);
    let mut client = Vec::new();
    for piece in pieces {
        relay.feed(Bytes::copy_from_slice(piece), SECRET.as_bytes(), &mut |bytes: Bytes| {
            client.extend_from_slice(&bytes);
        });
    }
    client.extend(relay.finish(SECRET.as_bytes()).unwrap_or_default());
    (client, relay)
}

/// Fresh input, cache read, written for 5 minutes, for an hour, output, thinking.
fn tokens(counts: [u64; 6]) -> TokenUsage {
    let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning] = counts;
    TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning }
}

#[derive(Debug, PartialEq)]
struct Told {
    usage: Option<TokenUsage>,
    is_done: bool,
    has_failed: bool,
    text_bytes: u64,
}

fn told(relay: &StreamRelay) -> Told {
    Told {
        usage: relay.usage(),
        is_done: relay.is_done(),
        has_failed: relay.has_failed(),
        text_bytes: relay.delivered_text_bytes(),
    }
}

#[test]
fn streams_pass_untouched_and_tell_their_facts_however_they_are_cut() {
    for (name, usage, is_done, has_failed, text_bytes) in [
        // `message_start` tells the input, `message_delta` the output of all, not of the rest: 15 and not 16.
        ("text", [25, 100, 10, 0, 15, 0], true, false, 11),
        ("no_final_blank_line", [25, 100, 10, 0, 15, 0], true, false, 11),
        // A signature and a citation are nothing that the model wrote as its answer.
        ("thinking", [30, 0, 0, 0, 10, 60], true, false, 35),
        ("tools", [472, 0, 0, 0, 89, 0], true, false, 47),
        // It broke off within an event: what has been told so far is known, and it is not done.
        ("died", [25, 100, 10, 0, 1, 0], false, false, 11),
        // An `error` event within a 200.
        ("error", [3, 0, 0, 0, 1, 0], false, true, 0),
    ] {
        let stream = fixture(&format!("streams/{name}.sse"));
        let expected = Told { usage: Some(tokens(usage)), is_done, has_failed, text_bytes };
        for size in (1..40).chain([64, 100, 1000, usize::MAX]) {
            let (client, relay) = relay(stream.chunks(size));
            assert_eq!(told(&relay), expected, "{name} by {size}");
            assert!(client == stream, "{name} by {size}: the bytes are changed");
        }
    }
}

proptest! {
    /// Cut anywhere, and with line ends of any kind, a stream tells the same and passes whole.
    #[test]
    fn no_cut_and_no_line_end_changes_what_is_told(
        cuts in prop::collection::vec(0_usize..2000, 0..12),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        name in prop::sample::select(vec!["text", "thinking", "tools", "error"]),
    ) {
        let stream = String::from_utf8(fixture(&format!("streams/{name}.sse"))).unwrap();
        let (_, plain) = relay([stream.as_bytes()]);
        let stream = stream.replace('\n', line_end).into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let (client, relay) = relay(cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]));
        prop_assert_eq!(told(&relay), told(&plain));
        prop_assert!(client == stream);
    }
}

fn stream_of(usages: &[&str]) -> String {
    let [start, deltas @ ..] = usages else { panic!("no usage at all") };
    let start = format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"usage\":{start}}}}}\n\n"
    );
    let delta = |usage| {
        format!(
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{usage}}}\n\n"
        )
    };
    start + &deltas.iter().map(delta).collect::<String>()
}

#[test]
fn usage_that_is_told_twice_counts_once() {
    for (usages, expected) in [
        // Cumulative: the second holds the first.
        (&[r#"{"input_tokens":10,"output_tokens":1}"#, r#"{"output_tokens":40}"#][..], [10, 0, 0, 0, 40, 0]),
        // A compatible provider tells 0 first and the truth last, another the truth first and 0 last.
        (
            &[r#"{"input_tokens":0,"output_tokens":0}"#, r#"{"input_tokens":10,"output_tokens":40}"#],
            [10, 0, 0, 0, 40, 0],
        ),
        (
            &[r#"{"input_tokens":10,"output_tokens":1}"#, r#"{"input_tokens":0,"output_tokens":40}"#],
            [10, 0, 0, 0, 40, 0],
        ),
        // What is written to caches excludes what is read, and for how long is told at the beginning only.
        (
            &[
                r#"{"input_tokens":10,"cache_read_input_tokens":7,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":1}"#,
                r#"{"input_tokens":10,"cache_read_input_tokens":7,"cache_creation_input_tokens":300,"output_tokens":40}"#,
            ],
            [10, 7, 100, 200, 40, 0],
        ),
        // Thinking is output, too, and is counted once: the split is of the last word, not of the first.
        (
            &[
                r#"{"input_tokens":10,"output_tokens":30}"#,
                r#"{"output_tokens":50,"output_tokens_details":{"thinking_tokens":45}}"#,
            ],
            [10, 0, 0, 0, 5, 45],
        ),
        // Three times, as with tools that the provider runs itself.
        (
            &[
                r#"{"input_tokens":10,"output_tokens":1}"#,
                r#"{"input_tokens":900,"output_tokens":20}"#,
                r#"{"input_tokens":900,"output_tokens":80,"server_tool_use":{"web_search_requests":1}}"#,
            ],
            [900, 0, 0, 0, 80, 0],
        ),
    ] {
        let (_, relay) = relay([stream_of(usages).as_bytes()]);
        assert_eq!(relay.usage(), Some(tokens(expected)), "{usages:?}");
    }
}

#[test]
fn strange_usage_is_no_usage_and_takes_away_none() {
    let good = r#"{"input_tokens":10,"output_tokens":4}"#;
    for strange in [r#""7""#, "null", "[]", "{}", r#"{"output_tokens":-1}"#, r#"{"output_tokens":"9"}"#] {
        let (_, strange_relay) = relay([stream_of(&[strange]).as_bytes()]);
        assert_eq!(strange_relay.usage(), None, "{strange}");
        let (_, relay) = relay([stream_of(&[good, strange]).as_bytes()]);
        assert_eq!(relay.usage(), Some(tokens([10, 0, 0, 0, 4, 0])), "{strange}");
    }
    let most = u64::MAX;
    let usage = format!(
        r#"{{"input_tokens":{most},"output_tokens":1,"output_tokens_details":{{"thinking_tokens":{most}}}}}"#
    );
    let (_, relay) = relay([stream_of(&[&usage]).as_bytes()]);
    assert_eq!(relay.usage(), Some(tokens([most, 0, 0, 0, 0, most])));
}

#[test]
fn whole_answers_tell_their_usage_in_buckets_that_do_not_overlap() {
    let usage = |name: &str| usage_of_answer(Operation::Messages, &fixture(&format!("answers/{name}.json")));
    // 2051 were written to caches, of them 1000 for an hour; `input_tokens` has none of them.
    assert_eq!(usage("text"), Some(tokens([2095, 2051, 1051, 1000, 103, 400])));
    assert_eq!(usage("thinking_and_tools"), Some(tokens([10, 0, 0, 0, 20, 0])));
    let unsplit = br#"{"usage":{"input_tokens":1,"cache_creation_input_tokens":5,"output_tokens":2}}"#;
    assert_eq!(usage_of_answer(Operation::Messages, unsplit), Some(tokens([1, 0, 5, 0, 2, 0])));
    assert_eq!(usage_of_answer(Operation::Messages, br#"{"content":[{"usage":{"input_tokens":1}}]}"#), None);
    // OpenAI's word for cached input is none here: nothing is taken off.
    let foreign =
        br#"{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":1}}"#;
    assert_eq!(usage_of_answer(Operation::Messages, foreign), Some(tokens([9, 0, 0, 0, 1, 0])));
}

#[test]
fn counting_tokens_uses_none() {
    let counted = usage_of_answer(Operation::CountTokens, br#"{"input_tokens":2095}"#);
    assert_eq!(counted, Some(TokenUsage::default()), "told, not estimated");
}

#[test]
fn only_message_stop_ends_a_stream_well() {
    let text = |text: &str| {
        let delta =
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        format!("event: content_block_delta\ndata: {delta}\n\n")
    };
    for not_the_end in [
        "data: [DONE]\n\n".to_owned(),
        "event: response.completed\ndata: {\"type\":\"response.completed\"}\n\n".to_owned(),
        text("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        text("[DONE]"),
        stream_of(&[r#"{"input_tokens":1,"output_tokens":1}"#, r#"{"output_tokens":2}"#]),
    ] {
        let (client, relay) = relay([not_the_end.as_bytes()]);
        assert!(!relay.is_done() && !relay.has_failed(), "{not_the_end}");
        assert_eq!(client, not_the_end.as_bytes());
    }
    for the_end in [
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
    ] {
        assert!(relay([the_end.as_bytes()]).1.is_done(), "{the_end}");
    }
    assert!(StreamRelay::new(Operation::Messages, false).says_when_done());
    assert!(!StreamRelay::new(Operation::Speech, false).says_when_done());
}

#[test]
fn an_error_within_a_200_keeps_the_key_out_wherever_it_is_cut() {
    let start = stream_of(&[r#"{"input_tokens":1,"output_tokens":1}"#]);
    for failure in [
        format!(
            "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"bad {SECRET}\"}}}}"
        ),
        format!(
            "data: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"x {SECRET}\"}},\"request_id\":\"r\"}}"
        ),
    ] {
        let stream = format!("{start}{failure}\n\n");
        let expected = stream.replace(SECRET, "[redacted]");
        for first in 0..stream.len() {
            let (one, rest) = stream.as_bytes().split_at(first);
            let (two, three) = rest.split_at(30.min(rest.len()));
            let (client, relay) = relay([one, two, three]);
            assert_eq!(String::from_utf8(client).unwrap(), expected, "cut at {first}");
            assert!(relay.has_failed() && !relay.is_done());
            assert_eq!(relay.failure_code(), Some("overloaded_error"));
        }
    }
}

#[test]
fn a_failure_is_called_by_its_code_before_its_class() {
    for (error, code) in [
        (
            r#"{"type":"api_error","message":"x","details":{"error_code":"compaction_unavailable"}}"#,
            "compaction_unavailable",
        ),
        (r#"{"type":"api_error","message":"x","details":{"error_code":"not a word"}}"#, "api_error"),
        (r#"{"type":"api_error","message":"x","details":null}"#, "api_error"),
        (r#"{"type":"api_error","message":"x","details":{"error_code":"a"},"code":"b"}"#, "b"),
    ] {
        let stream = format!("event: error\ndata: {{\"type\":\"error\",\"error\":{error}}}\n\n");
        let (client, relay) = relay([stream.as_bytes()]);
        assert_eq!(relay.failure_code(), Some(code), "{error}");
        assert_eq!(client, stream.as_bytes());
    }
}

#[test]
fn a_dead_stream_says_so_even_within_an_event_and_never_that_it_is_done() {
    let event = failure_event(Operation::Messages, "upstream_failed", "the provider broke off", "req_1", 0);
    assert_eq!(
        event,
        "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the provider broke off (request req_1)\",\"details\":{\"error_code\":\"upstream_failed\"},\"code\":\"upstream_failed\"},\"request_id\":\"req_1\"}\n\n"
    );
    let stream = fixture("streams/text.sse");
    for cut in 0..stream.len() - 1 {
        let mut dead = StreamRelay::new(Operation::Messages, false);
        let mut client = Vec::new();
        dead.feed(Bytes::copy_from_slice(&stream[..cut]), b"", &mut |bytes| client.extend_from_slice(&bytes));
        client.extend(dead.finish(b"").unwrap_or_default());
        if dead.is_done() {
            continue;
        }
        client.extend_from_slice(&dead.failure_event("upstream_failed", "it broke off", "req_1"));
        // As a client reads it.
        let (_, read) = relay([client.as_slice()]);
        assert!(read.has_failed() && !read.is_done(), "cut at {cut}");
        assert_eq!(read.failure_code(), Some("upstream_failed"));
    }
}

#[test]
fn a_failure_too_long_to_read_is_replaced_in_the_same_dialect() {
    let stream = format!(
        "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"api_error\",\"message\":\"{SECRET} {}\"}}}}\n\n",
        "x".repeat(200 * 1024)
    );
    for size in [1000, 70_000, usize::MAX] {
        let (client, relay) = relay(stream.as_bytes().chunks(size));
        let client = String::from_utf8(client).unwrap();
        assert!(
            client.contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""),
            "{client}"
        );
        assert!(
            client.ends_with("\"code\":\"upstream_error\"}}\n\n") && !client.contains("Zq8xW3nT"),
            "{client}"
        );
        assert!(relay.has_failed());
    }
}

#[test]
fn a_long_event_is_read_by_its_name() {
    let long = "x".repeat(100 * 1024);
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": long}});
    // What a tool of the provider's found may hold any word.
    let found = json!({"type": "content_block_start", "index": 1, "content_block": {"type": "web_search_tool_result",
        "content": [{"type": "web_search_result", "encrypted_content": long, "usage": {"input_tokens": 5, "output_tokens": 5}}]}});
    for size in [1000, 70_000, usize::MAX] {
        let stream = format!(
            "event: content_block_delta\ndata: {delta}\n\nevent: content_block_start\ndata: {found}\n\n"
        );
        let (client, relay) = relay(stream.as_bytes().chunks(size));
        assert!(client == stream.as_bytes());
        assert_eq!(relay.usage(), None);
        assert!((100 * 1024..101 * 1024).contains(&relay.delivered_text_bytes()), "{size}");
    }
}

#[test]
fn of_a_request_only_the_model_is_changed() {
    let body = br#"{ "model":"anthropic/claude-x" , "max_tokens":64,"stream":true,"thinking":{"type":"enabled"},"messages":[{"role":"user","content":[{"type":"thinking","signature":"s+/="}]}],"x_new":[1.0,{"model":"y"}]}"#;
    assert!(!tells_usage_when_asked(Operation::Messages));
    let head = read_head(body).unwrap();
    assert_eq!(
        (head.model.as_deref(), head.is_stream, head.max_output_tokens),
        (Some("anthropic/claude-x"), true, Some(64))
    );
    let marks = head.marks();
    let wants_usage = tells_usage_when_asked(Operation::Messages);
    let spliced = splice(Bytes::from_static(body), &marks, "claude-x", wants_usage);
    assert_eq!(spliced, std::str::from_utf8(body).unwrap().replace("anthropic/claude-x", "claude-x"));
}
