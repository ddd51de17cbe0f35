//! The tables: classes of error, efforts, how long a cache is kept, media types, tiers.

use crate::translate::model::{CacheTtl, Detail, Effort, FailureKind, ServiceTier};
use std::borrow::Cow;

/// What an error says of itself, by code and type, before its status.
pub(in crate::translate) fn failure_kind(code: Option<&str>, name: Option<&str>) -> Option<FailureKind> {
    [code, name].into_iter().flatten().find_map(|word| {
        Some(match word {
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => FailureKind::Unpaid,
            "invalid_api_key" | "authentication_error" => FailureKind::Unauthenticated,
            "model_not_found" | "not_found_error" => FailureKind::NotFound,
            "permission_error" | "permission_denied" => FailureKind::Forbidden,
            "content_filter"
            | "content_policy_violation"
            | "image_content_policy_violation"
            | "bio_policy"
            | "misalignment_policy_violation" => FailureKind::Filtered,
            "context_length_exceeded" | "string_above_max_length" | "invalid_prompt" => FailureKind::Invalid,
            "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => FailureKind::RateLimited,
            "overloaded_error" | "engine_overloaded" | "server_is_overloaded" | "slow_down" => {
                FailureKind::Overloaded
            }
            _ => return None,
        })
    })
}

/// The class of a type of error, which is coarse: looked at last, where there is no status.
pub(in crate::translate) fn failure_kind_of_type(name: Option<&str>) -> FailureKind {
    match name {
        Some("invalid_request_error") => FailureKind::Invalid,
        _ => FailureKind::Server,
    }
}

/// The status, the type and, where there is no other, the code.
pub(in crate::translate) const fn failure_word(
    kind: FailureKind,
) -> (u16, &'static str, Option<&'static str>) {
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
pub(in crate::translate) fn effort(name: &str) -> Option<Effort> {
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

pub(in crate::translate) const fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    }
}

pub(in crate::translate) fn cache_ttl(name: &str) -> Option<CacheTtl> {
    match name {
        "5m" => Some(CacheTtl::FiveMinutes),
        "30m" => Some(CacheTtl::ThirtyMinutes),
        "1h" => Some(CacheTtl::OneHour),
        "12h" => Some(CacheTtl::TwelveHours),
        _ => None,
    }
}

pub(in crate::translate) const fn cache_ttl_word(ttl: CacheTtl) -> Option<&'static str> {
    match ttl {
        CacheTtl::ThirtyMinutes => Some("30m"),
        CacheTtl::TwelveHours => Some("12h"),
        CacheTtl::FiveMinutes | CacheTtl::OneHour => None,
    }
}

pub(in crate::translate) fn detail(name: &str) -> Option<Detail> {
    Some(match name {
        "auto" => Detail::Auto,
        "low" => Detail::Low,
        "high" => Detail::High,
        "original" => Detail::Original,
        _ => return None,
    })
}

pub(in crate::translate) const fn detail_word(detail: Detail) -> &'static str {
    match detail {
        Detail::Auto => "auto",
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Original => "original",
    }
}

/// The media type of an `input_audio.format`.
pub(in crate::translate) fn audio_type(format: &str) -> Option<&'static str> {
    match format {
        "wav" => Some("audio/wav"),
        "mp3" => Some("audio/mpeg"),
        _ => None,
    }
}

pub(in crate::translate) fn audio_format(media_type: &str) -> Option<&'static str> {
    match media_type {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}

pub(in crate::translate) fn service_tier(name: Cow<'_, str>) -> ServiceTier<'_> {
    match name.as_ref() {
        "auto" => ServiceTier::Auto,
        "default" => ServiceTier::Standard,
        _ => ServiceTier::Named(name),
    }
}
