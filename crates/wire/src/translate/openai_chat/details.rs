//! `reasoning_details`: how reasoning is told and sent back (see the dialect's header).

use crate::translate::json::{Fields, Json, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Maker, Reasoning, Seal, SealKind};

/// The reasoning of a message, each with its place among the parts, if that is told.
pub(super) fn read<'a>(
    details: Vec<Node<'a>>,
    losses: &mut Losses,
) -> Result<Vec<(Option<u64>, Reasoning<'a>)>, Malformed> {
    let mut all = Vec::with_capacity(details.len());
    for detail in details {
        let at = detail.at;
        let mut fields = Fields::of(detail)?;
        let kind = fields.needed_text("type")?;
        let maker = fields.text("format")?.map_or(Maker::Unknown, |format| maker(&format.value));
        let id = fields.text("id")?.map(|id| id.value);
        let signature = fields.text("signature")?.map(|signature| signature.value);
        let data = fields.text("data")?.map(|data| data.value);
        let text = fields.text("text")?.or(fields.text("summary")?).map(|text| text.value);
        let position = fields.count("position")?.map(|position| position.value);
        fields.take("index");
        fields.finish(losses);
        let seal = match (signature, data) {
            (_, Some(data)) => Some(Seal { maker, kind: SealKind::Encrypted, data }),
            (Some(data), None) => Some(Seal { maker, kind: SealKind::Signature, data }),
            (None, None) => None,
        };
        let is_summary = kind.value == "reasoning.summary";
        let text = text.unwrap_or_default();
        all.push((position, Reasoning { text, is_summary, seal, id, at }));
    }
    Ok(all)
}

pub(super) fn put(json: &mut Json, index: u64, position: u64, reasoning: &Reasoning<'_>) {
    let Reasoning { text, is_summary, seal, id, at: _ } = reasoning;
    json.open('{').key("type").string(kind(*is_summary, seal.as_ref().map(|seal| seal.kind)));
    if !text.is_empty() || !matches!(seal, Some(Seal { kind: SealKind::Encrypted, .. })) {
        json.key(if *is_summary { "summary" } else { "text" }).string(text);
    }
    if let Some(seal) = seal {
        json.key(field(seal.kind)).string(&seal.data);
    }
    if let Some(id) = id {
        json.key("id").string(id);
    }
    if let Some(format) = seal.as_ref().and_then(|seal| format(seal.maker)) {
        json.key("format").string(format);
    }
    json.key("index").count(index).key("position").count(position).close('}');
}

/// The type of a detail.
pub(super) const fn kind(is_summary: bool, seal: Option<SealKind>) -> &'static str {
    match seal {
        _ if is_summary => "reasoning.summary",
        Some(SealKind::Encrypted) => "reasoning.encrypted",
        Some(SealKind::Signature) | None => "reasoning.text",
    }
}

/// The field that holds a seal.
pub(super) const fn field(kind: SealKind) -> &'static str {
    match kind {
        SealKind::Signature => "signature",
        SealKind::Encrypted => "data",
    }
}

/// The name of a maker's seals, as OpenRouter has them where it has.
pub(super) const fn format(maker: Maker) -> Option<&'static str> {
    match maker {
        Maker::OpenAi | Maker::OpenAiResponses => Some("openai-responses-v1"),
        Maker::Anthropic => Some("anthropic-claude-v1"),
        Maker::Gemini => Some("google-gemini-v1"),
        Maker::Cohere => Some("cohere-v2"),
        Maker::Bedrock => Some("bedrock-converse-v1"),
        Maker::Unknown => None,
    }
}

pub(super) fn maker(format: &str) -> Maker {
    match format {
        "openai-responses-v1" => Maker::OpenAi,
        "anthropic-claude-v1" => Maker::Anthropic,
        "google-gemini-v1" => Maker::Gemini,
        "cohere-v2" => Maker::Cohere,
        "bedrock-converse-v1" => Maker::Bedrock,
        _ => Maker::Unknown,
    }
}
