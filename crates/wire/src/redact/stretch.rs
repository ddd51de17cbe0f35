//! Stretches of a secret in a text, whatever the case of their letters.

use std::ops::Range;

/// A stretch this long is found wherever it stands.
pub(super) const LEAST: usize = 12;
/// A secret shorter than this is no stretch of its own: it is looked for as a word only.
const SHORTEST: usize = 8;
/// How much is compared at first.
const GRAM: usize = 3;
/// From one gram of the text to the next.
const STEP_OF_TEXT: usize = 2;

/// Finds what a text has in common with a secret.
///
/// Grams of three bytes are compared: every second one of the text, and of the secret one of an odd number
/// of them. Every stretch that is long enough has one that is both, whichever way it is shifted.
pub(super) struct Stretches<'a> {
    secret: &'a [u8],
    least: usize,
    /// From one gram of the secret to the next.
    step: usize,
    /// One bit for every hash of those grams.
    grams: [u64; 32],
}

impl<'a> Stretches<'a> {
    pub(super) fn of(secret: &'a [u8]) -> Self {
        let least = secret.len().clamp(SHORTEST, LEAST);
        let half = (least - (GRAM - 1)) / STEP_OF_TEXT;
        let mut stretches = Self { secret, least, step: (half - 1) | 1, grams: [0; 32] };
        for at in (0..secret.len().saturating_sub(GRAM - 1)).step_by(stretches.step) {
            let gram = secret.get(at..).and_then(<[u8]>::first_chunk::<GRAM>);
            let Some((word, bit)) = gram.map(|gram| place(*gram)) else { break };
            if let Some(word) = stretches.grams.get_mut(word) {
                *word |= bit;
            }
        }
        stretches
    }

    /// How long a stretch must be; none where the secret is too short for any.
    pub(super) fn least(&self) -> Option<usize> {
        (self.secret.len() >= SHORTEST).then_some(self.least)
    }

    /// Gives every stretch; they may overlap.
    pub(super) fn each_in(&self, text: &[u8], found: &mut impl FnMut(Range<usize>)) {
        let Some(least) = self.least().filter(|least| text.len() >= *least) else { return };
        for at in (0..=text.len() - GRAM).step_by(STEP_OF_TEXT) {
            if let Some(span) = self.around(text, at).filter(|span| span.len() >= least) {
                found(span);
            }
        }
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let mut is_in = false;
        self.each_in(text, &mut |_| is_in = true);
        is_in
    }

    /// The longest stretch that the gram here is part of.
    fn around(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let gram = text.get(at..)?.first_chunk::<GRAM>()?;
        let (word, bit) = place(*gram);
        if self.grams.get(word)? & bit == 0 {
            return None;
        }
        let (before, rest) = text.split_at_checked(at)?;
        let grams = self.secret.array_windows::<GRAM>().enumerate().step_by(self.step);
        let same = grams.filter(|(_, other)| other.eq_ignore_ascii_case(gram));
        let stretches = same.filter_map(|(place, _)| {
            let (left, right) = self.secret.split_at_checked(place)?;
            let start = at - common(before.iter().rev(), left.iter().rev());
            Some(start..at + common(rest.iter(), right.iter()))
        });
        stretches.max_by_key(Range::len)
    }
}

/// How many bytes are the same from the beginning on.
fn common<'b>(one: impl Iterator<Item = &'b u8>, other: impl Iterator<Item = &'b u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

/// The word and the bit of a gram.
const fn place(gram: [u8; GRAM]) -> (usize, u64) {
    let [a, b, c] = gram;
    let all = u32::from_le_bytes([a | 0x20, b | 0x20, c | 0x20, 0]);
    let hash = all.wrapping_mul(0x9E37_79B1) >> 21;
    ((hash >> 6) as usize, 1 << (hash & 63))
}
