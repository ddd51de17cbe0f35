//! What every test gives: a target, a context, and a few ways to call the translator.

use crate::frames::to_text;
use serde_json::Value;
use topdog_wire::translate::{
    self, AnswerContext, Dialect, Loss, Mode, ModelTraits, StreamTranslator, Target, Translated,
    Untranslatable,
};

pub(crate) const CONTEXT: AnswerContext<'_> = AnswerContext {
    id: "req_1",
    created: 1_700_000_000,
    model: "asked-model",
    wants_usage: true,
    is_json_array: false,
};

pub(crate) fn target() -> Target<'static> {
    Target {
        model: "target-model",
        default_max_tokens: 4096,
        is_stream: None,
        traits: ModelTraits { takes_instructions_anywhere: true, ..ModelTraits::default() },
    }
}

pub(crate) fn try_request(
    from: Dialect,
    to: Dialect,
    mode: Mode,
    body: &str,
) -> Result<Translated, Untranslatable> {
    translate::request(from, to, body.as_bytes(), mode, &target())
}

pub(crate) fn lenient(from: Dialect, to: Dialect, body: &str) -> (Value, Vec<Loss>) {
    let translated = try_request(from, to, Mode::Lenient, body).unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated.dropped)
}

/// What a strict request becomes; it must be sayable.
pub(crate) fn strict(from: Dialect, to: Dialect, body: &str) -> Value {
    let translated = try_request(from, to, Mode::Strict, body).unwrap();
    serde_json::from_slice(&translated.body).unwrap()
}

/// The paths that a strict request is refused for.
pub(crate) fn refused(from: Dialect, to: Dialect, body: &str) -> Vec<String> {
    match try_request(from, to, Mode::Strict, body) {
        Err(Untranslatable::Inexpressible(losses)) => losses.into_iter().map(|loss| loss.path).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn answer(from: Dialect, to: Dialect, body: &str) -> Value {
    let translated = translate::answer(from, to, body.as_bytes(), &CONTEXT).unwrap();
    serde_json::from_slice(&translated.body).unwrap()
}

/// A whole stream, cut into pieces of that size.
pub(crate) fn stream(from: Dialect, to: Dialect, upstream: &[u8], size: usize) -> (String, StreamTranslator) {
    let mut translator = StreamTranslator::new(from, to, &CONTEXT);
    let mut out = Vec::new();
    for piece in upstream.chunks(size) {
        translator.push(piece, b"sk-secret-of-the-customer", &mut out);
    }
    translator.finish(b"sk-secret-of-the-customer", &mut out);
    (to_text(to, &out), translator)
}

/// The data of a stream's events, `[DONE]` as a string.
pub(crate) fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned()))).collect()
}
