//! What the events of a stream tell while they pass.

mod cohere;
mod gemini;
mod messages;

use crate::error_shape::{ErrorShape, error_shape, event_shape, is_failure};
use crate::json::{Cursor, Kind, Value};
use crate::sse::Event;
use crate::translate::{cohere_tokens, gemini_tokens};
use crate::usage::{AnthropicUsage, usage_of_object};
use gemini::Candidates;
use memchr::memmem::Finder;
use std::borrow::Cow;
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::TokenUsage;

/// An event longer than this is read by its beginning and end only, and never held back.
pub(crate) const LONG_EVENT: usize = 64 * 1024;
/// How much of a long event's beginning is read: its name and type.
pub(crate) const HEAD_OF_LONG: usize = 4 * 1024;
/// How much of a long event's end is read: where a finished response tells its usage.
pub(crate) const TAIL_OF_LONG: usize = 16 * 1024;

/// The facts, gathered event by event.
pub(crate) struct StreamFacts {
    operation: Operation,
    needles: Needles,
    pub(crate) usage: Option<TokenUsage>,
    /// How much text had passed when it was told last.
    text_bytes_told: u64,
    /// All that has been told of it, in Anthropic's streams.
    told: AnthropicUsage,
    pub(crate) is_done: bool,
    pub(crate) has_failed: bool,
    pub(crate) failure_code: Option<String>,
    pub(crate) text_bytes: u64,
    pub(crate) sequence_number: Option<u64>,
    pub(crate) response_id: Option<String>,
    /// How far each answer of a stream of Gemini's has come.
    candidates: Candidates,
}

/// What an event turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// The usage chunk that `include_usage` adds, and nothing else.
    UsageOnly,
    /// An error, or a response that failed.
    Failure,
    Other,
}

/// The few words that make an event worth a closer look. Within a JSON string their quotes would be
/// escaped, so text written by a model never matches.
struct Needles {
    usage: Finder<'static>,
    error: Finder<'static>,
    text: Finder<'static>,
    kind: Finder<'static>,
    sequence: Finder<'static>,
}

impl StreamFacts {
    pub(crate) fn new(operation: Operation) -> Self {
        let text = if operation == Operation::Completions { "\"text\"" } else { "\"delta\"" };
        Self {
            operation,
            needles: Needles {
                usage: Finder::new("\"usage\""),
                error: Finder::new("\"error\""),
                text: Finder::new(text),
                kind: Finder::new("\"type\""),
                sequence: Finder::new("\"sequence_number\""),
            },
            usage: None,
            text_bytes_told: 0,
            told: AnthropicUsage::default(),
            is_done: false,
            has_failed: false,
            failure_code: None,
            text_bytes: 0,
            sequence_number: None,
            response_id: None,
            candidates: Candidates::default(),
        }
    }

    /// Learns from one whole event.
    pub(crate) fn note(&mut self, event: &[u8]) -> Noted {
        if event.len() > LONG_EVENT {
            let head = event.get(..HEAD_OF_LONG).unwrap_or_default();
            let tail = event.get(event.len() - TAIL_OF_LONG..).unwrap_or_default();
            return self.note_long(head, tail, event.len());
        }
        let Ok(text) = std::str::from_utf8(event) else {
            return if event_shape(event) == ErrorShape::Error { Noted::Failure } else { Noted::Other };
        };
        let event = Event::read(text);
        let Some(data) = event.data.as_deref() else {
            return Noted::Other;
        };
        if data.trim_ascii() == "[DONE]" {
            // In Anthropic's family it is no word, and the end of nothing.
            self.is_done |= self.family() == Family::OpenAi;
            return Noted::Other;
        }
        self.note_data(event.name, data)
    }

    /// Learns from an event of which only the beginning and the end are at hand.
    pub(crate) fn note_long(&mut self, head: &[u8], tail: &[u8], length: usize) -> Noted {
        let is_error = event_shape(head) == ErrorShape::Error;
        self.has_failed |= is_error;
        let head = String::from_utf8_lossy(head);
        let tail = String::from_utf8_lossy(tail);
        if self.family() == Family::Gemini {
            self.note_long_chunk(&tail);
            return if is_error { Noted::Failure } else { Noted::Other };
        }
        let name = Event::read(&head).name.map(Cow::Borrowed).or_else(|| {
            // The types of events have a dot, those of the items within them have none.
            values_behind(&self.needles.kind, &head)
                .filter_map(|value| value.string_body())
                .find(|kind| kind.contains('.') || self.family() != Family::OpenAi)
                .map(|kind| Cow::Owned(kind.to_owned()))
        });
        if let Some(name) = &name {
            self.note_name(name);
        }
        self.note_sequence(&head);
        self.note_sequence(&tail);
        let may_tell_usage =
            self.family() != Family::Anthropic || name.as_deref().is_some_and(messages::tells_usage);
        let is_delta = name.is_none_or(|name| {
            name.ends_with(".delta") || name == "content_block_delta" || cohere::tells_text(&name)
        });
        let is_delta = is_delta && !self.is_done;
        if is_delta && self.needles.text.find(head.as_bytes()).is_some() {
            self.text_bytes += length as u64;
        }
        if may_tell_usage && let Some(usage) = last_object_behind(&self.needles.usage, &tail) {
            self.note_usage(usage.raw);
        }
        if is_error { Noted::Failure } else { Noted::Other }
    }

