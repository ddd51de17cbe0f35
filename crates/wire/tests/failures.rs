//! Failures within streams: told from answers, and free of keys when they reach the client.
#![cfg(test)]

use bytes::Bytes;
use topdog_domain::provider::Operation;
use topdog_wire::StreamRelay;
use topdog_wire::error_shape::{ErrorShape, error_shape};

const SECRET: &str = "Zq8xW3nT7vB1kL5mR9yH2";
const DELTA: &str = r#"data: {"choices":[{"delta":{"content":"hello"}}]}"#;

fn relay<'a>(operation: Operation, strip_usage: bool, pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut relay = StreamRelay::new(operation, strip_usage);
    let mut client = Vec::new();
    for piece in pieces {
        relay.feed(Bytes::copy_from_slice(piece), SECRET.as_bytes(), &mut |bytes: Bytes| {
            assert!(!bytes.is_empty());
            client.extend_from_slice(&bytes);
        });
    }
    client.extend(relay.finish(SECRET.as_bytes()).unwrap_or_default());
    String::from_utf8(client).unwrap()
}

#[test]
fn errors_are_told_from_answers_by_their_outermost_members() {
    use ErrorShape::{Answer, Error, Unclear};
    for (text, shape) in [
        (r#"{"error":{"message":"x"}}"#, Error),
        (r#"{"error":"#, Unclear),
        (r#"{"error":{"#, Error),
        (r#"{"id":"x","error":"bad"}"#, Error),
        ("\u{feff} \n{ \"error\" : 1 ", Error),
        (r#"[{"error":{}}]"#, Error),
        (r#"{"object":"error","message":"x"}"#, Error),
        (r#"{"type":"error"}"#, Error),
        (r#"{"type":"response.failed","response":{}}"#, Error),
        (r#"{"error":null,"id":1}"#, Answer),
        (r#"{"error":false,"#, Answer),
        (r#"{"id":"#, Unclear),
        (r#"{"id":1"#, Answer),
        (r#"{"id":1,"err"#, Answer),
        (r#"{"id":1,"error""#, Unclear),
        (r#"{"a":{"error":{}},"b":["error",{"error":1}]}"#, Answer),
        (r#"{"a":"\"error\":1","b":"error"}"#, Answer),
        (r#"{"a":1} {"error":1}"#, Answer),
        ("{}", Answer),
        ("[]", Answer),
        ("the error", Answer),
        ("", Unclear),
        ("  {", Unclear),
    ] {
        assert_eq!(error_shape(text.as_bytes()), shape, "{text}");
    }
}

#[test]
fn a_failure_reaches_the_client_without_the_key_wherever_it_is_cut() {
    let escaped: String = SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    for written in [SECRET, &escaped] {
        for failure in [
            format!(r#"data: {{"error":{{"message":"bad \"{written}\"","code":12345678}}}}"#),
            format!(r#"data: {{"id":"x","choices":[],"error":"bad {written}"}}"#),
            format!("id: 7\r\nevent: error\r\ndata: {{\"error\":\r\ndata: \"bad {written}\"}}\r\n: {SECRET}"),
            format!("event: error\ndata: plainly {written}"),
        ] {
            let stream = format!("{DELTA}\n\n{failure}\n\n{DELTA}\n\n");
            let expected = stream.replace(written, "[redacted]").replace(SECRET, "[redacted]");
            for strip_usage in [false, true] {
                for first in 0..stream.len() {
                    for second in [1, 40] {
                        let (one, rest) = stream.as_bytes().split_at(first);
                        let (two, three) = rest.split_at(second.min(rest.len()));
                        let told = relay(Operation::Chat, strip_usage, [one, two, three].into_iter());
                        assert_eq!(told, expected, "cut at {first}, stripping {strip_usage}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_key_that_comes_before_the_word_error_is_waited_for_too() {
    let failure = format!("data: {{\"message\":\"bad {SECRET}\",\"error\":true}}\n\n");
    let expected = failure.replace(SECRET, "[redacted]");
    let cut = failure.find("\",\"error").unwrap();
    for strip_usage in [false, true] {
        let (one, two) = failure.as_bytes().split_at(cut);
        assert_eq!(relay(Operation::Chat, strip_usage, [one, two].into_iter()), expected);
    }
}

#[test]
fn a_responses_failure_is_known_by_its_name_or_type_alone() {
    for failure in [
        format!(
            "event: response.failed\ndata: {{\"response\":{{\"error\":{{\"message\":\"{SECRET}\"}}}}}}\n\n"
        ),
        format!("data: {{\"response\":{{\"e\":\"{SECRET}\"}},\"type\":\"response.failed\"}}\n\n"),
        format!("data: {{\"type\":\"error\",\"message\":\"{SECRET}\"}}\n\n"),
    ] {
        let expected = failure.replace(SECRET, "[redacted]");
        for size in 1..failure.len() {
            let told = relay(Operation::Responses, false, failure.as_bytes().chunks(size));
            assert_eq!(told.replace(SECRET, "").len(), told.len(), "by {size}");
            if size > 30 {
                assert_eq!(told, expected, "by {size}");
            }
        }
    }
}

#[test]
fn what_is_no_failure_is_neither_changed_nor_held() {
    let events = [
        format!(r#"data: {{"choices":[{{"delta":{{"content":"my key {SECRET}, \"error\":1"}}}}]}}"#),
        r#"data: {"type":"response.created","response":{"error":null,"id":"x","output":[]}}"#.to_owned(),
        r#"data: {"type":"response.output_item.done","item":{"type":"mcp_call","error":{"a":1}}}"#.to_owned(),
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"error\":null}}"
            .into(),
    ];
    for event in &events {
        for operation in [Operation::Chat, Operation::Responses] {
            let whole = Bytes::from(format!("{event}\n\n"));
            let mut relay = StreamRelay::new(operation, false);
            let mut sent = Vec::new();
            relay.feed(whole.clone(), SECRET.as_bytes(), &mut |bytes| sent.push(bytes));
            assert_eq!(sent, [&whole]);
            assert_eq!(sent[0].as_ptr(), whole.as_ptr(), "not copied");
        }
    }
    for event in &events[1..] {
        let mut relay = StreamRelay::new(Operation::Responses, false);
        let mut sent = Vec::new();
        relay.feed(Bytes::from(event.clone()), SECRET.as_bytes(), &mut |bytes| sent.push(bytes));
        assert_eq!(sent.concat(), event.as_bytes(), "not held though unfinished");
    }
}

#[test]
fn a_failure_too_long_to_hold_is_replaced_and_what_follows_passes() {
    let long = format!("data: {{\"error\":\"{}{SECRET}\"}}\n\n", "x".repeat(100_000));
    for strip_usage in [false, true] {
        for size in [100, 4096, 65_000, 200_000] {
            let stream = format!("{DELTA}\n\n{long}{DELTA}\n\n");
            let told = relay(Operation::Chat, strip_usage, stream.as_bytes().chunks(size));
            assert!(told.starts_with(DELTA) && told.ends_with(&format!("{DELTA}\n\n")), "by {size}");
            assert!(
                told.contains("too long to be passed on") && told.len() < 500,
                "by {size}: {}",
                told.len()
            );
            let torn = &stream[..stream.len() - DELTA.len() - 10];
            let told = relay(Operation::Chat, strip_usage, torn.as_bytes().chunks(size));
            assert!(!told.contains(SECRET) && told.len() < 500, "by {size}: {}", told.len());
        }
    }
}

#[test]
fn a_failure_that_breaks_off_is_no_leak() {
    let failure = format!("data: {{\"error\":{{\"message\":\"bad {SECRET} is");
    for strip_usage in [false, true] {
        for size in [1, 9, 500] {
            let told = relay(Operation::Chat, strip_usage, failure.as_bytes().chunks(size));
            let expected = if strip_usage { String::new() } else { failure.replace(SECRET, "[redacted]") };
            assert_eq!(told, expected, "by {size}");
        }
    }
}
