//! `generationConfig` and `toolConfig`, written.

use super::words::{effort_tokens, effort_word};
use super::write_parts::put_native;
use crate::translate::codec::ThinkingStyle;
use crate::translate::json::{Json, Value, parse};
use crate::translate::losses::Losses;
use crate::translate::model::{
    Field, Maker, Native, OutputFormat, Raw, Sampling, SchemaFormat, Thinking, ThinkingMode, ToolChoice,
};
use std::borrow::Cow;

/// How the answer is to be made.
pub(super) struct Output<'a> {
    pub(super) format: Option<Field<OutputFormat<'a>>>,
    pub(super) max_tokens: Option<Field<u64>>,
    pub(super) verbosity: Option<Field<Cow<'a, str>>>,
    pub(super) modalities: Option<Field<Raw<'a>>>,
    pub(super) thinking: Thinking,
    pub(super) sampling: Sampling<'a>,
}

/// `generationConfig`, where there is anything in it.
pub(super) fn put_config(json: &mut Json, output: Output<'_>, style: ThinkingStyle, losses: &mut Losses) {
    let Output { format, max_tokens, verbosity, modalities, thinking, sampling } = output;
    if let Some(verbosity) = verbosity.filter(|verbosity| verbosity.value != "medium") {
        losses.note(verbosity.at, "how wordy an answer is can't be set");
    }
    let mut config = Json::default();
    config.open('{');
    if let Some(most) = max_tokens {
        config.key("maxOutputTokens").count(most.value);
    }
    if let Some(format) = format {
        put_format(&mut config, format, losses);
    }
    if let Some(modalities) = modalities {
        put_modalities(&mut config, &modalities, losses);
    }
    put_thinking(&mut config, thinking, style, losses);
    put_sampling(&mut config, sampling, losses);
    config.close('}');
    let config = String::from_utf8(config.into_bytes()).unwrap_or_default();
    if config != "{}" {
        json.key("generationConfig").raw(&config);
    }
}

fn put_format(json: &mut Json, format: Field<OutputFormat<'_>>, losses: &mut Losses) {
    match format.value {
        OutputFormat::Text => {
            json.key("responseMimeType").string("text/plain");
        }
        OutputFormat::JsonObject => {
            json.key("responseMimeType").string("application/json");
        }
        // The schema's label has no place and no meaning here, and keeping to it is not optional.
        OutputFormat::Schema(SchemaFormat { name: _, description, schema, strict: _ }) => {
            if let Some(description) = description {
                losses.note(description.at, "a schema is described within it");
            }
            json.key("responseMimeType").string("application/json");
            if let Some(schema) = schema {
                json.key("responseJsonSchema").raw(schema.text());
            }
        }
    }
}

/// Text alone is what is answered anyway.
fn put_modalities(json: &mut Json, modalities: &Field<Raw<'_>>, losses: &mut Losses) {
    let told = parse(modalities.value.text()).ok();
    let Some(Value::List(names)) = told.map(|told| told.value) else {
        return losses.unknown(modalities.at);
    };
    let names: Vec<String> =
        names.iter().filter_map(|name| name.text()).map(|name| name.to_ascii_uppercase()).collect();
    if names != ["TEXT"] {
        json.key("responseModalities").open('[');
        for name in names {
            json.string(&name);
        }
        json.close(']');
    }
}

fn put_thinking(json: &mut Json, thinking: Thinking, style: ThinkingStyle, losses: &mut Losses) {
    let Thinking { mode, effort, is_shown } = thinking;
    if style == ThinkingStyle::None {
        if let Some(mode) = mode.filter(|mode| mode.value != ThinkingMode::Off) {
            losses.note(mode.at, "this model doesn't think");
        } else if let Some(effort) = effort {
            losses.note(effort.at, "this model has no effort to set");
        }
        if let Some(shown) = is_shown.filter(|shown| shown.value) {
            losses.note(shown.at, "nothing is thought, so nothing can be shown");
        }
        return;
    }
    let mut config = Json::default();
    config.open('{');
    match (mode.map(|mode| mode.value), effort) {
        (Some(ThinkingMode::Off), effort) => {
            if let Some(effort) = effort {
                losses.note(effort.at, "without thinking there is no effort to set");
            }
            config.key("thinkingBudget").count(0);
        }
        // Models that have levels take a number of tokens too, but not both.
        (Some(ThinkingMode::Budget(tokens)), effort) => {
            if let Some(effort) = effort {
                losses.note(effort.at, "a number of tokens to think and an effort exclude each other");
            }
            config.key("thinkingBudget").count(tokens);
        }
        (_, Some(effort)) if style == ThinkingStyle::Effort => {
            let (word, is_same) = effort_word(effort.value);
            if !is_same {
                losses.note(effort.at, "there is no such effort; it is sent as `xhigh`");
            }
            config.key("thinkingLevel").string(word);
        }
        (_, Some(effort)) => {
            let (tokens, is_same) = effort_tokens(effort.value);
            if !is_same {
                losses.note(effort.at, "there is no such effort; it is sent as `high`");
            }
            config.key("thinkingBudget").count(tokens);
        }
        (Some(ThinkingMode::Adaptive), None) if style == ThinkingStyle::Budget => {
            config.key("thinkingBudget").signed(-1);
        }
        // As it sees fit is what a model does that is told nothing.
        (Some(ThinkingMode::Adaptive) | None, None) => {}
    }
    if let Some(shown) = is_shown {
        config.key("includeThoughts").bool(shown.value);
    }
    config.close('}');
    let config = String::from_utf8(config.into_bytes()).unwrap_or_default();
    if config != "{}" {
        json.key("thinkingConfig").raw(&config);
    }
}

