//! A strict JSON scanner (RFC 8259) that walks borrowed text without building a tree.
//!
//! It checks all that it passes over, and allocates nothing.

mod walk;

pub(crate) use walk::{Walker, walk};

/// How deep values may nest, the outermost counted. No request of this dialect needs a quarter of it,
/// and it bounds the stack that a walk takes.
pub(crate) const MAX_DEPTH: u32 = 128;

/// Why a text isn't JSON that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The grammar is broken at this byte.
    Syntax(usize),
    /// Values nest deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The kind with its article, as error messages say it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// One value: where it begins, and its text, quotes and brackets included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) raw: &'a str,
}

impl<'a> Value<'a> {
    /// The offset just behind the value.
    pub(crate) const fn end(&self) -> usize {
        self.start + self.raw.len()
    }

    /// The text of a string value between its quotes, escapes unresolved.
    pub(crate) fn string_body(&self) -> Option<&'a str> {
        match self.kind {
            Kind::String => self.raw.get(1..self.raw.len().checked_sub(1)?),
            _ => None,
        }
    }

    /// The members of an object value; nothing for other kinds. Offsets count from the value's start.
    pub(crate) fn each_member<E: From<Fault>>(
        &self,
        each: impl FnMut(Member<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.kind {
            Kind::Object => Cursor::new(self.raw).members(each),
            _ => Ok(()),
        }
    }

    /// The elements of an array value; nothing for other kinds. Offsets count from the value's start.
    pub(crate) fn each_element(&self, mut each: impl FnMut(Value<'a>)) -> Result<(), Fault> {
        if self.kind != Kind::Array {
            return Ok(());
        }
        let mut cursor = Cursor::new(self.raw);
        cursor.open(b'[')?;
        if cursor.closes(b']') {
            return Ok(());
        }
        loop {
            each(cursor.value(1)?);
            if !cursor.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// The first member of an object value that has this name, written without escapes.
    pub(crate) fn member(&self, name: &str) -> Option<Value<'a>> {
        let mut found = None;
        self.each_member(|member| {
            if found.is_none() && member.key == name {
                found = Some(member.value);
            }
            Ok::<(), Fault>(())
        })
        .ok()?;
        found
    }
}

/// One member of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    /// The name between its quotes, escapes unresolved.
    pub(crate) key: &'a str,
    pub(crate) value: Value<'a>,
}

/// The whole text as one value with nothing but white space around it.
pub(crate) fn document(text: &str) -> Result<Value<'_>, Fault> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let value = cursor.value(0)?;
    cursor.end()?;
    Ok(value)
}

