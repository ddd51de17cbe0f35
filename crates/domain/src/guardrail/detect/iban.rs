//! International bank account numbers (ISO 13616): country, two digits of checksum, and as much as the country has.

use super::{Shape, byte_at, byte_before};
use crate::guardrail::finder::{Found, Tail};

pub(super) const IBAN: Shape = Shape { longest: 2 * LONGEST, find };

/// Characters of the longest.
const LONGEST: usize = 34;

/// Characters of each country's, as the registry has them.
const LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 \
    ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 \
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 \
    RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

fn find(text: &str, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(next) = bytes.get(at..)?.iter().position(u8::is_ascii_alphabetic) {
        let start = at + next;
        let is_within_word = byte_before(text, start).is_some_and(|byte| byte.is_ascii_alphabetic());
        if !is_within_word && let Some(end) = end_of(text, start) {
            return Some(Found { span: start..end, tail: Tail::None });
        }
        at = start + 1;
    }
    None
}

fn end_of(text: &str, start: usize) -> Option<usize> {
    let length = length_of(text.get(start..start + 2)?)?;
    let mut read = Vec::with_capacity(LONGEST);
    let mut at = start;
    while read.len() < length {
        let byte = byte_at(text, at)?;
        if byte == b' ' && !read.is_empty() && byte_before(text, at) != Some(b' ') {
            at += 1;
            continue;
        }
        if !byte.is_ascii_alphanumeric() || (matches!(read.len(), 2 | 3) && !byte.is_ascii_digit()) {
            return None;
        }
        read.push(byte);
        at += 1;
    }
    has_checksum(&read).then_some(at)
}

fn length_of(country: &str) -> Option<usize> {
    let of_country = |entry: &&str| entry.get(..2).is_some_and(|name| name.eq_ignore_ascii_case(country));
    LENGTHS.split_ascii_whitespace().find(of_country)?.get(2..)?.parse().ok()
}

/// The whole, its first four characters moved to its end and letters read as numbers, leaves 1 of 97 (ISO 7064).
fn has_checksum(read: &[u8]) -> bool {
    let (first, rest) = read.split_at(4.min(read.len()));
    let mut remainder = 0_u32;
    for byte in rest.iter().chain(first) {
        remainder = match byte {
            b'0'..=b'9' => remainder * 10 + u32::from(byte - b'0'),
            _ => remainder * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10,
        } % 97;
    }
    remainder == 1
}
