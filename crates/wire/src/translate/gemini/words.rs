//! The tables: stop reasons, classes of error, thinking levels, media types, usage.

use crate::translate::json::{Json, Node, Value};
use crate::translate::model::{Effort, FailureKind, MediaKind, ServiceTier, StopReason, Usage};
use std::borrow::Cow;
use topdog_domain::usage::TokenUsage;

/// `STOP` is also said of an answer that waits for the results of its calls. None: not ended.
pub(super) fn stop_reason(name: Cow<'_, str>, has_calls: bool) -> Option<StopReason<'_>> {
    Some(match name.as_ref() {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" if has_calls => StopReason::ToolCalls,
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::MaxTokens,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => StopReason::Filtered,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => StopReason::Malformed,
        "CONTINUATION" => StopReason::Paused,
        _ => StopReason::Other(name),
    })
}

/// The reason's name here, and whether nothing is lost by it that the client should know.
pub(super) fn stop_word<'s>(reason: &'s StopReason<'_>) -> (&'s str, bool) {
    match reason {
        StopReason::End | StopReason::StopText(_) | StopReason::ToolCalls => ("STOP", true),
        StopReason::MaxTokens | StopReason::ContextFull => ("MAX_TOKENS", true),
        StopReason::Filtered | StopReason::Refused => ("SAFETY", true),
        StopReason::Malformed => ("MALFORMED_FUNCTION_CALL", true),
        // The turn is not over: `STOP` would say that it is.
        StopReason::Paused => ("MAX_TOKENS", false),
        StopReason::Other(name) if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => {
            (name, true)
        }
        StopReason::Other(_) => ("OTHER", false),
    }
}

/// The class of an error, by its reason, then its status here, then the HTTP status.
pub(super) fn failure_kind(reason: Option<&str>, name: Option<&str>, status: Option<u16>) -> FailureKind {
    match (reason, name, status) {
        // A wrong key is a 400, `INVALID_ARGUMENT`.
        (Some("API_KEY_INVALID" | "API_KEY_EXPIRED"), ..) | (_, Some("UNAUTHENTICATED"), _) => {
            FailureKind::Unauthenticated
        }
        // `RESOURCE_EXHAUSTED` is said of prepaid money too.
        (_, _, Some(402)) => FailureKind::Unpaid,
        (_, Some("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE"), Some(413)) => {
            FailureKind::TooLarge
        }
        (_, Some("INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE"), _) => FailureKind::Invalid,
        (_, Some("PERMISSION_DENIED"), _) => FailureKind::Forbidden,
        (_, Some("NOT_FOUND"), _) => FailureKind::NotFound,
        (_, Some("ALREADY_EXISTS" | "ABORTED"), _) => FailureKind::Conflict,
        (_, Some("RESOURCE_EXHAUSTED"), _) => FailureKind::RateLimited,
        (_, Some("DEADLINE_EXCEEDED" | "CANCELLED"), _) => FailureKind::TimedOut,
        (_, Some("UNAVAILABLE"), _) => FailureKind::Overloaded,
        (_, _, Some(status)) => FailureKind::of_status(status),
        (_, _, None) => FailureKind::Server,
    }
}

/// The HTTP status and the status here.
pub(in crate::translate) const fn failure_word(kind: FailureKind) -> (u16, &'static str) {
    match kind {
        FailureKind::Invalid | FailureKind::Filtered => (400, "INVALID_ARGUMENT"),
        FailureKind::Unauthenticated => (401, "UNAUTHENTICATED"),
        FailureKind::Unpaid => (402, "RESOURCE_EXHAUSTED"),
        FailureKind::Forbidden => (403, "PERMISSION_DENIED"),
        FailureKind::NotFound => (404, "NOT_FOUND"),
        FailureKind::Conflict => (409, "ABORTED"),
        FailureKind::TooLarge => (413, "INVALID_ARGUMENT"),
        FailureKind::RateLimited => (429, "RESOURCE_EXHAUSTED"),
        FailureKind::TimedOut => (504, "DEADLINE_EXCEEDED"),
        FailureKind::Overloaded => (503, "UNAVAILABLE"),
        FailureKind::Server => (500, "INTERNAL"),
    }
}

pub(super) fn effort(level: &str) -> Option<Effort> {
    Some(match level.to_ascii_uppercase().as_str() {
        "MINIMAL" => Effort::Minimal,
        "LOW" => Effort::Low,
        "MEDIUM" => Effort::Medium,
        "HIGH" => Effort::High,
        "XHIGH" => Effort::XHigh,
        _ => return None,
    })
}

