//! Keeping keys out of what providers say: their error bodies echo them, whole, cut or masked.

use std::borrow::Cow;

/// What stands where a key stood.
pub const REDACTED: &str = "[redacted]";

/// The body without the secret and without anything shaped like a key.
///
/// Found are: the secret itself; any word that is a part of it (its beginning or end of four bytes or
/// more, any part of eight); any masked word (`ab***yz`, `ab…yz`, `ab...yz`) whose open ends are ends
/// of it; words that begin like a known kind of key; what stands behind `Bearer`. In JSON only strings
/// are touched, so JSON stays JSON.
#[must_use]
pub fn redact_error_body<'a>(body: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    let is_json = std::str::from_utf8(body).is_ok_and(|text| crate::json::document(text).is_ok());
    let without_secret =
        if secret.len() >= SHORT_SECRET { replace_all(body, secret) } else { Cow::Borrowed(body) };
    match redact_words(&without_secret, secret, is_json) {
        Some(redacted) => Cow::Owned(redacted),
        None => without_secret,
    }
}

/// A shorter secret is looked for as a whole word only.
const SHORT_SECRET: usize = 8;
/// An end of the secret this long is worth hiding.
const END_OF_SECRET: usize = 4;
/// A key is at least this long behind its prefix, masks counted.
const BEHIND_PREFIX: usize = 4;
/// A bearer's word with no digit and no mask in it is prose, unless it is this long.
const LONG_WORD: usize = 20;

/// How the keys of the providers, and Top Dog's own, begin.
const PREFIXES: &[&str] = &[
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

fn replace_all<'a>(body: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    let escaped =
        std::str::from_utf8(secret).map(|text| serde_json::Value::from(text).to_string()).unwrap_or_default();
    let escaped = escaped.get(1..escaped.len().saturating_sub(1)).unwrap_or_default().as_bytes();
    let mut replaced = Cow::Borrowed(body);
    for form in [secret, escaped] {
        if form.is_empty() || memchr::memmem::find(&replaced, form).is_none() {
            continue;
        }
        let mut without = Vec::with_capacity(replaced.len());
        let mut copied = 0;
        for at in memchr::memmem::find_iter(&replaced, form) {
            without.extend_from_slice(replaced.get(copied..at).unwrap_or_default());
            without.extend_from_slice(REDACTED.as_bytes());
            copied = at + form.len();
        }
        without.extend_from_slice(replaced.get(copied..).unwrap_or_default());
        replaced = Cow::Owned(without);
    }
    replaced
}

/// The text with its key-like words replaced; none where there is none.
fn redact_words(text: &[u8], secret: &[u8], is_json: bool) -> Option<Vec<u8>> {
    let mut redacted: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut is_within = !is_json;
    let mut is_behind_bearer = false;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let word = if is_within { word_at(rest) } else { 0 };
        if word == 0 {
            let passed = passed_at(rest);
            is_within ^= is_json && rest.first() == Some(&b'"');
            is_behind_bearer &=
                matches!(rest.first(), Some(b' ' | b'"' | b'\'' | b'\\' | b':' | b'`' | b'<'));
            at += passed;
            continue;
        }
        let text_of_word = rest.get(..word).unwrap_or_default();
        if is_key(text_of_word, secret, is_behind_bearer) {
            let out = redacted.get_or_insert_with(|| Vec::with_capacity(text.len()));
            out.extend_from_slice(text.get(copied..at).unwrap_or_default());
            out.extend_from_slice(REDACTED.as_bytes());
            copied = at + word;
        }
        is_behind_bearer = text_of_word.eq_ignore_ascii_case(b"bearer");
        at += word;
    }
    if let Some(out) = &mut redacted {
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
    }
    redacted
}

/// The length of the word of key characters and masks that begins here.
fn word_at(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = text.get(length..) {
        length += match rest {
            [b'.', next, ..] if is_plain(*next) || matches!(next, b'*' | b'.') => 1,
            [b'.', ..] if length > 0 && text.get(length - 1) == Some(&b'.') => 1,
            [byte, ..] if is_plain(*byte) || *byte == b'*' => 1,
            _ => match mask_at(rest) {
                0 => break,
                mask => mask,
            },
        };
    }
    length
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The length of an ellipsis or a bullet, in UTF-8 or as a JSON escape.
fn mask_at(text: &[u8]) -> usize {
    const MASKS: [&str; 5] = ["…", "•", "\\u2026", "\\u2022", "×"];
    MASKS.iter().find(|mask| text.starts_with(mask.as_bytes())).map_or(0, |mask| mask.len())
}

/// How far to pass where no word begins: an escape is one thing, so that the `n` of `\n` begins no word.
fn passed_at(text: &[u8]) -> usize {
    match text {
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        _ => 1,
    }
}

fn is_key(word: &[u8], secret: &[u8], is_behind_bearer: bool) -> bool {
    if word == secret || is_part(word, secret) || begins_like_key(word) {
        return true;
    }
    let pieces = open_pieces(word);
    let is_masked = pieces.iter().map(|piece| piece.len()).sum::<usize>() < word.len();
    let shows_end =
        |piece: &[u8]| !piece.is_empty() && (secret.starts_with(piece) || secret.ends_with(piece));
    if is_masked && pieces.iter().any(|piece| shows_end(piece)) {
        return true;
    }
    let is_wordy = !is_masked && word.len() < LONG_WORD && !word.iter().any(u8::is_ascii_digit);
    is_behind_bearer && !is_wordy
}

/// Is the word a piece of the secret that gives some of it away?
fn is_part(word: &[u8], secret: &[u8]) -> bool {
    let is_end = word.len() >= END_OF_SECRET && (secret.starts_with(word) || secret.ends_with(word));
    is_end || (word.len() >= 2 * END_OF_SECRET && memchr::memmem::find(secret, word).is_some())
}

fn begins_like_key(word: &[u8]) -> bool {
    PREFIXES.iter().any(|prefix| {
        memchr::memmem::find_iter(word, prefix.as_bytes()).any(|at| {
            let is_begin = at == 0 || word.get(at - 1).is_some_and(|before| !before.is_ascii_alphanumeric());
            is_begin && word.len() - at - prefix.len() >= BEHIND_PREFIX
        })
    })
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
