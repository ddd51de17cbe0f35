//! The class of error that each family has for a status.

use crate::translate;
use topdog_domain::provider::Family;

/// The family's word for errors with that status; none (an empty one) in Cohere's, which has no such words.
pub(super) const fn class(family: Family, status: u16) -> &'static str {
    match family {
        Family::OpenAi => openai(status),
        Family::Anthropic => translate::anthropic_class(status),
        Family::Gemini => translate::gemini_class(status),
        Family::Cohere => "",
    }
}

const fn openai(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}