fn put_sampling(json: &mut Json, sampling: Sampling<'_>, losses: &mut Losses) {
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
    for (name, number) in [
        ("temperature", temperature),
        ("topP", top_p),
        ("frequencyPenalty", frequency_penalty),
        ("presencePenalty", presence_penalty),
    ] {
        if let Some(number) = number {
            json.key(name).number(number.value);
        }
    }
    for (name, count) in [("topK", top_k), ("candidateCount", n), ("logprobs", top_logprobs)] {
        if let Some(count) = count {
            json.key(name).count(count.value);
        }
    }
    if let Some(seed) = seed {
        if i32::try_from(seed.value).is_ok() {
            json.key("seed").signed(seed.value);
        } else {
            losses.note(seed.at, "a seed is a number of 32 bits");
        }
    }
    if let Some(logprobs) = logprobs {
        json.key("responseLogprobs").bool(logprobs.value);
    }
    put_stop(json, stop, losses);
    if let Some(bias) = logit_bias.filter(|bias| bias.value.text() != "{}") {
        losses.note(bias.at, "tokens can't be made likelier or less so");
    }
}

fn put_stop(json: &mut Json, stop: Vec<Field<Cow<'_, str>>>, losses: &mut Losses) {
    const MOST: usize = 5;
    if let Some(first_above) = stop.get(MOST) {
        losses.note(first_above.at, "five texts can end an answer; the first five are sent");
    }
    if !stop.is_empty() {
        json.key("stopSequences").open('[');
        for text in stop.iter().take(MOST) {
            json.string(&text.value);
        }
        json.close(']');
    }
}

/// `toolConfig`. That functions are `strict` is said of all of them, by a mode of its own; where one must be
/// called it goes without saying.
pub(super) fn put_choice(
    json: &mut Json,
    choice: Option<Field<ToolChoice<'_>>>,
    has_tools: bool,
    is_strict: bool,
    losses: &mut Losses,
) {
    let value = match choice {
        None if is_strict => ToolChoice::Auto,
        None => return,
        Some(Field { value: ToolChoice::Auto | ToolChoice::None, .. }) if !has_tools => return,
        Some(Field { value: ToolChoice::Custom(_), at }) => {
            return losses.note(at, "this choice of a tool has no counterpart");
        }
        Some(Field { value: ToolChoice::Native(Native { owner, .. }), at }) if owner != Maker::Gemini => {
            return losses.note(at, "this choice of a tool has no counterpart");
        }
        Some(choice) => choice.value,
    };
    json.key("toolConfig").open('{').key("functionCallingConfig");
    match value {
        ToolChoice::Auto if is_strict => put_mode(json, "VALIDATED", &[]),
        ToolChoice::Auto => put_mode(json, "AUTO", &[]),
        ToolChoice::None => put_mode(json, "NONE", &[]),
        ToolChoice::Required => put_mode(json, "ANY", &[]),
        ToolChoice::Function(name) | ToolChoice::Custom(name) => put_mode(json, "ANY", &[name]),
        ToolChoice::Allowed { is_required: true, names } => put_mode(json, "ANY", &names),
        ToolChoice::Allowed { is_required: false, names } => put_mode(json, "VALIDATED", &names),
        ToolChoice::Native(native) => put_native(json, native, losses),
    }
    json.close('}');
}

fn put_mode(json: &mut Json, mode: &str, names: &[Cow<'_, str>]) {
    json.open('{').key("mode").string(mode);
    if !names.is_empty() {
        json.key("allowedFunctionNames").open('[');
        for name in names {
            json.string(name);
        }
        json.close(']');
    }
    json.close('}');
}
