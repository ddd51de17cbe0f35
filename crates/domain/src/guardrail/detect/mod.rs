//! What data of well-known shapes looks like. Nothing is asked of anyone, so a shape says only that it may be such data;
//! where it has a checksum, one of others passes in ten (cards) or in a hundred (accounts) by chance.

mod address;
mod card;
mod iban;
mod secret;

use super::document::Detector;
use super::finder::{Found, Tail};
use regex::Regex;
use std::ops::Range;

/// How a kind of data is found.
#[derive(Debug)]
pub struct Shape {
    /// Bytes that its beginning, of which it is known, can take at the most.
    pub longest: usize,
    /// The first of its kind that begins at a place or behind it.
    pub find: fn(&str, usize) -> Option<Found>,
}

/// How what the detector is for is found.
pub(super) const fn shape(detector: Detector) -> &'static Shape {
    match detector {
        Detector::Secret => &secret::SECRET,
        Detector::Email => &address::EMAIL,
        Detector::Phone => &address::PHONE,
        Detector::Iban => &iban::IBAN,
        Detector::Card => &card::CARD,
        Detector::Ipv4 => &address::IPV4,
        Detector::UsSsn => &address::US_SSN,
    }
}

/// The first match of a pattern from a place on that is also one on a closer look.
fn first(
    pattern: Option<&Regex>,
    text: &str,
    mut from: usize,
    tail: impl Fn(&str, Range<usize>) -> Option<Tail>,
) -> Option<Found> {
    let pattern = pattern?;
    loop {
        let span = pattern.find_at(text, from)?.range();
        if let Some(tail) = tail(text, span.clone()) {
            return Some(Found { span, tail });
        }
        from = next_place(text, span.start);
    }
}

/// The place of the next character.
fn next_place(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.chars().next().map_or(1, char::len_utf8)
}

fn byte_at(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

fn byte_before(text: &str, at: usize) -> Option<u8> {
    byte_at(text, at.checked_sub(1)?)
}

/// A pattern of ours; that it compiles is tested.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

#[cfg(test)]
mod tests;
