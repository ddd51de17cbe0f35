//! Server-sent events (WHATWG HTML, part 9.2): where they end, and what they say.

use std::borrow::Cow;

/// Finds the ends of events in a stream that comes in pieces of any size.
///
/// Lines end with LF, CRLF or CR, mixed at will; a blank line ends an event. It keeps two bits
/// between pieces and no bytes, so pieces may be cut anywhere, within a character or between CR and LF.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    /// Has the current line any byte yet?
    is_within_line: bool,
    /// Was the last byte a CR, so that an LF now belongs to it?
    is_after_cr: bool,
}

impl Scanner {
    /// A scanner at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of bytes up to and with the next blank line; none where `piece` ends before one.
    /// Call it again with what is left until it finds none, then with the next piece.
    pub fn next_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.is_after_cr && piece.first() == Some(&b'\n') {
            at = 1;
        }
        if !piece.is_empty() {
            self.is_after_cr = false;
        }
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.is_within_line |= !rest.is_empty();
                return None;
            };
            let is_blank = length == 0 && !self.is_within_line;
            self.is_within_line = false;
            let ending = rest.get(length..).unwrap_or_default();
            at += length + 1;
            match ending {
                [b'\r', b'\n', ..] => at += 1,
                [b'\r'] => self.is_after_cr = true,
                _ => {}
            }
            if is_blank {
                return Some(at);
            }
        }
    }

    /// Would an LF that comes now still belong to the line end before it?
    #[must_use]
    pub const fn is_after_cr(&self) -> bool {
        self.is_after_cr
    }
}

/// One event, read from its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// The last `event:` field.
    pub name: Option<&'a str>,
    /// The `data:` fields, joined by LF; none where the event has no such field (a comment, say).
    pub data: Option<Cow<'a, str>>,
}

impl<'a> Event<'a> {
    /// Reads an event's lines; a blank line at the end, and a missing one, both are well.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        let mut event = Self::default();
        let mut rest = text.trim_start_matches('\u{feff}');
        while !rest.is_empty() {
            let (line, after) = first_line(rest);
            rest = after;
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.name = Some(value),
                "data" => event.add_data(value),
                _ => {}
            }
        }
        event
    }

    fn add_data(&mut self, value: &'a str) {
        match &mut self.data {
            None => self.data = Some(Cow::Borrowed(value)),
            Some(data) => {
                let data = data.to_mut();
                data.push('\n');
                data.push_str(value);
            }
        }
    }
}

fn first_line(text: &str) -> (&str, &str) {
    let Some(length) = memchr::memchr2(b'\n', b'\r', text.as_bytes()) else {
        return (text, "");
    };
    let (line, ending) = text.split_at(length);
    let after = ending.strip_prefix("\r\n").or_else(|| ending.get(1..)).unwrap_or_default();
    (line, after)
}
