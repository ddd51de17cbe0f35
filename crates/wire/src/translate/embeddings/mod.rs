//! Embeddings between dialects, through one small model: texts in, vectors out.
//!
//! As with chat, nothing is dropped silently, and numbers that are lists on both sides are carried as they
//! were written. Field names are those of the makers' own SDKs (OpenAI's Python 3.57, Cohere's 7.3) and of
//! ai.google.dev, "Embeddings".

mod cohere;
mod gemini;
mod model;
mod openai;

use super::losses::{Losses, Malformed};
use super::{BadAnswer, Mode, TranslatedAnswer, Untranslatable, json, malformed};
use crate::BadBody;
use bytes::Bytes;
use json::{Json, Node};
use model::{Answer, Request};
use topdog_domain::usage::TokenUsage;

/// The dialects of embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbeddingDialect {
    /// `POST /v1/embeddings`
    OpenAi,
    /// `POST /v2/embed`
    Cohere,
    /// `POST /v1beta/models/{model}:embedContent` and `:batchEmbedContents`; the latter is what is written.
    Gemini,
}

/// A request in the target's dialect.
#[derive(Debug, Clone)]
pub struct TranslatedTexts {
    /// The body.
    pub body: Bytes,
    /// What was dropped; only ever in [`Mode::Lenient`].
    pub dropped: Vec<super::Loss>,
    /// How the caller wants its answer.
    pub shape: AnswerShape,
}

/// How a caller wants its vectors, of which its request tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnswerShape {
    /// As base64 of little-endian 32-bit floats, as OpenAI's own SDKs ask for, and not as lists?
    pub is_base64: bool,
    /// Alone, and not in a list (Gemini's `embedContent`)?
    pub is_single: bool,
}

/// What an answer is told that its provider doesn't tell.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingContext<'t> {
    /// Unique to the request.
    pub id: &'t str,
    /// The model as the provider was asked for it.
    pub model: &'t str,
    /// As the request told.
    pub shape: AnswerShape,
}

/// Translates a request body. `model` is what the provider calls it.
///
/// # Errors
/// Where it can't be understood, or in strict mode where the target can't express all of it.
pub fn request(
    from: EmbeddingDialect,
    to: EmbeddingDialect,
    body: &[u8],
    mode: Mode,
    model: &str,
) -> Result<TranslatedTexts, Untranslatable> {
    let text = std::str::from_utf8(body).map_err(|error| BadBody::NotJson { offset: error.valid_up_to() })?;
    let root = json::parse(text).map_err(BadBody::from)?;
    let mut losses = Losses::default();
    let request = read_request(from, root, &mut losses).map_err(|fault| malformed(fault, text))?;
    let shape = request.shape;
    let mut json = Json::with_capacity(body.len() + 128);
    match to {
        EmbeddingDialect::OpenAi => openai::write_request(&mut json, request, model, &mut losses),
        EmbeddingDialect::Cohere => cohere::write_request(&mut json, request, model),
        EmbeddingDialect::Gemini => gemini::write_request(&mut json, request, model),
    }
    let dropped = losses.name(text);
    if mode == Mode::Strict && !dropped.is_empty() {
        return Err(Untranslatable::Inexpressible(dropped));
    }
    Ok(TranslatedTexts { body: json.into_bytes().into(), dropped, shape })
}

fn read_request<'a>(
    from: EmbeddingDialect,
    body: Node<'a>,
    losses: &mut Losses,
) -> Result<Request<'a>, Malformed> {
    match from {
        EmbeddingDialect::OpenAi => openai::read_request(body, losses),
        EmbeddingDialect::Cohere => cohere::read_request(body, losses),
        EmbeddingDialect::Gemini => gemini::read_request(body, losses),
    }
}

/// Translates an answer, `from` the provider's dialect `to` the client's.
///
/// # Errors
/// Where the body is no answer in the provider's dialect.
pub fn answer(
    from: EmbeddingDialect,
    to: EmbeddingDialect,
    body: &[u8],
    context: &EmbeddingContext<'_>,
) -> Result<TranslatedAnswer, BadAnswer> {
    let text = String::from_utf8_lossy(body);
    let root = json::parse(&text).map_err(|_| BadAnswer { path: String::new(), expected: "JSON" })?;
    let read = match from {
        EmbeddingDialect::OpenAi => openai::read_answer(root),
        EmbeddingDialect::Cohere => cohere::read_answer(root),
        EmbeddingDialect::Gemini => gemini::read_answer(root),
    };
    let answer: Answer<'_> = read.map_err(|fault| {
        let (path, expected) = fault.name(&text);
        BadAnswer { path, expected }
    })?;
    let usage = answer.tokens.map(|input| TokenUsage { input, ..TokenUsage::default() });
    let mut json = Json::with_capacity(body.len() + 128);
    match to {
        EmbeddingDialect::OpenAi => openai::write_answer(&mut json, &answer, context),
        EmbeddingDialect::Cohere => cohere::write_answer(&mut json, &answer, context),
        EmbeddingDialect::Gemini => gemini::write_answer(&mut json, &answer, context),
    }
    Ok(TranslatedAnswer { body: json.into_bytes().into(), dropped: Vec::new(), usage })
}
