//! How the answer is to be made, written.

use crate::translate::codec::ThinkingStyle;
use crate::translate::effort;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Field, OutputFormat, Sampling, SchemaFormat, Thinking, ThinkingMode};
use crate::translate::unsaid::{Unsaid, note_sampling};
use std::borrow::Cow;

pub(super) fn put_format(json: &mut Json, format: Field<OutputFormat<'_>>, losses: &mut Losses) {
    json.key("response_format").open('{').key("type");
    match format.value {
        OutputFormat::Text => {
            json.string("text");
        }
        OutputFormat::JsonObject => {
            json.string("json_object");
        }
        // The schema's label has no place and no meaning here, and keeping to it is not optional.
        OutputFormat::Schema(SchemaFormat { name: _, description, schema, strict: _ }) => {
            json.string("json_object");
            if let Some(description) = description {
                losses.note(description.at, "a schema is described within it");
            }
            match schema {
                Some(schema) => {
                    json.key("json_schema").raw(schema.text());
                }
                None => losses.note(format.at, "without a schema it is any JSON object"),
            }
        }
    }
    json.close('}');
}

/// `thinking`, which has a budget of tokens but no effort: an effort is a share of what the answer may take.
pub(super) fn put_thinking(
    json: &mut Json,
    thinking: Thinking,
    max_tokens: u64,
    style: ThinkingStyle,
    losses: &mut Losses,
) {
    let Thinking { mode, effort, is_shown } = thinking;
    if let Some(shown) = is_shown.filter(|shown| !shown.value) {
        losses.note(shown.at, "reasoning is always shown");
    }
    let Some(mode) = mode else {
        if let Some(effort) = effort {
            losses.note(effort.at, "there is no effort to set but that of reasoning");
        }
        return;
    };
    let is_off = mode.value == ThinkingMode::Off;
    if style == ThinkingStyle::None {
        if !is_off {
            losses.note(mode.at, "this model can't reason");
        }
        return;
    }
    if let Some(effort) = effort.filter(|_| is_off) {
        losses.note(effort.at, "without reasoning there is no effort to set");
    }
    json.key("thinking").open('{').key("type").string(if is_off { "disabled" } else { "enabled" });
    let budget = match (mode.value, effort) {
        (ThinkingMode::Off, _) | (ThinkingMode::Adaptive, None) => None,
        (ThinkingMode::Budget(budget), _) => Some(budget),
        (ThinkingMode::Adaptive, Some(effort)) => Some(effort::tokens(effort.value, max_tokens)),
    };
    if let Some(budget) = budget {
        json.key("token_budget").count(budget.max(1));
    }
    json.close('}');
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
    put_within(json, "temperature", temperature, "the temperature goes from 0 to 1", losses);
    if let Some(top_p) = top_p {
        // 0.99 is the most that is taken, and stands for all tokens.
        json.key("p").number(top_p.value.min(0.99));
    }
    if let Some(top_k) = top_k {
        const MOST: u64 = 500;
        if top_k.value > MOST {
            losses.note(top_k.at, "tokens are limited to the likeliest 500 at most");
        }
        json.key("k").count(top_k.value.min(MOST));
    }
    match seed {
        Some(seed) if seed.value >= 0 => {
            json.key("seed").signed(seed.value);
        }
        Some(seed) => losses.note(seed.at, "a seed is 0 or more"),
        None => {}
    }
    let why = "repetition is penalised from 0 to 1";
    put_within(json, "frequency_penalty", frequency_penalty, why, losses);
    match presence_penalty {
        Some(second) if second.value != 0.0 && frequency_penalty.is_some_and(|first| first.value != 0.0) => {
            losses.note(second.at, "repetition is penalised in one way at a time");
        }
        one => put_within(json, "presence_penalty", one, why, losses),
    }
    put_stop(json, &stop, losses);
    if let Some(logprobs) = logprobs {
        json.key("logprobs").bool(logprobs.value);
    }
    if let Some(top) = top_logprobs.filter(|top| top.value > 0) {
        losses.note(top.at, "of tokens that were not chosen no probabilities are told");
    }
    let said = Unsaid {
        seed: None,
        frequency_penalty: None,
        presence_penalty: None,
        n,
        logprobs: None,
        top_logprobs: None,
        logit_bias,
    };
    note_sampling(said, losses);
}

/// A number that must be from 0 to 1, and is sent as the nearer of these where it isn't.
fn put_within(
    json: &mut Json,
    name: &str,
    number: Option<Field<f64>>,
    why: &'static str,
    losses: &mut Losses,
) {
    let Some(number) = number else { return };
    if !(0.0..=1.0).contains(&number.value) {
        losses.note(number.at, why);
    }
    json.key(name).number(number.value.clamp(0.0, 1.0));
}

fn put_stop(json: &mut Json, stop: &[Field<Cow<'_, str>>], losses: &mut Losses) {
    const MOST: usize = 5;
    if let Some(first_above) = stop.get(MOST) {
        losses.note(first_above.at, "five texts can end an answer; the first five are sent");
    }
    if !stop.is_empty() {
        json.key("stop_sequences").open('[');
        for text in stop.iter().take(MOST) {
            json.string(&text.value);
        }
        json.close(']');
    }
}
