//! What a provider says a request used, put into buckets that never overlap.

mod anthropic;

pub(crate) use anthropic::AnthropicUsage;

use crate::json::{self, Cursor, Kind, Value};
use crate::translate;
use serde::Deserialize;
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::TokenUsage;

/// The usage that a whole (not streamed) answer tells; none where it tells none in tokens.
#[must_use]
pub fn usage_of_answer(operation: Operation, body: &[u8]) -> Option<TokenUsage> {
    match operation {
        // Its answer is sound, never JSON, and can be long.
        Operation::Speech => None,
        // It tells what was used when it was made, not now.
        Operation::Resource => None,
        Operation::Passthrough => usage_in_any_words(std::str::from_utf8(body).ok()?),
        // It has told a number, and used nothing.
        Operation::CountTokens | Operation::CountContentTokens => Some(TokenUsage::default()),
        // Theirs stands in `meta`; searches are no tokens.
        Operation::CohereEmbed | Operation::Rerank => {
            let text = std::str::from_utf8(body).ok()?;
            translate::cohere_tokens(json::document(text).ok()?.member("meta")?.raw)
        }
        Operation::GenerateContent | Operation::EmbedContent | Operation::BatchEmbedContents => {
            let answer = json::document(std::str::from_utf8(body).ok()?).ok()?;
            translate::gemini_tokens(last_of(answer).member("usageMetadata")?.raw)
        }
        _ => {
            let text = std::str::from_utf8(body).ok()?;
            let raw = match usage_near_the_end(text) {
                Some(raw) => raw,
                None => json::document(text).ok()?.member("usage")?.raw,
            };
            match operation.family() {
                Family::Anthropic => {
                    let mut usage = AnthropicUsage::default();
                    usage.add(raw).map(|()| usage.tokens())
                }
                Family::Cohere => translate::cohere_tokens(raw),
                Family::OpenAi | Family::Gemini => usage_of_object(raw),
            }
        }
    }
}

/// The usage that an answer tells whose API isn't known, in the words of any.
fn usage_in_any_words(text: &str) -> Option<TokenUsage> {
    let answer = json::document(text).ok()?;
    if let Some(told) = answer.member("usageMetadata") {
        return translate::gemini_tokens(told.raw);
    }
    let told = answer.member("usage").or_else(|| answer.member("meta"))?;
    if told.member("billed_units").is_some() {
        return translate::cohere_tokens(told.raw);
    }
    if told.member("cache_read_input_tokens").is_some() {
        let mut usage = AnthropicUsage::default();
        return usage.add(told.raw).map(|()| usage.tokens());
    }
    usage_of_object(told.raw)
}

/// A stream that came as one list tells its usage in each element, cumulatively.
fn last_of(answer: Value<'_>) -> Value<'_> {
    let mut last = answer;
    // A fault can't come: the value has been walked once to be here.
    let _ = answer.each_element(|element| last = element);
    last
}

/// The last member `usage` of the top-level object, found from the end, where it usually stands: an answer of
/// 100 KB is not read for it. What follows it must close that very object, so no other `usage` is taken for it.
fn usage_near_the_end(text: &str) -> Option<&str> {
    const KEY: &[u8] = b"\"usage\"";
    let at = memchr::memmem::rfind(text.as_bytes(), KEY)?;
    if text.as_bytes().get(at.checked_sub(1)?) == Some(&b'\\') {
        return None;
    }
    let mut cursor = Cursor::at(text, at + KEY.len());
    cursor.skip_space();
    if !cursor.takes(b':') {
        return None;
    }
    cursor.skip_space();
    let usage = cursor.value(1).ok().filter(|value| value.kind == Kind::Object)?;
    cursor.rest_of_document().ok()?;
    Some(usage.raw)
}

/// An estimate of the input tokens of a request body, used where the provider tells none: four bytes
/// a token, rounded up.
#[must_use]
pub const fn estimate_input(body_bytes: usize) -> u64 {
    estimate(body_bytes as u64)
}

/// Four bytes a token, rounded up.
pub(crate) const fn estimate(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// The buckets of one `usage` object in either of OpenAI's spellings.
pub(crate) fn usage_of_object(raw: &str) -> Option<TokenUsage> {
    serde_json::from_str::<Told>(raw).ok()?.buckets()
}

/// `usage` as OpenAI and those who speak like it send it: chat, completions and embeddings say
/// `prompt` and `completion`, responses, images and transcriptions `input` and `output`.
#[derive(Deserialize)]
struct Told {
    #[serde(alias = "input_tokens")]
    prompt_tokens: Option<u64>,
    #[serde(alias = "output_tokens")]
    completion_tokens: Option<u64>,
    #[serde(alias = "input_tokens_details", alias = "input_token_details")]
    prompt_tokens_details: Option<ToldInput>,
    #[serde(alias = "output_tokens_details", alias = "output_token_details")]
    completion_tokens_details: Option<ToldOutput>,
    /// DeepSeek's spelling of cached input.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct ToldInput {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct ToldOutput {
    reasoning_tokens: Option<u64>,
}

impl Told {
    fn buckets(self) -> Option<TokenUsage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let input = self.prompt_tokens.unwrap_or(0);
        let output = self.completion_tokens.unwrap_or(0);
        let cached = self
            .prompt_tokens_details
            .and_then(|details| details.cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .unwrap_or(0);
        let reasoning =
            self.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0);
        Some(TokenUsage {
            input: input.saturating_sub(cached),
            cache_read: cached,
            output: output.saturating_sub(reasoning),
            reasoning,
            ..TokenUsage::default()
        })
    }
}
