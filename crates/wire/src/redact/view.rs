//! A text as it reads when its escapes are resolved, and where in it each byte came from.

use std::borrow::Cow;
use std::ops::Range;

/// A text, read.
pub(super) struct View<'a> {
    bytes: Cow<'a, [u8]>,
    /// For each byte what it stood for; none where it stood for itself.
    origins: Option<Vec<Range<u32>>>,
}

impl<'a> View<'a> {
    /// A text as it stands.
    pub(super) const fn plain(text: &'a [u8]) -> Self {
        Self { bytes: Cow::Borrowed(text), origins: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    /// Where in the first text a span of this one stands.
    pub(super) fn origin(&self, span: Range<usize>) -> Range<usize> {
        let Some(origins) = &self.origins else { return span };
        let start = origins.get(span.start).map_or(0, |origin| origin.start);
        let end = span.end.checked_sub(1).and_then(|last| origins.get(last)).map_or(start, |o| o.end);
        start as usize..end as usize
    }

    /// With its escapes resolved; none where it has none.
    pub(super) fn resolved(&self) -> Option<View<'static>> {
        let text = self.bytes();
        let mut escapes = Escapes { text, at: 0 }.peekable();
        escapes.peek()?;
        let mut bytes = Vec::with_capacity(text.len());
        let mut origins = Vec::with_capacity(text.len());
        let mut add = |written: Range<usize>, read: &[u8]| {
            let origin = self.origin(written);
            let origin = u32::try_from(origin.start).ok()?..u32::try_from(origin.end).ok()?;
            origins.extend(std::iter::repeat_n(origin, read.len()));
            bytes.extend_from_slice(read);
            Some(())
        };
        let mut at = 0;
        for escape in escapes {
            for (place, byte) in text.iter().enumerate().take(escape.written.start).skip(at) {
                add(place..place + 1, &[*byte])?;
            }
            at = escape.written.end;
            add(escape.written, escape.read.get(..escape.length)?)?;
        }
        for (place, byte) in text.iter().enumerate().skip(at) {
            add(place..place + 1, &[*byte])?;
        }
        Some(View { bytes: Cow::Owned(bytes), origins: Some(origins) })
    }
}

/// One escape: where it is written, and the bytes that it stands for.
struct Escape {
    written: Range<usize>,
    read: [u8; 4],
    length: usize,
}

struct Escapes<'a> {
    text: &'a [u8],
    at: usize,
}

impl Iterator for Escapes<'_> {
    type Item = Escape;

    fn next(&mut self) -> Option<Escape> {
        loop {
            let rest = self.text.get(self.at..)?;
            let start = self.at + memchr::memchr3(b'\\', b'%', b'&', rest)?;
            let Some((length, read)) = self.text.get(start..).and_then(escape_at) else {
                self.at = start + 1;
                continue;
            };
            self.at = start + length;
            let mut bytes = [0; 4];
            let length = match read {
                Read::Byte(byte) => {
                    bytes = [byte, 0, 0, 0];
                    1
                }
                Read::Char(char) => char.encode_utf8(&mut bytes).len(),
            };
            return Some(Escape { written: start..self.at, read: bytes, length });
        }
    }
}

/// What an escape stands for.
enum Read {
    Byte(u8),
    Char(char),
}

/// The escape that begins here, of JSON, of a URL or of HTML: its length, and what it stands for.
fn escape_at(text: &[u8]) -> Option<(usize, Read)> {
    match text {
        [b'\\', b'u', ..] => utf16_at(text),
        [b'\\', b'x', digits @ ..] => Some((4, Read::Byte(hex(digits.get(..2)?)?.try_into().ok()?))),
        [b'%', digits @ ..] => Some((3, Read::Byte(hex(digits.get(..2)?)?.try_into().ok()?))),
        [b'\\', letter, ..] => {
            let byte = match letter {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                b'"' | b'\\' | b'/' | b'\'' => *letter,
                _ => return None,
            };
            Some((2, Read::Byte(byte)))
        }
        [b'&', ..] => entity_at(text),
        _ => None,
    }
}

/// `\uXXXX`, or two of them that are one character. A half stands for what replaces it.
fn utf16_at(text: &[u8]) -> Option<(usize, Read)> {
    let first = hex(text.get(2..6)?)?;
    if let Some(char) = char::from_u32(first) {
        return Some((6, Read::Char(char)));
    }
    let second = text.get(6..12).and_then(|next| hex(next.strip_prefix(b"\\u")?));
    let pair = second.and_then(|second| {
        let units = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
        char::decode_utf16(units).next()?.ok()
    });
    Some(pair.map_or((6, Read::Char(char::REPLACEMENT_CHARACTER)), |char| (12, Read::Char(char))))
}

/// `&#45;`, `&#x2d;`, or one of the five names.
fn entity_at(text: &[u8]) -> Option<(usize, Read)> {
    const LONGEST: usize = 12;
    let length = text.iter().take(LONGEST).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(text.get(1..length)?).ok()?;
    let char = match name {
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "lt" => '<',
        "gt" => '>',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((length + 1, Read::Char(char)))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}
