//! JSON written piece by piece, without a tree.

use std::fmt::Write as _;

/// A JSON text in the making. Commas come by themselves; brackets must be closed by who opened them.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    /// Does a comma come before the next value: is one behind us in the same container?
    is_behind_value: bool,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self::after(Vec::with_capacity(bytes))
    }

    /// Goes on behind what is already in `out`, such as an event's `data: `, as a new text.
    pub(crate) const fn after(out: Vec<u8>) -> Self {
        Self { out, is_behind_value: false }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn open(&mut self, bracket: char) -> &mut Self {
        self.comma();
        self.is_behind_value = false;
        self.push(bracket)
    }

    pub(crate) fn close(&mut self, bracket: char) -> &mut Self {
        self.is_behind_value = true;
        self.push(bracket)
    }

    /// A member's name; its value is what is written next.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.is_behind_value = false;
        self.push(':')
    }

    pub(crate) fn string(&mut self, text: &str) -> &mut Self {
        self.comma();
        put_string(&mut self.out, text);
        self
    }

    pub(crate) fn bool(&mut self, truth: bool) -> &mut Self {
        self.word(if truth { "true" } else { "false" })
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.word("null")
    }

    pub(crate) fn count(&mut self, count: u64) -> &mut Self {
        self.display(&count)
    }

    pub(crate) fn signed(&mut self, number: i64) -> &mut Self {
        self.display(&number)
    }

    /// A number; one that JSON has no word for is null.
    pub(crate) fn number(&mut self, number: f64) -> &mut Self {
        if number.is_finite() { self.display(&number) } else { self.null() }
    }

    /// A JSON text as it stands. Its line ends, which can only be white space, become spaces, so that it
    /// can stand in a line of an event stream.
    pub(crate) fn raw(&mut self, json: &str) -> &mut Self {
        self.comma();
        let start = self.out.len();
        self.out.extend_from_slice(json.as_bytes());
        if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_some() {
            for byte in self.out.iter_mut().skip(start).filter(|byte| matches!(**byte, b'\n' | b'\r')) {
                *byte = b' ';
            }
        }
        self
    }

    fn word(&mut self, word: &str) -> &mut Self {
        self.comma();
        self.out.extend_from_slice(word.as_bytes());
        self
    }

    fn display(&mut self, number: &impl std::fmt::Display) -> &mut Self {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = write!(text, "{number}");
        self.word(&text)
    }

    /// Where a value begins.
    fn comma(&mut self) {
        if std::mem::replace(&mut self.is_behind_value, true) {
            self.out.push(b',');
        }
    }

    fn push(&mut self, ascii: char) -> &mut Self {
        self.out.extend_from_slice(ascii.encode_utf8(&mut [0; 4]).as_bytes());
        self
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
        let (plain, ending) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = ending.split_first() else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(b"\\u00");
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[digit(other >> 4), digit(other & 15)]);
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
