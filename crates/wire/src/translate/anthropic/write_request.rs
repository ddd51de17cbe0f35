//! A request, written.

use super::caching::mark;
use super::write_parts::{put_assistant, put_cache, put_content, put_native, put_text, put_tool_result};
use super::write_settings::{Output, put_output, put_sampling};
use crate::translate::codec::Target;
use crate::translate::dialogue::{Dialogue, Message, alternate};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    AssistantPart, Content, CustomTool, Delivery, Field, FunctionTool, Maker, Native, Reasoning, Request,
    SealKind, ServiceTier, Text, Tool, ToolChoice, Turn,
};
use crate::translate::unsaid::{Kept, note_kept};

pub(super) fn write(request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
    let Request {
        model: _,
        mut turns,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        max_tokens,
        verbosity,
        modalities,
        thinking,
        sampling,
        mut delivery,
        natives,
    } = request;
    mark(delivery.prompt_cache_key.take(), &mut turns, &tools, losses);
    let mut json = Json::with_capacity(2048);
    let max_tokens = max_tokens.map_or(target.default_max_tokens, |most| most.value);
    json.open('{').key("model").string(target.model).key("max_tokens").count(max_tokens);
    put_turns(&mut json, turns, target, losses);
    put_tools(&mut json, tools, tool_choice, parallel_tool_calls, losses);
    put_output(&mut json, Output { format, verbosity, modalities, thinking, max_tokens }, target, losses);
    put_sampling(&mut json, sampling, losses);
    put_delivery(&mut json, delivery, losses);
    for native in natives {
        let Native { owner, name, value, at } = native;
        if owner == Maker::Anthropic {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_turns(json: &mut Json, turns: Vec<Turn<'_>>, target: &Target<'_>, losses: &mut Losses) {
    let anywhere = target.traits.takes_instructions_anywhere;
    let Dialogue { system, messages } = alternate(turns, anywhere, returns, losses);
    put_system(json, system, losses);
    json.key("messages").open('[');
    for message in messages {
        put_message(json, message, losses);
    }
    json.close(']');
}

/// Only what this maker sealed returns to it, as it came.
fn returns(reasoning: &Reasoning<'_>) -> bool {
    reasoning.seal.as_ref().is_some_and(|seal| {
        seal.maker == Maker::Anthropic && (seal.kind == SealKind::Signature || reasoning.text.is_empty())
    })
}

fn put_system(json: &mut Json, mut system: Vec<Text<'_>>, losses: &mut Losses) {
    if let [Text { cache: None, .. }] = system.as_slice()
        && let Some(text) = system.pop()
    {
        json.key("system").string(&text.text);
    } else if !system.is_empty() {
        json.key("system").open('[');
        for text in system {
            put_text(json, text, losses);
        }
        json.close(']');
    }
}

fn put_message(json: &mut Json, message: Message<'_>, losses: &mut Losses) {
    match message {
        Message::System(texts) if texts.is_empty() => {}
        Message::System(texts) => {
            json.open('{').key("role").string("system").key("content").open('[');
            for text in texts {
                put_text(json, text, losses);
            }
            json.close(']').close('}');
        }
        Message::User { results, parts } => {
            json.open('{').key("role").string("user").key("content");
            match (results.as_slice(), parts.as_slice()) {
                ([], [Content::Text(Text { cache: None, seal: None, text, .. })]) => {
                    json.string(text);
                }
                _ => {
                    json.open('[');
                    for result in results {
                        put_tool_result(json, result, losses);
                    }
                    for part in parts {
                        put_content(json, part, losses);
                    }
                    json.close(']');
                }
            }
            json.close('}');
        }
        Message::Assistant(parts) => {
            json.open('{').key("role").string("assistant").key("content");
            match parts.as_slice() {
                [AssistantPart::Text(Text { cache: None, seal: None, citations, text, .. })]
                    if citations.is_empty() =>
                {
                    json.string(text);
                }
                _ => {
                    json.open('[');
                    for part in parts {
                        put_assistant(json, part, losses);
                    }
                    json.close(']');
                }
            }
            json.close('}');
        }
    }
}

fn put_tools(
    json: &mut Json,
    tools: Vec<Tool<'_>>,
    choice: Option<Field<ToolChoice<'_>>>,
    parallel: Option<Field<bool>>,
    losses: &mut Losses,
) {
    let has_tools = !tools.is_empty();
    if has_tools {
        json.key("tools").open('[');
        for tool in tools {
            put_tool(json, tool, losses);
        }
        json.close(']');
    }
    // A choice among no tools is refused by the provider; without tools the default is the same.
    let (word, name) = match choice {
        None if has_tools && parallel.is_some_and(|parallel| !parallel.value) => ("auto", None),
        None => return,
        Some(Field { value: ToolChoice::Auto | ToolChoice::None, .. }) if !has_tools => return,
        Some(Field { value, at }) => match value {
            ToolChoice::Auto => ("auto", None),
            ToolChoice::None => ("none", None),
            ToolChoice::Required => ("any", None),
            ToolChoice::Function(name) => ("tool", Some(name)),
            ToolChoice::Native(native) if native.owner == Maker::Anthropic => {
                json.key("tool_choice");
                return put_native(json, native, losses);
            }
            ToolChoice::Custom(_) | ToolChoice::Native(_) => {
                return losses.note(at, "this choice of a tool has no counterpart");
            }
            ToolChoice::Allowed { is_required, names: _ } => {
                losses.note(
                    at,
                    "the choice can't be narrowed to some tools; all that are offered may be called",
                );
                (if is_required { "any" } else { "auto" }, None)
            }
        },
    };
    json.key("tool_choice").open('{').key("type").string(word);
    if let Some(name) = name {
        json.key("name").string(&name);
    }
    if let Some(parallel) = parallel.filter(|_| word != "none") {
        json.key("disable_parallel_tool_use").bool(!parallel.value);
    }
    json.close('}');
}

fn put_tool(json: &mut Json, tool: Tool<'_>, losses: &mut Losses) {
    let function = match tool {
        Tool::Function(function) => function,
        Tool::Custom(CustomTool { name: _, description: _, format: _, at }) => {
            return losses.note(at, "tools that take free text are not known");
        }
        Tool::Native(native) => return put_native(json, native, losses),
    };
    let FunctionTool { name, description, schema, strict, cache, at: _ } = function;
    json.open('{').key("name").string(&name);
    if let Some(description) = description {
        json.key("description").string(&description);
    }
    json.key("input_schema");
    match schema {
        Some(schema) => json.raw(schema.text()),
        None => json.raw(r#"{"type":"object","properties":{}}"#),
    };
    if let Some(strict) = strict {
        json.key("strict").bool(strict.value);
    }
    put_cache(json, cache, losses);
    json.close('}');
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
        // Gone into marks.
        prompt_cache_key: _,
        prompt_cache_retention,
    } = delivery;
    if is_stream {
        json.key("stream").bool(true);
    }
    note_kept(Kept { obfuscation, store, prompt_cache_key: None, prompt_cache_retention }, losses);
    match service_tier {
        None => {}
        Some(Field { value: ServiceTier::Auto, .. }) => {
            json.key("service_tier").string("auto");
        }
        Some(Field { value: ServiceTier::Standard, .. }) => {
            json.key("service_tier").string("standard_only");
        }
        Some(Field { value: ServiceTier::Named(_), at }) => losses.note(at, "there is no such service tier"),
    }
    if let Some(metadata) = metadata.filter(|metadata| metadata.value.text() != "{}") {
        losses.note(metadata.at, "requests have no labels");
    }
    if let (Some(user), Some(identifier)) = (&user, &safety_identifier)
        && user.value != identifier.value
    {
        losses.note(user.at, "there is one id of an end user; `safety_identifier` is sent");
    }
    if let Some(user) = safety_identifier.or(user) {
        json.key("metadata").open('{').key("user_id").string(&user.value).close('}');
    }
}
