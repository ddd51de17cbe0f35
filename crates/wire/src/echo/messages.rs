//! The test provider's answers in Anthropic's dialect.

use super::ECHO_NAME;
use super::question::Question;
use bytes::Bytes;
use serde_json::{Value, json};

/// A whole answer to `POST /v1/messages`.
pub(super) fn message(question: &Question) -> Value {
    let content = json!([{"type": "text", "text": question.text}]);
    told(content, json!("end_turn"), usage(question, question.answer_words()))
}

/// The answer to `POST /v1/messages/count_tokens`.
pub(super) fn token_count(question: &Question) -> Value {
    json!({"input_tokens": question.words})
}

/// The events of a streamed answer.
pub(super) fn message_events(question: &Question) -> Vec<Bytes> {
    let begun = told(json!([]), Value::Null, usage(question, 0));
    let mut events = vec![
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
    ];
    events.extend(question.pieces().into_iter().map(
        |word| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}),
    ));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": question.answer_words()},
        }),
        json!({"type": "message_stop"}),
    ]);
    events.iter().map(named).collect()
}

fn told(content: Value, stop_reason: Value, usage: Value) -> Value {
    json!({
        "id": format!("msg_{ECHO_NAME}"),
        "type": "message",
        "role": "assistant",
        "model": ECHO_NAME,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": usage,
    })
}

fn usage(question: &Question, output: u64) -> Value {
    json!({"input_tokens": question.words, "output_tokens": output})
}

fn named(event: &Value) -> Bytes {
    let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
}