    fn note_data(&mut self, name: Option<&str>, data: &str) -> Noted {
        let mut has_failed = name.is_some_and(is_failure);
        if self.family() == Family::Gemini {
            self.note_chunk(data);
        } else if self.has_named_events() {
            // Only the outermost `type` is the event's: items within it have types too.
            let name = name.or_else(|| type_of(data)).unwrap_or_default();
            self.note_name(name);
            has_failed |= is_failure(name);
            match self.family() {
                Family::Anthropic => self.note_message_event(name, data),
                Family::Cohere => has_failed |= self.note_cohere_event(name, data),
                Family::OpenAi | Family::Gemini => self.note_response_event(name, data),
            }
        } else {
            self.note_text(data);
        }
        if self.needles.error.find(data.as_bytes()).is_some() || name == Some("error") {
            self.has_failed |= name == Some("error") || is_error(data);
            has_failed |= error_shape(data.as_bytes()) == ErrorShape::Error;
        }
        let may_tell = self.family() == Family::OpenAi;
        let noted = match may_tell.then(|| last_object_behind(&self.needles.usage, data)).flatten() {
            Some(_) => self.note_told(data),
            None => Noted::Other,
        };
        if has_failed {
            self.failure_code = code_of_failure(self.family(), data).or(self.failure_code.take());
            return Noted::Failure;
        }
        noted
    }

    fn note_response_event(&mut self, name: &str, data: &str) {
        self.note_sequence(data);
        if name == "response.created" {
            self.response_id = id_of_response(data);
        }
        if name.ends_with(".delta") && !name.ends_with("audio.delta") {
            self.note_text(data);
        }
    }

    /// Chat and completions have bare `data:` lines; all others name their events, in an `event:` line,
    /// in `type`, or both.
    const fn has_named_events(&self) -> bool {
        !matches!(self.operation, Operation::Chat | Operation::Completions)
    }

    const fn family(&self) -> Family {
        self.operation.family()
    }

    fn note_name(&mut self, name: &str) {
        match name {
            "error" => self.has_failed = true,
            _ if self.family() == Family::Anthropic => self.is_done |= name == "message_stop",
            _ if self.family() == Family::Cohere => self.is_done |= name == cohere::LAST_EVENT,
            "response.failed" => {
                self.is_done = true;
                self.has_failed = true;
            }
            "response.completed" | "response.incomplete" => self.is_done = true,
            "transcript.text.done"
            | "speech.audio.done"
            | "image_generation.completed"
            | "image_edit.completed" => self.is_done = true,
            _ => {}
        }
    }

    fn note_sequence(&mut self, data: &str) {
        if self.operation != Operation::Responses {
            return;
        }
        let number = values_behind(&self.needles.sequence, data).find_map(|value| value.raw.parse().ok());
        self.sequence_number = number.or(self.sequence_number);
    }

    fn note_text(&mut self, data: &str) {
        let bytes: u64 = values_behind(&self.needles.text, data).map(|value| bytes_of_text(&value)).sum();
        self.text_bytes += bytes;
    }

    /// Takes the usage that an event tells where this family of events tells it.
    fn note_told(&mut self, data: &str) -> Noted {
        let Ok(chunk) = crate::json::document(data) else {
            return Noted::Other;
        };
        let of_chunk = chunk.member("usage").filter(|usage| usage.kind == Kind::Object);
        let nested = || {
            let outer = if self.has_named_events() { "response" } else { "x_groq" };
            chunk.member(outer)?.member("usage")
        };
        let Some(usage) = of_chunk.or_else(nested) else {
            return Noted::Other;
        };
        self.note_usage(usage.raw);
        let has_no_choice = chunk.member("choices").is_some_and(|choices| is_empty_array(choices.raw));
        if of_chunk.is_some() && has_no_choice && !self.has_named_events() {
            Noted::UsageOnly
        } else {
            Noted::Other
        }
    }

    fn note_usage(&mut self, raw: &str) {
        // A stream that is read once more tells what was used when it was made.
        if self.operation == Operation::Resource {
            return;
        }
        let usage = match self.family() {
            Family::Anthropic => self.told.add(raw).map(|()| self.told.tokens()),
            Family::Cohere => cohere_tokens(raw),
            Family::Gemini => gemini_tokens(raw),
            Family::OpenAi => usage_of_object(raw),
        };
        if usage.is_some() {
            self.text_bytes_told = self.text_bytes;
        }
        self.usage = usage.or(self.usage);
    }

