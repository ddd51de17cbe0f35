//! Keeping a secret out of what is passed on piece by piece.

use super::REDACTED;
use bytes::Bytes;
use std::ops::Range;

/// Passes an answer on, piece by piece, and overwrites the secret wherever it stands: as it is, or as a JSON string has
/// it, in one piece or over several.
///
/// Every byte goes on at once but for the end of a piece that the secret may begin in. What goes on is as long as what
/// came: `[redacted]` and asterisks stand where the secret stood.
#[derive(Default)]
pub struct Passing {
    /// The end of what has come: a beginning of the secret, or nothing.
    held: Bytes,
}

/// A secret shorter than this is no secret: taken out, it would take words out of answers.
const SHORTEST: usize = 8;

/// An answer that ends in as much of the secret as this ends in a part of it, and not in a word that begins like it.
const TELLING: usize = super::stretch::LEAST;

impl Passing {
    /// Takes a piece; what may go on by now goes to `out`.
    pub fn feed(&mut self, piece: Bytes, secret: &[u8], out: &mut impl FnMut(Bytes)) {
        if secret.len() < SHORTEST {
            return send(piece, out);
        }
        let text = if self.held.is_empty() { piece } else { [self.held.as_ref(), &piece].concat().into() };
        let forms = forms(secret);
        let (mut text, mut clean_from) = (text, 0);
        if let Some((replaced, end)) = without(&text, &forms) {
            (text, clean_from) = (replaced.into(), end);
        }
        let rest = text.get(clean_from..).unwrap_or_default();
        let begun = forms.iter().map(|form| begun(rest, form)).max().unwrap_or_default();
        self.held = text.split_off(text.len() - begun);
        send(text, out);
    }

    /// The answer has ended: what was held back of it.
    pub fn finish(&mut self) -> Option<Bytes> {
        let held = std::mem::take(&mut self.held);
        let held = if held.len() < TELLING { held } else { mask(held.len()).collect() };
        (!held.is_empty()).then_some(held)
    }
}

/// A whole answer with the secret overwritten as by [`Passing`].
#[must_use]
pub fn without_secret(whole: Bytes, secret: &[u8]) -> Bytes {
    if secret.len() < SHORTEST {
        return whole;
    }
    without(&whole, &forms(secret)).map_or(whole, |(replaced, _)| replaced.into())
}

fn send(bytes: Bytes, out: &mut impl FnMut(Bytes)) {
    if !bytes.is_empty() {
        out(bytes);
    }
}

/// What the secret looks like in an answer: as it is, and in JSON where that is not the same, with a slash escaped or
/// not.
fn forms(secret: &[u8]) -> Forms<'_> {
    if memchr::memchr3(b'"', b'\\', b'/', secret).is_none() {
        return Forms { plain: secret, escaped: None };
    }
    let escaped = |is_escaped: fn(u8) -> bool| {
        let mut text = Vec::with_capacity(secret.len() + 8);
        for byte in secret {
            if is_escaped(*byte) {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text
    };
    let must = escaped(|byte| matches!(byte, b'"' | b'\\'));
    let may = escaped(|byte| matches!(byte, b'"' | b'\\' | b'/'));
    Forms { plain: secret, escaped: Some(Box::new([must, may])) }
}

struct Forms<'a> {
    plain: &'a [u8],
    escaped: Option<Box<[Vec<u8>; 2]>>,
}

impl Forms<'_> {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let escaped = self.escaped.iter().flat_map(|forms| forms.iter().map(Vec::as_slice));
        std::iter::once(self.plain).chain(escaped)
    }
}

/// The text without the secret, and the end of its last place; none where it is not in it.
fn without(text: &[u8], forms: &Forms<'_>) -> Option<(Vec<u8>, usize)> {
    let mut found = Vec::new();
    for form in forms.iter() {
        find(text, form, &mut found);
    }
    let end = found.iter().map(|span| span.end).max()?;
    let mut replaced = text.to_vec();
    for span in found {
        let length = span.len();
        for (byte, instead) in replaced.get_mut(span).unwrap_or_default().iter_mut().zip(mask(length)) {
            *byte = instead;
        }
    }
    Some((replaced, end))
}

/// What stands where so many bytes of the secret stood.
fn mask(length: usize) -> impl Iterator<Item = u8> {
    let (word, stars) =
        if length < REDACTED.len() { ("", length) } else { (REDACTED, length - REDACTED.len()) };
    word.bytes().chain(std::iter::repeat_n(b'*', stars))
}

/// Where all of a form stands.
fn find(text: &[u8], form: &[u8], found: &mut Vec<Range<usize>>) {
    // Its end is looked for: it is rarer than its beginning, and a short one is looked for fast.
    let before = form.len().saturating_sub(MOST_LOOKED_FOR);
    if text.len() < form.len() {
        return;
    }
    let end = memchr::memmem::Finder::new(form.get(before..).unwrap_or_default());
    let mut from = before;
    while let Some(at) = end.find(text.get(from..).unwrap_or_default()) {
        let start = from + at - before;
        if text.get(start..).is_some_and(|text| text.starts_with(form)) {
            found.push(start..start + form.len());
        }
        from += at + 1;
    }
}

const MOST_LOOKED_FOR: usize = 8;

/// How long a beginning of the form, short of all of it, the text ends in.
fn begun(text: &[u8], form: &[u8]) -> usize {
    let (Some(first), Some(last)) = (form.first(), text.last()) else { return 0 };
    // As most pieces end, and most of them at a line's end, no secret goes on.
    if memchr::memchr(*last, form).is_none() {
        return 0;
    }
    let tail = text.get(text.len().saturating_sub(form.len() - 1)..).unwrap_or_default();
    memchr::memchr_iter(*first, tail)
        .find_map(|at| tail.get(at..).filter(|tail| form.starts_with(tail)))
        .map_or(0, <[u8]>::len)
}
