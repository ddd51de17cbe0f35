//! An object being read: fields are taken out by name, and what nobody took is told.

use super::{Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Field, Raw, Spot};
use std::borrow::Cow;

/// The fields of one object that have not been read yet. A null is read as a field that is not there.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// Where the object begins.
    pub(crate) at: Spot,
    takes_snake_case: bool,
    members: Vec<(Cow<'a, str>, Node<'a>)>,
}

impl<'a> Fields<'a> {
    /// The fields of a node that must be an object.
    pub(crate) fn of(node: Node<'a>) -> Result<Self, Malformed> {
        match node.value {
            Value::Object(members) => Ok(Self { at: node.at, takes_snake_case: false, members }),
            _ => Err(Malformed::new(node.at, "an object")),
        }
    }

    /// The same, with names in snake case found by their camel case: a parser of protocol buffers takes both.
    pub(crate) fn in_camel_case(node: Node<'a>) -> Result<Self, Malformed> {
        Ok(Self { takes_snake_case: true, ..Self::of(node)? })
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Node<'a>> {
        let is_named = |key: &str| {
            key == name || (self.takes_snake_case && key.contains('_') && camel_case(key) == name)
        };
        let index = self.members.iter().position(|(key, _)| is_named(key))?;
        let (_, node) = self.members.swap_remove(index);
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<Field<Cow<'a, str>>>, Malformed> {
        self.read(name, "a string", Node::text)
    }

    /// A text that must be there.
    pub(crate) fn needed_text(&mut self, name: &'static str) -> Result<Field<Cow<'a, str>>, Malformed> {
        self.text(name)?.ok_or_else(|| Malformed::missing(self.at, name))
    }

    /// A field that must be there.
    pub(crate) fn needed(&mut self, name: &'static str) -> Result<Node<'a>, Malformed> {
        self.take(name).ok_or_else(|| Malformed::missing(self.at, name))
    }

    pub(crate) fn truth(&mut self, name: &str) -> Result<Option<Field<bool>>, Malformed> {
        self.read(name, "a boolean", |node| match node.value {
            Value::Bool(truth) => Some(truth),
            _ => None,
        })
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<Field<f64>>, Malformed> {
        self.read(name, "a number", |node| number(node)?.parse().ok())
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<Field<u64>>, Malformed> {
        self.read(name, "an integer of 0 or more", |node| number(node)?.parse().ok())
    }

    pub(crate) fn signed(&mut self, name: &str) -> Result<Option<Field<i64>>, Malformed> {
        self.read(name, "an integer", |node| number(node)?.parse().ok())
    }

    /// Any value, as it stands.
    pub(crate) fn raw(&mut self, name: &str) -> Option<Field<Raw<'a>>> {
        self.take(name).map(|node| Field { value: Raw::borrowed(node.raw), at: node.at })
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Node<'a>>, Malformed> {
        let Some(node) = self.take(name) else { return Ok(Vec::new()) };
        match node.value {
            Value::List(elements) => Ok(elements),
            _ => Err(Malformed::new(node.at, "an array")),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Malformed> {
        self.take(name).map(Self::of).transpose()
    }

    /// Tells of every field that nobody took.
    pub(crate) fn finish(self, losses: &mut Losses) {
        for (_, node) in self.members {
            if !matches!(node.value, Value::Null) {
                losses.unknown(node.at);
            }
        }
    }

    /// The fields that nobody took, as they stand.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> {
        self.members.into_iter().filter(|(_, node)| !matches!(node.value, Value::Null))
    }

    fn read<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&Node<'a>) -> Option<T>,
    ) -> Result<Option<Field<T>>, Malformed> {
        let Some(node) = self.take(name) else { return Ok(None) };
        match read(&node) {
            Some(value) => Ok(Some(Field { value, at: node.at })),
            None => Err(Malformed::new(node.at, expected)),
        }
    }
}

fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut is_after_line = false;
    for letter in name.trim_start_matches('_').chars() {
        if letter == '_' {
            is_after_line = true;
        } else if std::mem::take(&mut is_after_line) {
            camel.push(letter.to_ascii_uppercase());
        } else {
            camel.push(letter);
        }
    }
    camel
}

fn number<'a>(node: &Node<'a>) -> Option<&'a str> {
    matches!(node.value, Value::Number).then_some(node.raw)
}
