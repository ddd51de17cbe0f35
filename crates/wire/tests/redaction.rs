//! Keys in what providers say when they fail.
#![cfg(test)]

use topdog_wire::redact::{KeyFinder, redact_error_body, redact_to_length};

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

/// The same digits as base64 has, by hand: what is tested must not test itself.
fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let digit =
        |six: &[bool]| six.iter().chain([&false; 6]).take(6).fold(0, |all, bit| all * 2 + usize::from(*bit));
    bits.chunks(6).map(|six| char::from(alphabet[digit(six)])).collect()
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const OF_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A secret with every character that some form of writing changes.
const ODD_SECRET: &str = r#"Kq7/x+A"b\c%d&e=Zf3Wn8Tm5Jv2"#;

#[test]
fn keys_are_found_in_base64_and_hexadecimal_wherever_they_begin() {
    for secret in [SECRET, PLAIN_SECRET, ODD_SECRET] {
        for before in ["", "x", "xy", "xyz", "Bearer ", "user:"] {
            let text = format!("{before}{secret}");
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            for (written, padding) in [
                (base64(text.as_bytes(), STANDARD), "=="),
                (base64(text.as_bytes(), OF_URLS), ""),
                (hex.to_uppercase(), ""),
                (hex, ""),
            ] {
                let found = redacted(&format!("the key ({written}{padding}) is bad"), secret);
                assert_eq!(found, "the key ([redacted]) is bad", "{written}");
                let body = format!(r#"{{"n":1,"m":"key={}{padding}"}}"#, written.replace('/', "\\/"));
                let found = redacted(&body, secret);
                assert!(
                    found.starts_with(r#"{"n":1,"m":"key"#) && found.ends_with(r#"[redacted]"}"#),
                    "{found}"
                );
                assert!(found.len() < 35, "all of it has gone: {found}");
            }
        }
    }
}

#[test]
fn keys_are_found_behind_escapes_of_every_kind_and_of_escapes() {
    let unicode = |text: &str| text.bytes().map(|byte| format!("\\u{byte:04X}")).collect::<String>();
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let html = |text: &str| text.bytes().map(|byte| format!("&#{byte};")).collect::<String>();
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    for secret in [SECRET, PLAIN_SECRET, ODD_SECRET, "50%41\\n&amp;u\\u0041x"] {
        for written in [
            unicode(secret),
            json(secret),
            json(&json(secret)),
            json(&unicode(secret)),
            json(&percent(secret)),
            json(&html(secret)),
            unicode(&percent(secret)),
        ] {
            let body = format!(r#"{{"error":{{"message":"bad \"{written}\"","code":12345678}}}}"#);
            let expected = r#"{"error":{"message":"bad \"[redacted]\"","code":12345678}}"#;
            assert_eq!(redacted(&body, secret), expected, "{written}");
        }
        for written in [secret.to_owned(), percent(secret), html(secret), unicode(secret)] {
            assert_eq!(redacted(&format!("bad <{written}>"), secret), "bad <[redacted]>", "as plain text");
        }
    }
}

#[test]
fn a_stretch_of_a_key_is_found_within_other_words() {
    assert_eq!(redacted("keyZq8xW3nT7vB1kL5end", PLAIN_SECRET), "key[redacted]end");
    assert_eq!(redacted("keyzq8xw3nt7vb1kl5end", PLAIN_SECRET), "key[redacted]end");
    assert_eq!(redacted(&SECRET.to_uppercase(), SECRET), "[redacted]");
    assert_eq!(redacted("keyZq8xW3nend", PLAIN_SECRET), "keyZq8xW3nend", "shorter ones may be chance");
}

#[test]
fn a_body_whose_length_is_told_keeps_it() {
    let redacted = |body: &str| {
        let redacted = redact_to_length(body.as_bytes(), SECRET.as_bytes());
        assert_eq!(redacted.len(), body.len());
        String::from_utf8(redacted.to_vec()).unwrap()
    };
    let body = format!(r#"{{"error":{{"message":"{SECRET} ends in 9yH2"}}}}"#);
    let short = redacted(&body);
    assert_eq!(short.trim_end(), r#"{"error":{"message":"[redacted] ends in ****"}}"#);
    serde_json::from_str::<serde_json::Value>(&short).unwrap();
    assert_eq!(redacted("{}"), "{}");
}

#[test]
fn headers_that_hold_a_key_are_told_from_such_as_do_not() {
    let finder = KeyFinder::new(SECRET.as_bytes());
    let encoded = base64(format!("Bearer {SECRET}").as_bytes(), STANDARD);
    for value in [SECRET, "Bearer realm=\"sk-other-key\"", "key ending in 9yH2", "sk-pr***9yH2", &encoded] {
        assert!(finder.is_in(value.as_bytes()), "{value}");
    }
    for value in [
        "application/json; charset=utf-8",
        "max-age=31536000; includeSubDomains; preload",
        "req_6f1ed002ab5595859014ebf0951522d9",
        "8e5f7c1a2b3c4d5e-FRA",
        "0198c2f0-7f3a-7c11-b2c3-1234567890ab",
        r#"{"endpoints":[{"url":"https:\/\/a.nel.cloudflare.com\/report\/v4?s=Q2xvdWRmbGFyZSBpcyBub3Qgb3Vycw%3D%3D"}]}"#,
        "W/\"5e15153d-120f\"",
        "6m0s",
        "*",
        "",
    ] {
        assert!(!finder.is_in(value.as_bytes()), "{value}");
    }
}
