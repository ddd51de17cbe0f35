//! Whole answers of the test provider.

use super::ECHO_NAME;
use super::messages::{message, token_count};
use super::question::Question;
use crate::error_body::{PublicError, error_body, to_bytes};
use bytes::Bytes;
use serde_json::{Value, json};
use topdog_domain::provider::Operation;

/// Does the test provider answer this operation?
#[must_use]
pub const fn can_echo(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Chat
            | Operation::Completions
            | Operation::Responses
            | Operation::Embeddings
            | Operation::Messages
            | Operation::CountTokens
    )
}

/// The whole answer to a request body that passed [`read_head`](crate::read_head); an error body for
/// operations that [`can_echo`] denies.
#[must_use]
pub fn echo_answer(operation: Operation, body: &[u8]) -> Bytes {
    let question = Question::read(operation, body);
    match operation {
        Operation::Chat => to_bytes(&chat(&question)),
        Operation::Completions => to_bytes(&completion(&question)),
        Operation::Responses => to_bytes(&response(&question, "completed")),
        Operation::Embeddings => to_bytes(&embeddings(body, &question)),
        Operation::Messages => to_bytes(&message(&question)),
        Operation::CountTokens => to_bytes(&token_count(&question)),
        _ => error_body(operation.family(), 400, &unsupported(operation), None),
    }
}

fn unsupported(operation: Operation) -> PublicError {
    PublicError {
        message: format!(
            "The built-in test provider does not serve {}. Use a provider of your own.",
            operation.path()
        )
        .into(),
        param: Some("model".into()),
        code: "unsupported_operation".into(),
        details: None,
    }
}

/// Usage in the words of chat and completions.
pub(super) fn usage(question: &Question) -> Value {
    let (input, output) = (question.words, question.answer_words());
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

/// A Responses object, without its output unless it is completed.
pub(super) fn response(question: &Question, status: &str) -> Value {
    let is_complete = status == "completed";
    let (input, output) = (question.words, question.answer_words());
    let usage = json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + output,
    });
    json!({
        "id": format!("resp_{ECHO_NAME}"),
        "object": "response",
        "created_at": 0,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "metadata": {},
        "model": ECHO_NAME,
        "output": if is_complete { json!([output_item(&question.text, "completed")]) } else { json!([]) },
        "parallel_tool_calls": true,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": if is_complete { usage } else { Value::Null },
    })
}

/// The one message that a response puts out.
pub(super) fn output_item(text: &str, status: &str) -> Value {
    let content = if status == "completed" { json!([output_part(text)]) } else { json!([]) };
    json!({
        "id": format!("msg_{ECHO_NAME}"),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    })
}

/// The one part of that message.
pub(super) fn output_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn chat(question: &Question) -> Value {
    json!({
        "id": format!("chatcmpl-{ECHO_NAME}"),
        "object": "chat.completion",
        "created": 0,
        "model": ECHO_NAME,
        "system_fingerprint": ECHO_NAME,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": question.text, "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(question),
    })
}

fn completion(question: &Question) -> Value {
    json!({
        "id": format!("cmpl-{ECHO_NAME}"),
        "object": "text_completion",
        "created": 0,
        "model": ECHO_NAME,
        "system_fingerprint": ECHO_NAME,
        "choices": [{"index": 0, "text": question.text, "logprobs": null, "finish_reason": "stop"}],
        "usage": usage(question),
    })
}

fn embeddings(body: &[u8], question: &Question) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_base64 = body.get("encoding_format").is_some_and(|format| format == "base64");
    let inputs: &[Value] = match body.get("input") {
        Some(Value::Array(items)) if !items.iter().all(Value::is_number) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector_of(&input.to_string());
            let embedding = if is_base64 { json!(base64_of(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    json!({
        "object": "list",
        "model": ECHO_NAME,
        "data": data,
        "usage": {"prompt_tokens": question.words, "total_tokens": question.words},
    })
}

/// Eight numbers of unit length that depend on the text alone (FNV-1a, one lane a number).
fn vector_of(text: &str) -> [f32; 8] {
    let mut vector = [0.0_f32; 8];
    for (lane, number) in (0_u64..).zip(&mut vector) {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ lane, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        *number = (hash >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.map(|number| if length > 0.0 { number / length } else { number })
}

/// Little-endian `f32`s in base64, as OpenAI's SDKs ask for them.
fn base64_of(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) as usize & 63;
            let sign = if at <= group.len() { ALPHABET.get(digit).copied().unwrap_or(b'=') } else { b'=' };
            text.push(char::from(sign));
        }
    }
    text
}
