//! Keys in what providers say when they fail.
#![cfg(test)]

use topdog_wire::redact::redact_error_body;

const SECRET: &str = "sk-proj-Zq8xW3nT7vB1kL5mR9yH2";
const PLAIN_SECRET: &str = "Zq8xW3nT7vB1kL5mR9yH2";

fn redacted(body: &str, secret: &str) -> String {
    String::from_utf8(redact_error_body(body.as_bytes(), secret.as_bytes()).to_vec()).unwrap()
}

#[test]
fn keys_are_hidden_whole_cut_and_masked() {
    let cases = [
        ("sk-proj-Zq8xW3nT7vB1kL5mR9yH2", "[redacted]"),
        (
            "Incorrect API key provided: sk-proj-Zq8xW3nT7vB1kL5mR9yH2. You",
            "Incorrect API key provided: [redacted]. You",
        ),
        ("provided: sk-ab***cd.", "provided: [redacted]."),
        ("provided: sk-pr*********************9yH2.", "provided: [redacted]."),
        ("key ending in 9yH2 is", "key ending in [redacted] is"),
        ("key …9yH2 is", "key [redacted] is"),
        ("key ...yH2 is", "key [redacted] is"),
        ("key \\u20269yH2 is", "key [redacted] is"),
        ("in the middle T7vB1kL5 of it", "in the middle [redacted] of it"),
        ("another's td_live_0123456789AB key", "another's [redacted] key"),
        ("AIzaSyA-1234567890 and xai-1234abcd", "[redacted] and [redacted]"),
        ("line\\nsk-abcdefgh", "line\\n[redacted]"),
        ("Authorization: Bearer abc123def", "Authorization: Bearer [redacted]"),
        ("Bearer abcdefghijklmnopqrstuvwxyz", "Bearer [redacted]"),
        ("key=sk-1234abcd&x=1", "key=[redacted]&x=1"),
    ];
    for (text, expected) in cases {
        let body = format!("{{\"error\":{{\"message\":\"{text}\",\"code\":12}}}}");
        let expected_body = format!("{{\"error\":{{\"message\":\"{expected}\",\"code\":12}}}}");
        assert_eq!(redacted(&body, SECRET), expected_body);
        assert_eq!(redacted(text, SECRET), expected, "as plain text");
    }
}

#[test]
fn keys_without_a_known_shape_are_hidden_too() {
    for (text, expected) in [
        ("bad key Zq8xW3nT7vB1kL5mR9yH2", "bad key [redacted]"),
        ("bad key Zq8x*****", "bad key [redacted]"),
        ("bad key Zq8x, try", "bad key [redacted], try"),
        ("bad key *****H2", "bad key [redacted]"),
    ] {
        assert_eq!(redacted(text, PLAIN_SECRET), expected);
    }
    assert_eq!(redacted(r#"{"m":"bad a\"b/c\\d+key!"}"#, r#"a"b/c\d+key!"#), r#"{"m":"bad [redacted]"}"#);
    assert_eq!(redacted("the key ab1 is short", "ab1"), "the key [redacted] is short");
}

#[test]
fn what_is_no_key_stays_and_is_not_copied() {
    for text in [
        r#"{"error":{"message":"The model `gpt-4o-mini-2024-07-18` does not exist.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        r#"{"error":{"message":"You need to provide your API key using Bearer auth (Authorization: Bearer YOUR_KEY), risk-free... task-12345 **bold**","code":1234567890}}"#,
        "<html><body>502 Bad Gateway</body></html>",
        "",
    ] {
        let redacted = redact_error_body(text.as_bytes(), SECRET.as_bytes());
        assert_eq!(String::from_utf8_lossy(&redacted), text);
        assert!(matches!(redacted, std::borrow::Cow::Borrowed(_)));
    }
}

#[test]
fn numbers_that_are_part_of_a_key_stay_numbers() {
    let body = r#"{"n":12345678,"s":"12345678"}"#;
    assert_eq!(redacted(body, "key-0012345678-99"), r#"{"n":12345678,"s":"[redacted]"}"#);
}
