//! Where words of people and models stand in a request, an answer or a stream's event, whatever its dialect.
//!
//! Not the dialects' fields are listed that hold text, but those that hold none: what is not known is taken for text, so
//! that nothing is overlooked because a dialect has grown. Members' names are no texts.

mod labels;

use crate::bad_body::BadBody;
use crate::json::{Kind, Value, Walker, walk};
use labels::{is_free_form, is_label, is_media, is_number_of_place};
use std::borrow::Cow;
use std::ops::Range;

/// A string that is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// Where it is written in the document, quotes included.
    pub span: Range<usize>,
    /// What it says, escapes resolved; half a surrogate pair as what replaces it.
    pub text: Cow<'a, str>,
    /// What it belongs together with.
    pub flow: Flow,
}

/// What a text belongs together with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nothing: it is a text of its own.
    Alone,
    /// Those of the same list of parts, which a model reads one behind the other.
    Parts(u32),
    /// Those of the same place in a stream's other events, which go on where this one ends.
    Stream(u64),
}

/// The texts of a document, in its order. Those of a stream's event may go on in the next one.
///
/// # Errors
/// Where it isn't strict JSON (RFC 8259), or nests too deep.
pub fn texts(document: &str, is_event: bool) -> Result<Vec<Text<'_>>, BadBody> {
    let mut finder =
        Finder { is_event, frames: Vec::new(), next_id: 0, numbers: Vec::new(), kind: 0, found: Vec::new() };
    walk(document, &mut finder).map_err(BadBody::from)?;
    Ok(finder.finish())
}

/// The document with other texts in the place of some; all else is as it was, byte for byte. The places are in order.
#[must_use]
pub fn rewritten<'c>(document: &str, changes: impl IntoIterator<Item = (Range<usize>, &'c str)>) -> String {
    let mut written = String::with_capacity(document.len());
    let mut copied = 0;
    for (span, text) in changes {
        written.push_str(document.get(copied..span.start).unwrap_or_default());
        // A text is always written.
        written.push_str(&serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned()));
        copied = span.end;
    }
    written.push_str(document.get(copied..).unwrap_or_default());
    written
}

/// Might the text be a document itself, as the arguments of a tool's call are?
#[must_use]
pub fn is_document(text: &str) -> bool {
    text.trim_ascii_start().starts_with(['{', '[']) && crate::json::document(text).is_ok()
}

/// Does a request ask for the single tokens of its answer and what they might have been? They say again, in pieces, what
/// the answer's texts say.
#[must_use]
pub fn asks_for_tokens(request: &str) -> bool {
    let mut asks = AsksForTokens { is_asked: false, key: String::new() };
    walk(request, &mut asks).is_ok() && asks.is_asked
}

struct AsksForTokens {
    is_asked: bool,
    key: String,
}

impl<'a> Walker<'a> for AsksForTokens {
    fn open(&mut self, _: Kind) {}

    fn key(&mut self, key: &'a str) {
        self.key = unescaped(key).to_ascii_lowercase().replace('_', "");
    }

    fn close(&mut self) {}

    fn scalar(&mut self, value: Value<'a>) {
        self.is_asked |= match self.key.as_str() {
            "logprobs" | "toplogprobs" | "responselogprobs" => {
                !matches!(value.kind, Kind::Null | Kind::False) && value.raw != "0"
            }
            "include" => value.string_body().is_some_and(|name| unescaped(name).ends_with(".logprobs")),
            _ => false,
        };
    }
}

struct Finder<'a> {
    is_event: bool,
    frames: Vec<Frame<'a>>,
    next_id: u32,
    /// Of each object: the numbers that say which of several it is.
    numbers: Vec<u64>,
    /// The document's own kind.
    kind: u64,
    found: Vec<Found<'a>>,
}

/// A text, and what its flow will be told by when the document is read to its end.
struct Found<'a> {
    text: Text<'a>,
    path: u64,
    /// The objects that it is in.
    within: Vec<u32>,
}

/// An object or array that is open.
struct Frame<'a> {
    id: u32,
    is_array: bool,
    /// The name that it has in the object that it is in; an array's elements have the array's.
    name: Cow<'a, str>,
    /// The member whose value comes.
    key: Cow<'a, str>,
    /// Do its names mean nothing to us: are they of a tool's arguments, say?
    is_free: bool,
    /// Is it a part of what a stream adds?
    is_delta: bool,
    /// Of the names that lead to it.
    path: u64,
}

