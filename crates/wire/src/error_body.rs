//! Top Dog's own refusals and failures in the shape of OpenAI's errors.

use bytes::Bytes;
use serde::Serialize;
use std::borrow::Cow;

/// An error as the caller reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicError {
    /// One or two sentences: what is wrong, what to do next.
    pub message: Cow<'static, str>,
    /// OpenAI's class of error, such as `invalid_request_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The parameter at fault, if it is one.
    pub param: Option<Cow<'static, str>>,
    /// The stable code that programs act on.
    pub code: Cow<'static, str>,
    /// Which limit denied the request, where one did.
    #[serde(flatten)]
    pub details: Option<LimitDetails>,
}

/// The limit behind a refusal. Fields without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LimitDetails {
    /// The limit's name.
    pub limit: Cow<'static, str>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<u64>,
    /// What is used of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// When it starts anew, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<String>,
    /// The lowest tier that allows more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
    /// Where the plans are explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plans_url: Option<String>,
}

/// The body `{"error": {"message", "type", "param", "code", …}}`.
#[must_use]
pub fn openai_error(error: &PublicError) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a PublicError,
    }
    to_bytes(&Body { error })
}

/// JSON of a value whose serialisation can't fail: text keys, and numbers that are whole or finite.
pub(crate) fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}
