//! Amazon's binary streams as text, for fixtures and comparisons: `event: <name>` or `exception: <name>`,
//! `data: <payload>`, a blank line. Other dialects' streams are text already.

use std::fmt::Write as _;
use topdog_wire::event_stream::{Decoder, HeaderValue, encode};
use topdog_wire::translate::Dialect;

/// The bytes that a stream in text stands for.
pub(crate) fn to_wire(dialect: Dialect, text: &[u8]) -> Vec<u8> {
    if dialect != Dialect::BedrockConverse {
        return text.to_vec();
    }
    let mut wire = Vec::new();
    let (mut kind, mut name) = ("", "");
    for line in std::str::from_utf8(text).unwrap().lines() {
        match line.split_once(": ") {
            Some((told @ ("event" | "exception"), of)) => (kind, name) = (told, of),
            Some(("data", payload)) => {
                let headers = [
                    (
                        if kind == "event" { ":event-type" } else { ":exception-type" },
                        HeaderValue::Text(name),
                    ),
                    (":content-type", HeaderValue::Text("application/json")),
                    (":message-type", HeaderValue::Text(kind)),
                ];
                encode(&headers, payload.as_bytes(), &mut wire).unwrap();
            }
            _ => {}
        }
    }
    wire
}

/// The text that a stream's bytes are; its messages must be whole and sound.
pub(crate) fn to_text(dialect: Dialect, wire: &[u8]) -> String {
    if dialect != Dialect::BedrockConverse {
        return String::from_utf8(wire.to_vec()).unwrap();
    }
    let (mut text, mut decoder) = (String::new(), Decoder::default());
    decoder
        .push(wire, &mut |message| {
            let kind = message.text(":message-type").unwrap();
            let name = message.text(&format!(":{kind}-type")).unwrap();
            assert_eq!(message.text(":content-type"), Some("application/json"));
            let payload = std::str::from_utf8(message.payload).unwrap();
            write!(text, "{kind}: {name}\ndata: {payload}\n\n").unwrap();
        })
        .unwrap();
    decoder.finish().unwrap();
    text
}