/// The level's name here, and whether it is the same one.
pub(super) const fn effort_word(effort: Effort) -> (&'static str, bool) {
    match effort {
        Effort::Minimal => ("MINIMAL", true),
        Effort::Low => ("LOW", true),
        Effort::Medium => ("MEDIUM", true),
        Effort::High => ("HIGH", true),
        Effort::XHigh => ("XHIGH", true),
        Effort::Max => ("XHIGH", false),
    }
}

/// Tokens to think where a model has no levels, and whether it is the same: as Google's own OpenAI-like
/// endpoint takes `reasoning_effort` ("OpenAI compatibility" in its manual).
pub(super) const fn effort_tokens(effort: Effort) -> (u64, bool) {
    match effort {
        Effort::Minimal | Effort::Low => (1024, true),
        Effort::Medium => (8192, true),
        Effort::High => (24_576, true),
        Effort::XHigh | Effort::Max => (24_576, false),
    }
}

pub(super) fn service_tier(name: Cow<'_, str>) -> ServiceTier<'_> {
    match name.as_ref() {
        "standard" | "unspecified" => ServiceTier::Standard,
        _ => ServiceTier::Named(name),
    }
}

pub(super) fn media_kind(media_type: &str) -> MediaKind {
    match media_type.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// The media type of what is at an address, as far as its ending tells.
pub(super) fn media_type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => return None,
    })
}

/// The commonest media type of a kind; an image needs none.
pub(super) const fn usual_type(kind: MediaKind) -> Option<&'static str> {
    match kind {
        MediaKind::Image => None,
        MediaKind::Audio => Some("audio/mpeg"),
        MediaKind::Video => Some("video/mp4"),
        MediaKind::Document => Some("application/pdf"),
    }
}

/// What a `usageMetadata` tells; none where it tells no tokens, as Vertex's first chunks don't.
///
/// The prompt includes what was cached, the candidates exclude what was thought, and what tools gave is
/// counted beside the prompt. The total is the sum of all, so where models tell no thoughts, it does.
pub(in crate::translate) fn usage(told: &Node<'_>) -> Option<Usage> {
    let prompt = told.count_of("promptTokenCount");
    let total = told.count_of("totalTokenCount");
    let output = told.count_of("candidatesTokenCount");
    prompt.or(total).or(output)?;
    let count = |name| told.count_of(name).unwrap_or(0);
    let (prompt, output) = (prompt.unwrap_or(0), output.unwrap_or(0));
    let of_tools = count("toolUsePromptTokenCount");
    let cache_read = count("cachedContentTokenCount");
    let known = prompt.saturating_add(output).saturating_add(of_tools);
    let rest = total.unwrap_or(0).saturating_sub(known);
    Some(Usage {
        tokens: TokenUsage {
            input: prompt.saturating_sub(cache_read).saturating_add(of_tools),
            cache_read,
            cache_write_5m: 0,
            cache_write_1h: 0,
            output,
            reasoning: told.count_of("thoughtsTokenCount").unwrap_or(rest),
        },
        audio_in: sound_in(told, "promptTokensDetails"),
        audio_out: sound_in(told, "candidatesTokensDetails"),
        accepted_prediction: 0,
        rejected_prediction: 0,
    })
}

fn sound_in(told: &Node<'_>, name: &str) -> u64 {
    let Some(Value::List(kinds)) = told.member(name).map(|kinds| &kinds.value) else { return 0 };
    let sound = kinds.iter().filter(|kind| kind.text_of("modality").as_deref() == Some("AUDIO"));
    sound.filter_map(|kind| kind.count_of("tokenCount")).sum()
}

pub(super) fn put_usage(json: &mut Json, usage: &Usage) {
    let Usage { tokens, audio_in, audio_out, accepted_prediction: _, rejected_prediction: _ } = *usage;
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = tokens;
    let prompt = [cache_read, cache_write_5m, cache_write_1h].into_iter().fold(input, u64::saturating_add);
    json.open('{').key("promptTokenCount").count(prompt);
    json.key("candidatesTokenCount").count(output);
    json.key("totalTokenCount").count(prompt.saturating_add(output).saturating_add(reasoning));
    if cache_read > 0 {
        json.key("cachedContentTokenCount").count(cache_read);
    }
    if reasoning > 0 {
        json.key("thoughtsTokenCount").count(reasoning);
    }
    for (name, sound) in [("promptTokensDetails", audio_in), ("candidatesTokensDetails", audio_out)] {
        if sound > 0 {
            json.key(name).open('[').open('{').key("modality").string("AUDIO");
            json.key("tokenCount").count(sound).close('}').close(']');
        }
    }
    json.close('}');
}
