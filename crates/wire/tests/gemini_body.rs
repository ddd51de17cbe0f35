//! Bodies of Gemini's API that name a model beside the path: every name becomes the path's, and nothing else changes.
#![cfg(test)]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use topdog_wire::gemini_body::name_model;

fn named(body: &str) -> String {
    let named = name_model(Bytes::copy_from_slice(body.as_bytes()), "gemini-2.5-flash").unwrap();
    String::from_utf8(named.to_vec()).unwrap()
}

#[test]
fn every_name_that_a_provider_may_believe_is_the_paths() {
    for (body, expected) in [
        (r#" { "contents":[] , "x":1.0 } "#, r#" { "contents":[] , "x":1.0 } "#),
        (
            r#" {"model":"models/other" , "contents":[]}"#,
            r#" {"model":"models/gemini-2.5-flash" , "contents":[]}"#,
        ),
        (
            r#"{"requests":[ {"model":"models/a","content":{}} , {"content":{},"model":null}, 7 ]}"#,
            r#"{"requests":[ {"model":"models/gemini-2.5-flash","content":{}} , {"content":{},"model":"models/gemini-2.5-flash"}, 7 ]}"#,
        ),
        (
            r#"{"generateContentRequest":{"model":"x","contents":[{"model":"stays"}]},"generate_content_request":{"model":1}}"#,
            r#"{"generateContentRequest":{"model":"models/gemini-2.5-flash","contents":[{"model":"stays"}]},"generate_content_request":{"model":"models/gemini-2.5-flash"}}"#,
        ),
        (
            r#"{"\u006dodel":"x","generateContent\u0052equest":{"mode\u006c":"y"}}"#,
            r#"{"\u006dodel":"models/gemini-2.5-flash","generateContent\u0052equest":{"mode\u006c":"models/gemini-2.5-flash"}}"#,
        ),
        (
            r#"{"requests":[{"model":"a","model":"b"}]}"#,
            r#"{"requests":[{"model":"models/gemini-2.5-flash","model":"models/gemini-2.5-flash"}]}"#,
        ),
    ] {
        assert_eq!(named(body), expected);
    }
}

#[test]
fn a_body_without_a_name_is_not_copied() {
    let body = Bytes::from_static(br#"{"contents":[{"parts":[{"text":"model"}]}]}"#);
    assert_eq!(name_model(body.clone(), "m").unwrap().as_ptr(), body.as_ptr());
    assert!(name_model(Bytes::from_static(b"{"), "m").is_err());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i32>().prop_map(|n| json!(n)),
        "[a-z\"\\\\é]{0,6}".prop_map(|s| json!(s))
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            Just("model".to_owned()),
            Just("requests".to_owned()),
            Just("generateContentRequest".to_owned()),
            "[a-z]{1,3}".prop_map(|s| s)
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn rename(object: &mut Value) {
    if let Some(model) = object.as_object_mut().and_then(|members| members.get_mut("model")) {
        *model = json!("models/gemini-2.5-flash");
    }
}

proptest! {
    #[test]
    fn any_body_is_the_same_but_for_those_names(mut value in values(), is_pretty: bool) {
        let body = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let told: Value = serde_json::from_str(&named(&body)).unwrap();
        rename(&mut value);
        if let Some(members) = value.as_object_mut() {
            if let Some(request) = members.get_mut("generateContentRequest") {
                rename(request);
            }
            if let Some(Value::Array(requests)) = members.get_mut("requests") {
                requests.iter_mut().for_each(rename);
            }
        }
        prop_assert_eq!(told, value);
    }
}
