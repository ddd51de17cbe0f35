//! What all dialects of embeddings can say.

use super::AnswerShape;
use crate::translate::json::{Json, Node, Value};
use crate::translate::losses::Malformed;
use crate::translate::model::Field;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// Texts to embed.
#[derive(Debug, Default)]
pub(super) struct Request<'a> {
    pub(super) texts: Vec<Cow<'a, str>>,
    pub(super) dimensions: Option<Field<u64>>,
    pub(super) purpose: Option<Field<Purpose>>,
    pub(super) shape: AnswerShape,
}

/// What vectors are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Document,
    Query,
    Classification,
    Clustering,
}

/// The vectors, in the texts' order.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) vectors: Vec<Vector<'a>>,
    /// What the texts had, where it is told.
    pub(super) tokens: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Vector<'a> {
    /// A list of numbers, as it was written.
    List(Node<'a>),
    /// Little-endian 32-bit floats.
    Bytes(Vec<u8>),
}

impl<'a> Vector<'a> {
    pub(super) fn read(node: Node<'a>) -> Result<Self, Malformed> {
        if let Some(text) = node.text() {
            let bytes = STANDARD.decode(text.as_bytes());
            return bytes.map(Self::Bytes).map_err(|_| Malformed::new(node.at, "base64"));
        }
        match node.value {
            Value::List(_) => Ok(Self::List(node)),
            _ => Err(Malformed::new(node.at, "an array of numbers")),
        }
    }

    pub(super) fn put_list(&self, json: &mut Json) {
        match self {
            Self::List(list) => {
                json.raw(list.raw);
            }
            Self::Bytes(bytes) => {
                json.open('[');
                for float in bytes.as_chunks().0 {
                    json.number(f64::from(f32::from_le_bytes(*float)));
                }
                json.close(']');
            }
        }
    }

    pub(super) fn put_base64(&self, json: &mut Json) {
        match self {
            Self::Bytes(bytes) => json.string(&STANDARD.encode(bytes)),
            Self::List(list) => {
                let numbers = match &list.value {
                    Value::List(numbers) => numbers.as_slice(),
                    _ => &[],
                };
                let floats = numbers.iter().map(|number| number.raw.parse::<f32>().unwrap_or(f32::NAN));
                json.string(&STANDARD.encode(floats.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()))
            }
        };
    }
}

/// Texts of a list.
pub(super) fn texts(list: Vec<Node<'_>>) -> Result<Vec<Cow<'_, str>>, Malformed> {
    list.into_iter().map(|node| node.text().ok_or_else(|| Malformed::new(node.at, "a string"))).collect()
}
