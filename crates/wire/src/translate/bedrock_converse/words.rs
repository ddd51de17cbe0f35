//! The tables: stop reasons, classes of error, media, service tiers, usage.

use crate::translate::json::{Json, Node, Value};
use crate::translate::model::{FailureKind, MediaKind, ServiceTier, StopReason, Usage};
use std::borrow::Cow;
use topdog_domain::usage::TokenUsage;

/// What else a model says of an answer, in its maker's words; Claude, which stop text ended it.
pub(super) const MORE_OF_ANSWER: &str = "additionalModelResponseFields";
pub(super) const STOP_TEXT: &str = "stop_sequence";

/// What else a model is asked, in its maker's words.
pub(super) const MORE_OF_REQUEST: &str = "additionalModelRequestFields";

pub(super) fn stop_reason<'a>(name: Cow<'a, str>, stop_text: Option<Cow<'a, str>>) -> StopReason<'a> {
    match name.as_ref() {
        "end_turn" => StopReason::End,
        "tool_use" => StopReason::ToolCalls,
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopText(stop_text),
        // A guardrail is the customer's own filter; what it did in detail the answer's `trace` tells.
        "guardrail_intervened" | "content_filtered" => StopReason::Filtered,
        "malformed_model_output" | "malformed_tool_use" => StopReason::Malformed,
        "model_context_window_exceeded" => StopReason::ContextFull,
        _ => StopReason::Other(name),
    }
}

/// The reason's name here, and whether it is the same thing.
pub(super) fn stop_word<'s>(reason: &'s StopReason<'_>) -> (&'s str, bool) {
    match reason {
        StopReason::End => ("end_turn", true),
        StopReason::ToolCalls => ("tool_use", true),
        StopReason::MaxTokens => ("max_tokens", true),
        StopReason::StopText(_) => ("stop_sequence", true),
        StopReason::Filtered | StopReason::Refused => ("content_filtered", true),
        StopReason::Malformed => ("malformed_model_output", true),
        StopReason::ContextFull => ("model_context_window_exceeded", true),
        // The turn is not over: `end_turn` would say that it is.
        StopReason::Paused => ("max_tokens", false),
        StopReason::Other(name) => (name, true),
    }
}

/// The class of an exception, named as in an error body or, in a stream, with a small first letter.
pub(super) fn failure_kind(name: &str) -> Option<FailureKind> {
    const KINDS: [(&str, FailureKind); 18] = [
        ("ValidationException", FailureKind::Invalid),
        ("UnrecognizedClientException", FailureKind::Unauthenticated),
        ("InvalidSignatureException", FailureKind::Unauthenticated),
        ("IncompleteSignatureException", FailureKind::Unauthenticated),
        ("MissingAuthenticationTokenException", FailureKind::Unauthenticated),
        ("ExpiredTokenException", FailureKind::Unauthenticated),
        ("ServiceQuotaExceededException", FailureKind::Unpaid),
        ("AccessDeniedException", FailureKind::Forbidden),
        ("ResourceNotFoundException", FailureKind::NotFound),
        ("ConflictException", FailureKind::Conflict),
        ("RequestEntityTooLargeException", FailureKind::TooLarge),
        ("ThrottlingException", FailureKind::RateLimited),
        ("ModelTimeoutException", FailureKind::TimedOut),
        ("ModelNotReadyException", FailureKind::Overloaded),
        ("ServiceUnavailableException", FailureKind::Overloaded),
        ("InternalServerException", FailureKind::Server),
        ("ModelErrorException", FailureKind::Server),
        ("ModelStreamErrorException", FailureKind::Server),
    ];
    KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
}

/// The class that a status tells: 424, which elsewhere is the caller's fault, is the model's failure here.
pub(super) const fn failure_kind_of_status(status: u16) -> FailureKind {
    match status {
        424 => FailureKind::Server,
        _ => FailureKind::of_status(status),
    }
}

/// The status and the exception's name.
pub(super) const fn failure_word(kind: FailureKind) -> (u16, &'static str) {
    match kind {
        FailureKind::Invalid | FailureKind::Filtered => (400, "ValidationException"),
        FailureKind::Unauthenticated => (403, "UnrecognizedClientException"),
        FailureKind::Unpaid => (400, "ServiceQuotaExceededException"),
        FailureKind::Forbidden => (403, "AccessDeniedException"),
        FailureKind::NotFound => (404, "ResourceNotFoundException"),
        FailureKind::Conflict => (400, "ConflictException"),
        FailureKind::TooLarge => (413, "RequestEntityTooLargeException"),
        FailureKind::RateLimited => (429, "ThrottlingException"),
        FailureKind::TimedOut => (408, "ModelTimeoutException"),
        FailureKind::Overloaded => (503, "ServiceUnavailableException"),
        FailureKind::Server => (500, "InternalServerException"),
    }
}

/// The exception of a stream, which knows five only.
pub(super) const fn stream_failure_word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::RateLimited => "throttlingException",
        FailureKind::Overloaded => "serviceUnavailableException",
        FailureKind::TimedOut => "modelStreamErrorException",
        FailureKind::Server => "internalServerException",
        FailureKind::Invalid
        | FailureKind::Filtered
        | FailureKind::Unauthenticated
        | FailureKind::Unpaid
        | FailureKind::Forbidden
        | FailureKind::NotFound
        | FailureKind::Conflict
        | FailureKind::TooLarge => "validationException",
    }
}

