//! A secret written in base64 (either alphabet) or in hexadecimal, wherever in what was encoded it stood.

use super::stretch::Stretches;
use std::ops::Range;

/// Gives every run of digits that holds a stretch of the secret, with its padding.
pub(super) fn each_run(text: &[u8], stretches: &Stretches<'_>, found: &mut impl FnMut(Range<usize>)) {
    let Some(least) = stretches.least() else { return };
    let mut decoded = Vec::new();
    for code in [BASE64, HEX] {
        let shortest = least * 8 / code.bits as usize;
        let mut at = 0;
        while at < text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let run = rest.iter().take_while(|byte| (code.digit)(**byte).is_some()).count();
            let padding = rest.iter().skip(run).take_while(|byte| **byte == b'=').count();
            if run >= shortest && code.holds(rest.get(..run).unwrap_or_default(), stretches, &mut decoded) {
                found(at..at + run + padding);
            }
            at += run.max(1);
        }
    }
}

/// How bytes are written as digits.
struct Code {
    /// Bits that one digit stands for.
    bits: u32,
    /// Digits after which a byte begins anew.
    beginnings: usize,
    digit: fn(u8) -> Option<u8>,
}

const BASE64: Code = Code { bits: 6, beginnings: 4, digit: base64_digit };
const HEX: Code = Code { bits: 4, beginnings: 2, digit: hex_digit };

impl Code {
    /// Does a run hold a stretch, wherever in it the encoding began?
    fn holds(&self, run: &[u8], stretches: &Stretches<'_>, decoded: &mut Vec<u8>) -> bool {
        (0..self.beginnings).any(|beginning| {
            self.decode(run.get(beginning..).unwrap_or_default(), decoded);
            stretches.is_in(decoded)
        })
    }

    fn decode(&self, digits: &[u8], decoded: &mut Vec<u8>) {
        decoded.clear();
        let (mut bits, mut held) = (0_u32, 0);
        for digit in digits.iter().filter_map(|byte| (self.digit)(*byte)) {
            bits = bits << self.bits | u32::from(digit);
            held += self.bits;
            if held >= 8 {
                held -= 8;
                decoded.push((bits >> held).to_le_bytes()[0]);
            }
        }
    }
}

const fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

const fn hex_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => return None,
    })
}
