//! The splicer, the key parser and the redactor.

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use topdog_domain::api_key::Token;
use topdog_wire::redact::redact_error_body;
use topdog_wire::{BadBody, read_head, splice};

/// Of a body, whatever it is: it is judged as serde_json judges it, and what is spliced differs in the
/// spliced fields alone.
pub fn splicer(data: &[u8]) {
    let (flags, body) = data.split_first().unwrap_or((&0, &[]));
    let wants_usage = flags & 1 == 1;
    let is_json =
        std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let head = match read_head(body) {
        Ok(head) => head,
        Err(BadBody::NotJson { .. }) => {
            // Half a surrogate pair in a name is grammar to serde_json, and no text to us.
            assert!(!is_json || body.windows(2).any(|two| two == b"\\u"), "refused valid JSON");
            return;
        }
        Err(_) => {
            return;
        }
    };
    assert!(is_json, "accepted what is no JSON");
    let model = if flags & 2 == 2 { "gpt-4o-mini" } else { "a \"quoted\"\\ \u{7}é" };
    let marks = head.marks();
    let spliced = splice(Bytes::copy_from_slice(body), &marks, model, wants_usage);
    let after = read_head(&spliced).unwrap_or_else(|error| panic!("spliced into a bad body: {error}"));
    assert_eq!(after.model.as_deref(), Some(model));
    assert_eq!(after.is_stream, head.is_stream);
    assert_eq!(after.max_output_tokens, head.max_output_tokens);
    assert_eq!(after.n, head.n);
    assert_eq!(after.asks_usage, head.asks_usage || (wants_usage && head.is_stream));
    assert_eq!(others(&spliced), others(body), "another field changed");

    let again = splice(spliced.clone(), &after.marks(), model, wants_usage);
    assert!(std::ptr::eq(again.as_ptr(), spliced.as_ptr()), "copied a body that needed no change");
}

/// Of a text: what parses as a key is one to the last character.
pub fn api_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some(token) = Token::parse(text) else {
        return;
    };
    assert_eq!(token.expose(), text);
    assert!(text.starts_with(token.mode().prefix()));
    assert!(text.contains(token.public_id().as_str()));
    let shown = format!("{token:?}");
    assert!(text.get(20..).is_none_or(|secret| !shown.contains(secret)));
    for at in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        if let Some(byte) = changed.get_mut(at) {
            *byte = if *byte == b'0' { b'1' } else { b'0' };
        }
        assert!(std::str::from_utf8(&changed).ok().and_then(Token::parse).is_none(), "a misspelt key passed");
    }
}

/// Of an error body: the secret is gone, and JSON is still JSON.
pub fn redaction(data: &[u8]) {
    const SECRET: &[u8] = b"sk-proj-Zq8xW3nT7vB1";
    let redacted = redact_error_body(data, SECRET);
    assert!(!redacted.windows(SECRET.len()).any(|part| part == SECRET), "the secret is still there");
    let is_json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
    assert!(!is_json(data) || is_json(&redacted), "no longer JSON");
}

/// The top-level members other than the two that may change, in order, values byte for byte; of
/// `stream_options` the members other than `include_usage`.
fn others(body: &[u8]) -> Vec<(String, String)> {
    let mut others = Vec::new();
    for (name, value) in members(body) {
        match name.as_str() {
            "model" => {}
            "stream_options" => others
                .extend(members(value.as_bytes()).into_iter().filter(|(name, _)| name != "include_usage")),
            _ => others.push((name, value)),
        }
    }
    others
}

fn members(body: &[u8]) -> Vec<(String, String)> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                members.push((name, value.get().to_owned()));
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_slice(body).deserialize_map(Members).unwrap_or_default()
}
