//! JSON being read, which remembers where it stood, and JSON being written.

mod fields;
mod tree;
mod write;

pub(crate) use fields::Fields;
pub(crate) use tree::{Node, Value, is_object, parse};
pub(crate) use write::Json;
