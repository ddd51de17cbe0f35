//! Seals of other makers in Anthropic's fields.
//!
//! A client of this dialect returns `signature` and `data` byte for byte, so a seal of another maker
//! travels in them as `topdog.<maker>.<data>`. A seal on a text or a call, for which the dialect has no
//! place, follows it in a `redacted_thinking` block of its own, as `topdog.<maker>.last.<data>`.

use crate::translate::model::{Maker, Seal, SealKind};
use std::borrow::Cow;

const MARK: &str = "topdog.";
const OF_LAST: &str = "last.";

/// The text that stands for the seal.
pub(super) fn write<'s>(seal: &'s Seal<'_>) -> Cow<'s, str> {
    match seal.maker {
        Maker::Anthropic => Cow::Borrowed(&seal.data),
        other => Cow::Owned(format!("{MARK}{}.{}", word(other), seal.data)),
    }
}

/// The text that stands for the seal of the part before.
pub(super) fn write_of_last(seal: &Seal<'_>) -> String {
    format!("{MARK}{}.{OF_LAST}{}", word(seal.maker), seal.data)
}

/// A seal as it came back.
pub(super) enum Found<'a> {
    /// Of the block that it is in.
    Own(Seal<'a>),
    /// Of the part before it.
    OfLast(Seal<'a>),
}

pub(super) fn read(text: Cow<'_, str>, kind: SealKind) -> Found<'_> {
    let Some((maker, skipped)) = parts(&text) else {
        return Found::Own(Seal { maker: Maker::Anthropic, kind, data: text });
    };
    let data = behind(text, skipped);
    if data.starts_with(OF_LAST) {
        let data = behind(data, OF_LAST.len());
        return Found::OfLast(Seal { maker, kind: SealKind::Signature, data });
    }
    Found::Own(Seal { maker, kind, data })
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
        "anthropic" => Maker::Anthropic,
        "gemini" => Maker::Gemini,
        "cohere" => Maker::Cohere,
        "bedrock" => Maker::Bedrock,
        "unknown" => Maker::Unknown,
        _ => return None,
    })
}
