//! Seals of other makers in `thoughtSignature`.
//!
//! A client of this dialect returns the field as it is, but its SDK holds it as bytes: so it must be
//! base64, and may come back in the other of base64's two alphabets. What stands for a seal of another
//! maker elsewhere (see [`seal`]) is here in base64 once more.

use crate::translate::model::{Maker, Seal, SealKind};
use crate::translate::seal::{self, Found};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use std::borrow::Cow;

/// What Google's manual ("Thought Signatures", on calls that no model of its own made) has in the place of
/// a signature that there is none of.
pub(super) const UNSIGNED: &str = "skip_thought_signature_validator";

/// How the base64 of `topdog` begins, in either alphabet.
const MARK: &str = "dG9wZG9n";

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The text that stands for the seal.
pub(super) fn write<'s>(found: &'s Seal<'_>) -> Cow<'s, str> {
    let text = seal::write_with_kind(Maker::Gemini, found);
    if found.maker == Maker::Gemini { text } else { Cow::Owned(STANDARD.encode(text.as_bytes())) }
}

/// The seal that a text stands for, of `own` kind where it is Gemini's; none where it stands for none.
pub(super) fn read(text: Cow<'_, str>, own: SealKind) -> Option<Seal<'_>> {
    if text.is_empty() || text == UNSIGNED {
        return None;
    }
    let foreign = text.starts_with(MARK).then(|| foreign(&text)).flatten();
    Some(foreign.unwrap_or(Seal { maker: Maker::Gemini, kind: own, data: text }))
}

fn foreign(text: &str) -> Option<Seal<'static>> {
    let standard = text.replace('-', "+").replace('_', "/");
    let told = String::from_utf8(FORGIVING.decode(standard).ok()?).ok()?;
    let (Found::Own(seal) | Found::OfLast(seal)) =
        seal::read(Maker::Gemini, Cow::Owned(told), SealKind::Encrypted);
    (seal.maker != Maker::Gemini).then_some(seal)
}
