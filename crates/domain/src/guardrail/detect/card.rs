//! Payment card numbers (ISO/IEC 7812): a digit of the issuer's, 13 to 19 digits, the last a checksum.

use super::{Shape, byte_at, byte_before};
use crate::guardrail::finder::{Found, Tail};

pub(super) const CARD: Shape = Shape { longest: 2 * MOST_DIGITS, find };

const FEWEST_DIGITS: usize = 13;
const MOST_DIGITS: usize = 19;

fn find(text: &str, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(next) = bytes.get(at..)?.iter().position(u8::is_ascii_digit) {
        let start = at + next;
        if !byte_before(text, start).is_some_and(|byte| byte.is_ascii_digit())
            && let Some(end) = end_of(text, start)
        {
            return Some(Found { span: start..end, tail: Tail::None });
        }
        at = start + 1;
    }
    None
}

/// Where the longest card number ends that begins here.
fn end_of(text: &str, start: usize) -> Option<usize> {
    let mut digits = Vec::with_capacity(MOST_DIGITS);
    let mut end = None;
    let mut at = start;
    loop {
        let digit = byte_at(text, at).filter(u8::is_ascii_digit)?;
        digits.push(digit - b'0');
        at += 1;
        let next = byte_at(text, at);
        let goes_on = next.is_some_and(|byte| byte.is_ascii_digit());
        if !goes_on && digits.len() >= FEWEST_DIGITS && is_issued(&digits) && has_checksum(&digits) {
            end = Some(at);
        }
        if digits.len() == MOST_DIGITS {
            return end;
        }
        let is_between = matches!(next, Some(b' ' | b'-' | b'.'))
            && byte_at(text, at + 1).is_some_and(|byte| byte.is_ascii_digit());
        match (goes_on, is_between) {
            (true, _) => {}
            (false, true) => at += 1,
            (false, false) => return end,
        }
    }
}

/// Does it begin as the numbers of an issuer do, and has it as many digits?
fn is_issued(digits: &[u8]) -> bool {
    let number =
        |length| digits.iter().take(length).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let (two, four, count) = (number(2), number(4), digits.len());
    match two {
        40..=49 => matches!(count, 13 | 16 | 19),
        34 | 37 => count == 15,
        30 | 36 | 38 | 39 => (14..=19).contains(&count),
        51..=55 | 35 => count == 16,
        22..=27 => (2221..=2720).contains(&four) && count == 16,
        50 | 56..=58 | 60..=69 | 81 => (13..=19).contains(&count),
        _ => false,
    }
}

/// Luhn's sum of all digits ends in 0.
fn has_checksum(digits: &[u8]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| match (place % 2, *digit) {
        (0, digit) => u32::from(digit),
        (_, digit @ 5..) => u32::from(digit) * 2 - 9,
        (_, digit) => u32::from(digit) * 2,
    });
    weighed.sum::<u32>().is_multiple_of(10)
}
