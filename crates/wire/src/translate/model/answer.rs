//! What is answered, whole.

use super::{AssistantPart, Native, Raw};
use std::borrow::Cow;
use topdog_domain::usage::TokenUsage;

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer<'a> {
    /// Its id, as the provider gave it; empty where it gave none.
    pub id: Cow<'a, str>,
    /// The model that answered.
    pub model: Cow<'a, str>,
    /// When, in seconds since 1970; none where the dialect doesn't tell.
    pub created: Option<u64>,
    /// The answers; one, unless more were asked for.
    pub choices: Vec<Choice<'a>>,
    /// What it used; none where it was not told.
    pub usage: Option<Usage>,
    /// At which speed and price it was made.
    pub service_tier: Option<Cow<'a, str>>,
    /// What else only its maker tells.
    pub natives: Vec<Native<'a>>,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice<'a> {
    /// Its number.
    pub index: u64,
    /// What it says.
    pub parts: Vec<AssistantPart<'a>>,
    /// Why it ended; none where it was not told.
    pub stop: Option<Stop<'a>>,
    /// The tokens' probabilities, in OpenAI's words.
    pub logprobs: Option<Raw<'a>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop<'a> {
    /// The reason.
    pub reason: StopReason<'a>,
    /// What the provider says of it in words, such as why it refused.
    pub explanation: Option<Cow<'a, str>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason<'a> {
    /// The model was done.
    End,
    /// It wrote one of the caller's stop texts; which, where it is told.
    StopText(Option<Cow<'a, str>>),
    /// It reached the token limit of the request.
    MaxTokens,
    /// It reached the end of the model's context.
    ContextFull,
    /// It waits for the results of tools.
    ToolCalls,
    /// The provider's filter ended it.
    Filtered,
    /// The model or its provider declined.
    Refused,
    /// The provider paused a long turn; sent back, it goes on.
    Paused,
    /// What the model wrote could not be read as a call of a tool, or as an answer at all.
    Malformed,
    /// A reason that only its maker knows.
    Other(Cow<'a, str>),
}

/// What an answer used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// In buckets that never overlap.
    pub tokens: TokenUsage,
    /// Of the input, sound. Part of the buckets, not beside them.
    pub audio_in: u64,
    /// Of the output, sound. Part of the buckets, not beside them.
    pub audio_out: u64,
    /// Of the output, predicted tokens that were taken.
    pub accepted_prediction: u64,
    /// Of the output, predicted tokens that were not.
    pub rejected_prediction: u64,
}

impl<'a> Stop<'a> {
    /// A reason with no more words.
    pub(crate) const fn plain(reason: StopReason<'a>) -> Self {
        Self { reason, explanation: None }
    }

    pub(crate) fn into_owned(self) -> Stop<'static> {
        let keep = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let Self { reason, explanation } = self;
        let reason = match reason {
            StopReason::End => StopReason::End,
            StopReason::StopText(text) => StopReason::StopText(text.map(keep)),
            StopReason::MaxTokens => StopReason::MaxTokens,
            StopReason::ContextFull => StopReason::ContextFull,
            StopReason::ToolCalls => StopReason::ToolCalls,
            StopReason::Filtered => StopReason::Filtered,
            StopReason::Refused => StopReason::Refused,
            StopReason::Paused => StopReason::Paused,
            StopReason::Malformed => StopReason::Malformed,
            StopReason::Other(name) => StopReason::Other(keep(name)),
        };
        Stop { reason, explanation: explanation.map(keep) }
    }
}
