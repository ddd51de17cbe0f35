//! Messages of a request, written.

use super::details;
use super::write_parts::{put_contents, put_media, put_texts};
use crate::translate::codec::ModelTraits;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Arguments, AssistantPart, Authority, Content, Field, Maker, Media, Text, ToolCall, ToolResult, Turn,
};
use std::borrow::Cow;

pub(super) fn put_turns(json: &mut Json, turns: Vec<Turn<'_>>, traits: ModelTraits, losses: &mut Losses) {
    json.key("messages").open('[');
    for turn in turns {
        match turn {
            Turn::Instructions { authority, parts, name, at: _ } => {
                let role = match authority {
                    Authority::System => "system",
                    Authority::Developer => "developer",
                };
                json.open('{').key("role").string(role).key("content");
                put_texts(json, parts, traits, losses);
                put_name(json, name);
                json.close('}');
            }
            Turn::User { parts, name, at: _ } => {
                json.open('{').key("role").string("user").key("content");
                put_contents(json, parts, traits, losses);
                put_name(json, name);
                json.close('}');
            }
            Turn::Assistant { parts, name, at: _ } => {
                json.open('{').key("role").string("assistant");
                put_assistant(json, parts, traits, losses);
                put_name(json, name);
                json.close('}');
            }
            Turn::Tools(results) => put_results(json, results, traits, losses),
        }
    }
    json.close(']');
}

fn put_name(json: &mut Json, name: Option<Field<Cow<'_, str>>>) {
    if let Some(name) = name {
        json.key("name").string(&name.value);
    }
}

/// A message a result. What a result shows besides text comes behind them all, from the user, since the
/// dialect has no other place for it.
fn put_results(json: &mut Json, results: Vec<ToolResult<'_>>, traits: ModelTraits, losses: &mut Losses) {
    let mut shown: Vec<Media<'_>> = Vec::new();
    for result in results {
        let ToolResult { call_id, parts, is_error, cache, at: _ } = result;
        if let Some(failed) = is_error {
            losses.note(failed.at, "that a tool failed can be told in words only");
        }
        let mut texts = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Content::Text(text) => texts.push(text),
                Content::Media(media) => {
                    losses.note(
                        media.at,
                        "a tool can give text only; it is shown by the user behind the results",
                    );
                    shown.push(media);
                }
                Content::Native(native) => losses.note(native.at, "a tool can give text only"),
            }
        }
        if let Some(cache) = cache {
            match texts.last_mut() {
                Some(last) if last.cache.is_none() => last.cache = Some(cache),
                _ => losses.note(cache.at, "what is cached can be marked on a text only"),
            }
        }
        json.open('{').key("role").string("tool").key("tool_call_id").string(&call_id).key("content");
        if texts.is_empty() {
            json.string("");
        } else {
            put_texts(json, texts, traits, losses);
        }
        json.close('}');
    }
    if !shown.is_empty() {
        json.open('{').key("role").string("user").key("content").open('[');
        for media in shown {
            put_media(json, media, traits, losses);
        }
        json.close(']').close('}');
    }
}

fn put_assistant(json: &mut Json, parts: Vec<AssistantPart<'_>>, traits: ModelTraits, losses: &mut Losses) {
    let mut texts = Vec::new();
    let mut calls = Vec::new();
    let mut refusals: Vec<Text<'_>> = Vec::new();
    let mut natives = Vec::new();
    let mut reasoning = Vec::new();
    for (position, part) in parts.into_iter().enumerate() {
        match part {
            AssistantPart::Text(text) => {
                if !calls.is_empty() {
                    losses.note(text.at, "a text behind a tool call is told before it");
                }
                texts.push(text);
            }
            AssistantPart::ToolCall(call) => calls.push(call),
            AssistantPart::Refusal(text) => refusals.push(text),
            AssistantPart::Reasoning(part) if traits.takes_reasoning_details => {
                reasoning.push((position as u64, part));
            }
            AssistantPart::Reasoning(part) => losses.note(part.at, "reasoning can't be sent back"),
            AssistantPart::Media(media) => {
                losses.note(media.at, "an assistant's own media can't be sent back")
            }
            AssistantPart::Native(native) if native.owner == Maker::OpenAi => natives.push(native),
            AssistantPart::Native(native) => losses.note(native.at, "it is known to its own provider only"),
        }
    }
    json.key("content");
    if natives.is_empty() && texts.is_empty() {
        json.null();
    } else if natives.is_empty() {
        put_texts(json, texts, traits, losses);
    } else {
        let texts = texts.into_iter().map(Content::Text);
        let natives = natives.into_iter().map(Content::Native);
        put_contents(json, texts.chain(natives).collect(), traits, losses);
    }
    if !refusals.is_empty() {
        let words: Vec<&str> = refusals.iter().map(|refusal| refusal.text.as_ref()).collect();
        json.key("refusal").string(&words.concat());
    }
    if !reasoning.is_empty() {
        json.key("reasoning_details").open('[');
        for (index, (position, part)) in reasoning.iter().enumerate() {
            details::put(json, index as u64, *position, part);
        }
        json.close(']');
    }
    if !calls.is_empty() {
        json.key("tool_calls").open('[');
        for call in calls {
            put_call(json, call, losses);
        }
        json.close(']');
    }
}

pub(super) fn put_call(json: &mut Json, call: ToolCall<'_>, losses: &mut Losses) {
    let ToolCall { id, name, arguments, seal, cache, at } = call;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can be marked on a text only");
    }
    json.open('{').key("id").string(&id).key("type");
    match &arguments {
        Arguments::Free(input) => {
            json.string("custom").key("custom").open('{');
            json.key("name").string(&name).key("input").string(input).close('}');
        }
        Arguments::Object(_) | Arguments::Broken(_) => {
            let text = match &arguments {
                Arguments::Object(object) => object.text(),
                Arguments::Broken(text) | Arguments::Free(text) => text,
            };
            json.string("function").key("function").open('{');
            json.key("name").string(&name).key("arguments").string(text).close('}');
        }
    }
    match seal {
        None => {}
        Some(seal) if seal.maker == Maker::Gemini => put_seal(json, &seal.data),
        Some(_) => losses.note(at, "a seal of this maker has no place on a call"),
    }
    json.close('}');
}

/// As Google's own endpoint of this dialect carries it.
pub(super) fn put_seal(json: &mut Json, data: &str) {
    json.key("extra_content").open('{').key("google").open('{');
    json.key("thought_signature").string(data).close('}').close('}');
}
