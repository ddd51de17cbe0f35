//! The tables: stop reasons, classes of error, efforts, how long a cache is kept, media types, usage.

use crate::translate::json::{Json, Node};
use crate::translate::model::{CacheTtl, Detail, Effort, FailureKind, ServiceTier, StopReason, Usage};
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

/// What an error says of itself, by code and type, before its status.
pub(super) fn failure_kind(code: Option<&str>, name: Option<&str>) -> Option<FailureKind> {
    [code, name].into_iter().flatten().find_map(|word| {
        Some(match word {
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => FailureKind::Unpaid,
            "invalid_api_key" | "authentication_error" => FailureKind::Unauthenticated,
            "model_not_found" | "not_found_error" => FailureKind::NotFound,
            "permission_error" | "permission_denied" => FailureKind::Forbidden,
            "content_filter" | "content_policy_violation" => FailureKind::Filtered,
            "context_length_exceeded" | "string_above_max_length" => FailureKind::Invalid,
            "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => FailureKind::RateLimited,
            "overloaded_error" | "engine_overloaded" => FailureKind::Overloaded,
            _ => return None,
        })
    })
}

/// The class of a type of error, which is coarse: looked at last, where there is no status.
pub(super) fn failure_kind_of_type(name: Option<&str>) -> FailureKind {
    match name {
        Some("invalid_request_error") => FailureKind::Invalid,
        _ => FailureKind::Server,
    }
}

/// The status, the type and, where there is no other, the code.
pub(super) const fn failure_word(kind: FailureKind) -> (u16, &'static str, Option<&'static str>) {
    match kind {
        FailureKind::Invalid => (400, "invalid_request_error", None),
        FailureKind::Filtered => (400, "invalid_request_error", Some("content_filter")),
        FailureKind::Unauthenticated => (401, "authentication_error", Some("invalid_api_key")),
        FailureKind::Unpaid => (402, "insufficient_quota", Some("insufficient_quota")),
        FailureKind::Forbidden => (403, "permission_error", None),
        FailureKind::NotFound => (404, "not_found_error", None),
        FailureKind::Conflict => (409, "invalid_request_error", None),
        FailureKind::TooLarge => (413, "invalid_request_error", Some("request_too_large")),
        FailureKind::RateLimited => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        FailureKind::TimedOut => (504, "server_error", Some("timeout")),
        FailureKind::Overloaded => (503, "server_error", Some("overloaded")),
        FailureKind::Server => (500, "server_error", None),
    }
}

/// `none` is no effort but a mode.
pub(super) fn effort(name: &str) -> Option<Effort> {
    Some(match name {
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

pub(super) const fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    }
}

pub(super) fn cache_ttl(name: &str) -> Option<CacheTtl> {
    match name {
        "5m" => Some(CacheTtl::FiveMinutes),
        "30m" => Some(CacheTtl::ThirtyMinutes),
        "1h" => Some(CacheTtl::OneHour),
        "12h" => Some(CacheTtl::TwelveHours),
        _ => None,
    }
}

pub(super) const fn cache_ttl_word(ttl: CacheTtl) -> Option<&'static str> {
    match ttl {
        CacheTtl::ThirtyMinutes => Some("30m"),
        CacheTtl::TwelveHours => Some("12h"),
        CacheTtl::FiveMinutes | CacheTtl::OneHour => None,
    }
}

pub(super) fn detail(name: &str) -> Option<Detail> {
    Some(match name {
        "auto" => Detail::Auto,
        "low" => Detail::Low,
        "high" => Detail::High,
        "original" => Detail::Original,
        _ => return None,
    })
}

pub(super) const fn detail_word(detail: Detail) -> &'static str {
    match detail {
        Detail::Auto => "auto",
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Original => "original",
    }
}

/// The media type of an `input_audio.format`.
pub(super) fn audio_type(format: &str) -> Option<&'static str> {
    match format {
        "wav" => Some("audio/wav"),
        "mp3" => Some("audio/mpeg"),
        _ => None,
    }
}

pub(super) fn audio_format(media_type: &str) -> Option<&'static str> {
    match media_type {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}

pub(super) fn service_tier(name: Cow<'_, str>) -> ServiceTier<'_> {
    match name.as_ref() {
        "auto" => ServiceTier::Auto,
        "default" => ServiceTier::Standard,
        _ => ServiceTier::Named(name),
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
