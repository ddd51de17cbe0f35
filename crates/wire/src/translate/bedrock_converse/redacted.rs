//! `redactedContent`: bytes, in base64, that their maker alone can read.
//!
//! Bedrock's own are carried as they stand. A seal of another maker is told to clients in the same field, as
//! the base64 of what [`seal`] writes for it.

use crate::translate::model::{Maker, Seal, SealKind};
use crate::translate::seal::{self, Found};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// What a `redactedContent` holds.
pub(super) fn read(content: Cow<'_, str>) -> Found<'_> {
    let bytes = STANDARD.decode(content.as_bytes()).ok();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) if seal::is_marked(&text) => seal::read(Maker::Bedrock, text.into(), SealKind::Encrypted),
        _ => Found::Own(Seal { maker: Maker::Bedrock, kind: SealKind::Encrypted, data: content }),
    }
}

/// The content that two pieces of a stream make: their bytes in a row, not their texts.
pub(super) fn joined(first: Option<String>, more: &str) -> String {
    let Some(first) = first else { return more.to_owned() };
    match (STANDARD.decode(&first), STANDARD.decode(more)) {
        (Ok(first), Ok(more)) => STANDARD.encode([first, more].concat()),
        _ => first + more,
    }
}

/// The seal of a reasoning that is all withheld.
pub(super) fn write<'s>(seal: &'s Seal<'_>) -> Cow<'s, str> {
    match seal.maker {
        Maker::Bedrock => Cow::Borrowed(&seal.data),
        _ => Cow::Owned(STANDARD.encode(&*seal::write(Maker::Bedrock, seal))),
    }
}

/// The seal of the part before.
pub(super) fn write_of_last(seal: &Seal<'_>) -> String {
    STANDARD.encode(seal::write_of_last(seal))
}
