//! `GET /v1/models` in OpenAI's shape.

use crate::error_body::to_bytes;
use bytes::Bytes;
use serde::Serialize;

/// One model that a key may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelEntry<'a> {
    /// The name to ask for it by.
    pub id: &'a str,
    /// Who runs it: a provider's name.
    pub owned_by: &'a str,
    /// When it appeared, seconds since the Unix epoch; 0 where that is unknown.
    pub created: i64,
}

/// The body of the list: `{"object": "list", "data": [...]}`.
#[must_use]
pub fn model_list<'a>(entries: impl Iterator<Item = ModelEntry<'a>>) -> Bytes {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Model<'a>>,
    }
    to_bytes(&List { object: "list", data: entries.map(Model::from).collect() })
}

/// The body of one model.
#[must_use]
pub fn model_object(entry: ModelEntry<'_>) -> Bytes {
    to_bytes(&Model::from(entry))
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
}

impl<'a> From<ModelEntry<'a>> for Model<'a> {
    fn from(entry: ModelEntry<'a>) -> Self {
        Self { id: entry.id, object: "model", created: entry.created, owned_by: entry.owned_by }
    }
}
