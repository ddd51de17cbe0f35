//! How the answer is to be made, written.

use super::words;
use crate::translate::anthropic::write_settings::put_thinking;
use crate::translate::codec::Target;
use crate::translate::codec::ThinkingStyle;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Field, Native, OutputFormat, Raw, Sampling, SchemaFormat, Thinking, ThinkingMode,
};
use crate::translate::unsaid::{Unsaid, note_form, note_sampling};
use std::borrow::Cow;

/// What forms the answer.
pub(super) struct Settings<'a> {
    pub(super) format: Option<Field<OutputFormat<'a>>>,
    pub(super) max_tokens: Option<Field<u64>>,
    pub(super) verbosity: Option<Field<Cow<'a, str>>>,
    pub(super) modalities: Option<Field<Raw<'a>>>,
    pub(super) thinking: Thinking,
    pub(super) sampling: Sampling<'a>,
    /// What the caller itself says in the words of a model's maker.
    pub(super) more: Option<Native<'a>>,
}

/// `inferenceConfig`, `outputConfig` and `additionalModelRequestFields`.
pub(super) fn put_settings(
    json: &mut Json,
    settings: Settings<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
) {
    let Settings { format, max_tokens, verbosity, modalities, thinking, sampling, more } = settings;
    note_form(verbosity, modalities, losses);
    let has_budget = target.traits.thinking == ThinkingStyle::Budget
        && thinking.mode.is_some_and(|mode| mode.value != ThinkingMode::Off);
    // A budget is a share of a limit, so there must be one.
    let limit = max_tokens.map(|most| most.value).or(has_budget.then_some(target.default_max_tokens));
    let mut of_maker = Json::default();
    let share_of = limit.unwrap_or(target.default_max_tokens);
    let effort = put_thinking(&mut of_maker, thinking, share_of, target.traits.thinking, losses);
    let top_k = put_inference(json, limit, sampling, losses);
    if let Some(top_k) = top_k {
        if target.model.contains("claude") {
            of_maker.key("top_k").count(top_k.value);
        } else {
            losses.note(top_k.at, "only Claude is known to be told so in this way");
        }
    }
    put_output(json, format, effort, losses);
    put_more(json, &of_maker.into_bytes(), more);
}

/// What is said in the words of a model's maker: members that are written here, and the caller's own.
fn put_more(json: &mut Json, members: &[u8], more: Option<Native<'_>>) {
    let own = more.as_ref().map(|more| more.value.text().trim_ascii()).and_then(|object| {
        object.strip_prefix('{')?.strip_suffix('}').map(str::trim_ascii).filter(|inner| !inner.is_empty())
    });
    let members = std::str::from_utf8(members).unwrap_or_default();
    if members.is_empty() && own.is_none() {
        return;
    }
    json.key(words::MORE_OF_REQUEST).open('{');
    for some in [members, own.unwrap_or_default()] {
        if !some.is_empty() {
            json.raw(some);
        }
    }
    json.close('}');
}

/// Gives back `top_k`, which Converse has no field for.
fn put_inference(
    json: &mut Json,
    limit: Option<u64>,
    sampling: Sampling<'_>,
    losses: &mut Losses,
) -> Option<Field<u64>> {
    let Sampling {
        temperature,
        top_p,
        top_k,
        seed,
        frequency_penalty,
        presence_penalty,
        stop,
        n,
        logprobs,
        top_logprobs,
        logit_bias,
    } = sampling;
    let unsaid = Unsaid { seed, frequency_penalty, presence_penalty, n, logprobs, top_logprobs, logit_bias };
    note_sampling(unsaid, losses);
    let stop: Vec<_> = stop.into_iter().filter(|text| is_stop_text(text, losses)).collect();
    if limit.is_none() && temperature.is_none() && top_p.is_none() && stop.is_empty() {
        return top_k;
    }
    json.key("inferenceConfig").open('{');
    if let Some(limit) = limit {
        json.key("maxTokens").count(limit);
    }
    if let Some(temperature) = temperature {
        if temperature.value > 1.0 {
            losses.note(temperature.at, "the temperature goes from 0 to 1; it is sent as 1");
        }
        json.key("temperature").number(temperature.value.min(1.0));
    }
    if let Some(top_p) = top_p {
        json.key("topP").number(top_p.value);
    }
    if !stop.is_empty() {
        json.key("stopSequences").open('[');
        for text in stop {
            json.string(&text.value);
        }
        json.close(']');
    }
    json.close('}');
    top_k
}

fn is_stop_text(text: &Field<Cow<'_, str>>, losses: &mut Losses) -> bool {
    let is_blank = text.value.trim().is_empty();
    if is_blank {
        losses.note(text.at, "white space can't end an answer");
    }
    !is_blank
}

fn put_output(
    json: &mut Json,
    format: Option<Field<OutputFormat<'_>>>,
    effort: Option<&str>,
    losses: &mut Losses,
) {
    let schema = match format {
        None | Some(Field { value: OutputFormat::Text, .. }) => None,
        Some(Field { value: OutputFormat::JsonObject, at }) => {
            losses.note(at, "JSON is formed by a schema only; give one");
            None
        }
        Some(Field { value: OutputFormat::Schema(form), at }) => {
            if form.schema.is_none() {
                losses.note(at, "JSON is formed by a schema only; give one");
            }
            Some(form)
        }
    };
    // Keeping to the schema is not optional.
    let schema = schema.and_then(|SchemaFormat { name, description, schema, strict: _ }| {
        schema.map(|schema| (name, description, schema))
    });
    if effort.is_none() && schema.is_none() {
        return;
    }
    json.key("outputConfig").open('{');
    if let Some(effort) = effort {
        json.key("effort").string(effort);
    }
    if let Some((name, description, schema)) = schema {
        json.key("textFormat").open('{').key("type").string("json_schema");
        json.key("structure").open('{').key("jsonSchema").open('{').key("schema").string(schema.text());
        if let Some(name) = name {
            json.key("name").string(&name);
        }
        if let Some(description) = description {
            json.key("description").string(&description.value);
        }
        json.close('}').close('}').close('}');
    }
    json.close('}');
}
