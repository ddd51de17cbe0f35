//! Reading a request body's head, and splicing it.
#![cfg(test)]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use topdog_wire::{BadBody, read_head, splice};

fn spliced(body: &str, model: &str, wants_usage: bool) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let marks = read_head(&body).unwrap().marks();
    String::from_utf8(splice(body, &marks, model, wants_usage).to_vec()).unwrap()
}

fn refused(body: &str) -> BadBody {
    read_head(body.as_bytes()).unwrap_err()
}

#[test]
fn a_head_tells_what_decides() {
    let head = read_head(
        br#" { "messages": [{"model":"inner","stream":false}], "model" : "gpt\u002d4o", "stream": true,
             "stream_options": {"include_usage": true}, "max_tokens": 10, "max_completion_tokens": 30,
             "n": 2, "best_of": 3, "x": null } "#,
    )
    .unwrap();
    assert_eq!(head.model.as_deref(), Some("gpt-4o"));
    assert!(head.is_stream);
    assert!(head.asks_usage);
    assert_eq!(head.max_output_tokens, Some(30));
    assert_eq!(head.n, Some(3));
}

#[test]
fn a_head_of_nothing_decides_nothing() {
    for body in
        ["{}", " {\n} ", r#"{"model":null,"stream":null,"max_tokens":null,"n":null,"stream_options":null}"#]
    {
        let head = read_head(body.as_bytes()).unwrap();
        assert_eq!(head.model, None);
        assert!(!head.is_stream && !head.asks_usage);
        assert_eq!((head.max_output_tokens, head.n), (None, None));
    }
}

#[test]
fn what_is_no_json_is_refused_where_it_breaks() {
    let cases = [
        ("", 0),
        ("{", 1),
        (r#"{"model":"gpt"#, 13),
        (r#"{"a":1,}"#, 7),
        (r#"{"a":01}"#, 6),
        (r#"{"a":+1}"#, 5),
        (r#"{"a":1.}"#, 7),
        (r#"{"a":.5}"#, 5),
        (r#"{"a":1e}"#, 7),
        (r#"{"a":NaN}"#, 5),
        (r#"{"a":tru}"#, 5),
        (r#"{'a':1}"#, 1),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":1} x"#, 8),
        (r#"{"a":1}{"#, 7),
        (r#"{"a":"\x"}"#, 7),
        (r#"{"a":"\u12g4"}"#, 10),
        ("{\"a\":\"line\nend\"}", 10),
        ("{\"a\":\"a longer text with a tab\there\"}", 30),
        (r#"{"a":[1,2}"#, 9),
        (r#"{/**/"a":1}"#, 1),
        ("\u{feff}{}", 0),
    ];
    for (body, offset) in cases {
        assert_eq!(refused(body), BadBody::NotJson { offset }, "{body}");
    }
    assert_eq!(read_head(b"{\"a\":\"\xff\"}").unwrap_err(), BadBody::NotJson { offset: 6 });
    assert_eq!(read_head(b"{\"a\":\"\xed\xa0\x80\"}").unwrap_err(), BadBody::NotJson { offset: 6 });
}

#[test]
fn what_is_no_object_is_refused() {
    for body in ["null", "[1]", "\"model\"", " 12 "] {
        assert_eq!(refused(body), BadBody::NotAnObject, "{body}");
    }
    assert_eq!(refused("[1"), BadBody::NotJson { offset: 2 });
}

#[test]
fn a_name_given_twice_is_refused_however_it_is_spelt() {
    let duplicate = |key: &str| BadBody::DuplicateKey { key: key.to_owned() };
    assert_eq!(refused(r#"{"model":"a","x":1,"model":"b"}"#), duplicate("model"));
    assert_eq!(refused(r#"{"model":"a","mod\u0065l":"b"}"#), duplicate("model"));
    assert_eq!(refused(r#"{"\u006dodel":"a","model":"a"}"#), duplicate("model"));
    assert_eq!(refused(r#"{"any":1,"any":1}"#), duplicate("any"));
    assert_eq!(
        refused(r#"{"stream_options":{"include_usage":true,"include_us\u0061ge":false}}"#),
        duplicate("include_usage")
    );
    // Deeper names are the provider's business.
    assert!(read_head(br#"{"metadata":{"a":1,"a":2}}"#).is_ok());
}

#[test]
fn many_names_are_told_apart_too() {
    let names: Vec<String> = (0..200).map(|n| format!("\"k{n}\":{n}")).collect();
    let body = format!("{{{}}}", names.join(","));
    assert!(read_head(body.as_bytes()).is_ok());
    let body = format!("{{{},\"k150\":0}}", names.join(","));
    assert_eq!(refused(&body), BadBody::DuplicateKey { key: "k150".to_owned() });
}

#[test]
fn wrong_types_are_named() {
    let cases = [
        (r#"{"model":7}"#, "model", "expected a string, but got a number"),
        (r#"{"stream":"true"}"#, "stream", "expected a boolean, but got a string"),
        (r#"{"max_tokens":"10"}"#, "max_tokens", "expected a number, but got a string"),
        (r#"{"stream_options":[]}"#, "stream_options", "expected an object, but got an array"),
        (
            r#"{"stream_options":{"include_usage":1}}"#,
            "stream_options.include_usage",
            "expected a boolean, but got a number",
        ),
    ];
    for (body, field, words) in cases {
        let error = refused(body);
        assert_eq!(error.param().as_deref(), Some(field));
        assert_eq!(error.code(), "invalid_type");
        assert!(error.public_message().contains(words), "{}", error.public_message());
    }
}

#[test]
fn a_number_is_passed_on_however_it_is_written_and_known_where_it_counts_something() {
    let most = |body: &str| read_head(body.as_bytes()).unwrap().max_output_tokens;
    assert_eq!(most(r#"{"max_tokens":1024}"#), Some(1024));
    assert_eq!(most(r#"{"max_tokens":1024.0}"#), Some(1024));
    assert_eq!(most(r#"{"max_tokens":1e3}"#), Some(1000));
    for unknown in ["-1", "0.5", "1e300", "99999999999999999999"] {
        assert_eq!(most(&format!(r#"{{"max_tokens":{unknown}}}"#)), None, "{unknown}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(read_head(nested(128).as_bytes()).is_ok());
    assert_eq!(refused(&nested(129)), BadBody::TooDeep);
    assert_eq!(refused(&"[".repeat(1_000_000)), BadBody::TooDeep);
}

#[test]
fn half_a_character_in_a_name_is_refused_and_elsewhere_passed() {
    assert!(matches!(refused(r#"{"model":"\ud83d"}"#), BadBody::NotJson { .. }));
    assert!(matches!(refused(r#"{"\udc00":1}"#), BadBody::NotJson { .. }));
    assert!(read_head(br#"{"x":"\ud83d"}"#).is_ok());
}

#[test]
fn the_model_alone_is_changed() {
    let body = "{ \"x\" : 1e400 ,\n\t\"model\" : \"openai\\/gpt-4o\" , \"é\\u00e9\":[1.0,-0],\"big\":123456789012345678901234567890 }";
    let expected = body.replace("\"openai\\/gpt-4o\"", "\"gpt-4o\"");
    assert_eq!(spliced(body, "gpt-4o", false), expected);
    assert_eq!(spliced(r#"{"model":"a"}"#, "b\"c\\", false), r#"{"model":"b\"c\\"}"#);
    assert_eq!(spliced(r#"{"model":null,"a":1}"#, "m", false), r#"{"model":"m","a":1}"#);
}

#[test]
fn a_missing_model_is_added() {
    assert_eq!(spliced("{}", "m", false), r#"{"model":"m"}"#);
    assert_eq!(spliced(r#"{ "a":1}"#, "m", false), r#"{"model":"m", "a":1}"#);
    assert_eq!(
        spliced(r#"{"stream":true}"#, "m", true),
        r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#
    );
}

#[test]
fn usage_is_asked_for_in_a_stream_whichever_way_it_was_not() {
    let cases = [
        (
            r#"{"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
        ),
        (
            r#"{"model":"m","stream_options":null,"stream":true}"#,
            r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"model":"m","stream_options":{},"stream":true}"#,
            r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{ "include_obfuscation":false }}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false }}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"a":1, "include_usage" : false },"model":"m"}"#,
            r#"{"stream":true,"stream_options":{"a":1, "include_usage" : true },"model":"m"}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":null},"model":"m"}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(spliced(body, "m", true), expected);
        assert_eq!(spliced(body, "m", false), body, "not asked, not changed");
    }
    assert_eq!(spliced(r#"{"model":"m","stream":false}"#, "m", true), r#"{"model":"m","stream":false}"#);
    let asked = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(spliced(asked, "m", true), asked);
}

#[test]
fn a_body_that_needs_no_change_is_not_copied() {
    let body = Bytes::from_static(br#"{"model":"m","stream":true}"#);
    let marks = read_head(&body).unwrap().marks();
    let same = splice(body.clone(), &marks, "m", false);
    assert_eq!(same.as_ptr(), body.as_ptr());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Value> {
    let options = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!({}))),
        any::<bool>().prop_map(|asks| Some(json!({"include_usage": asks, "include_obfuscation": false}))),
    ];
    let extra = prop::collection::btree_map("[a-z\"\\\\\u{1}é]{0,8}", any_json(), 0..8);
    (extra, prop::option::of(any::<String>()), any::<bool>(), options).prop_map(
        |(extra, model, stream, options)| {
            let mut body: serde_json::Map<String, Value> = extra.into_iter().collect();
            for field in ["model", "stream", "stream_options", "max_tokens", "n", "best_of"] {
                body.remove(field);
            }
            body.extend(model.map(|model| ("model".to_owned(), json!(model))));
            body.extend(options.map(|options| ("stream_options".to_owned(), options)));
            body.insert("stream".to_owned(), json!(stream));
            Value::Object(body)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn before_and_after_differ_in_the_spliced_fields_alone(
        body in any_body(), model in any::<String>(), wants_usage in any::<bool>(), is_pretty in any::<bool>(),
    ) {
        let text = if is_pretty { serde_json::to_string_pretty(&body)? } else { body.to_string() };
        let after: Value = serde_json::from_str(&spliced(&text, &model, wants_usage))?;

        // Read from the text, as the other is: serde_json rounds some numbers when it reads them.
        let mut expected: Value = serde_json::from_str(&text)?;
        expected["model"] = json!(model);
        if wants_usage && expected["stream"] == true {
            if expected["stream_options"].is_null() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = json!(true);
        }
        prop_assert_eq!(after, expected);
    }

    #[test]
    fn the_scanner_judges_as_serde_does(text in "[\\[\\]{}\",:0-9eE+\\-.truefalsn\\\\ \n]{0,24}") {
        let body = format!("{{\"a\":{text}}}");
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
        let head = read_head(body.as_bytes());
        prop_assert_eq!(is_json, !matches!(head, Err(BadBody::NotJson { .. })), "{}", body);
    }
}
