//! Where someone is reached: e-mail, telephone, network; and the number of a person that is written like a telephone's.

use super::{Shape, byte_at, byte_before, first, pattern};
use crate::guardrail::finder::{Found, Tail};
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// The name before the `@` (64 bytes at the most), and the domain behind it (RFC 5321, 4.5.3.1).
pub(super) const EMAIL: Shape = Shape { longest: LONGEST_NAME + 1 + LONGEST_DOMAIN, find: find_email };
pub(super) const PHONE: Shape = Shape { longest: 48, find: find_phone };
pub(super) const IPV4: Shape = Shape { longest: 16, find: find_ipv4 };
pub(super) const US_SSN: Shape = Shape { longest: 12, find: find_us_ssn };

const LONGEST_NAME: usize = 64;
const LONGEST_DOMAIN: usize = 255;

fn find_email(text: &str, from: usize) -> Option<Found> {
    let mut at = from;
    loop {
        let sign = at + text.get(at..)?.find('@')?;
        if let (Some(start), Some(end)) = (start_of_name(text, from, sign), end_of_domain(text, sign + 1)) {
            return Some(Found { span: start..end, tail: Tail::None });
        }
        at = sign + 1;
    }
}

/// Where the name before the `@` begins: with a letter or digit.
fn start_of_name(text: &str, from: usize, sign: usize) -> Option<usize> {
    let earliest = from.max(sign.saturating_sub(LONGEST_NAME));
    let bytes = text.as_bytes().get(earliest..sign)?;
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(byte);
    let length = bytes.iter().rev().take_while(|byte| is_of_name(byte)).count();
    let name = bytes.get(bytes.len() - length..)?;
    let first = name.iter().position(u8::is_ascii_alphanumeric)?;
    Some(sign - length + first)
}

/// Where the domain ends: behind its last label that can be a top level, of two letters or more.
fn end_of_domain(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(start..)?;
    let is_of_domain = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let length = bytes.iter().take(LONGEST_DOMAIN).take_while(is_of_domain).count();
    let domain = text.get(start..start + length)?;
    let mut end = None;
    let mut at = start;
    for (place, label) in domain.split('.').enumerate() {
        if label.is_empty() || label.starts_with('-') {
            break;
        }
        at += usize::from(place > 0) + label.len();
        let letters = label.bytes().take_while(u8::is_ascii_alphabetic).count();
        if place > 0 && letters >= 2 && label.bytes().skip(letters).all(|byte| byte == b'-') {
            end = Some(at - (label.len() - letters));
        }
    }
    end
}

/// With a country's code, or in three groups with the area's.
static PHONES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r"\+[1-9](?:[ ().\-/]{0,2}[0-9]){7,14}",
        r"|(?:\([2-9][0-9]{2}\)[ ]?|[2-9][0-9]{2}[\-. ])[2-9][0-9]{2}[\-. ][0-9]{4}"
    ))
});

fn find_phone(text: &str, from: usize) -> Option<Found> {
    // A plus sign begins a number, whatever stands before it.
    let is_begun = |at| byte_at(text, at) == Some(b'+');
    first(PHONES.as_ref(), text, from, |text, span| {
        if is_begun(span.start) { Some(Tail::None) } else { is_apart(text, &span) }
    })
}

static ADDRESSES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])")
});

fn find_ipv4(text: &str, from: usize) -> Option<Found> {
    first(ADDRESSES.as_ref(), text, from, |text, span| is_apart(text, &span))
}

static NUMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"[0-9]{3}[\- ][0-9]{2}[\- ][0-9]{4}"));

fn find_us_ssn(text: &str, from: usize) -> Option<Found> {
    first(NUMBERS.as_ref(), text, from, |text, span| {
        let number = text.get(span.clone())?;
        let group = |range: Range<usize>| number.get(range);
        let is_given_out = !matches!(group(0..3)?, "000" | "666")
            && !number.starts_with('9')
            && group(4..6)? != "00"
            && group(7..11)? != "0000";
        if is_given_out { is_apart(text, &span) } else { None }
    })
}

/// It is no part of a longer number.
fn is_apart(text: &str, span: &Range<usize>) -> Option<Tail> {
    let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
    let is_part = is_digit(byte_before(text, span.start)) || is_digit(byte_at(text, span.end));
    (!is_part).then_some(Tail::None)
}
