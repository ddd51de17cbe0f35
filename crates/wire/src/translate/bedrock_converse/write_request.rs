//! A request, written.

use super::write_parts::{
    has_own, put_assistant, put_cache, put_content, put_native, put_text, put_tool_result,
};
use super::write_settings::{Settings, put_settings};
use super::{marks, words};
use crate::translate::codec::Target;
use crate::translate::dialogue::{Dialogue, Message, alternate};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    AssistantPart, CustomTool, Delivery, Field, FunctionTool, Maker, Native, Reasoning, Request, SealKind,
    ServiceTier, Spot, Text, Tool, ToolChoice, Turn,
};
use crate::translate::unsaid::{Kept, note_kept};
use std::borrow::Cow;

pub(super) fn write(request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
    let Request {
        model: _,
        mut turns,
        mut tools,
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
    json.open('{');
    if !target.traits.takes_cache_marks {
        marks::take_all(&mut turns, &mut tools, losses);
    }
    let called = Called::of(&turns);
    put_turns(&mut json, turns, target, losses);
    if let Some(parallel) = parallel_tool_calls.filter(|parallel| !parallel.value) {
        losses.note(parallel.at, "calls can't be kept to one at a time");
    }
    put_tools(&mut json, tools, tool_choice, &called, losses);
    let (more, natives): (Vec<_>, Vec<_>) = natives
        .into_iter()
        .partition(|native| native.owner == Maker::Bedrock && native.name == words::MORE_OF_REQUEST);
    let more = more.into_iter().next();
    let settings = Settings { format, max_tokens, verbosity, modalities, thinking, sampling, more };
    put_settings(&mut json, settings, target, losses);
    put_delivery(&mut json, delivery, losses);
    for native in natives {
        let Native { owner, name, value, at } = native;
        if owner == Maker::Bedrock {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

/// The calls that a conversation holds.
struct Called {
    names: Vec<String>,
    /// Where the first is, or the first result.
    first: Option<Spot>,
}

impl Called {
    fn of(turns: &[Turn<'_>]) -> Self {
        let mut called = Self { names: Vec::new(), first: None };
        for turn in turns {
            match turn {
                Turn::Assistant { parts, .. } => {
                    for part in parts {
                        let AssistantPart::ToolCall(call) = part else { continue };
                        called.first = called.first.or(Some(call.at));
                        if !called.names.iter().any(|name| *name == call.name) {
                            called.names.push(call.name.clone().into_owned());
                        }
                    }
                }
                Turn::Tools(_) => called.first = called.first.or(Some(turn.at())),
                Turn::Instructions { .. } | Turn::User { .. } => {}
            }
        }
        called
    }
}

fn put_turns(json: &mut Json, turns: Vec<Turn<'_>>, target: &Target<'_>, losses: &mut Losses) {
    let anywhere = target.traits.takes_instructions_anywhere;
    let Dialogue { system, messages } = alternate(turns, anywhere, returns, losses);
    if !system.is_empty() {
        json.key("system");
        put_texts(json, system, losses);
    }
    json.key("messages").open('[');
    for message in messages {
        match message {
            Message::System(texts) if texts.is_empty() => {}
            Message::System(texts) => {
                json.open('{').key("role").string("system").key("content");
                put_texts(json, texts, losses);
                json.close('}');
            }
            Message::User { results, parts } => {
                json.open('{').key("role").string("user").key("content").open('[');
                for result in results {
                    put_tool_result(json, result, losses);
                }
                for part in parts {
                    put_content(json, part, losses);
                }
                json.close(']').close('}');
            }
            Message::Assistant(parts) => {
                json.open('{').key("role").string("assistant").key("content").open('[');
                for mut part in parts {
                    if let AssistantPart::Text(text) = &mut part
                        && text.citations.iter().any(|citation| !has_own(citation))
                    {
                        losses.note(text.at, "citations can be sent back to Bedrock only where it made them");
                        text.citations.retain(has_own);
                    }
                    put_assistant(json, part, losses);
                }
                json.close(']').close('}');
            }
        }
    }
    json.close(']');
}

fn put_texts(json: &mut Json, texts: Vec<Text<'_>>, losses: &mut Losses) {
    json.open('[');
    for text in texts {
        put_text(json, text, losses);
    }
    json.close(']');
}

/// What Claude signed returns to it wherever it was signed; what is withheld, to Bedrock only.
fn returns(reasoning: &Reasoning<'_>) -> bool {
    reasoning.seal.as_ref().is_some_and(|seal| match seal.kind {
        SealKind::Signature => seal.maker == Maker::Anthropic,
        SealKind::Encrypted => seal.maker == Maker::Bedrock && reasoning.text.is_empty(),
    })
}

/// `toolConfig`. A conversation that holds calls is refused without one, says the service's validation.
fn put_tools<'a>(
    json: &mut Json,
    mut tools: Vec<Tool<'a>>,
    choice: Option<Field<ToolChoice<'_>>>,
    called: &'a Called,
    losses: &mut Losses,
) {
    if let Some(Field { value: ToolChoice::None, at }) = choice
        && !tools.is_empty()
    {
        losses.note(at, "a model that is offered tools may call them; leave them out");
        if called.first.is_none() {
            tools.clear();
        }
    }
    if let Some(at) = called.first.filter(|_| tools.is_empty()) {
        losses.note(at, "a conversation with calls of tools needs them to be offered");
        tools.extend(called.names.iter().map(|name| nothing_but(name)));
        if tools.is_empty() {
            tools.push(nothing_but("unknown"));
        }
    }
    if tools.is_empty() {
        if let Some(choice) =
            choice.filter(|choice| !matches!(choice.value, ToolChoice::Auto | ToolChoice::None))
        {
            losses.note(choice.at, "there are no tools to choose from");
        }
        return;
    }
    json.key("toolConfig").open('{').key("tools").open('[');
    for tool in tools {
        put_tool(json, tool, losses);
    }
    json.close(']');
    if let Some(choice) = choice {
        put_choice(json, choice, losses);
    }
    json.close('}');
}

/// A function of which nothing but its name is known.
fn nothing_but(name: &str) -> Tool<'_> {
    Tool::Function(FunctionTool {
        name: Cow::Borrowed(name),
        description: None,
        schema: None,
        strict: None,
        cache: None,
        at: Spot::NOWHERE,
    })
}

fn put_choice(json: &mut Json, choice: Field<ToolChoice<'_>>, losses: &mut Losses) {
    let Field { value, at } = choice;
    let (word, name) = match value {
        // That none may be called has been noted.
        ToolChoice::None => return,
        ToolChoice::Auto => ("auto", None),
        ToolChoice::Required => ("any", None),
        ToolChoice::Function(name) => ("tool", Some(name)),
        ToolChoice::Native(native) if native.owner == Maker::Bedrock => {
            json.key("toolChoice");
            return put_native(json, native, losses);
        }
        ToolChoice::Custom(_) | ToolChoice::Native(_) => {
            return losses.note(at, "this choice of a tool has no counterpart");
        }
        ToolChoice::Allowed { is_required, names: _ } => {
            losses.note(at, "the choice can't be narrowed to some tools; all that are offered may be called");
            (if is_required { "any" } else { "auto" }, None)
        }
    };
    json.key("toolChoice").open('{').key(word).open('{');
    if let Some(name) = name {
        json.key("name").string(&name);
    }
    json.close('}').close('}');
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
    json.open('{').key("toolSpec").open('{').key("name").string(&name);
    // An empty one is refused, and says nothing.
    if let Some(description) = description.filter(|description| !description.is_empty()) {
        json.key("description").string(&description);
    }
    json.key("inputSchema").open('{').key("json");
    match schema {
        Some(schema) => json.raw(schema.text()),
        None => json.raw(r#"{"type":"object","properties":{}}"#),
    };
    json.close('}');
    if let Some(strict) = strict {
        json.key("strict").bool(strict.value);
    }
    json.close('}').close('}');
    put_cache(json, cache, losses);
}

fn put_delivery(json: &mut Json, delivery: Delivery<'_>, losses: &mut Losses) {
    let Delivery {
        // The path says it.
        is_stream: _,
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
    note_kept(Kept { obfuscation, store, prompt_cache_key, prompt_cache_retention }, losses);
    let tier = match service_tier {
        // Of several the better is not chosen; without a word it is the usual one.
        None | Some(Field { value: ServiceTier::Auto, .. }) => None,
        Some(Field { value: ServiceTier::Standard, .. }) => Some(Cow::Borrowed("default")),
        Some(Field { value: ServiceTier::Named(name), .. })
            if matches!(name.as_ref(), "priority" | "flex" | "reserved") =>
        {
            Some(name)
        }
        Some(Field { value: ServiceTier::Named(_), at }) => {
            losses.note(at, "there is no such service tier");
            None
        }
    };
    if let Some(tier) = tier {
        json.key("serviceTier").open('{').key("type").string(&tier).close('}');
    }
    if let Some(metadata) = metadata {
        json.key("requestMetadata").raw(metadata.value.text());
    }
    for id in [user, safety_identifier].into_iter().flatten() {
        losses.note(id.at, "there is no place for an end user's id");
    }
}
