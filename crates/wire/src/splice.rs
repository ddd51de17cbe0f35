//! Changing the two things that must change in a request body, and not one byte more.

use crate::json_head::{Marks, Span, StreamOptions};
use bytes::{BufMut, Bytes, BytesMut};
use topdog_domain::provider::Operation;

/// Does a stream of this operation tell its usage only where `stream_options.include_usage` asks?
/// (OpenAI chat and completions; a Responses stream always tells it.)
#[must_use]
pub const fn tells_usage_when_asked(operation: Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::Completions)
}

/// The body with its `model` named anew (added where there is none) and, where `wants_usage` and it
/// asks for a stream, with `stream_options.include_usage` true. Every other byte stays as it was;
/// where nothing changes, the same `Bytes` comes back uncopied.
///
/// `marks` must be of this very body; `wants_usage` should be [`tells_usage_when_asked`].
#[must_use]
pub fn splice(body: Bytes, marks: &Marks, model: &str, wants_usage: bool) -> Bytes {
    let asks_anew = wants_usage && marks.is_stream;
    let usage = if asks_anew { usage_edit(marks) } else { None };
    let mut edits = [model_edit(&body, marks, model), usage];
    edits.sort_by_key(|edit| edit.as_ref().map(|edit| (edit.span.start, edit.span.end)));
    apply(body, &edits)
}

/// One replacement; an insertion where the span is empty.
#[derive(Debug)]
struct Edit {
    span: Span,
    text: Text,
}

#[derive(Debug)]
enum Text {
    Fixed(&'static str),
    Made(String),
}

impl Edit {
    fn text(&self) -> &[u8] {
        match &self.text {
            Text::Fixed(text) => text.as_bytes(),
            Text::Made(text) => text.as_bytes(),
        }
    }
}

fn model_edit(body: &Bytes, marks: &Marks, model: &str) -> Option<Edit> {
    let value = quoted(model);
    match marks.model {
        Some(span) if body.get(span.start..span.end) == Some(value.as_bytes()) => None,
        Some(span) => Some(Edit { span, text: Text::Made(value) }),
        None => {
            let comma = if marks.is_empty { "" } else { "," };
            Some(Edit { span: at(marks.inside), text: Text::Made(format!("\"model\":{value}{comma}")) })
        }
    }
}

/// The name as a JSON string. Nearly none has anything to escape.
fn quoted(model: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !model.bytes().all(is_plain) {
        return serde_json::Value::from(model).to_string();
    }
    let mut quoted = String::with_capacity(model.len() + 2);
    quoted.push('"');
    quoted.push_str(model);
    quoted.push('"');
    quoted
}

fn usage_edit(marks: &Marks) -> Option<Edit> {
    let (span, text) = match marks.stream_options {
        StreamOptions::Asked => return None,
        StreamOptions::Declined(span) => (span, "true"),
        StreamOptions::Null(span) => (span, r#"{"include_usage":true}"#),
        StreamOptions::Silent { inside, is_empty: true } => (at(inside), r#""include_usage":true"#),
        StreamOptions::Silent { inside, is_empty: false } => (at(inside), r#""include_usage":true,"#),
        StreamOptions::Missing => (at(marks.inside), r#""stream_options":{"include_usage":true},"#),
    };
    Some(Edit { span, text: Text::Fixed(text) })
}

const fn at(offset: usize) -> Span {
    Span { start: offset, end: offset }
}

fn apply(body: Bytes, edits: &[Option<Edit>]) -> Bytes {
    let added: usize = edits.iter().flatten().map(|edit| edit.text().len()).sum();
    if added == 0 {
        return body;
    }
    let mut spliced = BytesMut::with_capacity(body.len() + added);
    let mut copied = 0;
    for edit in edits.iter().flatten() {
        spliced.put_slice(body.get(copied..edit.span.start).unwrap_or_default());
        spliced.put_slice(edit.text());
        copied = edit.span.end;
    }
    spliced.put_slice(body.get(copied..).unwrap_or_default());
    spliced.freeze()
}
