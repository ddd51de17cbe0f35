//! `text`, `reasoning` and `include`, read and written.

use super::read_parts::native;
use crate::translate::json::{Fields, Json};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Field, Maker, Native, OutputFormat, SchemaFormat, Thinking};
use crate::translate::openai::settings::{self, effort_of_thinking};
use std::borrow::Cow;

/// What `include` asks for that other dialects have too.
const LOGPROBS: &str = "message.output_text.logprobs";
/// What is always included, since it is all that can be sent back to a provider that keeps nothing.
const SEALED_REASONING: &str = "reasoning.encrypted_content";

/// How an answer's text is formed: its format, and how wordy it is.
pub(super) type TextSettings<'a> = (Option<Field<OutputFormat<'a>>>, Option<Field<Cow<'a, str>>>);

pub(super) fn read_text<'a>(
    fields: &mut Fields<'a>,
    losses: &mut Losses,
) -> Result<TextSettings<'a>, Malformed> {
    let Some(mut text) = fields.object("text")? else { return Ok((None, None)) };
    let format = match text.object("format")? {
        Some(format) => read_format(format, losses)?,
        None => None,
    };
    let verbosity = text.text("verbosity")?;
    text.finish(losses);
    Ok((format, verbosity))
}

fn read_format<'a>(
    mut fields: Fields<'a>,
    losses: &mut Losses,
) -> Result<Option<Field<OutputFormat<'a>>>, Malformed> {
    let at = fields.at;
    let kind = fields.needed_text("type")?;
    let value = match kind.value.as_ref() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::JsonObject,
        "json_schema" => OutputFormat::Schema(SchemaFormat {
            name: fields.text("name")?.map(|name| name.value),
            description: fields.text("description")?,
            schema: fields.raw("schema").map(|schema| schema.value),
            strict: fields.truth("strict")?,
        }),
        _ => {
            losses.unknown(kind.at);
            return Ok(None);
        }
    };
    fields.finish(losses);
    Ok(Some(Field { value, at }))
}

pub(super) fn put_text(json: &mut Json, text: TextSettings<'_>) {
    let (format, verbosity) = text;
    if format.is_none() && verbosity.is_none() {
        return;
    }
    json.key("text").open('{');
    if let Some(format) = format {
        put_format(json, format.value);
    }
    if let Some(verbosity) = verbosity {
        json.key("verbosity").string(&verbosity.value);
    }
    json.close('}');
}

fn put_format(json: &mut Json, format: OutputFormat<'_>) {
    json.key("format").open('{').key("type");
    match format {
        OutputFormat::Text => {
            json.string("text");
        }
        OutputFormat::JsonObject => {
            json.string("json_object");
        }
        OutputFormat::Schema(SchemaFormat { name, description, schema, strict }) => {
            json.string("json_schema").key("name").string(name.as_deref().unwrap_or("response"));
            if let Some(description) = description {
                json.key("description").string(&description.value);
            }
            if let Some(schema) = schema {
                json.key("schema").raw(schema.text());
            }
            if let Some(strict) = strict {
                json.key("strict").bool(strict.value);
            }
        }
    }
    json.close('}');
}

pub(super) fn read_reasoning(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Thinking, Malformed> {
    let Some(mut told) = fields.object("reasoning")? else { return Ok(Thinking::default()) };
    let mut thinking = match told.text("effort")? {
        Some(effort) => settings::thinking(&effort, losses),
        None => Thinking::default(),
    };
    let older = told.text("generate_summary")?;
    if let Some(summary) = told.text("summary")?.or(older) {
        if summary.value != "auto" {
            losses.note(summary.at, "how long a summary of the reasoning is can't be set; it is shown");
        }
        thinking.is_shown = Some(Field { value: true, at: summary.at });
    }
    for (name, usual) in [("context", "auto"), ("mode", "standard")] {
        if let Some(told) = told.text(name)?.filter(|told| told.value != usual) {
            losses.note(told.at, "only OpenAI's own models have such a setting");
        }
    }
    told.finish(losses);
    Ok(thinking)
}

pub(super) fn put_reasoning(
    json: &mut Json,
    thinking: Thinking,
    max_tokens: Option<Field<u64>>,
    losses: &mut Losses,
) {
    let Thinking { mode, effort, is_shown } = thinking;
    let effort = effort_of_thinking(mode, effort, max_tokens, losses);
    // Not to show it is the dialect's default.
    let is_shown = is_shown.is_some_and(|shown| shown.value);
    if effort.is_none() && !is_shown {
        return;
    }
    json.key("reasoning").open('{');
    if let Some(effort) = effort {
        json.key("effort").string(effort);
    }
    if is_shown {
        json.key("summary").string("auto");
    }
    json.close('}');
}

/// What is to be included: are probabilities, and what that only this dialect has.
pub(super) type Included<'a> = (Option<Field<bool>>, Vec<Native<'a>>);

pub(super) fn read_include<'a>(fields: &mut Fields<'a>) -> Result<Included<'a>, Malformed> {
    let mut logprobs = None;
    let mut natives = Vec::new();
    for wanted in fields.list("include")? {
        match wanted.text().as_deref() {
            Some(LOGPROBS) => logprobs = Some(Field { value: true, at: wanted.at }),
            Some(SEALED_REASONING) => {}
            _ => natives.push(Native { name: Cow::Borrowed("include"), ..native(&wanted) }),
        }
    }
    Ok((logprobs, natives))
}

/// Writes `include`, with what of the natives belongs to it, and gives the other natives back.
pub(super) fn put_include<'a>(
    json: &mut Json,
    wants_logprobs: bool,
    natives: Vec<Native<'a>>,
) -> Vec<Native<'a>> {
    let is_of_it = |native: &Native<'_>| native.owner == Maker::OpenAiResponses && native.name == "include";
    let (included, others): (Vec<_>, Vec<_>) = natives.into_iter().partition(is_of_it);
    json.key("include").open('[').string(SEALED_REASONING);
    if wants_logprobs {
        json.string(LOGPROBS);
    }
    for native in included {
        json.raw(native.value.text());
    }
    json.close(']');
    others
}
