//! Embeddings between dialects: each pair both ways, and what is got wrong.
#![cfg(test)]

use serde_json::{Value, json};
use topdog_wire::translate::embeddings::EmbeddingDialect::{Cohere, Gemini, OpenAi};
use topdog_wire::translate::embeddings::{
    AnswerShape, EmbeddingContext, EmbeddingDialect, TranslatedTexts, answer, request,
};
use topdog_wire::translate::{Mode, Untranslatable};

fn strict(from: EmbeddingDialect, to: EmbeddingDialect, body: &Value) -> (Value, TranslatedTexts) {
    let translated = request(from, to, body.to_string().as_bytes(), Mode::Strict, "target").unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated)
}

fn refused(from: EmbeddingDialect, to: EmbeddingDialect, body: &Value) -> Vec<String> {
    match request(from, to, body.to_string().as_bytes(), Mode::Strict, "target") {
        Err(Untranslatable::Inexpressible(losses)) => losses.into_iter().map(|loss| loss.path).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn told(
    from: EmbeddingDialect,
    to: EmbeddingDialect,
    shape: AnswerShape,
    body: &str,
) -> (Value, Option<u64>) {
    let context = EmbeddingContext { id: "r", model: "asked", shape };
    let translated = answer(from, to, body.as_bytes(), &context).unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated.usage.map(|usage| usage.input))
}

const LIST: AnswerShape = AnswerShape { is_base64: false, is_single: false };

#[test]
fn texts_are_asked_for_in_each_dialects_words() {
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64"});
    let (sent, translated) = strict(OpenAi, Cohere, &body);
    assert!(translated.shape.is_base64);
    let expected = json!({"model": "target", "input_type": "search_document", "texts": ["a", "b"],
        "embedding_types": ["float"], "output_dimension": 8});
    assert_eq!(sent, expected);
    let (sent, _) = strict(OpenAi, Gemini, &body);
    let one = |text: &str| json!({"model": "models/target", "content": {"parts": [{"text": text}]}, "outputDimensionality": 8});
    assert_eq!(sent, json!({"requests": [one("a"), one("b")]}));
    assert_eq!(strict(OpenAi, Cohere, &json!({"input": "alone"})).0["texts"], json!(["alone"]));
}

#[test]
fn purposes_cross_where_both_have_them_and_are_named_where_not() {
    for (own, other) in [
        ("search_document", "RETRIEVAL_DOCUMENT"),
        ("search_query", "RETRIEVAL_QUERY"),
        ("classification", "CLASSIFICATION"),
        ("clustering", "CLUSTERING"),
    ] {
        let body = json!({"texts": ["a"], "input_type": own, "embedding_types": ["float"]});
        let (sent, _) = strict(Cohere, Gemini, &body);
        assert_eq!(sent["requests"][0]["taskType"], other);
        assert_eq!(strict(Gemini, Cohere, &sent).0["input_type"], own);
        assert_eq!(refused(Cohere, OpenAi, &body), ["input_type"]);
    }
    let body = json!({"content": {"parts": [{"text": "a"}]}, "taskType": "FACT_VERIFICATION", "title": "T"});
    assert_eq!(refused(Gemini, Cohere, &body), ["taskType", "title"]);
}

#[test]
fn what_cant_be_said_is_named() {
    let body = json!({"input": "a", "user": "u", "made_up": 1});
    assert_eq!(refused(OpenAi, Cohere, &body), ["made_up", "user"]);
    let body = json!({"texts": ["a"], "embedding_types": ["float", "int8"], "truncate": "START"});
    assert_eq!(refused(Cohere, Gemini, &body), ["embedding_types[1]", "truncate"]);
    let one = |task: &str| json!({"content": {"parts": [{"text": "a"}]}, "taskType": task});
    let body = json!({"requests": [one("CLUSTERING"), one("RETRIEVAL_QUERY")]});
    assert_eq!(refused(Gemini, Cohere, &body), ["requests[1]"]);
}

#[test]
fn tokens_and_images_are_refused_by_path_in_both_modes() {
    let path = |from, body: Value| {
        let fault = request(from, Gemini, body.to_string().as_bytes(), Mode::Lenient, "m").unwrap_err();
        fault.param().map(str::to_owned)
    };
    assert_eq!(path(OpenAi, json!({"input": [[1, 2]]})).as_deref(), Some("input[0]"));
    assert_eq!(path(OpenAi, json!({"model": "m"})).as_deref(), Some("input"));
    assert_eq!(path(Cohere, json!({"images": ["data:image/png;base64,aaaa"]})).as_deref(), Some("texts"));
}

#[test]
fn vectors_are_carried_as_they_were_written_and_in_order() {
    let openai = r#"{"object":"list","data":[{"index":1,"embedding":[3,4e-2]},{"index":0,"embedding":[1.50,-2]}],
        "model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let context = EmbeddingContext { id: "r", model: "asked", shape: LIST };
    let translated = answer(OpenAi, Cohere, openai.as_bytes(), &context).unwrap();
    let body = std::str::from_utf8(&translated.body).unwrap();
    assert!(body.contains(r#""embeddings":{"float":[[1.50,-2],[3,4e-2]]}"#), "{body}");
    assert_eq!(translated.usage.unwrap().input, 5);
}

#[test]
fn base64_is_little_endian_floats_both_ways() {
    let cohere =
        r#"{"id":"e","embeddings":{"float":[[1.5,-2.25]]},"meta":{"billed_units":{"input_tokens":3.0}}}"#;
    let (openai, tokens) = told(Cohere, OpenAi, AnswerShape { is_base64: true, ..LIST }, cohere);
    assert_eq!(openai["data"][0]["embedding"], "AADAPwAAEMA=");
    assert_eq!((tokens, &openai["usage"]), (Some(3), &json!({"prompt_tokens": 3, "total_tokens": 3})));
    let (back, _) = told(OpenAi, Cohere, LIST, &openai.to_string());
    assert_eq!(back["embeddings"]["float"], json!([[1.5, -2.25]]));
}

#[test]
fn one_text_asked_alone_is_answered_alone() {
    let (_, translated) =
        strict(Gemini, OpenAi, &json!({"content": {"parts": [{"text": "a"}, {"text": "b"}]}}));
    assert!(translated.shape.is_single);
    let openai = r#"{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":2}}"#;
    let (one, _) = told(OpenAi, Gemini, translated.shape, openai);
    assert_eq!(one["embedding"], json!({"values": [1]}));
    let (many, _) = told(OpenAi, Gemini, LIST, openai);
    assert_eq!(many["embeddings"], json!([{"values": [1]}]));
    assert_eq!(told(Gemini, OpenAi, LIST, &many.to_string()).0["data"][0]["embedding"], json!([1]));
}

#[test]
fn what_is_no_answer_is_a_failure_of_the_providers() {
    let context = EmbeddingContext { id: "r", model: "m", shape: LIST };
    for body in ["", "{}", r#"{"embeddings":{"float":["x y"]}}"#, r#"{"embeddings":{"float":[{}]}}"#] {
        assert!(answer(Cohere, OpenAi, body.as_bytes(), &context).is_err(), "{body}");
    }
}