impl<'a> Finder<'a> {
    /// The name of the value that comes.
    fn name(&self) -> Cow<'a, str> {
        self.frames.last().map_or(Cow::Borrowed(""), |frame| frame.key.clone())
    }

    fn text(&mut self, value: Value<'a>) {
        let (Some(frame), Some(body)) = (self.frames.last(), value.string_body()) else { return };
        let key = &*frame.key;
        if self.frames.len() == 1 && key == "type" {
            self.kind = hash(0, body.as_bytes());
        }
        if body.is_empty() || (!frame.is_free && is_label(key)) {
            return;
        }
        let text = unescaped(body);
        if !frame.is_free && is_media(key, &text) {
            return;
        }
        let is_delta = self.is_event && (frame.is_delta || key == "delta");
        let (flow, path, within) = if is_delta {
            let objects = self.frames.iter().filter(|frame| !frame.is_array).map(|frame| frame.id);
            (Flow::Stream(0), hash(frame.path, key.as_bytes()), objects.collect())
        } else {
            (self.parts_of(frame), 0, Vec::new())
        };
        self.found.push(Found { text: Text { span: value.start..value.end(), text, flow }, path, within });
    }

    /// A part's text is the `text` of an object in a list.
    fn parts_of(&self, frame: &Frame<'a>) -> Flow {
        let list = self.frames.len().checked_sub(2).and_then(|place| self.frames.get(place));
        match list {
            Some(list) if list.is_array && !frame.is_array && frame.key == "text" => Flow::Parts(list.id),
            _ => Flow::Alone,
        }
    }

    fn finish(self) -> Vec<Text<'a>> {
        let Self { numbers, kind, found, .. } = self;
        let told = found.into_iter().map(|Found { mut text, path, within }| {
            if matches!(text.flow, Flow::Stream(_)) {
                let places = within.iter().filter_map(|id| numbers.get(*id as usize));
                let place =
                    places.fold(path ^ kind.rotate_left(17), |sum, number| hash(sum, &number.to_le_bytes()));
                text.flow = Flow::Stream(place);
            }
            text
        });
        told.collect()
    }
}

impl<'a> Walker<'a> for Finder<'a> {
    fn open(&mut self, kind: Kind) {
        let name = self.name();
        let is_array = kind == Kind::Array;
        let mut frame = Frame {
            id: self.next_id,
            is_array,
            key: if is_array { name.clone() } else { Cow::Borrowed("") },
            is_free: false,
            is_delta: name == "delta",
            path: 0,
            name,
        };
        if let Some(outer) = self.frames.last() {
            let is_member = !outer.is_array;
            frame.is_free =
                outer.is_free || (!is_array && is_member && is_free_form(&outer.name, &frame.name));
            frame.is_delta |= outer.is_delta || labels::is_streamed(&outer.name, &frame.name);
            frame.path = hash(outer.path, frame.name.as_bytes());
        }
        self.next_id += 1;
        self.numbers.push(0);
        self.frames.push(frame);
    }

    fn key(&mut self, key: &'a str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.key = unescaped(key);
        }
    }

    fn close(&mut self) {
        self.frames.pop();
    }

    fn scalar(&mut self, value: Value<'a>) {
        match value.kind {
            Kind::String => self.text(value),
            Kind::Number => {
                let Some(frame) = self.frames.last() else { return };
                if self.is_event
                    && is_number_of_place(&frame.key)
                    && let Some(numbers) = self.numbers.get_mut(frame.id as usize)
                {
                    // In whatever order they stand.
                    *numbers =
                        numbers.wrapping_add(hash(hash(0, frame.key.as_bytes()), value.raw.as_bytes()));
                }
            }
            _ => {}
        }
    }
}

/// FNV-1a, on from a former one.
fn hash(before: u64, bytes: &[u8]) -> u64 {
    let start = before ^ 0xcbf2_9ce4_8422_2325;
    bytes
        .iter()
        .chain(b"\0")
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A checked string's text with its escapes resolved.
fn unescaped(body: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', body.as_bytes()).is_none() {
        return Cow::Borrowed(body);
    }
    let mut units = Vec::new();
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    loop {
        let plain = rest.find('\\').unwrap_or(rest.len());
        let (before, escape) = rest.split_at(plain);
        if !before.is_empty() || !escape.starts_with("\\u") {
            // Halves of pairs only belong together side by side.
            text.extend(
                char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)),
            );
        }
        text.push_str(before);
        let mut chars = escape.chars().skip(1);
        let Some(letter) = chars.next() else { return Cow::Owned(text) };
        let mut length = 2;
        match letter {
            'u' => {
                let digits = escape.get(2..6).unwrap_or_default();
                units.push(u16::from_str_radix(digits, 16).unwrap_or(0xfffd));
                length = 6;
            }
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            other => text.push(other),
        }
        rest = escape.get(length..).unwrap_or_default();
    }
}
