//! How the answer is to be made, written.

use super::words::effort_word;
use crate::translate::codec::{Target, ThinkingStyle};
use crate::translate::effort;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Effort, Field, OutputFormat, Raw, Sampling, SchemaFormat, Spot, Thinking, ThinkingMode,
};
use crate::translate::unsaid::{Unsaid, note_form, note_sampling};
use std::borrow::Cow;

/// What forms the answer.
pub(super) struct Output<'a> {
    pub(super) format: Option<Field<OutputFormat<'a>>>,
    pub(super) verbosity: Option<Field<Cow<'a, str>>>,
    pub(super) modalities: Option<Field<Raw<'a>>>,
    pub(super) thinking: Thinking,
    pub(super) max_tokens: u64,
}

/// `thinking` and `output_config`.
pub(super) fn put_output(json: &mut Json, output: Output<'_>, target: &Target<'_>, losses: &mut Losses) {
    let Output { format, verbosity, modalities, thinking, max_tokens } = output;
    note_form(verbosity, modalities, losses);
    let effort = put_thinking(json, thinking, max_tokens, target.traits.thinking, losses);
    let schema = format.and_then(|format| schema_of(format, losses));
    if effort.is_none() && schema.is_none() {
        return;
    }
    json.key("output_config").open('{');
    if let Some(effort) = effort {
        json.key("effort").string(effort);
    }
    if let Some(schema) = schema {
        json.key("format").open('{').key("type").string("json_schema");
        json.key("schema").raw(schema.text()).close('}');
    }
    json.close('}');
}

fn schema_of<'a>(format: Field<OutputFormat<'a>>, losses: &mut Losses) -> Option<Raw<'a>> {
    match format.value {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => {
            losses.note(format.at, "JSON is formed by a schema only; give one");
            None
        }
        // The schema's label has no place and no meaning here, and keeping to it is not optional.
        OutputFormat::Schema(SchemaFormat { name: _, description, schema, strict: _ }) => {
            if let Some(description) = description {
                losses.note(description.at, "a schema is described within it");
            }
            if schema.is_none() {
                losses.note(format.at, "JSON is formed by a schema only; give one");
            }
            schema
        }
    }
}

/// Writes `thinking`, and gives the word of the effort that belongs into `output_config`.
pub(in crate::translate) fn put_thinking(
    json: &mut Json,
    thinking: Thinking,
    max_tokens: u64,
    style: ThinkingStyle,
    losses: &mut Losses,
) -> Option<&'static str> {
    let Thinking { mode, effort, is_shown } = thinking;
    let asked = mode.filter(|mode| mode.value != ThinkingMode::Off);
    let word = match (effort, style) {
        (Some(effort), ThinkingStyle::Effort) => {
            let (word, is_same) = effort_word(effort.value);
            if !is_same {
                losses.note(effort.at, "there is no such effort; it is sent as `low`");
            }
            Some(word)
        }
        (Some(effort), _) if asked.is_none() => {
            losses.note(effort.at, "this model has no effort to set");
            None
        }
        _ => None,
    };
    let Some(mode) = mode else {
        note_shown(is_shown, losses);
        return word;
    };
    match (mode.value, style) {
        (ThinkingMode::Off, ThinkingStyle::None) => note_shown(is_shown, losses),
        (ThinkingMode::Off, _) => {
            json.key("thinking").open('{').key("type").string("disabled").close('}');
            note_shown(is_shown, losses);
        }
        (_, ThinkingStyle::None) => losses.note(mode.at, "this model doesn't think"),
        (asked, ThinkingStyle::Effort) => {
            if let ThinkingMode::Budget(_) = asked {
                losses.note(mode.at, "this model thinks by effort; it is left to it how long");
            }
            json.key("thinking").open('{').key("type").string("adaptive");
            put_shown(json, is_shown);
            json.close('}');
        }
        (asked, ThinkingStyle::Budget) => match budget(asked, effort, max_tokens, mode.at, losses) {
            Some(budget) => {
                json.key("thinking").open('{').key("type").string("enabled");
                json.key("budget_tokens").count(budget);
                put_shown(json, is_shown);
                json.close('}');
            }
            None => losses.note(mode.at, "the token limit leaves no room to think, which takes 1024"),
        },
    }
    word
}

fn put_shown(json: &mut Json, is_shown: Option<Field<bool>>) {
    if let Some(shown) = is_shown {
        json.key("display").string(if shown.value { "summarized" } else { "omitted" });
    }
}

fn note_shown(is_shown: Option<Field<bool>>, losses: &mut Losses) {
    if let Some(shown) = is_shown.filter(|shown| shown.value) {
        losses.note(shown.at, "nothing is thought, so nothing can be shown");
    }
}

/// Tokens to think: at least 1024, and fewer than the answer may take.
fn budget(
    mode: ThinkingMode,
    effort: Option<Field<Effort>>,
    max_tokens: u64,
    at: Spot,
    losses: &mut Losses,
) -> Option<u64> {
    const LEAST: u64 = 1024;
    let most = max_tokens.checked_sub(1).filter(|most| *most >= LEAST)?;
    let wanted = match (mode, effort) {
        (ThinkingMode::Budget(budget), _) => budget,
        (_, Some(effort)) => effort::tokens(effort.value, max_tokens),
        (_, None) => {
            losses.note(at, "this model thinks by a number of tokens; it is given half of the limit");
            max_tokens / 2
        }
    };
    Some(wanted.clamp(LEAST, most))
}

pub(super) fn put_sampling(json: &mut Json, sampling: Sampling<'_>, losses: &mut Losses) {
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
    if let Some(temperature) = temperature {
        if temperature.value > 1.0 {
            losses.note(temperature.at, "the temperature goes from 0 to 1; it is sent as 1");
        }
        json.key("temperature").number(temperature.value.min(1.0));
    }
    if let Some(top_p) = top_p {
        json.key("top_p").number(top_p.value);
    }
    if let Some(top_k) = top_k {
        json.key("top_k").count(top_k.value);
    }
    put_stop(json, stop, losses);
    let unsaid = Unsaid { seed, frequency_penalty, presence_penalty, n, logprobs, top_logprobs, logit_bias };
    note_sampling(unsaid, losses);
}

fn put_stop(json: &mut Json, stop: Vec<Field<Cow<'_, str>>>, losses: &mut Losses) {
    let mut is_open = false;
    for text in stop {
        if text.value.trim().is_empty() {
            losses.note(text.at, "white space can't end an answer");
            continue;
        }
        if !is_open {
            json.key("stop_sequences").open('[');
            is_open = true;
        }
        json.string(&text.value);
    }
    if is_open {
        json.close(']');
    }
}