    /// Text that has passed since the usage was told; none where the stream is complete, and has said all there is.
    pub(crate) const fn untold_text_bytes(&self) -> u64 {
        if self.is_done { 0 } else { self.text_bytes.saturating_sub(self.text_bytes_told) }
    }
}

/// The values that follow a quoted name and a colon, wherever in `text` the name stands.
fn values_behind<'t>(name: &Finder<'static>, text: &'t str) -> impl Iterator<Item = Value<'t>> {
    name.find_iter(text.as_bytes()).filter_map(|at| value_behind(text, at + name.needle().len()))
}

fn value_behind(text: &str, at: usize) -> Option<Value<'_>> {
    let mut cursor = Cursor::at(text, at);
    cursor.skip_space();
    if !cursor.takes(b':') {
        return None;
    }
    cursor.skip_space();
    cursor.value(0).ok()
}

fn last_object_behind<'t>(name: &Finder<'static>, text: &'t str) -> Option<Value<'t>> {
    values_behind(name, text).filter(|value| value.kind == Kind::Object).last()
}

/// The length of what a delta adds: its strings, without those that only label it.
fn bytes_of_text(value: &Value<'_>) -> u64 {
    let mut bytes = 0;
    match value.kind {
        Kind::String => bytes = value.string_body().map_or(0, unescaped_length),
        Kind::Array => {
            // A fault can't come: the value has been walked once to be here.
            let _ = value.each_element(|element| bytes += bytes_of_text(&element));
        }
        Kind::Object => {
            let _ = value.each_member(|member| {
                if !matches!(
                    member.key,
                    "role"
                        | "id"
                        | "type"
                        | "data"
                        | "signature"
                        | "citation"
                        | "mimeType"
                        | "thoughtSignature"
                ) {
                    bytes += bytes_of_text(&member.value);
                }
                Ok::<(), crate::json::Fault>(())
            });
        }
        _ => {}
    }
    bytes
}

/// About how many bytes of UTF-8 an escaped text stands for: an escape is one, `\uXXXX` two.
fn unescaped_length(body: &str) -> u64 {
    let mut length = body.len();
    let mut rest = body.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (shortened, skipped) = if rest.get(at + 1) == Some(&b'u') { (4, 6) } else { (1, 2) };
        length -= shortened;
        rest = rest.get(at + skipped..).unwrap_or_default();
    }
    length as u64
}

/// An error sent within a stream: `{"error": …}`, or vLLM's `{"object": "error", …}`.
fn is_error(data: &str) -> bool {
    let Ok(chunk) = crate::json::document(data) else {
        return false;
    };
    let has_error = chunk.member("error").is_some_and(|error| error.kind != Kind::Null);
    let is_error = ["object", "type"]
        .iter()
        .any(|name| chunk.member(name).and_then(|value| value.string_body()) == Some("error"));
    has_error || is_error
}

fn type_of(data: &str) -> Option<&str> {
    crate::json::document(data).ok()?.member("type")?.string_body()
}

fn id_of_response(data: &str) -> Option<String> {
    let chunk = crate::json::document(data).ok()?;
    let id = chunk.member("response")?.member("id")?.string_body()?;
    (id.len() <= 128 && !id.contains('\\')).then(|| id.to_owned())
}

/// The word that a failure calls itself by, where it is one: it goes into records.
fn code_of_failure(family: Family, data: &str) -> Option<String> {
    let event = crate::json::document(data).ok()?;
    let event = match family {
        // It is within the last event, whose type is no word for a failure.
        Family::Cohere => event.member("delta")?,
        Family::Gemini => return gemini::code_of(event),
        Family::OpenAi | Family::Anthropic => event,
    };
    let response = event.member("response").filter(|response| response.kind == Kind::Object);
    let event = response.unwrap_or(event);
    let error = event.member("error").filter(|error| error.kind == Kind::Object).unwrap_or(event);
    // Anthropic's has it in `details`.
    let detail = || word(error.member("details")?, "error_code");
    word(error, "code").or_else(detail).or_else(|| word(error, "type"))
}

/// The member of that name, where it is a word that may go into records.
fn word(of: Value<'_>, name: &str) -> Option<String> {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_word = |text: &&str| {
        !matches!(*text, "" | "error") && text.len() <= LONGEST_CODE && text.bytes().all(is_of_word)
    };
    of.member(name)?.string_body().filter(is_word).map(str::to_owned)
}

const LONGEST_CODE: usize = 64;

fn is_empty_array(raw: &str) -> bool {
    raw.strip_prefix('[').is_some_and(|inner| inner.trim_ascii_start() == "]")
}