/// Formats and their media types; of several with the same, the first is written.
const FORMATS: [(MediaKind, &str, &str); 37] = [
    (MediaKind::Image, "png", "image/png"),
    (MediaKind::Image, "jpeg", "image/jpeg"),
    (MediaKind::Image, "gif", "image/gif"),
    (MediaKind::Image, "webp", "image/webp"),
    (MediaKind::Document, "pdf", "application/pdf"),
    (MediaKind::Document, "csv", "text/csv"),
    (MediaKind::Document, "doc", "application/msword"),
    (MediaKind::Document, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (MediaKind::Document, "xls", "application/vnd.ms-excel"),
    (MediaKind::Document, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (MediaKind::Document, "html", "text/html"),
    (MediaKind::Document, "txt", "text/plain"),
    (MediaKind::Document, "md", "text/markdown"),
    (MediaKind::Video, "mkv", "video/x-matroska"),
    (MediaKind::Video, "mov", "video/quicktime"),
    (MediaKind::Video, "mp4", "video/mp4"),
    (MediaKind::Video, "webm", "video/webm"),
    (MediaKind::Video, "flv", "video/x-flv"),
    (MediaKind::Video, "mpeg", "video/mpeg"),
    (MediaKind::Video, "mpg", "video/mpeg"),
    (MediaKind::Video, "wmv", "video/x-ms-wmv"),
    (MediaKind::Video, "three_gp", "video/3gpp"),
    (MediaKind::Audio, "mp3", "audio/mpeg"),
    (MediaKind::Audio, "opus", "audio/opus"),
    (MediaKind::Audio, "wav", "audio/wav"),
    (MediaKind::Audio, "aac", "audio/aac"),
    (MediaKind::Audio, "flac", "audio/flac"),
    (MediaKind::Audio, "mp4", "audio/mp4"),
    (MediaKind::Audio, "ogg", "audio/ogg"),
    (MediaKind::Audio, "mka", "audio/x-matroska"),
    (MediaKind::Audio, "webm", "audio/webm"),
    (MediaKind::Audio, "pcm", "audio/pcm"),
    (MediaKind::Audio, "mpeg", "audio/mpeg"),
    (MediaKind::Audio, "mpga", "audio/mpeg"),
    (MediaKind::Audio, "m4a", "audio/mp4"),
    (MediaKind::Audio, "x-aac", "audio/aac"),
    (MediaKind::Audio, "mkv", "audio/x-matroska"),
];

pub(super) fn media_type(kind: MediaKind, format: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(of, name, _)| *of == kind && *name == format).map(|(_, _, media_type)| *media_type)
}

/// The format of a media type, whatever parameters (`; charset=…`) it has.
pub(super) fn media_format(kind: MediaKind, media_type: &str) -> Option<&'static str> {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    // Names that are in use beside the registered ones.
    let bare = match bare {
        "image/jpg" => "image/jpeg",
        "audio/x-wav" | "audio/wave" => "audio/wav",
        "audio/mp3" => "audio/mpeg",
        other => other,
    };
    FORMATS
        .iter()
        .find(|(of, _, media_type)| *of == kind && media_type.eq_ignore_ascii_case(bare))
        .map(|(_, name, _)| *name)
}

/// The block that holds a medium.
pub(super) const fn media_word(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Document => "document",
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
    }
}

pub(super) fn media_kind(word: &str) -> Option<MediaKind> {
    Some(match word {
        "image" => MediaKind::Image,
        "document" => MediaKind::Document,
        "video" => MediaKind::Video,
        "audio" => MediaKind::Audio,
        _ => return None,
    })
}

pub(super) fn service_tier(name: Cow<'_, str>) -> ServiceTier<'_> {
    match name.as_ref() {
        "default" => ServiceTier::Standard,
        _ => ServiceTier::Named(name),
    }
}

/// The buckets of a `usage` object: `inputTokens` excludes what was cached ("Prompt caching" in the user
/// guide); how much of the output was reasoning is not told.
pub(super) fn usage(told: &Node<'_>) -> Usage {
    let count = |name| told.count_of(name).unwrap_or(0);
    let written = count("cacheWriteInputTokens");
    let mut for_an_hour = 0;
    if let Some(Value::List(details)) = told.member("cacheDetails").map(|details| &details.value) {
        let of_an_hour = details.iter().filter(|detail| detail.text_of("ttl").as_deref() == Some("1h"));
        for_an_hour = of_an_hour.filter_map(|detail| detail.count_of("inputTokens")).sum::<u64>();
    }
    Usage {
        tokens: TokenUsage {
            input: count("inputTokens"),
            cache_read: count("cacheReadInputTokens"),
            cache_write_5m: written.saturating_sub(for_an_hour),
            cache_write_1h: for_an_hour,
            output: count("outputTokens"),
            reasoning: 0,
        },
        ..Usage::default()
    }
}

pub(super) fn put_usage(json: &mut Json, usage: &Usage) {
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = usage.tokens;
    let written = cache_write_5m.saturating_add(cache_write_1h);
    let output = output.saturating_add(reasoning);
    let total = [input, cache_read, written, output].into_iter().fold(0, u64::saturating_add);
    json.key("usage").open('{').key("inputTokens").count(input).key("outputTokens").count(output);
    json.key("totalTokens").count(total);
    json.key("cacheReadInputTokens").count(cache_read).key("cacheWriteInputTokens").count(written);
    if cache_write_1h > 0 {
        json.key("cacheDetails").open('[');
        for (ttl, tokens) in [("1h", cache_write_1h), ("5m", cache_write_5m)] {
            if tokens > 0 {
                json.open('{').key("ttl").string(ttl).key("inputTokens").count(tokens).close('}');
            }
        }
        json.close(']');
    }
    json.close('}');
}
