//! Translation between dialects: bytes of one in, bytes of another out, through one [`model`].
//!
//! [`request`], [`answer`], [`error`] and [`StreamTranslator`] are what a gateway calls. A body is read
//! into the model by its own dialect's reader and written by the other's writer; neither knows who is at
//! the other end. The same dialect on both sides never comes here: its bytes are relayed.
//! [`embeddings`] have a model of their own.
//!
//! # What can't be said
//! Nothing is dropped silently. Reader and writer note every field that the target can't express
//! ([`Losses`]), by its place in the caller's body; in [`Mode::Strict`] one note refuses the request and
//! names them all, in [`Mode::Lenient`] they are listed beside the body. An answer is never refused, since
//! it has been paid for: its losses are listed.
//!
//! # Adding a dialect
//! 1. A folder of its own beside `openai_chat`, with a unit struct that implements `Codec`; a variant of
//!    [`Dialect`] and an arm of `Dialect::codec`. Nothing else here changes.
//! 2. A reader takes fields out of a `Fields` and ends with `finish` (inner objects: the rest is unknown)
//!    or `into_rest` (the body: the rest is native). It gives every value its `Spot`. It normalises
//!    nothing that another dialect could want to know, and what only its own maker understands becomes a
//!    [`Native`](model::Native) with that owner.
//! 3. A writer takes each type apart completely (`let Request { a, b } = request;`, never `..`; unused
//!    variables are errors here) and writes or notes every part. Values that equal the target's default
//!    (`n` of 1, a penalty of 0) need no note. Natives and seals of another maker are noted.
//! 4. Stop reasons, error classes and usage have one table each a direction, in `words.rs`.
//! 5. A stream reader gives events as `Event` says, never `Done` before its provider said so; a stream
//!    writer writes whole frames, and of `Failed` its family's own failure event. Whether parts must be in
//!    sequence for its clients, `Codec::interleaving` says.
//! 6. Tests: `tests/translate` has golden files a pair, written once the dialect has cases of its own in
//!    `fixtures`, and the property `read(write(x)) == x`, over generators of the model: what the dialect
//!    can say is listed in `scope.rs`.
#![deny(unused_variables)]

mod anthropic;
mod bedrock_converse;
mod call_id;
mod codec;
mod cohere;
mod data_url;
mod dialogue;
mod effort;
pub mod embeddings;
pub(crate) mod frames;
mod gemini;
mod json;
mod losses;
pub mod model;
mod openai;
mod openai_chat;
mod openai_responses;
pub mod prove;
mod seal;
mod sequence;
mod stream;
mod unsaid;

pub use codec::{AnswerContext, ModelTraits, Target, ThinkingStyle};
pub use losses::{Loss, Losses, Mode};
pub use stream::StreamTranslator;

use crate::BadBody;
use bytes::Bytes;
use call_id::CallIds;
use codec::Codec;
use losses::Malformed;
use std::time::Duration;
use topdog_domain::usage::TokenUsage;

