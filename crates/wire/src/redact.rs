//! Keeping keys out of what providers say: their errors echo them, whole, cut, masked or written otherwise.
//! Of other answers only the secret itself is kept out ([`Passing`]): whatever else is like a key may be meant.
//!
//! A text is read as it stands and then with its escapes resolved ([`view`]), each time for stretches of
//! the secret ([`stretch`]), for words that are keys ([`words`]), and for the secret in base64 and
//! hexadecimal ([`encoded`]). What is found is replaced where it stands; nothing else is touched.

mod encoded;
mod passing;
mod stretch;
mod view;
mod words;

pub use passing::{Passing, without_secret};

use crate::sse;
use std::borrow::Cow;
use std::ops::Range;
use stretch::Stretches;
use view::View;

/// What stands where a key stood.
pub const REDACTED: &str = "[redacted]";

/// The body without the secret and without anything shaped like a key.
///
/// Found are: the secret and any stretch of it of twelve bytes, in any case, escaped (JSON, percent,
/// HTML), in base64 or in hexadecimal; any word that is a part of it (its beginning or end of four bytes
/// or more, any part of eight); any masked word (`ab***yz`, `ab…yz`, `ab...yz`) whose open ends are ends
/// of it; words that begin like a known kind of key; what stands behind `Bearer`. In JSON only strings
/// are touched, so JSON stays JSON.
#[must_use]
pub fn redact_error_body<'a>(body: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    let spans = KeyFinder::new(secret).spans_of_body(body);
    if spans.is_empty() { Cow::Borrowed(body) } else { Cow::Owned(replace(body, &spans)) }
}

/// Like [`redact_error_body`], and exactly as long: for a body whose length is already told.
///
/// White space at its end makes up for what was taken, which JSON allows there.
#[must_use]
pub fn redact_to_length<'a>(body: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    let spans = KeyFinder::new(secret).spans_of_body(body);
    if spans.is_empty() {
        return Cow::Borrowed(body);
    }
    let mut redacted = replace_with(body, &spans, |length| {
        if length < REDACTED.len() { Cow::Owned("*".repeat(length)) } else { Cow::Borrowed(REDACTED) }
    });
    redacted.resize(body.len(), b' ');
    Cow::Owned(redacted)
}

/// What is still to be sent of a stream's event of which so many bytes are `sent`, without keys; none
/// where none is in it.
pub(crate) fn redact_event(event: &[u8], sent: usize, secret: &[u8]) -> Option<Vec<u8>> {
    let spans = KeyFinder::new(secret).spans_of_event(event);
    let spans: Vec<_> = spans
        .into_iter()
        .filter(|span| span.end > sent)
        .map(|span| span.start.max(sent) - sent..span.end - sent)
        .collect();
    (!spans.is_empty()).then(|| replace(event.get(sent..).unwrap_or_default(), &spans))
}

/// Finds one secret, and whatever else is shaped like a key.
pub struct KeyFinder<'a> {
    secret: &'a [u8],
    stretches: Stretches<'a>,
    /// The secret as it reads once its escapes, or what looks like such, are resolved.
    resolved: Option<Vec<u8>>,
}

impl<'a> KeyFinder<'a> {
    /// A finder of that secret; of an empty one, a finder of the shapes of keys.
    #[must_use]
    pub fn new(secret: &'a [u8]) -> Self {
        let mut resolved = None;
        while let Some(view) = View::plain(resolved.as_deref().unwrap_or(secret)).resolved() {
            resolved = Some(view.into_bytes());
        }
        Self { secret, stretches: Stretches::of(secret), resolved }
    }

    /// Does a text hold a key?
    #[must_use]
    pub fn is_in(&self, text: &[u8]) -> bool {
        !self.spans(View::plain(text)).is_empty()
    }

    fn spans_of_body(&self, body: &[u8]) -> Vec<Range<usize>> {
        if is_json(body) { self.spans_of_strings(body, 0) } else { self.spans(View::plain(body)) }
    }

    /// The spans in the fields of an event; where its data is JSON, in the strings of that.
    fn spans_of_event(&self, event: &[u8]) -> Vec<Range<usize>> {
        let text = String::from_utf8_lossy(event);
        let data = sse::Event::read(&text).data.unwrap_or_default();
        if !is_json(data.as_bytes()) {
            return self.spans(View::plain(event));
        }
        let mut spans = Vec::new();
        let mut start = 0;
        for line in event.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            if line.starts_with(b"data:") {
                spans.extend(self.spans_of_strings(line, start));
            } else {
                spans.extend(moved(self.spans(View::plain(line)), start));
            }
            start += line.len();
        }
        spans
    }

    /// The spans in the strings of a piece of JSON that begins and ends outside of strings.
    fn spans_of_strings(&self, json: &[u8], start: usize) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut at = 0;
        while let Some(opening) = memchr::memchr(b'"', json.get(at..).unwrap_or_default()) {
            let from = at + opening + 1;
            let body = string_at(json.get(from..).unwrap_or_default());
            let plain = View::plain(body);
            // Escapes are never cut: a string that has some is only read with them resolved.
            let view = if body.contains(&b'\\') { plain.resolved().unwrap_or(plain) } else { plain };
            spans.extend(moved(self.spans(view), start + from));
            at = from + body.len() + 1;
        }
        spans
    }

    /// Where keys stand, in order and apart from each other.
    fn spans(&self, view: View<'_>) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut view = Some(view);
        for _ in 0..MOST_LAYERS {
            let Some(read) = view else { break };
            self.search(&read, &mut spans);
            view = read.resolved();
        }
        apart(spans)
    }

    fn search(&self, view: &View<'_>, spans: &mut Vec<Range<usize>>) {
        let text = view.bytes();
        let mut found = |span: Range<usize>| spans.push(view.origin(span));
        self.stretches.each_in(text, &mut found);
        if let Some(resolved) = &self.resolved {
            Stretches::of(resolved).each_in(text, &mut found);
        }
        words::each_key(text, self.secret, &mut found);
        encoded::each_run(text, &self.stretches, &mut found);
    }
}

/// Escapes within escapes are resolved so often.
const MOST_LAYERS: usize = 4;

fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| crate::json::document(text).is_ok())
}

/// A JSON string's text up to its closing quote.
fn string_at(text: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += next;
        if text.get(at) == Some(&b'"') {
            break;
        }
        at += 2;
    }
    let is_closed = text.get(at) == Some(&b'"');
    if is_closed { text.get(..at).unwrap_or(text) } else { text }
}

fn moved(spans: Vec<Range<usize>>, by: usize) -> impl Iterator<Item = Range<usize>> {
    spans.into_iter().map(move |span| span.start + by..span.end + by)
}

/// The spans in order, those that overlap or touch made one.
fn apart(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_unstable_by_key(|span| span.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

fn replace(text: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
    replace_with(text, spans, |_| Cow::Borrowed(REDACTED))
}

fn replace_with(
    text: &[u8],
    spans: &[Range<usize>],
    instead: impl Fn(usize) -> Cow<'static, str>,
) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut copied = 0;
    for span in spans {
        replaced.extend_from_slice(text.get(copied..span.start).unwrap_or_default());
        replaced.extend_from_slice(instead(span.len()).as_bytes());
        copied = span.end;
    }
    replaced.extend_from_slice(text.get(copied..).unwrap_or_default());
    replaced
}
