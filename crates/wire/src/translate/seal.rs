//! Seals of other makers in a dialect's own fields.
//!
//! Clients return a dialect's signatures and encrypted reasoning byte for byte, so a seal of another maker
//! travels in them as `topdog.<maker>.<data>`. A seal on a text or a call, for which many dialects have no
//! place, follows it in a reasoning of its own, as `topdog.<maker>.last.<data>`. Where the field doesn't
//! tell whether it signs a text or holds it, a signature is `topdog.<maker>.signed.<data>`.

use super::model::{AssistantPart, Maker, Reasoning, Seal, SealKind};
use std::borrow::Cow;

const MARK: &str = "topdog.";
const OF_LAST: &str = "last.";
const SIGNED: &str = "signed.";

/// The text that stands for the seal in a dialect of `own`, in a field that tells its kind.
pub(crate) fn write<'s>(own: Maker, seal: &'s Seal<'_>) -> Cow<'s, str> {
    if seal.maker == own {
        return Cow::Borrowed(&seal.data);
    }
    Cow::Owned(format!("{MARK}{}.{}", word(seal.maker), seal.data))
}

/// The same, in the only field that there is.
pub(crate) fn write_with_kind<'s>(own: Maker, seal: &'s Seal<'_>) -> Cow<'s, str> {
    if seal.maker == own || seal.kind == SealKind::Encrypted {
        return write(own, seal);
    }
    Cow::Owned(format!("{MARK}{}.{SIGNED}{}", word(seal.maker), seal.data))
}

/// The text that stands for the seal of the part before.
pub(crate) fn write_of_last(seal: &Seal<'_>) -> String {
    format!("{MARK}{}.{OF_LAST}{}", word(seal.maker), seal.data)
}

/// A seal as it came back.
pub(crate) enum Found<'a> {
    /// Of the block that it is in.
    Own(Seal<'a>),
    /// Of the part before it.
    OfLast(Seal<'a>),
}

/// Whose seal a text of a dialect of `own` stands for; of `kind`, unless it says another itself.
pub(crate) fn read(own: Maker, text: Cow<'_, str>, kind: SealKind) -> Found<'_> {
    let Some((maker, skipped)) = parts(&text) else {
        return Found::Own(Seal { maker: own, kind, data: text });
    };
    let data = behind(text, skipped);
    if data.starts_with(OF_LAST) {
        let data = behind(data, OF_LAST.len());
        return Found::OfLast(Seal { maker, kind: SealKind::Signature, data });
    }
    if data.starts_with(SIGNED) {
        let data = behind(data, SIGNED.len());
        return Found::Own(Seal { maker, kind: SealKind::Signature, data });
    }
    Found::Own(Seal { maker, kind, data })
}

/// Adds reasoning to the parts of a message, unless it is there only to seal the part before it.
pub(crate) fn add_reasoning<'a>(
    parts: &mut Vec<AssistantPart<'a>>,
    seal: Option<Found<'a>>,
    reasoning: Reasoning<'a>,
) {
    let seal = match seal {
        Some(Found::OfLast(seal)) => match parts.last_mut() {
            Some(AssistantPart::Text(last)) => return last.seal = Some(seal),
            Some(AssistantPart::ToolCall(last)) => return last.seal = Some(seal),
            Some(AssistantPart::Reasoning(last)) if last.seal.is_none() => {
                last.is_summary |= is_of_a_summary(&seal);
                return last.seal = Some(seal);
            }
            _ => Some(seal),
        },
        Some(Found::Own(seal)) => Some(seal),
        None => None,
    };
    parts.push(AssistantPart::Reasoning(Reasoning { seal, ..reasoning }));
}

/// Is it a text that stands for another maker's seal?
pub(crate) fn is_marked(text: &str) -> bool {
    parts(text).is_some()
}

/// Of reasoning that it seals, OpenAI shows summaries only.
pub(crate) fn is_of_a_summary(seal: &Seal<'_>) -> bool {
    seal.maker == Maker::OpenAi
}

fn parts(text: &str) -> Option<(Maker, usize)> {
    let (name, _) = text.strip_prefix(MARK)?.split_once('.')?;
    Some((maker(name)?, MARK.len() + name.len() + 1))
}

fn behind(text: Cow<'_, str>, skipped: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(skipped..).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.drain(..skipped);
            Cow::Owned(text)
        }
    }
}

const fn word(maker: Maker) -> &'static str {
    match maker {
        Maker::OpenAi => "openai",
        Maker::OpenAiResponses => "openai_responses",
        Maker::Anthropic => "anthropic",
        Maker::Gemini => "gemini",
        Maker::Cohere => "cohere",
        Maker::Bedrock => "bedrock",
        Maker::Unknown => "unknown",
    }
}

fn maker(word: &str) -> Option<Maker> {
    Some(match word {
        "openai" => Maker::OpenAi,
        "openai_responses" => Maker::OpenAiResponses,
        "anthropic" => Maker::Anthropic,
        "gemini" => Maker::Gemini,
        "cohere" => Maker::Cohere,
        "bedrock" => Maker::Bedrock,
        "unknown" => Maker::Unknown,
        _ => return None,
    })
}
