//! The tables: why an answer ended, usage, what a failed answer's `error.code` may be.

use crate::translate::json::{Json, Node};
use crate::translate::losses::Losses;
use crate::translate::model::{FailureKind, Spot, Stop, StopReason, Usage};
use topdog_domain::usage::TokenUsage;

/// Why an answer of that status ended; none where it isn't told.
pub(super) fn stop<'a>(response: &Node<'a>, has_calls: bool) -> Option<Stop<'a>> {
    let reason = match response.text_of("status").as_deref() {
        Some("completed") | None if has_calls => StopReason::ToolCalls,
        Some("completed") | None => StopReason::End,
        Some(_) => {
            let told = response.member("incomplete_details").and_then(|details| details.text_of("reason"))?;
            match told.as_ref() {
                "max_output_tokens" => StopReason::MaxTokens,
                "content_filter" => StopReason::Filtered,
                _ => StopReason::Other(told),
            }
        }
    };
    Some(Stop::plain(reason))
}

/// How an answer's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    /// Incomplete, for this reason where one is known.
    Incomplete(Option<&'static str>),
}

impl End {
    /// How this reason is told; what its words don't say is noted.
    pub(super) fn of(stop: Option<&Stop<'_>>, losses: &mut Losses) -> Self {
        let Some(stop) = stop else { return Self::Incomplete(None) };
        match &stop.reason {
            StopReason::End | StopReason::StopText(_) | StopReason::ToolCalls => Self::Completed,
            StopReason::MaxTokens | StopReason::ContextFull => Self::Incomplete(Some("max_output_tokens")),
            StopReason::Filtered | StopReason::Refused => Self::Incomplete(Some("content_filter")),
            // It is not over: `completed` would say that it is.
            StopReason::Paused | StopReason::Malformed | StopReason::Other(_) => {
                losses.note(
                    Spot::NOWHERE,
                    "why it stopped has no name here; it is told as `max_output_tokens`",
                );
                Self::Incomplete(Some("max_output_tokens"))
            }
        }
    }

    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
        }
    }
}

/// The code of a failed answer, where it has none of its own: those that clients act on.
pub(super) const fn failure_code(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::RateLimited => "rate_limit_exceeded",
        FailureKind::Unpaid => "insufficient_quota",
        FailureKind::Overloaded => "server_is_overloaded",
        FailureKind::Invalid | FailureKind::TooLarge | FailureKind::Filtered => "invalid_prompt",
        FailureKind::Unauthenticated
        | FailureKind::Forbidden
        | FailureKind::NotFound
        | FailureKind::Conflict
        | FailureKind::TimedOut
        | FailureKind::Server => "server_error",
    }
}

/// The buckets of a `usage` object: input includes what was cached, output what was reasoned.
pub(super) fn usage(told: &Node<'_>) -> Option<Usage> {
    let input = told.count_of("input_tokens");
    let output = told.count_of("output_tokens");
    if input.is_none() && output.is_none() {
        return None;
    }
    let of = |details, name| told.member(details).and_then(|details| details.count_of(name)).unwrap_or(0);
    let cache_read = of("input_tokens_details", "cached_tokens");
    let cache_write_5m = of("input_tokens_details", "cache_write_tokens");
    let reasoning = of("output_tokens_details", "reasoning_tokens");
    let tokens = TokenUsage {
        input: input.unwrap_or(0).saturating_sub(cache_read).saturating_sub(cache_write_5m),
        cache_read,
        cache_write_5m,
        cache_write_1h: 0,
        output: output.unwrap_or(0).saturating_sub(reasoning),
        reasoning,
    };
    Some(Usage { tokens, ..Usage::default() })
}

/// A `usage` object, or null where it was not told.
pub(super) fn put_usage(json: &mut Json, usage: Option<Usage>, losses: &mut Losses) {
    let Some(usage) = usage else {
        json.null();
        return;
    };
    let Usage { tokens, audio_in, audio_out, accepted_prediction, rejected_prediction } = usage;
    if audio_in + audio_out + accepted_prediction + rejected_prediction > 0 {
        losses.note(Spot::NOWHERE, "what of the usage was sound or prediction is left out");
    }
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = tokens;
    let written = cache_write_5m.saturating_add(cache_write_1h);
    let prompt = input.saturating_add(cache_read).saturating_add(written);
    let completion = output.saturating_add(reasoning);
    json.open('{').key("input_tokens").count(prompt);
    json.key("input_tokens_details").open('{').key("cached_tokens").count(cache_read);
    json.key("cache_write_tokens").count(written).close('}');
    json.key("output_tokens").count(completion);
    json.key("output_tokens_details").open('{').key("reasoning_tokens").count(reasoning).close('}');
    json.key("total_tokens").count(prompt.saturating_add(completion)).close('}');
}
