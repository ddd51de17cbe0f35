//! What went wrong, in any dialect's words.

use std::borrow::Cow;

/// An error, of a provider or of Top Dog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Its class.
    pub kind: FailureKind,
    /// What it says.
    pub message: Cow<'a, str>,
    /// The stable code that programs act on, where there is one.
    pub code: Option<Cow<'a, str>>,
    /// The field at fault, where it is one.
    pub param: Option<Cow<'a, str>>,
    /// The provider's id of the request.
    pub request_id: Option<Cow<'a, str>>,
}

/// A class of error. Each dialect has one table from it to status and name, and one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request is wrong.
    Invalid,
    /// The key is wrong.
    Unauthenticated,
    /// The account has no money, or no quota left that time would bring back.
    Unpaid,
    /// The key may not.
    Forbidden,
    /// There is no such model or object.
    NotFound,
    /// Something else changed it first.
    Conflict,
    /// The request is too long.
    TooLarge,
    /// Too much in too short a time.
    RateLimited,
    /// It took too long.
    TimedOut,
    /// The provider has no room just now.
    Overloaded,
    /// A filter of the provider's stopped it.
    Filtered,
    /// The provider failed.
    Server,
}

impl FailureKind {
    /// The class that a bare HTTP status tells.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            402 => Self::Unpaid,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            408 | 504 => Self::TimedOut,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 | 498 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::Invalid,
            _ => Self::Server,
        }
    }
}

impl Failure<'static> {
    /// A stream of a provider's that is none of its dialect.
    pub(crate) const fn unreadable_stream() -> Self {
        Self {
            kind: FailureKind::Server,
            message: Cow::Borrowed("the provider's stream can't be read"),
            code: Some(Cow::Borrowed("upstream_failed")),
            param: None,
            request_id: None,
        }
    }
}

impl Failure<'_> {
    pub(crate) fn into_owned(self) -> Failure<'static> {
        let keep = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let Self { kind, message, code, param, request_id } = self;
        Failure {
            kind,
            message: keep(message),
            code: code.map(keep),
            param: param.map(keep),
            request_id: request_id.map(keep),
        }
    }
}
