//! Streams as providers send them (`fixtures/openai/streams`): what reaches a client that did not ask
//! for usage, and what is learnt on the way. `TOPDOG_WRITE_FIXTURES=1` writes what is expected anew.
#![cfg(test)]

use bytes::Bytes;
use std::path::{Path, PathBuf};
use topdog_domain::provider::Operation;
use topdog_wire::sse::{Event, Scanner};
use topdog_wire::{StreamRelay, failure_event};

fn cases() -> Vec<PathBuf> {
    let folder = format!("{}/tests/fixtures/openai/streams", env!("CARGO_MANIFEST_DIR"));
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 15);
    cases
}

fn operation_of(case: &Path) -> Operation {
    let name = std::fs::read_to_string(case.join("operation")).unwrap();
    Operation::ALL.into_iter().find(|operation| operation.name() == name.trim()).unwrap()
}

struct Relayed {
    client: Vec<u8>,
    facts: String,
}

fn relay<'a>(operation: Operation, strip_usage: bool, pieces: impl Iterator<Item = &'a [u8]>) -> Relayed {
    let mut relay = StreamRelay::new(operation, strip_usage);
    let mut client = Vec::new();
    for piece in pieces {
        relay.feed(Bytes::copy_from_slice(piece), b"", &mut |bytes: Bytes| client.extend_from_slice(&bytes));
    }
    client.extend(relay.finish(b"").unwrap_or_default());
    let usage = relay.usage().map_or("none".to_owned(), |usage| {
        format!(
            "input {} cached {} output {} reasoning {}",
            usage.input, usage.cache_read, usage.output, usage.reasoning
        )
    });
    let facts = format!(
        "usage: {usage}\nis_done: {}\nhas_failed: {}\ntext_bytes: {}\nestimated_output: {}\nnext_sequence_number: {}\n",
        relay.is_done(),
        relay.has_failed(),
        relay.delivered_text_bytes(),
        relay.estimated_output(),
        relay.next_sequence_number(),
    );
    Relayed { client, facts }
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn is_writing() -> bool {
    std::env::var_os("TOPDOG_WRITE_FIXTURES").is_some()
}

#[test]
fn streams_reach_the_client_as_expected_however_they_are_cut() {
    for case in cases() {
        let operation = operation_of(&case);
        let upstream = std::fs::read(case.join("upstream.sse")).unwrap();
        let whole = relay(operation, true, std::iter::once(upstream.as_slice()));
        if is_writing() {
            std::fs::write(case.join("client.sse"), &whole.client).unwrap();
            std::fs::write(case.join("facts"), &whole.facts).unwrap();
        }
        let expected = std::fs::read(case.join("client.sse")).unwrap();
        let facts = std::fs::read_to_string(case.join("facts")).unwrap();
        for size in (1..40).chain([64, 100, 1000, usize::MAX]) {
            let cut = relay(operation, true, upstream.chunks(size));
            let name = case.display();
            assert_eq!(
                String::from_utf8_lossy(&cut.client),
                String::from_utf8_lossy(&expected),
                "{name} by {size}"
            );
            assert_eq!(cut.facts, facts, "{name} by {size}");
            let verbatim = relay(operation, false, upstream.chunks(size));
            assert_eq!(verbatim.client, upstream, "{name} by {size}, unstripped");
            assert_eq!(verbatim.facts, facts, "{name} by {size}, unstripped");
        }
    }
}

#[test]
fn what_is_not_stripped_passes_at_once_and_uncopied() {
    let chunk = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"half an eve");
    let mut relay = StreamRelay::new(Operation::Chat, false);
    let mut sent = Vec::new();
    relay.feed(chunk.clone(), b"", &mut |bytes| sent.push(bytes));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn whole_events_pass_uncopied_while_stripping_and_half_ones_wait() {
    let chunk = Bytes::from_static(b"data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: {\"c\"");
    let mut relay = StreamRelay::new(Operation::Chat, true);
    let mut sent = Vec::new();
    relay.feed(chunk.clone(), b"", &mut |bytes| sent.push(bytes));
    assert_eq!(sent, [&chunk[..30]]);
    assert_eq!(sent[0].as_ptr(), chunk.as_ptr());
    relay.feed(Bytes::from_static(b":3}\n\n"), b"", &mut |bytes| sent.push(bytes));
    assert_eq!(sent[1..].concat(), b"data: {\"c\":3}\n\n");
}

#[test]
fn an_event_too_long_to_hold_is_let_go() {
    let mut relay = StreamRelay::new(Operation::Chat, true);
    let mut sent = 0;
    relay.feed(Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\""), b"", &mut |bytes| {
        sent += bytes.len()
    });
    assert_eq!(sent, 0);
    for _ in 0..20 {
        relay.feed(Bytes::from(vec![b'x'; 8 * 1024]), b"", &mut |bytes| sent += bytes.len());
    }
    assert!(sent >= 20 * 8 * 1024, "all of it has been let go: {sent}");
    relay.feed(Bytes::from_static(b"\"}}]}\n\ndata: [DONE]\n\n"), b"", &mut |bytes| sent += bytes.len());
    assert!(relay.is_done());
    assert!(relay.delivered_text_bytes() >= 20 * 8 * 1024);
    assert_eq!(sent, 39 + 20 * 8 * 1024 + 7 + 14);
}

