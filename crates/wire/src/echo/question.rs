//! What the user said last, and how long all of it was.

use serde_json::Value;
use topdog_domain::provider::Operation;

/// At most this much is echoed.
const MAX_ECHO_BYTES: usize = 64 * 1024;

/// The echo's material. Words count as tokens.
pub(super) struct Question {
    pub(super) text: String,
    pub(super) words: u64,
}

impl Question {
    pub(super) fn read(operation: Operation, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let said = match operation {
            Operation::Chat | Operation::Messages | Operation::CountTokens => body.get("messages"),
            Operation::Completions => body.get("prompt"),
            _ => body.get("input"),
        };
        // Anthropic's dialect has its instructions beside the messages.
        let words = said.into_iter().chain(body.get("system")).map(words_of).sum();
        let mut text = said.map(last_text).unwrap_or_default();
        text.truncate(text.floor_char_boundary(MAX_ECHO_BYTES));
        Self { text, words }
    }

    /// The text in pieces of one word each, white space kept, so that they join to the whole.
    pub(super) fn pieces(&self) -> Vec<&str> {
        self.text.split_inclusive(char::is_whitespace).collect()
    }

    pub(super) fn answer_words(&self) -> u64 {
        count(&self.text)
    }
}

fn last_text(said: &Value) -> String {
    match said {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let is_of_user = |item: &&Value| item.get("role").is_none_or(|role| role == "user");
            let last = items.iter().rfind(is_of_user).or(items.last());
            match last {
                // A list of content parts is one message; a list of messages ends with the last one.
                Some(part) if part.get("type").is_some() && part.get("role").is_none() => joined(items),
                Some(message) => message.get("content").map_or_else(|| last_text(message), joined_content),
                None => String::new(),
            }
        }
        Value::Object(part) => part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

fn joined_content(content: &Value) -> String {
    match content {
        Value::Array(parts) => joined(parts),
        other => last_text(other),
    }
}

fn joined(parts: &[Value]) -> String {
    parts.iter().map(last_text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn words_of(said: &Value) -> u64 {
    match said {
        Value::String(text) => count(text),
        Value::Array(items) => items.iter().map(words_of).sum(),
        Value::Object(fields) => {
            ["content", "text"].iter().filter_map(|name| fields.get(*name)).map(words_of).sum()
        }
        _ => 0,
    }
}

fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}
