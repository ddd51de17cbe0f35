//! JSON that remembers where it stood, and JSON being written; both without a value tree of their own text.

mod fields;
mod tree;
mod write;

pub(crate) use fields::Fields;
pub(crate) use tree::{Node, Value, is_object, parse};
pub(crate) use write::Json;
