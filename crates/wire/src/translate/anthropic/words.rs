//! The tables: stop reasons, classes of error, efforts, how long a cache is kept, usage.

use crate::translate::json::Json;
use crate::translate::model::{CacheTtl, Effort, FailureKind, ServiceTier, Stop, StopReason, Usage};
use std::borrow::Cow;
use topdog_domain::usage::TokenUsage;

/// The member that holds arguments which are no JSON object, as Anthropic's manual ("Fine-grained tool
/// streaming") says to send them back.
pub(super) const INVALID_JSON: &str = "INVALID_JSON";

pub(super) fn stop_reason<'a>(name: Cow<'a, str>, stop_text: Option<Cow<'a, str>>) -> StopReason<'a> {
    match name.as_ref() {
        "end_turn" => StopReason::End,
        "stop_sequence" => StopReason::StopText(stop_text),
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextFull,
        "tool_use" => StopReason::ToolCalls,
        "refusal" => StopReason::Refused,
        "pause_turn" => StopReason::Paused,
        _ => StopReason::Other(name),
    }
}

/// The reason's name here, and whether it is the same thing.
pub(super) fn stop_word<'s>(reason: &'s StopReason<'_>) -> (&'s str, bool) {
    match reason {
        StopReason::End => ("end_turn", true),
        StopReason::StopText(_) => ("stop_sequence", true),
        StopReason::MaxTokens => ("max_tokens", true),
        StopReason::ContextFull => ("model_context_window_exceeded", true),
        StopReason::ToolCalls => ("tool_use", true),
        StopReason::Refused | StopReason::Filtered => ("refusal", true),
        StopReason::Paused => ("pause_turn", true),
        // No name here says that an answer failed; that it was cut short is the nearest that is true.
        StopReason::Malformed => ("max_tokens", false),
        StopReason::Other(name) => (name, true),
    }
}

/// `stop_reason` and what belongs to it.
pub(super) fn put_stop(json: &mut Json, stop: Option<&Stop<'_>>) {
    json.key("stop_reason");
    match stop {
        Some(stop) => json.string(stop_word(&stop.reason).0),
        None => json.null(),
    };
    json.key("stop_sequence");
    match stop.map(|stop| &stop.reason) {
        Some(StopReason::StopText(Some(text))) => json.string(text),
        _ => json.null(),
    };
    if let Some(explanation) = stop.and_then(|stop| stop.explanation.as_deref()) {
        json.key("stop_details").open('{');
        json.key("type").string("refusal").key("category").null();
        json.key("explanation").string(explanation).close('}');
    }
}

pub(super) fn failure_kind(name: &str) -> Option<FailureKind> {
    Some(match name {
        "invalid_request_error" => FailureKind::Invalid,
        "authentication_error" => FailureKind::Unauthenticated,
        "billing_error" => FailureKind::Unpaid,
        "permission_error" => FailureKind::Forbidden,
        "not_found_error" => FailureKind::NotFound,
        "conflict_error" => FailureKind::Conflict,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_error" => FailureKind::RateLimited,
        "timeout_error" => FailureKind::TimedOut,
        "overloaded_error" => FailureKind::Overloaded,
        "api_error" => FailureKind::Server,
        _ => return None,
    })
}

/// The status and the name.
pub(in crate::translate) const fn failure_word(kind: FailureKind) -> (u16, &'static str) {
    match kind {
        FailureKind::Invalid | FailureKind::Filtered => (400, "invalid_request_error"),
        FailureKind::Unauthenticated => (401, "authentication_error"),
        FailureKind::Unpaid => (402, "billing_error"),
        FailureKind::Forbidden => (403, "permission_error"),
        FailureKind::NotFound => (404, "not_found_error"),
        FailureKind::Conflict => (409, "conflict_error"),
        FailureKind::TooLarge => (413, "request_too_large"),
        FailureKind::RateLimited => (429, "rate_limit_error"),
        FailureKind::TimedOut => (504, "timeout_error"),
        FailureKind::Overloaded => (529, "overloaded_error"),
        FailureKind::Server => (500, "api_error"),
    }
}

pub(in crate::translate) fn effort(name: &str) -> Option<Effort> {
    Some(match name {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

/// The effort's name here, and whether it is the same one.
pub(in crate::translate) const fn effort_word(effort: Effort) -> (&'static str, bool) {
    match effort {
        Effort::Minimal => ("low", false),
        Effort::Low => ("low", true),
        Effort::Medium => ("medium", true),
        Effort::High => ("high", true),
        Effort::XHigh => ("xhigh", true),
        Effort::Max => ("max", true),
    }
}

pub(in crate::translate) fn cache_ttl(name: &str) -> Option<CacheTtl> {
    match name {
        "5m" => Some(CacheTtl::FiveMinutes),
        "1h" => Some(CacheTtl::OneHour),
        _ => None,
    }
}

/// The time's name here, and whether it is the same one.
pub(in crate::translate) const fn cache_ttl_word(ttl: CacheTtl) -> (&'static str, bool) {
    match ttl {
        CacheTtl::FiveMinutes => ("5m", true),
        CacheTtl::OneHour => ("1h", true),
        CacheTtl::ThirtyMinutes | CacheTtl::TwelveHours => ("1h", false),
    }
}

pub(super) fn service_tier(name: Cow<'_, str>) -> ServiceTier<'_> {
    match name.as_ref() {
        "auto" => ServiceTier::Auto,
        "standard_only" => ServiceTier::Standard,
        _ => ServiceTier::Named(name),
    }
}

/// A `usage` object. `input_tokens` excludes what was cached; output includes reasoning.
pub(super) fn put_usage(json: &mut Json, usage: &Usage) {
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = usage.tokens;
    json.open('{').key("input_tokens").count(input);
    json.key("cache_creation_input_tokens").count(cache_write_5m.saturating_add(cache_write_1h));
    json.key("cache_read_input_tokens").count(cache_read);
    if cache_write_1h > 0 {
        json.key("cache_creation").open('{');
        json.key("ephemeral_5m_input_tokens").count(cache_write_5m);
        json.key("ephemeral_1h_input_tokens").count(cache_write_1h).close('}');
    }
    json.key("output_tokens").count(output.saturating_add(reasoning));
    if reasoning > 0 {
        json.key("output_tokens_details").open('{').key("thinking_tokens").count(reasoning).close('}');
    }
    json.close('}');
}
