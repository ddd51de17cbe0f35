//! `GET /v1/models`, as each family tells it.

use crate::error_body::to_bytes;
use bytes::Bytes;
use serde::Serialize;
use topdog_domain::Timestamp;
use topdog_domain::provider::Family;

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

/// The body of the list: `{"object": "list", "data": […]}`, or for Anthropic's clients `{"data": […], "has_more",
/// "first_id", "last_id"}`, of which this is always the only page, or for Cohere's and Gemini's `{"models": […]}`.
#[must_use]
pub fn model_list<'a>(family: Family, entries: impl Iterator<Item = ModelEntry<'a>>) -> Bytes {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Model<'a>>,
    }
    #[derive(Serialize)]
    struct Page<'a> {
        data: Vec<ModelInfo<'a>>,
        has_more: bool,
        first_id: Option<&'a str>,
        last_id: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Named<M> {
        models: Vec<M>,
    }
    match family {
        Family::OpenAi => {
            return to_bytes(&List { object: "list", data: entries.map(Model::from).collect() });
        }
        Family::Cohere => return to_bytes(&Named { models: entries.map(CohereModel::from).collect() }),
        Family::Gemini => return to_bytes(&Named { models: entries.map(GeminiModel::from).collect() }),
        Family::Anthropic => {}
    }
    let data: Vec<_> = entries.map(ModelInfo::from).collect();
    let (first_id, last_id) = (data.first().map(|model| model.id), data.last().map(|model| model.id));
    to_bytes(&Page { data, has_more: false, first_id, last_id })
}

/// The body of one model.
#[must_use]
pub fn model_object(family: Family, entry: ModelEntry<'_>) -> Bytes {
    match family {
        Family::Anthropic => to_bytes(&ModelInfo::from(entry)),
        Family::Cohere => to_bytes(&CohereModel::from(entry)),
        Family::Gemini => to_bytes(&GeminiModel::from(entry)),
        Family::OpenAi => to_bytes(&Model::from(entry)),
    }
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

/// As Anthropic's Models API has it. Where it is unknown when a model appeared, it tells the epoch, too.
#[derive(Serialize)]
struct ModelInfo<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

impl<'a> From<ModelEntry<'a>> for ModelInfo<'a> {
    fn from(entry: ModelEntry<'a>) -> Self {
        let created_at = Timestamp::from_micros(0).plus_seconds(entry.created).to_string();
        Self { kind: "model", id: entry.id, display_name: entry.id, created_at }
    }
}

/// As Cohere's Models API has it (docs.cohere.com, "List models"), as far as it is known.
#[derive(Serialize)]
struct CohereModel<'a> {
    name: &'a str,
    finetuned: bool,
}

impl<'a> From<ModelEntry<'a>> for CohereModel<'a> {
    fn from(entry: ModelEntry<'a>) -> Self {
        Self { name: entry.id, finetuned: false }
    }
}

/// As Gemini's `models.list` has it (ai.google.dev, "Models"), as far as it is known. Which methods a model has is its
/// provider's to say; these are what clients look for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    supported_generation_methods: [&'static str; 2],
}

impl<'a> From<ModelEntry<'a>> for GeminiModel<'a> {
    fn from(entry: ModelEntry<'a>) -> Self {
        Self {
            name: format!("models/{}", entry.id),
            display_name: entry.id,
            supported_generation_methods: ["generateContent", "streamGenerateContent"],
        }
    }
}
