use serde::{Deserialize, Serialize};
use std::fmt;

/// How an attempt can fail, before a byte of an answer has gone to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing was sent: no connection, or the provider key could not be opened.
    Connect,
    /// Too many requests: 429.
    RateLimited,
    /// The account there is used up: 402, or a 429 that says so.
    Quota,
    /// Too much to do there: 498, 503, 529.
    Overloaded,
    /// Any other 5xx.
    ServerError,
    /// No head, or no first piece, in time. The provider may be working on it.
    Timeout,
    /// The connection ended, or what came can't be understood. The provider may have worked on it.
    Broken,
    /// The provider does not take the key: 401, 403.
    KeyRejected,
    /// The request is too long for the model.
    TooLong,
}

impl Failure {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::RateLimited,
        Self::Quota,
        Self::Overloaded,
        Self::ServerError,
        Self::Timeout,
        Self::Broken,
        Self::KeyRejected,
        Self::TooLong,
    ];

    /// The stable name, as policies have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::KeyRejected => "key_rejected",
            Self::TooLong => "too_long",
        }
    }

    /// What a provider's status means; none where the request itself is at fault, or nothing is. `says_quota` and
    /// `says_too_long` are what the body says.
    #[must_use]
    pub const fn of_status(status: u16, says_quota: bool, says_too_long: bool) -> Option<Self> {
        match status {
            429 if says_quota => Some(Self::Quota),
            429 => Some(Self::RateLimited),
            402 => Some(Self::Quota),
            498 | 503 | 529 => Some(Self::Overloaded),
            500..=599 => Some(Self::ServerError),
            408 => Some(Self::Timeout),
            401 | 403 => Some(Self::KeyRejected),
            400 | 413 | 422 if says_too_long => Some(Self::TooLong),
            _ => None,
        }
    }

    /// Could the provider have begun to work on it, for money?
    #[must_use]
    pub const fn may_have_cost(self) -> bool {
        matches!(self, Self::Timeout | Self::Broken)
    }

    /// Can it help to ask the same place again? What is used up, rejected or too long stays so.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        !matches!(self, Self::Quota | Self::KeyRejected | Self::TooLong)
    }

    /// Does it speak against the place, and not against the request?
    #[must_use]
    pub const fn is_sick(self) -> bool {
        !matches!(self, Self::TooLong)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which failures another attempt is made after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureSet(u16);

impl FailureSet {
    /// Those.
    #[must_use]
    pub fn of(failures: &[Failure]) -> Self {
        Self(failures.iter().fold(0, |bits, failure| bits | failure.bit()))
    }

    /// Is it one of them?
    #[must_use]
    pub const fn has(self, failure: Failure) -> bool {
        self.0 & failure.bit() != 0
    }
}

/// What nobody can be charged for twice.
impl Default for FailureSet {
    fn default() -> Self {
        Self::of(&[
            Failure::Connect,
            Failure::RateLimited,
            Failure::Quota,
            Failure::Overloaded,
            Failure::ServerError,
        ])
    }
}
