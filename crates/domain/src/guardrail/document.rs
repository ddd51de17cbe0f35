//! How guardrails are written within a policy, in JSON or TOML.

use serde::{Deserialize, Serialize};

/// Guardrails as they are written. What they say is judged by [`Guardrails::check`](super::Guardrails::check).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailsDocument {
    /// Bytes of text that a request may have at the most; none: as many as are judged at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_input_bytes: Option<u64>,
    /// The rules, in the order in which they are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleDocument>,
}

/// A rule as it is written. What it finds is one of `detect`, `keywords` and `pattern`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// What refusals, records and messages call it.
    pub name: String,
    /// What is done where it finds something.
    pub action: Action,
    /// Which texts it is for.
    #[serde(default, skip_serializing_if = "Sides::is_both")]
    pub on: Sides,
    /// Kinds of data that it finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detect: Vec<Detector>,
    /// Words and phrases that it finds, in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// A regular expression that finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What stands where something was redacted; none: `[redacted:NAME]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}

/// What a rule does where it finds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The text goes on as it is, and the record says what was found.
    Flag,
    /// What was found is replaced.
    Redact,
    /// The request, or its answer, is refused.
    Block,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Flag, Self::Redact, Self::Block];

    /// The written and shown form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}

/// The two texts of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What the caller sends.
    Input,
    /// What the model answers.
    Output,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Input, Self::Output];

    /// The written and shown form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Which texts a rule is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// What the caller sends.
    Input,
    /// What the model answers.
    Output,
    /// Either.
    #[default]
    Both,
}

impl Sides {
    /// Are they both?
    #[must_use]
    pub const fn is_both(&self) -> bool {
        matches!(self, Self::Both)
    }

    /// Is that one of them?
    #[must_use]
    pub const fn has(self, side: Side) -> bool {
        matches!((self, side), (Self::Both, _) | (Self::Input, Side::Input) | (Self::Output, Side::Output))
    }
}

/// A kind of data that is found by its shape, and by its checksum where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Keys and tokens: of model providers, of Top Dog, of well-known services, JWTs, private keys in PEM.
    Secret,
    /// E-mail addresses.
    Email,
    /// Telephone numbers, international (`+…`) and as they are written in North America.
    Phone,
    /// Account numbers (ISO 13616), by country, length and checksum.
    Iban,
    /// Payment card numbers, by issuer, length and checksum (ISO/IEC 7812).
    Card,
    /// IPv4 addresses.
    Ipv4,
    /// Social security numbers of the United States, by shape.
    UsSsn,
}

impl Detector {
    /// Every detector.
    pub const ALL: [Self; 7] =
        [Self::Secret, Self::Email, Self::Phone, Self::Iban, Self::Card, Self::Ipv4, Self::UsSsn];
}
