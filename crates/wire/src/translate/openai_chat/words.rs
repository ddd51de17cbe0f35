//! The tables of chat's own: stop reasons and usage.

use crate::translate::json::{Json, Node};
use crate::translate::model::{StopReason, Usage};
use std::borrow::Cow;
use topdog_domain::usage::TokenUsage;

pub(super) fn stop_reason(name: Cow<'_, str>) -> StopReason<'_> {
    match name.as_ref() {
        "stop" => StopReason::End,
        // Mistral says `model_length` where the context is full.
        "length" => StopReason::MaxTokens,
        "model_length" => StopReason::ContextFull,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "content_filter" => StopReason::Filtered,
        "error" => StopReason::Malformed,
        _ => StopReason::Other(name),
    }
}

/// The reason's name here, and whether nothing is lost by it that the client should know.
pub(super) const fn stop_word(reason: &StopReason<'_>) -> (&'static str, bool) {
    match reason {
        StopReason::End | StopReason::StopText(_) => ("stop", true),
        StopReason::MaxTokens | StopReason::ContextFull => ("length", true),
        StopReason::ToolCalls => ("tool_calls", true),
        StopReason::Filtered | StopReason::Refused => ("content_filter", true),
        // The turn is not over: `stop` would say that it is.
        StopReason::Paused | StopReason::Malformed | StopReason::Other(_) => ("length", false),
    }
}

/// The buckets of a `usage` object: `prompt_tokens` includes what was cached, `completion_tokens` what was
/// reasoned.
pub(super) fn usage(told: &Node<'_>) -> Option<Usage> {
    let prompt = told.count_of("prompt_tokens");
    let completion = told.count_of("completion_tokens");
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let of_prompt = |name| told.member("prompt_tokens_details").and_then(|details| details.count_of(name));
    let of_completion =
        |name| told.member("completion_tokens_details").and_then(|details| details.count_of(name));
    // DeepSeek's spelling of cached input.
    let cached = of_prompt("cached_tokens").or_else(|| told.count_of("prompt_cache_hit_tokens"));
    let cache_read = cached.unwrap_or(0);
    let cache_write_5m = of_prompt("cache_write_tokens").unwrap_or(0);
    let reasoning = of_completion("reasoning_tokens").unwrap_or(0);
    Some(Usage {
        tokens: TokenUsage {
            input: prompt.unwrap_or(0).saturating_sub(cache_read).saturating_sub(cache_write_5m),
            cache_read,
            cache_write_5m,
            cache_write_1h: 0,
            output: completion.unwrap_or(0).saturating_sub(reasoning),
            reasoning,
        },
        audio_in: of_prompt("audio_tokens").unwrap_or(0),
        audio_out: of_completion("audio_tokens").unwrap_or(0),
        accepted_prediction: of_completion("accepted_prediction_tokens").unwrap_or(0),
        rejected_prediction: of_completion("rejected_prediction_tokens").unwrap_or(0),
    })
}

pub(super) fn put_usage(json: &mut Json, usage: &Usage) {
    let Usage { tokens, audio_in, audio_out, accepted_prediction, rejected_prediction } = *usage;
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = tokens;
    let written = cache_write_5m.saturating_add(cache_write_1h);
    let prompt = input.saturating_add(cache_read).saturating_add(written);
    let completion = output.saturating_add(reasoning);
    json.open('{').key("prompt_tokens").count(prompt).key("completion_tokens").count(completion);
    json.key("total_tokens").count(prompt.saturating_add(completion));
    json.key("prompt_tokens_details").open('{').key("cached_tokens").count(cache_read);
    if written > 0 {
        json.key("cache_write_tokens").count(written);
    }
    json.key("audio_tokens").count(audio_in).close('}');
    json.key("completion_tokens_details").open('{').key("reasoning_tokens").count(reasoning);
    json.key("audio_tokens").count(audio_out);
    json.key("accepted_prediction_tokens").count(accepted_prediction);
    json.key("rejected_prediction_tokens").count(rejected_prediction).close('}').close('}');
}