#[test]
fn a_long_terminal_event_still_tells_its_usage() {
    let text = "x".repeat(300 * 1024);
    let event = format!(
        "event: response.completed\ndata: {{\"type\":\"response.completed\",\"sequence_number\":9,\"response\":{{\"output\":[{{\"text\":\"{text}\"}}],\"usage\":{{\"input_tokens\":4,\"output_tokens\":75000}},\"metadata\":{{}}}}}}\n\n"
    );
    for size in [1000, 70_000, usize::MAX] {
        let relayed = relay(Operation::Responses, false, event.as_bytes().chunks(size));
        assert!(relayed.facts.contains("input 4 cached 0 output 75000"), "{}", relayed.facts);
        assert!(relayed.facts.contains("is_done: true"));
        assert!(relayed.facts.contains("next_sequence_number: 10"));
    }
}

#[test]
fn an_events_type_is_the_outermost_one() {
    let stream =
        "data: {\"item\":{\"type\":\"message\"},\"response\":{},\"type\":\"response.completed\"}\n\n";
    let relayed = relay(Operation::Responses, false, std::iter::once(stream.as_bytes()));
    assert!(relayed.facts.contains("is_done: true"));
}

#[test]
fn events_are_read_as_the_standard_says() {
    let event = Event::read("\u{feff}event:a\nevent: b\r\ndata\rdata:  x\n: note\nid: 1\ndata:y:z\n\n");
    assert_eq!(event.name, Some("b"));
    assert_eq!(event.data.as_deref(), Some("\n x\ny:z"));
    assert_eq!(Event::read(": only a comment\n\n"), Event::default());
}

#[test]
fn ends_are_found_in_any_mix_of_line_ends() {
    let stream = b"a\n\nb\r\n\r\nc\r\rd\n\r\ne\r\n\rf";
    let mut scanner = Scanner::new();
    let mut rest: &[u8] = stream;
    let mut events = Vec::new();
    while let Some(length) = scanner.next_end(rest) {
        events.push(&rest[..length]);
        rest = &rest[length..];
    }
    let expected: [&[u8]; 5] = [b"a\n\n", b"b\r\n\r\n", b"c\r\r", b"d\n\r\n", b"e\r\n\r"];
    assert_eq!(events, expected);
    assert_eq!(rest, b"f");
}

#[test]
fn a_dead_chat_says_so_and_never_that_it_is_done() {
    let event =
        failure_event(Operation::Chat, "upstream_failed", "the provider's stream broke off", "req_1", 0);
    let expected = "\n\ndata: {\"error\":{\"message\":\"the provider's stream broke off (request req_1)\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_failed\"}}\n\n";
    assert_eq!(event, expected);
}

#[test]
fn a_dead_response_fails_by_both_of_its_events() {
    let mut relay = StreamRelay::new(Operation::Responses, false);
    let stream =
        std::fs::read(cases()[0].with_file_name("responses_completed").join("upstream.sse")).unwrap();
    relay.feed(Bytes::from(stream[..1400].to_vec()), b"", &mut |_| {});
    assert!(!relay.is_done());
    let events =
        String::from_utf8(relay.failure_event("upstream_failed", "it broke off", "req_1").to_vec()).unwrap();
    let number = relay.next_sequence_number();
    assert!(events.starts_with(&format!("\n\nevent: error\ndata: {{\"type\":\"error\",\"code\":\"upstream_failed\",\"message\":\"it broke off (request req_1)\",\"param\":null,\"sequence_number\":{number}}}\n\n")));
    assert!(events.contains("\n\nevent: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_67c9fdcecf48\""));
    assert!(events.ends_with(&format!("\"sequence_number\":{}}}\n\n", number + 1)));
    assert!(!events.contains("[DONE]"));

    let mut client = StreamRelay::new(Operation::Responses, false);
    client.feed(Bytes::from(events), b"", &mut |_| {});
    assert!(client.is_done() && client.has_failed(), "a client sees a failed response");
}
