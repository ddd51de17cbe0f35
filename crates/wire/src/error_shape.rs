//! Telling errors from answers by their outermost members, from as much as has come.

use crate::sse::Event;

/// What a JSON text, or the beginning of one, says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// It is an error: `{"error": …}`, `{"object": "error", …}`, `{"type": "error", …}`, a list of such, or
    /// an event of a response that failed.
    Error,
    /// It broke off before it could be told.
    Unclear,
    /// It has begun like an answer.
    Answer,
}

/// Judges a text by its outermost object. What breaks the grammar is no fault here: errors often do.
#[must_use]
pub fn error_shape(text: &[u8]) -> ErrorShape {
    let mut walk = Walk { text, at: 0 };
    let opening = walk.skip_space();
    // Some providers answer with a list of one error.
    let list = usize::from(opening == Some(b'['));
    walk.at += list;
    match walk.skip_space() {
        Some(b'{') => walk.members(list + 1),
        Some(_) => ErrorShape::Answer,
        None => ErrorShape::Unclear,
    }
}

/// Judges a stream's event, or the beginning of one, by its name and its data.
pub(crate) fn event_shape(event: &[u8]) -> ErrorShape {
    let text = String::from_utf8_lossy(event);
    let event = Event::read(&text);
    if event.name.is_some_and(is_failure) {
        return ErrorShape::Error;
    }
    event.data.map_or(ErrorShape::Unclear, |data| error_shape(data.as_bytes()))
}

/// Is an event of that name about a failure?
pub(crate) fn is_failure(name: &str) -> bool {
    name == "error" || name.ends_with(".failed") || name.ends_with(".error")
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    /// Passes over the object that begins here, and looks at the members that are so deep.
    fn members(&mut self, outermost: usize) -> ErrorShape {
        let mut depth = outermost - 1;
        let mut has_any = false;
        while let Some(byte) = self.skip_space() {
            self.at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    let Some(name) = self.string() else { break };
                    if depth != outermost {
                        continue;
                    }
                    match self.member(name) {
                        Some(ErrorShape::Answer) => has_any = true,
                        Some(shape) => return shape,
                        None => {}
                    }
                }
                _ => {}
            }
            if depth < outermost {
                return ErrorShape::Answer;
            }
        }
        if has_any { ErrorShape::Answer } else { ErrorShape::Unclear }
    }

    /// What the member of that name says, if it is one; of a telling one, its value decides.
    fn member(&mut self, name: &[u8]) -> Option<ErrorShape> {
        match self.skip_space() {
            Some(b':') => self.at += 1,
            Some(_) => return None,
            None => return Some(ErrorShape::Unclear),
        }
        let Some(value) = self.skip_space() else { return Some(ErrorShape::Unclear) };
        match name {
            b"error" if !matches!(value, b'n' | b'f') => Some(ErrorShape::Error),
            b"object" | b"type" if value == b'"' => {
                self.at += 1;
                let Some(kind) = self.string() else { return Some(ErrorShape::Unclear) };
                let is_error = std::str::from_utf8(kind).is_ok_and(is_failure);
                Some(if is_error { ErrorShape::Error } else { ErrorShape::Answer })
            }
            _ => Some(ErrorShape::Answer),
        }
    }

    /// The text of the string whose opening quote is behind us; none where it breaks off.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text.get(self.at) == Some(&b'"') {
                self.at += 1;
                return self.text.get(start..self.at - 1);
            }
            self.at += 2;
        }
    }

    fn skip_space(&mut self) -> Option<u8> {
        const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
        if self.at == 0 && self.text.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }
}
