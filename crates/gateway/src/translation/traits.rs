//! What a provider's models differ in, as far as a translation must know it.
//!
//! From the makers' manuals: Anthropic, "Models overview" and "Extended thinking"; Google, "Thinking"; OpenAI, "Create
//! chat completion"; OpenRouter, "Reasoning tokens".

use crate::entitle::Route;
use topdog_domain::provider::ProviderApi;
use topdog_wire::translate::{Dialect, ModelTraits, Target, ThinkingStyle};

/// The model that a request goes to.
pub(super) fn target(provider: Dialect, route: &Route) -> Target<'_> {
    let (name, model) = (route.provider.as_str(), route.model.as_ref());
    let version = version(model);
    let is_openai = name == "openai" || route.api() == ProviderApi::Azure;
    Target {
        model,
        default_max_tokens: longest_answer(model, version),
        is_stream: None,
        traits: ModelTraits {
            thinking: match provider {
                Dialect::Anthropic => claude_thinks(version),
                Dialect::BedrockConverse if is_claude(model) => claude_thinks(version),
                // What makes others think is not said in the same words by any two makers.
                Dialect::BedrockConverse => ThinkingStyle::None,
                Dialect::Gemini => gemini_thinks(version),
                _ => ThinkingStyle::Effort,
            },
            takes_cache_marks: match provider {
                Dialect::OpenAiChat => is_openai,
                // Amazon's manual, "Prompt caching": Claude and Nova.
                Dialect::BedrockConverse => is_claude(model) || model.contains("amazon.nova"),
                _ => true,
            },
            takes_reasoning_details: name == "openrouter",
            has_only_max_tokens: !is_openai,
            takes_stream_options: route.takes_stream_options(),
            ..ModelTraits::default()
        },
    }
}

/// Hosts put their own words before a model's name: `eu.anthropic.claude-sonnet-4-5-20250929-v1:0`.
fn is_claude(model: &str) -> bool {
    model.starts_with("claude") || model.contains("anthropic.claude")
}

/// The first two numbers in a model's name: 4 and 5 of `claude-sonnet-4-5-20250929`, 2 and 5 of `gemini-2.5-pro`; a date
/// is none.
fn version(model: &str) -> Option<(u32, u32)> {
    let mut numbers = model.split(['-', '.', '@']).skip_while(|word| number(word).is_none());
    let major = number(numbers.next()?)?;
    Some((major, numbers.next().and_then(number).unwrap_or(0)))
}

fn number(word: &str) -> Option<u32> {
    if word.len() > 2 { None } else { word.parse().ok() }
}

const fn claude_thinks(version: Option<(u32, u32)>) -> ThinkingStyle {
    match version {
        Some((..3, _) | (3, ..7)) => ThinkingStyle::None,
        Some((3, _) | (4, ..6)) => ThinkingStyle::Budget,
        _ => ThinkingStyle::Effort,
    }
}

const fn gemini_thinks(version: Option<(u32, u32)>) -> ThinkingStyle {
    match version {
        Some((..2, _) | (2, ..5)) => ThinkingStyle::None,
        Some((2, _)) => ThinkingStyle::Budget,
        _ => ThinkingStyle::Effort,
    }
}

/// The most tokens of an answer where the caller names no limit and the provider demands one: as many as every model of
/// that version may give.
fn longest_answer(model: &str, version: Option<(u32, u32)>) -> u64 {
    match version {
        _ if !is_claude(model) => 4096,
        Some((..3, _) | (3, ..5)) => 4096,
        Some((3, 5 | 6)) => 8192,
        _ => 32_000,
    }
}

#[cfg(test)]
mod tests {
    use super::{claude_thinks, gemini_thinks, longest_answer, version};
    use topdog_wire::translate::ThinkingStyle::{Budget, Effort, None as Never};

    #[test]
    fn models_are_told_apart_by_their_versions() {
        for (model, style, most) in [
            ("claude-3-haiku-20240307", Never, 4096),
            ("claude-3-5-sonnet-20241022", Never, 8192),
            ("claude-3-5-haiku-latest", Never, 8192),
            ("claude-3-7-sonnet-20250219", Budget, 32_000),
            ("claude-sonnet-4-20250514", Budget, 32_000),
            ("claude-opus-4-1", Budget, 32_000),
            ("claude-sonnet-4-5-20250929", Budget, 32_000),
            ("claude-opus-4-6", Effort, 32_000),
            ("claude-opus-5", Effort, 32_000),
            ("claude-next", Effort, 32_000),
            ("anthropic.claude-3-haiku-20240307-v1:0", Never, 4096),
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Budget, 32_000),
            ("us.anthropic.claude-opus-4-6-v1", Effort, 32_000),
            ("some-other", Effort, 4096),
        ] {
            let version = version(model);
            assert_eq!((claude_thinks(version), longest_answer(model, version)), (style, most), "{model}");
        }
        for (model, style) in [
            ("gemini-1.5-pro", Never),
            ("gemini-2.0-flash", Never),
            ("gemini-2.5-flash-lite", Budget),
            ("gemini-3-pro-preview", Effort),
            ("gemini-3.1-pro", Effort),
        ] {
            assert_eq!(gemini_thinks(version(model)), style, "{model}");
        }
    }
}
