//! `generationConfig` and `toolConfig`, read.

use super::read_parts::{native, several};
use super::{schema, words};
use crate::translate::json::{Fields, Json, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Field, OutputFormat, Raw, Sampling, SchemaFormat, Thinking, ThinkingMode, ToolChoice,
};
use std::borrow::Cow;

/// How the answer is to be made.
#[derive(Default)]
pub(super) struct Settings<'a> {
    pub(super) format: Option<Field<OutputFormat<'a>>>,
    pub(super) max_tokens: Option<Field<u64>>,
    pub(super) modalities: Option<Field<Raw<'a>>>,
    pub(super) thinking: Thinking,
    pub(super) sampling: Sampling<'a>,
}

pub(super) fn settings<'a>(config: Node<'a>, losses: &mut Losses) -> Result<Settings<'a>, Malformed> {
    let mut fields = Fields::in_camel_case(config)?;
    let mut stop = Vec::new();
    for text in several(&mut fields, "stopSequences") {
        let value = text.text().ok_or(Malformed::new(text.at, "a string"))?;
        stop.push(Field { value, at: text.at });
    }
    let settings = Settings {
        format: format(&mut fields, losses)?,
        max_tokens: fields.count("maxOutputTokens")?,
        modalities: fields.take("responseModalities").and_then(|node| modalities(&node, losses)),
        thinking: match fields.take("thinkingConfig") {
            Some(config) => thinking(config, losses)?,
            None => Thinking::default(),
        },
        sampling: Sampling {
            temperature: fields.number("temperature")?,
            top_p: fields.number("topP")?,
            top_k: top_k(&mut fields)?,
            seed: fields.signed("seed")?,
            frequency_penalty: fields.number("frequencyPenalty")?,
            presence_penalty: fields.number("presencePenalty")?,
            stop,
            n: fields.count("candidateCount")?,
            logprobs: fields.truth("responseLogprobs")?,
            top_logprobs: fields.count("logprobs")?,
            logit_bias: None,
        },
    };
    fields.finish(losses);
    Ok(settings)
}

/// A whole number, which is a float by its type.
fn top_k(fields: &mut Fields<'_>) -> Result<Option<Field<u64>>, Malformed> {
    let Some(told) = fields.number("topK")? else { return Ok(None) };
    let whole = format!("{:.0}", told.value);
    let value = whole.parse().map_err(|_| Malformed::new(told.at, "an integer of 0 or more"))?;
    Ok(Some(Field { value, at: told.at }))
}

fn format<'a>(
    fields: &mut Fields<'a>,
    losses: &mut Losses,
) -> Result<Option<Field<OutputFormat<'a>>>, Malformed> {
    let kind = fields.text("responseMimeType")?;
    let json_schema = fields.raw("responseJsonSchema");
    let own_schema = fields.take("responseSchema");
    let schema =
        json_schema.or_else(|| own_schema.map(|node| Field { at: node.at, value: schema::read(&node) }));
    if let Some(Field { value: schema, at }) = schema {
        let schema = SchemaFormat { name: None, description: None, schema: Some(schema), strict: None };
        return Ok(Some(Field { value: OutputFormat::Schema(schema), at }));
    }
    let Some(Field { value: kind, at }) = kind else { return Ok(None) };
    let value = match kind.as_ref() {
        "application/json" => OutputFormat::JsonObject,
        "text/plain" => OutputFormat::Text,
        _ => {
            losses.unknown(at);
            return Ok(None);
        }
    };
    Ok(Some(Field { value, at }))
}

/// `["TEXT", "IMAGE"]` in OpenAI's words, which are the same in small letters.
fn modalities(told: &Node<'_>, losses: &mut Losses) -> Option<Field<Raw<'static>>> {
    let Value::List(names) = &told.value else {
        losses.unknown(told.at);
        return None;
    };
    let mut json = Json::default();
    json.open('[');
    for name in names {
        json.string(&name.text().unwrap_or_default().to_ascii_lowercase());
    }
    json.close(']');
    let text = String::from_utf8(json.into_bytes()).ok()?;
    Some(Field { value: Raw::new(Cow::Owned(text))?, at: told.at })
}

fn thinking(config: Node<'_>, losses: &mut Losses) -> Result<Thinking, Malformed> {
    let mut fields = Fields::in_camel_case(config)?;
    let mut thinking = Thinking { is_shown: fields.truth("includeThoughts")?, ..Thinking::default() };
    if let Some(level) = fields.text("thinkingLevel")? {
        match words::effort(&level.value) {
            Some(value) => {
                thinking.mode = Some(Field { value: ThinkingMode::Adaptive, at: level.at });
                thinking.effort = Some(Field { value, at: level.at });
            }
            None => losses.unknown(level.at),
        }
    }
    if let Some(Field { value, at }) = fields.signed("thinkingBudget")? {
        let mode = match value {
            0 => ThinkingMode::Off,
            tokens => u64::try_from(tokens).map_or(ThinkingMode::Adaptive, ThinkingMode::Budget),
        };
        thinking.mode = Some(Field { value: mode, at });
    }
    fields.finish(losses);
    Ok(thinking)
}

/// Which tools may or must be called.
#[derive(Default)]
pub(super) struct Choice<'a> {
    pub(super) choice: Option<Field<ToolChoice<'a>>>,
    /// Must the model keep to the schemas of all functions?
    pub(super) is_strict: Option<Field<bool>>,
}

pub(super) fn choice<'a>(config: Node<'a>, losses: &mut Losses) -> Result<Choice<'a>, Malformed> {
    let mut fields = Fields::in_camel_case(config)?;
    let calling = fields.take("functionCallingConfig");
    fields.finish(losses);
    let Some(calling) = calling else { return Ok(Choice::default()) };
    let whole = native(&calling);
    let at = calling.at;
    let mut fields = Fields::in_camel_case(calling)?;
    let mode = fields.text("mode")?.map_or(Cow::Borrowed("AUTO"), |mode| mode.value);
    let mut names = Vec::new();
    for name in several(&mut fields, "allowedFunctionNames") {
        names.push(name.text().ok_or(Malformed::new(name.at, "a string"))?);
    }
    fields.finish(losses);
    let mut is_strict = None;
    let value = match (mode.to_ascii_uppercase().as_str(), names.len()) {
        ("AUTO" | "MODE_UNSPECIFIED", 0) => ToolChoice::Auto,
        ("NONE", _) => ToolChoice::None,
        ("ANY", 0) => ToolChoice::Required,
        ("ANY", 1) => ToolChoice::Function(names.pop().unwrap_or_default()),
        ("ANY", _) => ToolChoice::Allowed { is_required: true, names },
        ("VALIDATED", 0) => {
            is_strict = Some(Field { value: true, at });
            ToolChoice::Auto
        }
        ("AUTO" | "MODE_UNSPECIFIED" | "VALIDATED", _) => ToolChoice::Allowed { is_required: false, names },
        _ => ToolChoice::Native(whole),
    };
    Ok(Choice { choice: Some(Field { value, at }), is_strict })
}
