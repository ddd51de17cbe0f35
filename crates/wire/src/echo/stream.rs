//! Streamed answers of the test provider, event by event.

use super::ECHO_NAME;
use super::answer::{output_item, output_part, response, usage};
use super::messages::message_events;
use super::question::Question;
use bytes::Bytes;
use serde_json::{Value, json};
use topdog_domain::provider::Operation;

/// The events of a streamed answer, each with its blank line, `[DONE]` included where the family has
/// it. `include_usage` is what chat and completions were asked for. Operations that don't stream get
/// none.
#[must_use]
pub fn echo_stream_events(operation: Operation, body: &[u8], include_usage: bool) -> Vec<Bytes> {
    let question = Question::read(operation, body);
    match operation {
        Operation::Chat => chunks(&CHAT, &question, include_usage),
        Operation::Completions => chunks(&COMPLETION, &question, include_usage),
        Operation::Responses => response_events(&question),
        Operation::Messages => message_events(&question),
        _ => Vec::new(),
    }
}

/// What differs between the two families that stream chunks.
struct ChunkFamily {
    id: &'static str,
    object: &'static str,
    first: Option<fn() -> Value>,
    choice: fn(&str) -> Value,
    last: fn() -> Value,
}

const CHAT: ChunkFamily = ChunkFamily {
    id: "chatcmpl",
    object: "chat.completion.chunk",
    first: Some(
        || json!({"index": 0, "delta": {"role": "assistant", "content": "", "refusal": null}, "finish_reason": null}),
    ),
    choice: |word| json!({"index": 0, "delta": {"content": word}, "finish_reason": null}),
    last: || json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
};

const COMPLETION: ChunkFamily = ChunkFamily {
    id: "cmpl",
    object: "text_completion",
    first: None,
    choice: |word| json!({"index": 0, "text": word, "logprobs": null, "finish_reason": null}),
    last: || json!({"index": 0, "text": "", "logprobs": null, "finish_reason": "stop"}),
};

fn chunks(family: &ChunkFamily, question: &Question, include_usage: bool) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": format!("{}-{ECHO_NAME}", family.id),
            "object": family.object,
            "created": 0,
            "model": ECHO_NAME,
            "system_fingerprint": ECHO_NAME,
            "choices": choices,
        });
        if include_usage && let Some(fields) = chunk.as_object_mut() {
            fields.insert("usage".to_owned(), usage);
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let first = family.first.iter().map(|first| first());
    let words = question.pieces().into_iter().map(family.choice);
    let choices = first.chain(words).chain(std::iter::once((family.last)()));
    let mut events: Vec<Bytes> = choices.map(|choice| chunk(json!([choice]), Value::Null)).collect();
    if include_usage {
        events.push(chunk(json!([]), usage(question)));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

fn response_events(question: &Question) -> Vec<Bytes> {
    let item_id = format!("msg_{ECHO_NAME}");
    let place = |mut event: Value| {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("item_id".to_owned(), json!(item_id));
            fields.insert("output_index".to_owned(), json!(0));
            fields.insert("content_index".to_owned(), json!(0));
        }
        event
    };
    let item = |status| json!({"output_index": 0, "item": output_item(&question.text, status)});
    let mut events = vec![
        ("response.created", json!({"response": response(question, "in_progress")})),
        ("response.in_progress", json!({"response": response(question, "in_progress")})),
        ("response.output_item.added", item("in_progress")),
        ("response.content_part.added", place(json!({"part": output_part("")}))),
    ];
    events.extend(
        question
            .pieces()
            .into_iter()
            .map(|word| ("response.output_text.delta", place(json!({"delta": word, "logprobs": []})))),
    );
    events.extend([
        ("response.output_text.done", place(json!({"text": question.text, "logprobs": []}))),
        ("response.content_part.done", place(json!({"part": output_part(&question.text)}))),
        ("response.output_item.done", item("completed")),
        ("response.completed", json!({"response": response(question, "completed")})),
    ]);
    events.into_iter().enumerate().map(|(number, (name, event))| numbered(number, name, event)).collect()
}

fn numbered(number: usize, name: &str, mut event: Value) -> Bytes {
    if let Some(fields) = event.as_object_mut() {
        fields.insert("type".to_owned(), json!(name));
        fields.insert("sequence_number".to_owned(), json!(number));
    }
    Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
}
