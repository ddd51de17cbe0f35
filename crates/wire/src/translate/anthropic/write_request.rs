//! A request, written.

use super::write_parts::{
    put_assistant, put_cache, put_content, put_native, put_text, put_tool_result, says_anything,
};
use super::write_settings::{Output, put_output, put_sampling};
use crate::translate::codec::Target;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    AssistantPart, Content, CustomTool, Delivery, Field, FunctionTool, Maker, Native, Request, SealKind,
    ServiceTier, Text, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
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

/// Turns as they are sent: what one side says in a row is one message, and the results of tools are the
/// first in it.
enum Message<'a> {
    System(Vec<Text<'a>>),
    User { results: Vec<ToolResult<'a>>, parts: Vec<Content<'a>> },
    Assistant(Vec<AssistantPart<'a>>),
}

fn put_turns(json: &mut Json, turns: Vec<Turn<'_>>, target: &Target<'_>, losses: &mut Losses) {
    let mut system = Vec::new();
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut turns = turns.into_iter().peekable();
    while let Some(turn) = turns.next() {
        match turn {
            Turn::Instructions { authority: _, parts, name, at } => {
                note_name(name, losses);
                let is_before_assistant = matches!(turns.peek(), None | Some(Turn::Assistant { .. }));
                let is_behind_user = matches!(messages.last(), Some(Message::User { .. }));
                let fits = target.traits.takes_instructions_anywhere && is_before_assistant && is_behind_user;
                let parts = parts.into_iter().filter(|text| says_anything(text, losses));
                if fits {
                    messages.push(Message::System(parts.collect()));
                } else {
                    system.extend(parts);
                    if !messages.is_empty() {
                        losses.note(at.at, "instructions after the first turn are moved to the beginning");
                    }
                }
            }
            Turn::User { parts: mut more, name, at: _ } => {
                note_name(name, losses);
                more.retain(|part| !matches!(part, Content::Text(text) if !says_anything(text, losses)));
                if more.is_empty() {
                    // A message that says nothing is refused, and what is around it goes on.
                } else if let Some(Message::User { parts, .. }) = messages.last_mut() {
                    parts.extend(more);
                } else {
                    messages.push(Message::User { results: Vec::new(), parts: more });
                }
            }
            Turn::Tools(more) => {
                if let Some(Message::User { results, .. }) = messages.last_mut() {
                    results.extend(more);
                } else {
                    messages.push(Message::User { results: more, parts: Vec::new() });
                }
            }
            Turn::Assistant { parts: more, name, at: _ } => {
                note_name(name, losses);
                let more: Vec<_> = more.into_iter().filter_map(|part| replayed(part, losses)).collect();
                if more.is_empty() {
                    // As with the user's.
                } else if let Some(Message::Assistant(parts)) = messages.last_mut() {
                    parts.extend(more);
                } else {
                    messages.push(Message::Assistant(more));
                }
            }
        }
    }
    put_system(json, system, losses);
    json.key("messages").open('[');
    for message in messages {
        put_message(json, message, losses);
    }
    json.close(']');
}

fn note_name(name: Option<Field<Cow<'_, str>>>, losses: &mut Losses) {
    if let Some(name) = name {
        losses.note(name.at, "participants have no names");
    }
}

/// What of an assistant's words can be sent back: texts that say anything, and reasoning only where this maker sealed it, since it
/// takes no other.
fn replayed<'a>(part: AssistantPart<'a>, losses: &mut Losses) -> Option<AssistantPart<'a>> {
    let mut part = part;
    if let AssistantPart::Text(text) | AssistantPart::Refusal(text) = &part
        && !says_anything(text, losses)
    {
        return None;
    }
    match &mut part {
        AssistantPart::Reasoning(reasoning) => {
            let is_own = reasoning.seal.as_ref().is_some_and(|seal| {
                seal.maker == Maker::Anthropic
                    && (seal.kind == SealKind::Signature || reasoning.text.is_empty())
            });
            if !is_own {
                losses.note(reasoning.at, "reasoning can be sent back to its own maker only");
                return None;
            }
        }
        AssistantPart::Text(Text { seal, at, .. }) | AssistantPart::ToolCall(ToolCall { seal, at, .. }) => {
            if seal.take().is_some() {
                losses.note(*at, "a seal can be sent back to its own maker only");
            }
        }
        AssistantPart::Refusal(_) | AssistantPart::Media(_) | AssistantPart::Native(_) => {}
    }
    Some(part)
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
        prompt_cache_key,
        prompt_cache_retention,
    } = delivery;
    if is_stream {
        json.key("stream").bool(true);
    }
    if let Some(obfuscation) = obfuscation.filter(|obfuscation| obfuscation.value) {
        losses.note(obfuscation.at, "streams are not padded");
    }
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
    if let Some(store) = store.filter(|store| store.value) {
        losses.note(store.at, "answers are not kept");
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
    for hint in [prompt_cache_key, prompt_cache_retention].into_iter().flatten() {
        losses.note(hint.at, "a prompt is cached where it is marked, and not by this");
    }
}
