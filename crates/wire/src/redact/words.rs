//! Words that are keys: parts of the secret, masked or not, and whatever is shaped like a key.

use super::stretch;
use std::ops::Range;

/// An end of the secret this long is worth hiding.
const END_OF_SECRET: usize = 4;
/// A key is at least this long behind its prefix, masks counted.
const BEHIND_PREFIX: usize = 4;
/// A bearer's word with no digit and no mask in it is prose, unless it is this long.
const LONG_WORD: usize = 20;

/// How the keys of the providers, and Top Dog's own, begin.
const PREFIXES: [&str; 24] = [
    "sk-",
    "sk_",
    "rk-",
    "pk-",
    "sess-",
    "td_",
    "AIza",
    "gsk_",
    "xai-",
    "pplx-",
    "nvapi-",
    "hf_",
    "r8_",
    "fw_",
    "csk-",
    "AKIA",
    "ASIA",
    "ya29.",
    "eyJ",
    "hvs.",
    "ghp_",
    "github_pat_",
    "glpat-",
    "xoxb-",
];

/// Gives every word that is a key.
pub(super) fn each_key(text: &[u8], secret: &[u8], found: &mut impl FnMut(Range<usize>)) {
    let mut is_behind_bearer = false;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = word_at(rest);
        if length == 0 {
            is_behind_bearer &=
                matches!(rest.first(), Some(b' ' | b'"' | b'\'' | b'\\' | b':' | b'`' | b'<'));
            at += 1;
            continue;
        }
        let word = rest.get(..length).unwrap_or_default();
        if is_key(word, secret, is_behind_bearer) {
            found(at..at + length);
        }
        is_behind_bearer = word.eq_ignore_ascii_case(b"bearer");
        at += length;
    }
}

/// The length of the word of key characters and masks that begins here.
fn word_at(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = text.get(length..) {
        let plain = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
        length += match rest {
            _ if plain > 0 => plain,
            [b'*', ..] => 1,
            [b'.', next, ..] if is_plain(*next) || matches!(next, b'*' | b'.') => 1,
            [b'.', ..] if length > 0 && text.get(length - 1) == Some(&b'.') => 1,
            _ => match mask_at(rest) {
                0 => break,
                mask => mask,
            },
        };
    }
    length
}

fn is_plain(byte: u8) -> bool {
    PLAIN.get(usize::from(byte)).copied().unwrap_or_default()
}

#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and this runs when it is compiled")]
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        byte += 1;
    }
    plain
};

/// The bytes that a prefix begins with.
#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and this runs when it is compiled")]
static FIRSTS: [bool; 256] = {
    let mut firsts = [false; 256];
    let mut rest: &[&str] = &PREFIXES;
    while let [prefix, after @ ..] = rest {
        if let [first, ..] = prefix.as_bytes() {
            firsts[*first as usize] = true;
        }
        rest = after;
    }
    firsts
};

/// The length of an ellipsis, a bullet or a cross.
fn mask_at(text: &[u8]) -> usize {
    const MASKS: [&str; 3] = ["…", "•", "×"];
    if text.first().is_none_or(u8::is_ascii) {
        return 0;
    }
    MASKS.iter().find(|mask| text.starts_with(mask.as_bytes())).map_or(0, |mask| mask.len())
}

fn is_key(word: &[u8], secret: &[u8], is_behind_bearer: bool) -> bool {
    if word == secret || is_part(word, secret) || begins_like_key(word) {
        return true;
    }
    let is_plain = word.iter().all(|byte| is_plain(*byte));
    let is_masked = !is_plain && open_pieces(word).len() > 1;
    let shows_end =
        |piece: &&[u8]| !piece.is_empty() && (secret.starts_with(piece) || secret.ends_with(piece));
    if is_masked && open_pieces(word).iter().any(shows_end) {
        return true;
    }
    let is_wordy = !is_masked && word.len() < LONG_WORD && !word.iter().any(u8::is_ascii_digit);
    is_behind_bearer && !is_wordy
}

/// Is the word a piece of the secret that gives some of it away?
fn is_part(word: &[u8], secret: &[u8]) -> bool {
    let is_end = word.len() >= END_OF_SECRET && (secret.starts_with(word) || secret.ends_with(word));
    // A longer part is a stretch, which is found whether it is a word or not.
    let is_long = (2 * END_OF_SECRET..stretch::LEAST).contains(&word.len());
    is_end || (is_long && is_within(word, secret))
}

/// Does a short word stand in the secret? Without a searcher, which takes longer to make than to use here.
fn is_within(word: &[u8], secret: &[u8]) -> bool {
    let Some(first) = word.first() else { return true };
    memchr::memchr_iter(*first, secret).any(|at| secret.get(at..).is_some_and(|rest| rest.starts_with(word)))
}

fn begins_like_key(word: &[u8]) -> bool {
    let mut before = b'-';
    word.iter().enumerate().any(|(at, byte)| {
        let is_beginning = !before.is_ascii_alphanumeric();
        before = *byte;
        let may_begin = || FIRSTS.get(usize::from(*byte)).copied().unwrap_or_default();
        is_beginning && may_begin() && PREFIXES.iter().any(|prefix| has_prefix(word, at, prefix))
    })
}

fn has_prefix(word: &[u8], at: usize, prefix: &str) -> bool {
    let behind = word.get(at..).and_then(|rest| rest.strip_prefix(prefix.as_bytes()));
    behind.is_some_and(|behind| behind.len() >= BEHIND_PREFIX)
}

/// The pieces of a word between its masks: asterisks, ellipses, two dots or more.
fn open_pieces(word: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < word.len() {
        let rest = word.get(at..).unwrap_or_default();
        let mask = match rest {
            [b'*', ..] => 1,
            [b'.', b'.', ..] => rest.iter().take_while(|byte| **byte == b'.').count(),
            _ => mask_at(rest),
        };
        if mask > 0 {
            pieces.push(word.get(start..at).unwrap_or_default());
            start = at + mask;
        }
        at += mask.max(1);
    }
    pieces.push(word.get(start..).unwrap_or_default());
    pieces
}
