//! Usage in Anthropic's words (`anthropic.types.Usage`, `MessageDeltaUsage`).

use serde::Deserialize;
use topdog_domain::usage::TokenUsage;

/// What one or several `usage` objects of one answer have told.
///
/// A stream tells it twice, at its beginning and, cumulatively, at its end, each time not all of it. Some who speak like
/// Anthropic tell 0 first and the truth last, others the reverse: so of every count the largest that was told is true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AnthropicUsage {
    /// Fresh input: it excludes what was read from a cache or written to one.
    input: u64,
    cache_read: u64,
    /// Written to caches of any age.
    cache_write: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    /// All output, thinking included.
    output: u64,
    thinking: u64,
}

#[derive(Deserialize)]
struct Told {
    input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<ToldWrites>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<ToldOutput>,
}

#[derive(Deserialize)]
struct ToldWrites {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct ToldOutput {
    thinking_tokens: Option<u64>,
}

impl AnthropicUsage {
    /// Takes up one `usage` object; none where it is none.
    pub(crate) fn add(&mut self, raw: &str) -> Option<()> {
        let told: Told = serde_json::from_str(raw).ok()?;
        if told.input_tokens.is_none() && told.output_tokens.is_none() {
            return None;
        }
        let (writes, details) = (told.cache_creation.as_ref(), told.output_tokens_details.as_ref());
        raise(&mut self.input, told.input_tokens);
        raise(&mut self.cache_read, told.cache_read_input_tokens);
        raise(&mut self.cache_write, told.cache_creation_input_tokens);
        raise(&mut self.cache_write_5m, writes.and_then(|writes| writes.ephemeral_5m_input_tokens));
        raise(&mut self.cache_write_1h, writes.and_then(|writes| writes.ephemeral_1h_input_tokens));
        raise(&mut self.output, told.output_tokens);
        raise(&mut self.thinking, details.and_then(|details| details.thinking_tokens));
        Some(())
    }

    /// The same in buckets. What was written to a cache without saying for how long, was for five minutes.
    pub(crate) fn tokens(&self) -> TokenUsage {
        let rest = self.cache_write.saturating_sub(self.cache_write_1h);
        TokenUsage {
            input: self.input,
            cache_read: self.cache_read,
            cache_write_5m: rest.max(self.cache_write_5m),
            cache_write_1h: self.cache_write_1h,
            output: self.output.saturating_sub(self.thinking),
            reasoning: self.thinking,
        }
    }
}

fn raise(count: &mut u64, told: Option<u64>) {
    *count = (*count).max(told.unwrap_or(0));
}
