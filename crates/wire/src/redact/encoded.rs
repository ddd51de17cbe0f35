//! A secret written in base64 (either alphabet) or in hexadecimal, wherever in what was encoded it stood.

use super::stretch::Stretches;
use std::ops::Range;

/// Gives every run of digits that holds a stretch of the secret, with its padding.
pub(super) fn each_run(text: &[u8], stretches: &Stretches<'_>, found: &mut impl FnMut(Range<usize>)) {
    let Some(least) = stretches.least() else { return };
    for code in [&BASE64, &HEX] {
        let shortest = least * 8 / code.bits as usize;
        let mut at = 0;
        while text.len().saturating_sub(at) >= shortest {
            let rest = text.get(at..).unwrap_or_default();
            let run = rest.iter().position(|byte| code.digit(*byte) == NONE).unwrap_or(rest.len());
            let digits = rest.get(..run).unwrap_or_default();
            if run >= shortest && code.may_be_text(digits, least) && code.holds(digits, stretches) {
                let padding = rest.iter().skip(run).take_while(|byte| **byte == b'=').count();
                found(at..at + run + padding);
            }
            at += run + 1;
        }
    }
}

/// How bytes are written as digits.
struct Code {
    /// Bits that one digit stands for.
    bits: u32,
    /// In a group of digits that stands for whole bytes, the bits that are nought where those are ASCII.
    not_ascii: &'static [u8],
    digits: [u8; 256],
}

static BASE64: Code = Code { bits: 6, not_ascii: &[0x20, 0x08, 0x02, 0], digits: base64_digits() };
static HEX: Code = Code { bits: 4, not_ascii: &[0x08, 0], digits: hex_digits() };

/// What is no digit.
const NONE: u8 = 0xFF;

impl Code {
    fn digit(&self, byte: u8) -> u8 {
        self.digits.get(usize::from(byte)).copied().unwrap_or(NONE)
    }

    /// Can so many bytes of ASCII be in a run, wherever in it the encoding began? Ids are told so from keys.
    fn may_be_text(&self, run: &[u8], bytes: usize) -> bool {
        let of_group = self.not_ascii.len() * self.bits as usize / 8;
        let groups = (bytes + 1 - of_group) / of_group;
        let mut in_a_row = [0; 4];
        run.windows(self.not_ascii.len()).zip((0..self.not_ascii.len()).cycle()).any(|(group, beginning)| {
            let is_ascii = group.iter().zip(self.not_ascii).all(|(byte, bits)| self.digit(*byte) & bits == 0);
            in_a_row.get_mut(beginning).is_some_and(|row| {
                *row = if is_ascii { *row + 1 } else { 0 };
                *row >= groups
            })
        })
    }

    /// Does a run hold a stretch, wherever in it the encoding began?
    fn holds(&self, run: &[u8], stretches: &Stretches<'_>) -> bool {
        (0..self.not_ascii.len()).any(|beginning| {
            let digits = run.iter().skip(beginning).map(|byte| u32::from(self.digit(*byte)));
            stretches.is_in(&self.decoded(digits, run.len()))
        })
    }

    fn decoded(&self, digits: impl Iterator<Item = u32>, length: usize) -> Vec<u8> {
        let mut decoded = Vec::with_capacity(length);
        let (mut bits, mut held) = (0_u32, 0);
        for digit in digits {
            bits = bits << self.bits | digit;
            held += self.bits;
            if held >= 8 {
                held -= 8;
                decoded.push((bits >> held).to_le_bytes()[0]);
            }
        }
        decoded
    }
}

/// Of both alphabets.
const fn base64_digits() -> [u8; 256] {
    let digits =
        numbered([NONE; 256], b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 0);
    numbered(digits, b"-_", 62)
}

/// In both cases.
const fn hex_digits() -> [u8; 256] {
    let digits = numbered([NONE; 256], b"0123456789abcdef", 0);
    numbered(digits, b"ABCDEF", 10)
}

#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and this runs when it is compiled")]
const fn numbered(mut digits: [u8; 256], alphabet: &[u8], mut number: u8) -> [u8; 256] {
    let mut rest = alphabet;
    while let [digit, after @ ..] = rest {
        digits[*digit as usize] = number;
        number += 1;
        rest = after;
    }
    digits
}
