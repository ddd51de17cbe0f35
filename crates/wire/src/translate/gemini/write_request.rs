//! A request, written.

use super::write_parts::{put_content, put_native, put_said, put_text, put_tool_call, put_tool_result};
use super::write_settings::{Output, put_choice, put_config};
use crate::translate::codec::{ModelTraits, Target, ThinkingStyle};
use crate::translate::dialogue::{Dialogue, Message, Returns, alternate_sealed};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    AssistantPart, CustomTool, Delivery, Field, FunctionTool, Maker, Native, Request, ServiceTier, Text,
    Tool, ToolResult,
};
use crate::translate::unsaid::{Kept, note_kept};
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) fn write(request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
    let Request {
        // The path names it.
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
    json.open('{');
    let returns = Returns {
        // Thoughts without a seal are taken and pass for nothing.
        reasoning: |reasoning| reasoning.seal.as_ref().is_none_or(|seal| seal.maker == Maker::Gemini),
        seal: |seal| seal.maker == Maker::Gemini,
    };
    put_dialogue(&mut json, alternate_sealed(turns, false, returns, losses), target.traits, losses);
    let has_tools = !tools.is_empty();
    let is_strict = put_tools(&mut json, tools, losses);
    put_choice(&mut json, tool_choice, has_tools, is_strict, losses);
    if let Some(parallel) = parallel_tool_calls.filter(|parallel| has_tools && !parallel.value) {
        losses.note(parallel.at, "a model can't be kept from calling several tools at once");
    }
    let output = Output { format, max_tokens, verbosity, modalities, thinking, sampling };
    put_config(&mut json, output, target.traits.thinking, losses);
    put_delivery(&mut json, delivery, losses);
    for Native { owner, name, value, at } in natives {
        if owner == Maker::Gemini {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_dialogue(json: &mut Json, dialogue: Dialogue<'_>, traits: ModelTraits, losses: &mut Losses) {
    let Dialogue { system, messages } = dialogue;
    put_system(json, system, losses);
    // The last call of an id is the one that a result answers.
    let mut names = HashMap::new();
    json.key("contents").open('[');
    for message in messages {
        match message {
            Message::System(texts) => put_system(json, texts, losses),
            Message::User { results, parts } => {
                json.open('{').key("role").string("user").key("parts").open('[');
                for result in results {
                    put_result(json, result, &names, traits, losses);
                }
                for part in parts {
                    put_content(json, part, traits, losses);
                }
                json.close(']').close('}');
            }
            Message::Assistant(parts) => {
                for part in &parts {
                    if let AssistantPart::ToolCall(call) = part {
                        names.insert(call.id.clone().into_owned(), call.name.clone().into_owned());
                    }
                }
                json.open('{').key("role").string("model").key("parts").open('[');
                put_model(json, parts, traits, losses);
                json.close(']').close('}');
            }
        }
    }
    json.close(']');
}

fn put_system(json: &mut Json, system: Vec<Text<'_>>, losses: &mut Losses) {
    if system.is_empty() {
        return;
    }
    json.key("systemInstruction").open('{').key("parts").open('[');
    for text in system {
        put_text(json, text, losses);
    }
    json.close(']').close('}');
}

/// Results are named by their function; one whose call is not in the conversation, by its id.
fn put_result(
    json: &mut Json,
    result: ToolResult<'_>,
    names: &HashMap<String, String>,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    let call_id = result.call_id.clone();
    let name = names.get(call_id.as_ref()).map_or(call_id.as_ref(), String::as_str);
    put_tool_result(json, result, name, traits, losses);
}

/// A model's turn. From Gemini 3 on the first call of each must be signed; one that another model made is
/// given what Google's manual has for that.
fn put_model(json: &mut Json, parts: Vec<AssistantPart<'_>>, traits: ModelTraits, losses: &mut Losses) {
    let first_call = parts.iter().position(|part| matches!(part, AssistantPart::ToolCall(_)));
    let Some(first_call) = first_call.filter(|_| traits.thinking == ThinkingStyle::Effort) else {
        return put_said(json, parts, traits, losses);
    };
    let mut before = parts;
    let mut behind = before.split_off(first_call).into_iter();
    put_said(json, before, traits, losses);
    if let Some(AssistantPart::ToolCall(call)) = behind.next() {
        put_tool_call(json, call, true, losses);
    }
    put_said(json, behind.collect(), traits, losses);
}

/// Writes the tools, all functions in one, and tells whether any function is strict.
fn put_tools(json: &mut Json, tools: Vec<Tool<'_>>, losses: &mut Losses) -> bool {
    let mut functions = Vec::new();
    let mut natives = Vec::new();
    let mut has_native_first = false;
    for tool in tools {
        match tool {
            Tool::Function(function) => functions.push(function),
            Tool::Native(native) => {
                has_native_first |= functions.is_empty();
                natives.push(native);
            }
            Tool::Custom(CustomTool { name: _, description: _, format: _, at }) => {
                losses.note(at, "tools that take free text are not known");
            }
        }
    }
    let is_strict = functions.iter().any(|function| function.strict.is_some_and(|strict| strict.value));
    natives.retain(|native| {
        let is_own = native.owner == Maker::Gemini;
        if !is_own {
            losses.note(native.at, "it is known to its own provider only");
        }
        is_own
    });
    if functions.is_empty() && natives.is_empty() {
        return false;
    }
    json.key("tools").open('[');
    if !has_native_first {
        put_functions(json, std::mem::take(&mut functions), losses);
    }
    for native in natives {
        if native.name.is_empty() {
            put_native(json, native, losses);
        } else {
            json.open('{').key(&native.name).raw(native.value.text()).close('}');
        }
    }
    put_functions(json, functions, losses);
    json.close(']');
    is_strict
}

fn put_functions(json: &mut Json, functions: Vec<FunctionTool<'_>>, losses: &mut Losses) {
    if functions.is_empty() {
        return;
    }
    json.open('{').key("functionDeclarations").open('[');
    for function in functions {
        // Whether it is strict is said of all of them.
        let FunctionTool { name, description, schema, strict: _, cache, at: _ } = function;
        if let Some(cache) = cache {
            losses.note(cache.at, "what is cached can't be marked");
        }
        json.open('{').key("name").string(&name);
        if let Some(description) = description {
            json.key("description").string(&description);
        }
        if let Some(schema) = schema {
            json.key("parametersJsonSchema").raw(schema.text());
        }
        json.close('}');
    }
    json.close(']').close('}');
}

fn put_delivery(json: &mut Json, delivery: Delivery<'_>, losses: &mut Losses) {
    let Delivery {
        // The path tells, and usage comes anyway.
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
    note_kept(Kept { obfuscation, store: None, prompt_cache_key, prompt_cache_retention }, losses);
    if let Some(tier) = service_tier {
        put_tier(json, tier, losses);
    }
    if let Some(store) = store {
        json.key("store").bool(store.value);
    }
    if let Some(labels) = metadata {
        json.key("labels").raw(labels.value.text());
    }
    for id in [user, safety_identifier].into_iter().flatten() {
        losses.note(id.at, "an end user's id has no place");
    }
}

fn put_tier(json: &mut Json, tier: Field<ServiceTier<'_>>, losses: &mut Losses) {
    let name: Cow<'_, str> = match tier.value {
        // What is so by default.
        ServiceTier::Auto => return,
        ServiceTier::Standard => "standard".into(),
        ServiceTier::Named(name) if matches!(name.as_ref(), "flex" | "priority") => name,
        ServiceTier::Named(_) => return losses.note(tier.at, "there is no such service tier"),
    };
    json.key("serviceTier").string(&name);
}
