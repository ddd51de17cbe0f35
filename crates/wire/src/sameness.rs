//! What makes two JSON requests the same, for giving an answer again.

use crate::json::{self, Cursor, Kind, Member};

/// A request body as far as it shapes its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sameness {
    /// The body without `model`, its members in the order of their names, without white space between them.
    pub text: Vec<u8>,
    /// Is its answer meant to vary? So it is unless `temperature` is 0.
    pub is_sampled: bool,
    /// Does it ask for something to be stored (`store`), where it says so?
    pub stores: Option<bool>,
    /// Does it go on from something that is kept at its provider, or leave something there?
    pub has_state: bool,
}

/// What names something at a provider, which may be another the next time.
const STATEFUL: [&str; 5] = ["previous_response_id", "conversation", "background", "container", "prompt"];

/// The sameness of a request body that [`read_head`](crate::json_head::read_head) has checked; none where it is no
/// object.
#[must_use]
pub fn sameness(body: &[u8]) -> Option<Sameness> {
    let text = std::str::from_utf8(body).ok()?;
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let mut members = Vec::new();
    let take = |member: Member<'_>| -> Result<(), json::Fault> {
        members.push((member.key.to_owned(), member.value.kind, member.value.raw.to_owned()));
        Ok(())
    };
    cursor.members(take).ok()?;
    let mut sameness =
        Sameness { text: Vec::with_capacity(body.len()), is_sampled: true, stores: None, has_state: false };
    members.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    for (key, kind, raw) in &members {
        // Nobody writes a name so but to hide it.
        sameness.has_state |= key.contains('\\');
        match key.as_str() {
            "model" => continue,
            "temperature" => sameness.is_sampled = raw.parse::<f64>().ok() != Some(0.0),
            "store" => sameness.stores = Some(*kind != Kind::False),
            // Chat completions of before the Responses API had no `prompt` object; the plain texts of completions are none.
            "prompt" => sameness.has_state |= *kind == Kind::Object,
            key if STATEFUL.contains(&key) => sameness.has_state |= !matches!(kind, Kind::Null | Kind::False),
            _ => {}
        }
        sameness.text.push(b'"');
        sameness.text.extend_from_slice(key.as_bytes());
        sameness.text.extend_from_slice(b"\":");
        without_space(raw.as_bytes(), &mut sameness.text);
        sameness.text.push(b',');
    }
    Some(sameness)
}

/// Does a whole JSON answer say that something went wrong, whatever its status?
#[must_use]
pub fn tells_of_an_error(answer: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(answer) else { return true };
    match json::document(text) {
        Ok(document) => document.member("error").is_some_and(|error| error.kind != Kind::Null),
        Err(_) => true,
    }
}

/// White space within strings stays.
fn without_space(raw: &[u8], into: &mut Vec<u8>) {
    let (mut is_string, mut is_escaped) = (false, false);
    for byte in raw {
        if !is_string && matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        into.push(*byte);
        if is_escaped {
            is_escaped = false;
        } else if *byte == b'\\' {
            is_escaped = is_string;
        } else if *byte == b'"' {
            is_string = !is_string;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> String {
        String::from_utf8(sameness(body.as_bytes()).unwrap().text).unwrap()
    }

    #[test]
    fn order_space_and_the_models_name_make_no_difference() {
        let one = r#"{"model":"a","messages":[{"role":"user","content":"x \" y"}],"n":1}"#;
        let other = " {\"n\" : 1 ,\n \"messages\":[ {\"role\":\"user\",\t\"content\":\"x \\\" y\"}],\"model\":\"b/c\"}";
        assert_eq!(text(one), text(other));
        assert_eq!(text(one), r#""messages":[{"role":"user","content":"x \" y"}],"n":1,"#);
    }

    #[test]
    fn everything_else_does() {
        let all = [
            r#"{"messages":["a b"]}"#,
            r#"{"messages":["ab"]}"#,
            r#"{"messages":["a","b"]}"#,
            r#"{"messages":["a\\\" ,b"]}"#,
            r#"{"messages":["a b"],"seed":1}"#,
            r#"{"messages":["a b"],"seed":1.0}"#,
            r#"{"messages":["a b"],"seed":18446744073709551616}"#,
            r#"{"messages":["a b"],"seed":18446744073709551617}"#,
            r#"{"messages":[{"x":1,"x":2}]}"#,
            r#"{"messages":[{"x":2}]}"#,
            r#"{"messages":["a b"],"stream":true}"#,
        ];
        let texts: std::collections::HashSet<_> = all.iter().map(|body| text(body)).collect();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn what_varies_and_what_leaves_something_behind_is_known() {
        for (body, expected) in [
            ("{}", (true, None, false)),
            (r#"{"temperature":0}"#, (false, None, false)),
            (r#"{"temperature":0.0}"#, (false, None, false)),
            (r#"{"temperature":-0e5}"#, (false, None, false)),
            (r#"{"temperature":0.1}"#, (true, None, false)),
            (r#"{"temperature":null}"#, (true, None, false)),
            (r#"{"store":true}"#, (true, Some(true), false)),
            (r#"{"store":false}"#, (true, Some(false), false)),
            (r#"{"previous_response_id":"r"}"#, (true, None, true)),
            (r#"{"previous_response_id":null,"background":false}"#, (true, None, false)),
            (r#"{"background":true}"#, (true, None, true)),
            (r#"{"previous\u005fresponse_id":"r"}"#, (true, None, true)),
            (r#"{"prompt":"a text"}"#, (true, None, false)),
            (r#"{"prompt":{"id":"p"}}"#, (true, None, true)),
        ] {
            let found = sameness(body.as_bytes()).unwrap();
            assert_eq!((found.is_sampled, found.stores, found.has_state), expected, "{body}");
        }
        assert_eq!(sameness(b"[]"), None);
    }

    #[test]
    fn an_error_in_a_success_is_one() {
        for (answer, expected) in [
            (r#"{"choices":[],"error":{"message":"x"}}"#, true),
            (r#"{"choices":[{"error":1}]}"#, false),
            (r#"{"error":null}"#, false),
            (r#"{"err"#, true),
        ] {
            assert_eq!(tells_of_an_error(answer.as_bytes()), expected, "{answer}");
        }
    }
}
