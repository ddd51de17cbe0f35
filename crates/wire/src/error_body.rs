//! Top Dog's own refusals and failures, in the shape that each family's errors have.
//!
//! The families' own fields come first. What they have no field for (the code that programs act on, the limit's
//! facts) stands beside them, where clients pass over what they don't know: a caller loses nothing by its dialect.

mod class;
mod gemini;

use bytes::Bytes;
use class::class;
use serde::Serialize;
use std::borrow::Cow;
use topdog_domain::provider::Family;

/// An error as the caller reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicError {
    /// One or two sentences: what is wrong, what to do next.
    pub message: Cow<'static, str>,
    /// The parameter at fault, if it is one.
    pub param: Option<Cow<'static, str>>,
    /// The stable code that programs act on.
    pub code: Cow<'static, str>,
    /// Which limit denied the request, where one did.
    pub details: Option<LimitDetails>,
}

/// The limit behind a refusal. Fields without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LimitDetails {
    /// The limit's name.
    pub limit: Cow<'static, str>,
    /// What its numbers are, where its name does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<u64>,
    /// What is used of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// When it starts anew, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<String>,
    /// Who has set it, where it is the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
    /// The lowest tier that allows more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
    /// Where the plans are explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plans_url: Option<String>,
}

/// The body of an error with that status. The family's own class of error (`type`, `status`) is of the status;
/// `request_id` is Top Dog's, and left out where the family has no place for it (OpenAI tells it in a header only).
#[must_use]
pub fn error_body(family: Family, status: u16, error: &PublicError, request_id: Option<&str>) -> Bytes {
    match family {
        Family::OpenAi => openai(status, error),
        Family::Anthropic => anthropic(status, error, request_id),
        Family::Cohere => cohere(error, request_id),
        Family::Gemini => gemini::body(status, error, request_id),
    }
}

/// `{"error": {"message", "type", "param", "code", …}}`
fn openai(status: u16, error: &PublicError) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        message: &'a str,
        #[serde(rename = "type")]
        kind: &'static str,
        param: Option<&'a str>,
        code: &'a str,
        #[serde(flatten)]
        details: Option<&'a LimitDetails>,
    }
    to_bytes(&Body {
        error: Error {
            message: &error.message,
            kind: class(Family::OpenAi, status),
            param: error.param.as_deref(),
            code: &error.code,
            details: error.details.as_ref(),
        },
    })
}

/// `{"type": "error", "error": {"type", "message", "details": {"error_code"}, …}, "request_id"}`: its SDKs act on
/// `error_code` (`anthropic` for Python 2.14, `_exceptions.py`), and the code stands where the other families have it, too.
fn anthropic(status: u16, error: &PublicError, request_id: Option<&str>) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        error: Error<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message: &'a str,
        details: Details<'a>,
        #[serde(flatten)]
        beyond: Beyond<'a>,
    }
    #[derive(Serialize)]
    struct Details<'a> {
        error_code: &'a str,
    }
    let error = Error {
        kind: class(Family::Anthropic, status),
        message: &error.message,
        details: Details { error_code: &error.code },
        beyond: Beyond::of(error),
    };
    to_bytes(&Body { kind: "error", error, request_id })
}

/// `{"id", "message", …}`
fn cohere(error: &PublicError, request_id: Option<&str>) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        message: &'a str,
        #[serde(flatten)]
        beyond: Beyond<'a>,
    }
    to_bytes(&Body { id: request_id, message: &error.message, beyond: Beyond::of(error) })
}

/// What a family has no fields for.
#[derive(Serialize)]
struct Beyond<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(flatten)]
    details: Option<&'a LimitDetails>,
}

impl<'a> Beyond<'a> {
    fn of(error: &'a PublicError) -> Self {
        Self { code: &error.code, param: error.param.as_deref(), details: error.details.as_ref() }
    }
}

/// JSON of a value whose serialisation can't fail: text keys, and numbers that are whole or finite.
pub(crate) fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}
