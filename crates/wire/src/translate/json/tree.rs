//! One pass over a JSON text, which gives a tree of borrowed pieces: every value keeps its own source
//! text, so what is only carried through is carried byte for byte, in its order and with its numbers as
//! they were written.

use crate::json::{self as scan, Cursor, Fault, MAX_DEPTH};
use crate::translate::model::Spot;
use std::borrow::Cow;

/// One value of a body.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    /// Where it begins in the body.
    pub(crate) at: Spot,
    /// Its own text, quotes and brackets included.
    pub(crate) raw: &'a str,
    pub(crate) value: Value<'a>,
}

/// What a value is; numbers and strings are read from [`Node::raw`] when they are wanted.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number,
    Text,
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// The whole text as one value.
pub(crate) fn parse(text: &str) -> Result<Node<'_>, Fault> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let node = node(text, &mut cursor, 0)?;
    cursor.end()?;
    Ok(node)
}

/// Is the text one JSON object with nothing but white space around it?
pub(crate) fn is_object(text: &str) -> bool {
    scan::document(text).is_ok_and(|value| value.kind == scan::Kind::Object)
}

impl<'a> Node<'a> {
    /// The text of a string value, escapes resolved.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        match self.value {
            Value::Text => self.raw.get(1..self.raw.len().checked_sub(1)?).map(resolve),
            _ => None,
        }
    }

    /// Does the value at `at` begin in this one?
    pub(crate) const fn holds(&self, at: Spot) -> bool {
        self.at.offset() <= at.offset() && at.offset() < self.at.offset() + self.raw.len()
    }

    /// The named member of an object value, if it is there and not null.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Value::Object(members) = &self.value else { return None };
        let (_, node) = members.iter().find(|(key, _)| key == name)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// The text of the named member.
    pub(crate) fn text_of(&self, name: &str) -> Option<Cow<'a, str>> {
        self.member(name)?.text()
    }

    /// The named member as a whole number.
    pub(crate) fn count_of(&self, name: &str) -> Option<u64> {
        let node = self.member(name)?;
        matches!(node.value, Value::Number).then(|| node.raw.parse().ok()).flatten()
    }
}

fn node<'a>(text: &'a str, cursor: &mut Cursor<'a>, depth: u32) -> Result<Node<'a>, Fault> {
    let start = cursor.offset();
    let value = match cursor.peek() {
        Some(b'{') => Value::Object(members(text, cursor, depth)?),
        Some(b'[') => Value::List(elements(text, cursor, depth)?),
        _ => match cursor.value(depth)?.kind {
            scan::Kind::Null => Value::Null,
            scan::Kind::True => Value::Bool(true),
            scan::Kind::False => Value::Bool(false),
            scan::Kind::Number => Value::Number,
            _ => Value::Text,
        },
    };
    let raw = text.get(start..cursor.offset()).ok_or(Fault::Syntax(start))?;
    Ok(Node { at: Spot::new(start), raw, value })
}

fn members<'a>(
    text: &'a str,
    cursor: &mut Cursor<'a>,
    depth: u32,
) -> Result<Vec<(Cow<'a, str>, Node<'a>)>, Fault> {
    let mut members = Vec::new();
    each(cursor, b'{', b'}', depth, |cursor| {
        let key = cursor.value(depth)?;
        let Some(key) = key.string_body().map(resolve) else { return Err(Fault::Syntax(key.start)) };
        cursor.skip_space();
        if !cursor.takes(b':') {
            return Err(Fault::Syntax(cursor.offset()));
        }
        cursor.skip_space();
        members.push((key, node(text, cursor, depth + 1)?));
        Ok(())
    })?;
    Ok(members)
}

fn elements<'a>(text: &'a str, cursor: &mut Cursor<'a>, depth: u32) -> Result<Vec<Node<'a>>, Fault> {
    let mut elements = Vec::new();
    each(cursor, b'[', b']', depth, |cursor| {
        elements.push(node(text, cursor, depth + 1)?);
        Ok(())
    })?;
    Ok(elements)
}

fn each<'a>(
    cursor: &mut Cursor<'a>,
    open: u8,
    close: u8,
    depth: u32,
    mut element: impl FnMut(&mut Cursor<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if depth >= MAX_DEPTH {
        return Err(Fault::TooDeep);
    }
    cursor.takes(open);
    cursor.skip_space();
    if cursor.takes(close) {
        return Ok(());
    }
    loop {
        element(cursor)?;
        cursor.skip_space();
        if cursor.takes(close) {
            return Ok(());
        }
        if !cursor.takes(b',') {
            return Err(Fault::Syntax(cursor.offset()));
        }
        cursor.skip_space();
    }
}

/// A string's text with its escapes resolved. Half a surrogate pair, which JavaScript can send and UTF-8
/// can't hold, becomes U+FFFD.
pub(crate) fn resolve(body: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', body.as_bytes()) else { return Cow::Borrowed(body) };
    let (plain, mut rest) = body.split_at(first);
    let mut text = String::with_capacity(body.len());
    text.push_str(plain);
    while let Some(escape) = rest.strip_prefix('\\') {
        let mut chars = escape.chars();
        let named = chars.next();
        rest = chars.as_str();
        match named {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => text.push(unicode(&mut rest)),
            Some(itself) => text.push(itself),
            None => break,
        }
        let end = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(end);
        text.push_str(plain);
        rest = after;
    }
    Cow::Owned(text)
}

/// The character whose digits stand at the beginning of `rest`, and those of its second half.
fn unicode(rest: &mut &str) -> char {
    let first = take_hex(rest).unwrap_or(0xFFFD);
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    let mut ahead = *rest;
    let second = ahead.strip_prefix("\\u").and_then(|digits| {
        ahead = digits;
        take_hex(&mut ahead).filter(|unit| (0xDC00..0xE000).contains(unit))
    });
    let Some(second) = second else { return char::REPLACEMENT_CHARACTER };
    *rest = ahead;
    char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn take_hex(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}
