//! What a dialect must be able to do, and what it is told to do it.

use super::json::Node;
use super::losses::{Losses, Malformed};
use super::model::{Answer, Event, Failure, Request};
use super::sequence::Interleaving;
use crate::redact::redact_event;
use std::time::Duration;

/// Where a request is going: what the body itself doesn't say and only who routes it knows.
#[derive(Debug, Clone)]
pub struct Target<'t> {
    /// The model, as the provider names it.
    pub model: &'t str,
    /// The most tokens that an answer may take where the caller sets no limit and the dialect demands one.
    pub default_max_tokens: u64,
    /// Is a stream wanted, where the path says it and not the body?
    pub is_stream: Option<bool>,
    /// What this model or provider takes beyond, or short of, its dialect.
    pub traits: ModelTraits,
}

/// What the models and providers of one dialect differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelTraits {
    /// Does it take instructions between turns (Messages: models from Claude Opus 4.8 on)?
    pub takes_instructions_anywhere: bool,
    /// How it is told to think.
    pub thinking: ThinkingStyle,
    /// Does it take marks of what to cache (chat: `prompt_cache_breakpoint`; Converse: `cachePoint`)?
    pub takes_cache_marks: bool,
    /// Does it take reasoning back in `reasoning_details` (chat: OpenRouter and Top Dog do, OpenAI not)?
    pub takes_reasoning_details: bool,
    /// Does it know `max_tokens` only, and not `max_completion_tokens` (chat: Mistral and others)?
    pub has_only_max_tokens: bool,
    /// Does it know `stream_options` (chat: Mistral does not, and tells a stream's usage unasked)?
    pub takes_stream_options: bool,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// It can't.
    None,
    /// By a number of tokens (Claude up to 4.5, Gemini 2.5).
    Budget,
    /// By an effort (`adaptive`; Claude from 4.6 on).
    Effort,
}

impl Default for ModelTraits {
    fn default() -> Self {
        Self {
            takes_instructions_anywhere: false,
            thinking: ThinkingStyle::Effort,
            takes_cache_marks: true,
            takes_reasoning_details: false,
            has_only_max_tokens: false,
            takes_stream_options: true,
        }
    }
}

/// What an answer is told that its provider doesn't tell in every dialect.
#[derive(Debug, Clone, Copy)]
pub struct AnswerContext<'t> {
    /// Unique to the request; ids that a provider doesn't give are made of it.
    pub id: &'t str,
    /// Now, in seconds since 1970.
    pub created: u64,
    /// The model as the provider was asked for it, where its answer doesn't name one.
    pub model: &'t str,
    /// Did the caller ask for usage in the stream ([`Translated::wants_usage`](super::Translated))?
    pub wants_usage: bool,
    /// Is the caller's stream one JSON array (Gemini without `alt=sse`)?
    pub is_json_array: bool,
}

/// One dialect: reading and writing everything that is exchanged in it.
///
/// A reader takes every field that it knows and notes the rest as a loss or keeps it as a
/// [`Native`](super::model::Native). A writer takes the model apart completely and writes every part or
/// notes it.
pub(crate) trait Codec: Sync {
    fn read_request<'a>(&self, body: Node<'a>, losses: &mut Losses) -> Result<Request<'a>, Malformed>;

    fn write_request(&self, request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8>;

    fn read_answer<'a>(&self, body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed>;

    fn write_answer(&self, answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8>;

    /// What an error body says; also where it is no JSON, or of some other service on the way.
    fn read_error<'a>(&self, status: u16, body: &'a str) -> Failure<'a>;

    /// The status and body that this dialect's clients understand.
    fn write_error(&self, failure: &Failure<'_>) -> (u16, Vec<u8>);

    /// How long to wait before asking again, where an error's body tells it.
    fn retry_after(&self, _body: &str) -> Option<Duration> {
        None
    }

    fn stream_reader(&self) -> Box<dyn StreamReader>;

    fn stream_writer(&self, context: &AnswerContext<'_>) -> Box<dyn StreamWriter>;

    /// Can a client of this dialect follow parts whose pieces come interleaved?
    fn interleaving(&self) -> Interleaving;
}

/// Where a stream's events go.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// A provider's stream, read as it comes.
pub(crate) trait StreamReader: Send {
    /// Reads a piece, cut anywhere.
    fn push(&mut self, piece: &[u8], sink: Sink<'_>);

    /// What an event whose end has not come takes of memory, bytes, when it is read at the latest.
    fn held_bytes(&self) -> usize;

    /// The provider has closed the stream: whatever was held back, and `Done` only where the provider had
    /// said that it is complete.
    fn finish(&mut self, sink: Sink<'_>);
}

/// A client's stream being written, frame by whole frame.
pub(crate) trait StreamWriter: Send {
    /// Writes what the event means to the client; what can't be expressed is noted, without a place.
    fn write(&mut self, event: Event<'_>, losses: &mut Losses, out: &mut Vec<u8>);

    /// What is kept of what was written, to be said once more at the end, bytes.
    fn held_bytes(&self) -> usize {
        0
    }

    /// The failure that was just written, without the secret and whatever looks like a key.
    fn redacted(&self, written: Vec<u8>, secret: &[u8]) -> Vec<u8> {
        redact_event(&written, 0, secret).unwrap_or(written)
    }
}