/// The dialects that can be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`
    OpenAiChat,
    /// `POST /v1/responses`
    OpenAiResponses,
    /// `POST /v1/messages`
    Anthropic,
    /// `POST /v2/chat`
    Cohere,
    /// `POST /model/{id}/converse` and `/converse-stream`
    BedrockConverse,
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`
    Gemini,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Cohere,
        Self::BedrockConverse,
        Self::Gemini,
    ];

    /// The stable name, as in configuration, metrics and the names of fixtures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Cohere => "cohere",
            Self::BedrockConverse => "bedrock_converse",
            Self::Gemini => "gemini",
        }
    }

    fn codec(self) -> &'static dyn Codec {
        match self {
            Self::OpenAiChat => &openai_chat::OpenAiChat,
            Self::OpenAiResponses => &openai_responses::OpenAiResponses,
            Self::Anthropic => &anthropic::Anthropic,
            Self::Cohere => &cohere::Cohere,
            Self::BedrockConverse => &bedrock_converse::BedrockConverse,
            Self::Gemini => &gemini::Gemini,
        }
    }
}

/// A request in the target's dialect.
#[derive(Debug, Clone)]
pub struct Translated {
    /// The body.
    pub body: Bytes,
    /// What was dropped or approximated; only ever in [`Mode::Lenient`].
    pub dropped: Vec<Loss>,
    /// Is a stream asked for?
    pub is_stream: bool,
    /// Is usage wanted in the stream?
    pub wants_usage: bool,
}

/// Why a request can't be translated. Always a 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// It isn't JSON.
    #[error(transparent)]
    Body(#[from] BadBody),
    /// A field is missing or of another type.
    #[error("`{path}` must be {expected}")]
    Malformed {
        /// The field, as the caller wrote it.
        path: String,
        /// What it must be, with its article.
        expected: &'static str,
    },
    /// The target can't express it, and lenient mode was not asked for.
    #[error("`{}` can't be translated: {}", path_of(.0), why_of(.0))]
    Inexpressible(Vec<Loss>),
}

impl Untranslatable {
    /// What the caller is told.
    #[must_use]
    pub fn public_message(&self) -> String {
        match self {
            Self::Body(bad) => bad.public_message(),
            Self::Malformed { path, expected } if path.is_empty() => {
                format!("Invalid body: it must be {expected}.")
            }
            Self::Malformed { path, expected } => {
                format!("Invalid value for '{}': it must be {expected}.", short(path))
            }
            Self::Inexpressible(losses) => {
                let named = losses.iter().take(MOST_NAMED);
                let fields: Vec<_> =
                    named.map(|loss| format!("'{}' ({})", short(&loss.path), loss.why)).collect();
                let more = match losses.len().saturating_sub(MOST_NAMED) {
                    0 => String::new(),
                    more => format!(", and {more} more"),
                };
                format!(
                    "The model's provider can't be asked for this: {}{more}. Leave it out, or ask for lenient translation.",
                    fields.join(", ")
                )
            }
        }
    }

    /// The field at fault, the first where there are several.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Body(_) => None,
            Self::Malformed { path, .. } => Some(path),
            Self::Inexpressible(losses) => losses.first().map(|loss| loss.path.as_str()),
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Body(bad) => bad.code(),
            Self::Malformed { .. } => "invalid_value",
            Self::Inexpressible(_) => "not_translatable",
        }
    }
}

/// So many fields are named in a message.
const MOST_NAMED: usize = 8;

/// A path that is fit for a message: its names are the caller's, and as long as it likes.
fn short(path: &str) -> &str {
    const MOST: usize = 120;
    path.get(..path.floor_char_boundary(MOST)).unwrap_or(path)
}

fn path_of(losses: &[Loss]) -> &str {
    losses.first().map_or("", |loss| &loss.path)
}

fn why_of(losses: &[Loss]) -> &str {
    losses.first().map_or("", |loss| loss.why)
}

/// Translates a request body.
///
/// # Errors
/// Where it can't be understood, or in strict mode where the target can't express all of it.
pub fn request(
    from: Dialect,
    to: Dialect,
    body: &[u8],
    mode: Mode,
    target: &Target<'_>,
) -> Result<Translated, Untranslatable> {
    let text = std::str::from_utf8(body).map_err(|error| BadBody::NotJson { offset: error.valid_up_to() })?;
    let root = json::parse(text).map_err(BadBody::from)?;
    let mut losses = Losses::default();
    let mut request = from.codec().read_request(root, &mut losses).map_err(|fault| malformed(fault, text))?;
    if let Some(is_stream) = target.is_stream {
        request.delivery.is_stream = is_stream;
    }
    let (is_stream, wants_usage) = (request.delivery.is_stream, request.delivery.wants_usage);
    let written = to.codec().write_request(request, target, &mut losses);
    let dropped = losses.name(text);
    if mode == Mode::Strict && !dropped.is_empty() {
        return Err(Untranslatable::Inexpressible(dropped));
    }
    Ok(Translated { body: written.into(), dropped, is_stream, wants_usage })
}

/// Anthropic's class of error for a status.
pub(crate) const fn anthropic_class(status: u16) -> &'static str {
    anthropic::words::failure_word(model::FailureKind::of_status(status)).1
}

/// Gemini's class of error for a status.
pub(crate) const fn gemini_class(status: u16) -> &'static str {
    gemini::words::failure_word(model::FailureKind::of_status(status)).1
}

/// The tokens of a `usage` in Cohere's words, or of a `meta`, which has the same fields; none where it tells none.
pub(crate) fn cohere_tokens(raw: &str) -> Option<TokenUsage> {
    cohere::usage(&json::parse(raw).ok()?).map(|usage| usage.tokens)
}

/// The tokens of a `usageMetadata` of Gemini's; none where it tells none.
pub(crate) fn gemini_tokens(raw: &str) -> Option<TokenUsage> {
    gemini::usage(&json::parse(raw).ok()?).map(|usage| usage.tokens)
}

/// The data of the event that ends a stream of Cohere's which has failed.
pub(crate) fn cohere_failure_data(failure: &model::Failure<'_>) -> Vec<u8> {
    let mut json = json::Json::default();
    cohere::put_last_event(&mut json, failure);
    json.into_bytes()
}

/// What a body takes of memory while it is translated, bytes, at the most: itself, what becomes of it, and a node for
/// every value in it. A list of a million numbers is short, and its nodes are not.
#[must_use]
pub fn memory_to_translate(body: &[u8]) -> usize {
    const NODE: usize = 160;
    let values = memchr::memchr3_iter(b',', b'[', b'{', body).count() + 1;
    3 * body.len() + NODE * values
}

fn malformed(fault: Malformed, body: &str) -> Untranslatable {
    let (path, expected) = fault.name(body);
    Untranslatable::Malformed { path, expected }
}

/// A whole answer in the client's dialect.
#[derive(Debug, Clone)]
pub struct TranslatedAnswer {
    /// The body.
    pub body: Bytes,
    /// What of it could not be said, by its path in the provider's body.
    pub dropped: Vec<Loss>,
    /// What it used; none where it was not told.
    pub usage: Option<TokenUsage>,
}

/// The provider's answer is none in its dialect: a failure of its.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer is not one of its dialect: `{path}` is not {expected}")]
pub struct BadAnswer {
    /// Where; empty for all of it.
    pub path: String,
    /// What should be there.
    pub expected: &'static str,
}

/// Translates a whole answer, `from` the provider's dialect `to` the client's.
///
/// # Errors
/// Where the body is no answer in the provider's dialect.
pub fn answer(
    from: Dialect,
    to: Dialect,
    body: &[u8],
    context: &AnswerContext<'_>,
) -> Result<TranslatedAnswer, BadAnswer> {
    let text = String::from_utf8_lossy(body);
    let root = json::parse(&text).map_err(|_| BadAnswer { path: String::new(), expected: "JSON" })?;
    let mut losses = Losses::default();
    let mut answer = from.codec().read_answer(root, &mut losses).map_err(|fault| {
        let (path, expected) = fault.name(&text);
        BadAnswer { path, expected }
    })?;
    CallIds::of(context.id).give(&mut answer);
    let usage = answer.usage.map(|usage| usage.tokens);
    let body = to.codec().write_answer(answer, context, &mut losses).into();
    Ok(TranslatedAnswer { body, dropped: losses.name(&text), usage })
}

/// Translates an error: the status and body that the client's dialect has for it. Keys are not looked for:
/// what comes out goes through [`redact_error_body`](crate::redact::redact_error_body) as any error does.
#[must_use]
pub fn error(from: Dialect, to: Dialect, status: u16, body: &[u8]) -> (u16, Bytes) {
    let text = String::from_utf8_lossy(body);
    let failure = from.codec().read_error(status, &text);
    let (own_status, body) = to.codec().write_error(&failure);
    // A failure of the provider's keeps its own status: every client knows them all.
    let keeps = failure.kind == model::FailureKind::Server && status >= 500;
    (if keeps { status } else { own_status }, body.into())
}

/// How long to wait before asking again, where a dialect tells it in an error's body (Gemini) and not in a
/// header; none where the body doesn't tell.
#[must_use]
pub fn retry_after(from: Dialect, body: &[u8]) -> Option<Duration> {
    from.codec().retry_after(&String::from_utf8_lossy(body))
}

/// Top Dog's own failure, as the client's dialect says it: the status and the body.
#[must_use]
pub fn write_failure(to: Dialect, failure: &model::Failure<'_>) -> (u16, Bytes) {
    let (status, body) = to.codec().write_error(failure);
    (status, body.into())
}
