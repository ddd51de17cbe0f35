//! A request, written.

use super::documents;
use super::write_message::put_turns;
use super::write_settings::{put_format, put_sampling, put_thinking};
use crate::translate::codec::Target;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    CustomTool, Delivery, Field, FunctionTool, Maker, Media, Native, Request, ServiceTier, Tool, ToolChoice,
};
use crate::translate::unsaid::{Kept, note_form, note_kept};

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
    let found = put_turns(&mut json, turns, losses);
    put_documents(&mut json, found, losses);
    put_tools(&mut json, tools, tool_choice, losses);
    if let Some(parallel) = parallel_tool_calls.filter(|parallel| !parallel.value) {
        losses.note(parallel.at, "a model may always call several tools at once");
    }
    if let Some(format) = format {
        put_format(&mut json, format, losses);
    }
    if let Some(most) = &max_tokens {
        json.key("max_tokens").count(most.value);
    }
    note_form(verbosity, modalities, losses);
    let most = max_tokens.map_or(target.default_max_tokens, |most| most.value);
    put_thinking(&mut json, thinking, most, target.traits.thinking, losses);
    put_sampling(&mut json, sampling, losses);
    put_delivery(&mut json, delivery, losses);
    for Native { owner, name, value, at } in natives {
        if owner == Maker::Cohere {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_documents(json: &mut Json, found: Vec<Media<'_>>, losses: &mut Losses) {
    if found.is_empty() {
        return;
    }
    let is_cited = |media: &Media<'_>| media.cites.is_some_and(|cites| cites.value);
    let any_is_cited = found.iter().any(is_cited);
    json.key("documents").open('[');
    for media in found {
        if any_is_cited && !is_cited(&media) {
            losses.note(media.at, "documents may be cited all or none; this one may be too");
        }
        documents::put(json, media, losses);
    }
    json.close(']');
    if !any_is_cited {
        documents::put_not_citing(json);
    }
}

fn put_tools(
    json: &mut Json,
    tools: Vec<Tool<'_>>,
    choice: Option<Field<ToolChoice<'_>>>,
    losses: &mut Losses,
) {
    if !tools.is_empty() {
        let strict = strictness(&tools, losses);
        json.key("tools").open('[');
        for tool in tools {
            put_tool(json, tool, losses);
        }
        json.close(']');
        if let Some(strict) = strict {
            json.key("strict_tools").bool(strict);
        }
    }
    let Some(Field { value, at }) = choice else { return };
    let word = match value {
        // What a model does that is told nothing.
        ToolChoice::Auto => return,
        ToolChoice::None => "NONE",
        ToolChoice::Required => "REQUIRED",
        ToolChoice::Function(_) => {
            losses.note(at, "a tool can't be singled out; that one is called is all that can be demanded");
            "REQUIRED"
        }
        ToolChoice::Allowed { is_required, names: _ } => {
            losses.note(at, "the choice can't be narrowed to some tools; all that are offered may be called");
            if !is_required {
                return;
            }
            "REQUIRED"
        }
        ToolChoice::Custom(_) | ToolChoice::Native(_) => {
            return losses.note(at, "this choice of a tool has no counterpart");
        }
    };
    json.key("tool_choice").string(word);
}

/// Whether calls must keep to the schemas, which is set for all tools together.
fn strictness(tools: &[Tool<'_>], losses: &mut Losses) -> Option<bool> {
    let strict: Vec<_> = tools
        .iter()
        .filter_map(|tool| match tool {
            Tool::Function(function) => Some(function.strict),
            Tool::Custom(_) | Tool::Native(_) => None,
        })
        .collect();
    let first = strict.first().copied().flatten().map(|strict| strict.value);
    if strict.iter().all(|strict| strict.map(|strict| strict.value) == first) {
        return first;
    }
    for strict in strict.into_iter().flatten().filter(|strict| strict.value) {
        losses.note(strict.at, "calls of all tools keep to their schemas, or of none");
    }
    None
}

fn put_tool(json: &mut Json, tool: Tool<'_>, losses: &mut Losses) {
    let function = match tool {
        Tool::Function(function) => function,
        Tool::Custom(CustomTool { name: _, description: _, format: _, at }) => {
            return losses.note(at, "tools that take free text are not known");
        }
        Tool::Native(Native { owner: Maker::Cohere, name: _, value, at: _ }) => {
            json.raw(value.text());
            return;
        }
        Tool::Native(native) => return losses.note(native.at, "it is known to its own provider only"),
    };
    let FunctionTool { name, description, schema, strict: _, cache, at: _ } = function;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    json.open('{').key("type").string("function").key("function").open('{').key("name").string(&name);
    if let Some(description) = description {
        json.key("description").string(&description);
    }
    json.key("parameters");
    match schema {
        Some(schema) => json.raw(schema.text()),
        None => json.raw(r#"{"type":"object","properties":{}}"#),
    };
    json.close('}').close('}');
}

fn put_delivery(json: &mut Json, delivery: Delivery<'_>, losses: &mut Losses) {
    let Delivery {
        is_stream,
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
    }
    if let Some(Field { value: ServiceTier::Named(_), at }) = service_tier {
        losses.note(at, "there is no such service tier");
    }
    if let Some(metadata) = metadata.filter(|metadata| metadata.value.text() != "{}") {
        losses.note(metadata.at, "requests have no labels");
    }
    for id in [user, safety_identifier].into_iter().flatten() {
        losses.note(id.at, "end users have no ids");
    }
    note_kept(Kept { obfuscation, store, prompt_cache_key, prompt_cache_retention }, losses);
}
