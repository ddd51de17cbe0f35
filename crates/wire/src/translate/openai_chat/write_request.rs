//! A request, written.

use super::write_message::put_turns;
use crate::translate::codec::{ModelTraits, Target};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    CustomTool, Delivery, Field, FunctionTool, Maker, Native, OutputFormat, Request, Sampling, SchemaFormat,
    Thinking, Tool, ToolChoice,
};
use crate::translate::openai::content::put_native;
use crate::translate::openai::settings::{Accounting, effort_of_thinking};
use std::borrow::Cow;

pub(super) fn write(request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
    let Request {
        model: _,
        turns,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        max_tokens,
        verbosity,
        modalities,
        thinking,
        sampling,
        delivery,
        natives,
    } = request;
    let mut json = Json::with_capacity(2048);
    json.open('{').key("model").string(target.model);
    put_turns(&mut json, turns, target.traits, losses);
    let has_tools = !tools.is_empty();
    if has_tools {
        json.key("tools").open('[');
        for tool in tools {
            put_tool(&mut json, tool, losses);
        }
        json.close(']');
    }
    if let Some(choice) = tool_choice {
        put_choice(&mut json, choice, has_tools, losses);
    }
    // Both are refused where there are no tools.
    if let Some(parallel) = parallel_tool_calls.filter(|_| has_tools) {
        json.key("parallel_tool_calls").bool(parallel.value);
    }
    if let Some(format) = format {
        put_format(&mut json, format.value);
    }
    if let Some(most) = &max_tokens {
        let only_older = target.traits.has_only_max_tokens;
        json.key(if only_older { "max_tokens" } else { "max_completion_tokens" }).count(most.value);
    }
    if let Some(verbosity) = verbosity {
        json.key("verbosity").string(&verbosity.value);
    }
    if let Some(modalities) = modalities {
        json.key("modalities").raw(modalities.value.text());
    }
    put_thinking(&mut json, thinking, max_tokens, losses);
    put_sampling(&mut json, sampling, losses);
    put_delivery(&mut json, delivery, target.traits, losses);
    for native in natives {
        if native.owner == Maker::OpenAi {
            json.key(&native.name).raw(native.value.text());
        } else {
            losses.note(native.at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_tool(json: &mut Json, tool: Tool<'_>, losses: &mut Losses) {
    match tool {
        Tool::Function(FunctionTool { name, description, schema, strict, cache, at: _ }) => {
            if let Some(cache) = cache {
                losses.note(cache.at, "what is cached can be marked in messages only");
            }
            json.open('{').key("type").string("function").key("function").open('{');
            json.key("name").string(&name);
            put_description(json, description);
            if let Some(schema) = schema {
                json.key("parameters").raw(schema.text());
            }
            if let Some(strict) = strict {
                json.key("strict").bool(strict.value);
            }
            json.close('}').close('}');
        }
        Tool::Custom(CustomTool { name, description, format, at: _ }) => {
            json.open('{').key("type").string("custom").key("custom").open('{');
            json.key("name").string(&name);
            put_description(json, description);
            if let Some(format) = format {
                json.key("format").raw(format.text());
            }
            json.close('}').close('}');
        }
        Tool::Native(native) => put_native(json, native, Maker::OpenAi, losses),
    }
}

fn put_description(json: &mut Json, description: Option<Cow<'_, str>>) {
    if let Some(description) = description {
        json.key("description").string(&description);
    }
}

fn put_choice(json: &mut Json, choice: Field<ToolChoice<'_>>, has_tools: bool, losses: &mut Losses) {
    let Field { value, at } = choice;
    if !has_tools && matches!(value, ToolChoice::Auto | ToolChoice::None) {
        return;
    }
    if let ToolChoice::Native(Native { owner, .. }) = &value
        && *owner != Maker::OpenAi
    {
        return losses.note(at, "this choice of a tool has no counterpart");
    }
    json.key("tool_choice");
    match value {
        ToolChoice::Auto => json.string("auto"),
        ToolChoice::None => json.string("none"),
        ToolChoice::Required => json.string("required"),
        ToolChoice::Function(name) => put_named(json, "function", &name),
        ToolChoice::Custom(name) => put_named(json, "custom", &name),
        ToolChoice::Native(native) => json.raw(native.value.text()),
        ToolChoice::Allowed { is_required, names } => {
            json.open('{').key("type").string("allowed_tools").key("allowed_tools").open('{');
            json.key("mode").string(if is_required { "required" } else { "auto" });
            json.key("tools").open('[');
            for name in names {
                put_named(json, "function", &name);
            }
            json.close(']').close('}').close('}')
        }
    };
}

fn put_named<'j>(json: &'j mut Json, kind: &str, name: &str) -> &'j mut Json {
    json.open('{').key("type").string(kind);
    json.key(kind).open('{').key("name").string(name).close('}').close('}')
}

fn put_format(json: &mut Json, format: OutputFormat<'_>) {
    json.key("response_format").open('{').key("type");
    match format {
        OutputFormat::Text => json.string("text"),
        OutputFormat::JsonObject => json.string("json_object"),
        OutputFormat::Schema(SchemaFormat { name, description, schema, strict }) => {
            json.string("json_schema").key("json_schema").open('{');
            json.key("name").string(name.as_deref().unwrap_or("response"));
            if let Some(description) = description {
                json.key("description").string(&description.value);
            }
            if let Some(schema) = schema {
                json.key("schema").raw(schema.text());
            }
            if let Some(strict) = strict {
                json.key("strict").bool(strict.value);
            }
            json.close('}')
        }
    };
    json.close('}');
}

fn put_thinking(json: &mut Json, thinking: Thinking, max_tokens: Option<Field<u64>>, losses: &mut Losses) {
    let Thinking { mode, effort, is_shown } = thinking;
    if let Some(shown) = is_shown.filter(|shown| shown.value) {
        losses.note(shown.at, "whether reasoning is shown can't be set");
    }
    if let Some(word) = effort_of_thinking(mode, effort, max_tokens, losses) {
        json.key("reasoning_effort").string(word);
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
    let numbers = [
        ("temperature", temperature),
        ("top_p", top_p),
        ("frequency_penalty", frequency_penalty),
        ("presence_penalty", presence_penalty),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            json.key(name).number(number.value);
        }
    }
    if let Some(top_k) = top_k {
        losses.note(top_k.at, "tokens can't be limited to the likeliest few");
    }
    if let Some(seed) = seed {
        json.key("seed").signed(seed.value);
    }
    put_stop(json, stop, losses);
    if let Some(n) = n {
        json.key("n").count(n.value);
    }
    if let Some(logprobs) = logprobs {
        json.key("logprobs").bool(logprobs.value);
    }
    if let Some(top) = top_logprobs {
        json.key("top_logprobs").count(top.value);
    }
    if let Some(bias) = logit_bias {
        json.key("logit_bias").raw(bias.value.text());
    }
}

fn put_stop(json: &mut Json, stop: Vec<Field<Cow<'_, str>>>, losses: &mut Losses) {
    const MOST: usize = 4;
    if let Some(first_above) = stop.get(MOST) {
        losses.note(first_above.at, "four texts can end an answer; the first four are sent");
    }
    if !stop.is_empty() {
        json.key("stop").open('[');
        for text in stop.iter().take(MOST) {
            json.string(&text.value);
        }
        json.close(']');
    }
}

fn put_delivery(json: &mut Json, delivery: Delivery<'_>, traits: ModelTraits, losses: &mut Losses) {
    let Delivery {
        is_stream,
        // Always asked for: what a request used must be known, whoever reads it.
        wants_usage: _,
        obfuscation,
        service_tier,
        store,
        metadata,
        user,
        safety_identifier,
        prompt_cache_key,
        prompt_cache_retention,
    } = delivery;
    if is_stream {
        json.key("stream").bool(true);
        if traits.takes_stream_options {
            json.key("stream_options").open('{').key("include_usage").bool(true);
            if let Some(obfuscation) = obfuscation {
                json.key("include_obfuscation").bool(obfuscation.value);
            }
            json.close('}');
        } else if let Some(obfuscation) = obfuscation.filter(|obfuscation| obfuscation.value) {
            losses.note(obfuscation.at, "streams are not padded");
        }
    }
    if let Some(store) = store {
        json.key("store").bool(store.value);
    }
    let accounting = Accounting {
        service_tier,
        metadata,
        user,
        safety_identifier,
        prompt_cache_key,
        prompt_cache_retention,
    };
    accounting.put(json, losses);
}
