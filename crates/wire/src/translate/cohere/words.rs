//! The tables: stop reasons, classes of error, how closely an image is looked at, usage.

use crate::translate::json::{Json, Node};
use crate::translate::model::{Detail, FailureKind, StopReason, Usage};
use std::borrow::Cow;
use topdog_domain::usage::TokenUsage;

pub(super) fn stop_reason(name: Cow<'_, str>) -> StopReason<'_> {
    match name.as_ref() {
        "COMPLETE" => StopReason::End,
        "STOP_SEQUENCE" => StopReason::StopText(None),
        "MAX_TOKENS" => StopReason::MaxTokens,
        "TOOL_CALL" => StopReason::ToolCalls,
        "ERROR" => StopReason::Malformed,
        _ => StopReason::Other(name),
    }
}

/// The reason's name here, and whether nothing is lost by it that the client should know.
pub(super) fn stop_word<'s>(reason: &'s StopReason<'_>) -> (&'s str, bool) {
    match reason {
        StopReason::End => ("COMPLETE", true),
        StopReason::StopText(_) => ("STOP_SEQUENCE", true),
        StopReason::MaxTokens | StopReason::ContextFull => ("MAX_TOKENS", true),
        StopReason::ToolCalls => ("TOOL_CALL", true),
        StopReason::Malformed => ("ERROR", true),
        // `COMPLETE` would say that the model had said all it meant to.
        StopReason::Filtered | StopReason::Refused => ("ERROR", false),
        StopReason::Paused => ("MAX_TOKENS", false),
        StopReason::Other(name) if name == TIMED_OUT => (TIMED_OUT, true),
        StopReason::Other(_) => ("ERROR", false),
    }
}

/// The provider gave up on an answer that took too long.
pub(super) const TIMED_OUT: &str = "TIMEOUT";

/// The class of a failure, which its status tells; only of what is too much there are two kinds.
pub(super) fn failure_kind(status: u16, message: &str) -> FailureKind {
    match status {
        // A trial key's calls of a month: waiting a minute, as for those of a minute, brings none back.
        429 if message.contains("/ month") => FailureKind::Unpaid,
        // "Invalid token", of Cohere's own.
        498 => FailureKind::Unauthenticated,
        // "Request cancelled", also said of a stream that broke: nothing is wrong with the request.
        499 => FailureKind::Server,
        _ => FailureKind::of_status(status),
    }
}

pub(super) const fn failure_status(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::Invalid | FailureKind::Conflict => 400,
        FailureKind::Unauthenticated => 401,
        FailureKind::Unpaid => 402,
        FailureKind::Forbidden => 403,
        FailureKind::NotFound => 404,
        FailureKind::TooLarge => 413,
        FailureKind::Filtered => 422,
        FailureKind::RateLimited => 429,
        FailureKind::Server => 500,
        FailureKind::Overloaded => 503,
        FailureKind::TimedOut => 504,
    }
}

pub(super) fn detail(name: &str) -> Option<Detail> {
    Some(match name {
        "auto" => Detail::Auto,
        "low" => Detail::Low,
        "high" => Detail::High,
        _ => return None,
    })
}

/// The detail's name here, and whether it is the same one.
pub(super) const fn detail_word(detail: Detail) -> (&'static str, bool) {
    match detail {
        Detail::Auto => ("auto", true),
        Detail::Low => ("low", true),
        Detail::High => ("high", true),
        Detail::Original => ("high", false),
    }
}

/// The buckets of a `usage` object: what is billed, where that is told, else all tokens.
///
/// `cached_tokens` are some of all the input's tokens, of which those that are not billed may be cached as
/// well; so only as many as don't fit there are taken to be among the billed ones.
pub(in crate::translate) fn usage(told: &Node<'_>) -> Option<Usage> {
    let tokens = told.member("tokens");
    let billed = told.member("billed_units").filter(|billed| count(billed, "input_tokens").is_some());
    let counted = billed.or(tokens)?;
    let input = count(counted, "input_tokens").unwrap_or(0);
    let all = tokens.and_then(|tokens| count(tokens, "input_tokens")).unwrap_or(input);
    let cached = count(told, "cached_tokens").unwrap_or(0);
    let cache_read = cached.saturating_add(input).saturating_sub(all).min(input);
    let tokens = TokenUsage {
        input: input.saturating_sub(cache_read),
        cache_read,
        output: count(counted, "output_tokens").unwrap_or(0),
        ..TokenUsage::default()
    };
    Some(Usage { tokens, ..Usage::default() })
}

/// A count, which the dialect has as a number that may be written with a fraction (`12.0`).
pub(in crate::translate) fn count(told: &Node<'_>, name: &str) -> Option<u64> {
    told.member(name)?.raw.split('.').next()?.parse().ok()
}

/// A `usage` object. Another provider's prompt holds nothing that isn't billed: both counts are the same.
pub(super) fn put_usage(json: &mut Json, usage: &Usage) {
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = usage.tokens;
    let written = cache_write_5m.saturating_add(cache_write_1h);
    let prompt = input.saturating_add(cache_read).saturating_add(written);
    json.open('{');
    for name in ["billed_units", "tokens"] {
        json.key(name).open('{').key("input_tokens").count(prompt);
        json.key("output_tokens").count(output.saturating_add(reasoning)).close('}');
    }
    json.key("cached_tokens").count(cache_read).close('}');
}