/// A place in a text.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) const fn at(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Walks an object that begins here, giving each member once its value has been checked.
    pub(crate) fn members<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(Member<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{')?;
        if self.closes(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            let value = self.value(1)?;
            each(Member { key, value })?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    /// Walks the rest of an object, whose value before this place has just ended, to the end of the text.
    pub(crate) fn rest_of_document(&mut self) -> Result<(), Fault> {
        while self.goes_on(b'}')? {
            self.key()?;
            self.value(1)?;
        }
        self.end()
    }

    /// Passes over one value that begins here, `depth` containers deep.
    pub(crate) fn value(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        let start = self.at;
        let kind = self.skip_value(depth)?;
        let raw = self.text.get(start..self.at).ok_or(Fault::Syntax(start))?;
        Ok(Value { kind, start, raw })
    }

    /// Passes over white space; what is left must be nothing.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault()),
        }
    }

    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes the byte if it comes next.
    pub(crate) fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn fault(&self) -> Fault {
        Fault::Syntax(self.at)
    }

    fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        if !self.takes(bracket) {
            return Err(self.fault());
        }
        self.skip_space();
        Ok(())
    }

    fn closes(&mut self, bracket: u8) -> bool {
        self.takes(bracket)
    }

    /// Behind a value in a container: does another follow?
    fn goes_on(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.skip_space();
        if self.takes(b',') {
            self.skip_space();
            return Ok(true);
        }
        if self.takes(bracket) { Ok(false) } else { Err(self.fault()) }
    }

    /// A member's name and its colon.
    fn key(&mut self) -> Result<&'a str, Fault> {
        if !self.takes(b'"') {
            return Err(self.fault());
        }
        let start = self.at;
        self.skip_string()?;
        let key = self.text.get(start..self.at - 1).ok_or(Fault::Syntax(start))?;
        self.skip_space();
        if !self.takes(b':') {
            return Err(self.fault());
        }
        self.skip_space();
        Ok(key)
    }

    fn skip_value(&mut self, depth: u32) -> Result<Kind, Fault> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.skip_string()?;
                Ok(Kind::String)
            }
            Some(b'{') => self.skip_object(depth),
            Some(b'[') => self.skip_array(depth),
            Some(b't') => self.skip_word("true", Kind::True),
            Some(b'f') => self.skip_word("false", Kind::False),
            Some(b'n') => self.skip_word("null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            _ => Err(self.fault()),
        }
    }

    fn skip_object(&mut self, depth: u32) -> Result<Kind, Fault> {
        let inner = deeper(depth)?;
        self.open(b'{')?;
        if self.closes(b'}') {
            return Ok(Kind::Object);
        }
        loop {
            self.key()?;
            self.skip_value(inner)?;
            if !self.goes_on(b'}')? {
                return Ok(Kind::Object);
            }
        }
    }

    fn skip_array(&mut self, depth: u32) -> Result<Kind, Fault> {
        let inner = deeper(depth)?;
        self.open(b'[')?;
        if self.closes(b']') {
            return Ok(Kind::Array);
        }
        loop {
            self.skip_value(inner)?;
            if !self.goes_on(b']')? {
                return Ok(Kind::Array);
            }
        }
    }

    fn skip_word(&mut self, word: &str, kind: Kind) -> Result<Kind, Fault> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.fault());
        }
        self.at += word.len();
        Ok(kind)
    }

    fn skip_number(&mut self) -> Result<Kind, Fault> {
        self.takes(b'-');
        if !self.takes(b'0') {
            self.skip_digits()?;
        }
        if self.takes(b'.') {
            self.skip_digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            if !self.takes(b'+') {
                self.takes(b'-');
            }
            self.skip_digits()?;
        }
        Ok(Kind::Number)
    }

    fn skip_digits(&mut self) -> Result<(), Fault> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 { Err(self.fault()) } else { Ok(()) }
    }

    /// Passes over a string's text and its closing quote; the opening one is behind us.
    fn skip_string(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.skip_escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.fault()),
            }
        }
    }

    /// Passes over whole words of eight bytes in which nothing ends, escapes or breaks a string, and
    /// stops at the first byte that does, or near the text's end.
    fn skip_plain(&mut self) {
        while let Some(word) = self.rest().first_chunk::<8>() {
            let stops = stops_in(u64::from_le_bytes(*word));
            if stops != 0 {
                self.at += (stops.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
    }

    fn skip_escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let hex = self.rest().iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
                self.at += hex;
                if hex == 4 { Ok(()) } else { Err(self.fault()) }
            }
            _ => Err(self.fault()),
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

const fn deeper(depth: u32) -> Result<u32, Fault> {
    if depth + 1 > MAX_DEPTH { Err(Fault::TooDeep) } else { Ok(depth + 1) }
}

/// The high bit of each byte that is a quote, a backslash or below a space; exact for the lowest such
/// byte, which is all that is asked of it.
const fn stops_in(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    const SPACES: u64 = ONES * b' ' as u64;
    let quote = word ^ QUOTES;
    let backslash = word ^ BACKSLASHES;
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let is_control = word.wrapping_sub(SPACES) & !word;
    (is_quote | is_backslash | is_control) & HIGHS
}
