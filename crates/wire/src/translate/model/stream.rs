//! What is answered, step by step.

use super::{Citation, Failure, Native, Raw, Seal, Stop, Usage};
use std::borrow::Cow;

/// One step of an answer that is streamed.
///
/// A sound stream is: `Started`, then for each part `PartStarted`, its `Delta`s, `PartEnded`; `Stopped`
/// for each choice; `Usage` anywhere, cumulative, the last one counts; `Done`. `Failed` may come at any
/// place and ends it. Parts are numbered by their reader, each number once in a choice; those of tool
/// calls may overlap where a provider interleaves them (see `Sequencer`).
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// It begins.
    Started {
        /// The answer's id; empty where it is not told.
        id: Cow<'a, str>,
        /// The model that answers.
        model: Cow<'a, str>,
        /// When, in seconds since 1970, where it is told.
        created: Option<u64>,
    },
    /// A part begins.
    PartStarted {
        /// Of which answer.
        choice: u32,
        /// Its number.
        index: u32,
        /// What it is.
        part: PartStart<'a>,
    },
    /// A part goes on.
    Delta {
        /// Of which answer.
        choice: u32,
        /// The part's number.
        index: u32,
        /// What is added.
        delta: Delta<'a>,
    },
    /// A part is complete.
    PartEnded {
        /// Of which answer.
        choice: u32,
        /// The part's number.
        index: u32,
    },
    /// Probabilities of tokens that have just come, in OpenAI's words.
    Logprobs {
        /// Of which answer.
        choice: u32,
        /// An object with a list `content`, a list `refusal`, or both.
        logprobs: Raw<'a>,
    },
    /// An answer has ended, for this reason.
    Stopped {
        /// Which.
        choice: u32,
        /// Why.
        stop: Stop<'a>,
    },
    /// All that has been used so far.
    Usage(Usage),
    /// Nothing new, but it is alive.
    Ping,
    /// It failed.
    Failed(Failure<'a>),
    /// It is complete.
    Done,
}

/// What a part is that begins.
#[derive(Debug, Clone, PartialEq)]
pub enum PartStart<'a> {
    /// Text.
    Text,
    /// Reasoning.
    Reasoning {
        /// Is it a summary?
        is_summary: bool,
        /// The maker's id of the item.
        id: Option<Cow<'a, str>>,
    },
    /// A call of a caller's function.
    ToolCall {
        /// Its id.
        id: Cow<'a, str>,
        /// The function's name.
        name: Cow<'a, str>,
        /// Is it a custom tool, whose input is free text?
        is_custom: bool,
        /// A seal of its maker.
        seal: Option<Seal<'a>>,
    },
    /// A refusal in words.
    Refusal,
    /// A part that only its owner knows; it may have no deltas.
    Native(Native<'a>),
}

/// What is added to a part.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta<'a> {
    /// To a text, a reasoning or a refusal.
    Text(Cow<'a, str>),
    /// To the text of a call's arguments.
    Arguments(Cow<'a, str>),
    /// The seal of a reasoning or a text; its data may come in pieces.
    Seal(Seal<'a>),
    /// What a text rests on.
    Citation(Citation<'a>),
    /// A piece that only its owner knows.
    Native(Native<'a>),
}

impl Event<'_> {
    /// How long the texts are together that an answer is made of, bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::PartStarted { part, .. } => part.text_bytes(),
            Self::Delta { delta, .. } => delta.text_bytes(),
            Self::Logprobs { choice: _, logprobs } => logprobs.text().len(),
            Self::Started { .. }
            | Self::PartEnded { .. }
            | Self::Stopped { .. }
            | Self::Usage(_)
            | Self::Ping
            | Self::Failed(_)
            | Self::Done => 0,
        }
    }

    /// The same, with its texts copied, so that it can be kept.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Started { id, model, created } => {
                Event::Started { id: keep(id), model: keep(model), created }
            }
            Self::PartStarted { choice, index, part } => {
                Event::PartStarted { choice, index, part: part.into_owned() }
            }
            Self::Delta { choice, index, delta } => Event::Delta { choice, index, delta: delta.into_owned() },
            Self::PartEnded { choice, index } => Event::PartEnded { choice, index },
            Self::Logprobs { choice, logprobs } => {
                Event::Logprobs { choice, logprobs: logprobs.into_owned() }
            }
            Self::Stopped { choice, stop } => Event::Stopped { choice, stop: stop.into_owned() },
            Self::Usage(usage) => Event::Usage(usage),
            Self::Ping => Event::Ping,
            Self::Failed(failure) => Event::Failed(failure.into_owned()),
            Self::Done => Event::Done,
        }
    }
}

impl PartStart<'_> {
    /// How long its texts are together, bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Text | Self::Refusal | Self::Reasoning { is_summary: _, id: None } => 0,
            Self::Reasoning { is_summary: _, id: Some(id) } => id.len(),
            Self::ToolCall { id, name, is_custom: _, seal } => {
                id.len() + name.len() + seal.as_ref().map_or(0, |seal| seal.data.len())
            }
            Self::Native(native) => native.text_bytes(),
        }
    }

    fn into_owned(self) -> PartStart<'static> {
        match self {
            Self::Text => PartStart::Text,
            Self::Reasoning { is_summary, id } => PartStart::Reasoning { is_summary, id: id.map(keep) },
            Self::ToolCall { id, name, is_custom, seal } => PartStart::ToolCall {
                id: keep(id),
                name: keep(name),
                is_custom,
                seal: seal.map(Seal::into_owned),
            },
            Self::Refusal => PartStart::Refusal,
            Self::Native(native) => PartStart::Native(native.into_owned()),
        }
    }
}

impl Delta<'_> {
    /// How long its texts are together, bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Arguments(text) => text.len(),
            Self::Seal(Seal { maker: _, kind: _, data }) => data.len(),
            Self::Citation(Citation { url, title, cited_text, span: _, native }) => {
                let texts = [url, title, cited_text].into_iter().flatten().map(|text| text.len());
                texts.sum::<usize>() + native.as_ref().map_or(0, Native::text_bytes)
            }
            Self::Native(native) => native.text_bytes(),
        }
    }

    fn into_owned(self) -> Delta<'static> {
        match self {
            Self::Text(text) => Delta::Text(keep(text)),
            Self::Arguments(text) => Delta::Arguments(keep(text)),
            Self::Seal(seal) => Delta::Seal(seal.into_owned()),
            Self::Citation(citation) => Delta::Citation(citation.into_owned()),
            Self::Native(native) => Delta::Native(native.into_owned()),
        }
    }
}

fn keep(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
