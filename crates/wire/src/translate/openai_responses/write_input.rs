//! `instructions` and `input`, written.

use super::items::{Item, Said, call_type, gather, put_call, put_reasoning, put_said};
use crate::translate::codec::ModelTraits;
use crate::translate::data_url;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Arguments, AssistantPart, Authority, Content, Detail, Field, Maker, Media, MediaKind, Reasoning, Source,
    Spot, Text, ToolResult, Turn,
};
use crate::translate::openai::cache::put_cache;
use crate::translate::openai::content::{note_beside_medium, put_native};
use crate::translate::openai::words::detail_word;
use std::borrow::Cow;

pub(super) fn put_turns(json: &mut Json, turns: Vec<Turn<'_>>, traits: ModelTraits, losses: &mut Losses) {
    let custom_calls = custom_calls(&turns);
    let mut turns = turns.into_iter().peekable();
    if let Some(Turn::Instructions { parts, .. }) = turns.next_if(is_plain_system) {
        let words: Vec<&str> = parts.iter().map(|text| text.text.as_ref()).collect();
        json.key("instructions").string(&words.concat());
    }
    json.key("input").open('[');
    for turn in turns {
        match turn {
            Turn::Instructions { authority, parts, name, at: _ } => {
                let role = match authority {
                    Authority::System => "system",
                    Authority::Developer => "developer",
                };
                let parts = parts.into_iter().map(Content::Text).collect();
                put_message(json, role, parts, name, traits, losses);
            }
            Turn::User { parts, name, at: _ } => put_message(json, "user", parts, name, traits, losses),
            Turn::Assistant { parts, name, at: _ } => {
                note_name(name, losses);
                put_assistant(json, parts, losses);
            }
            Turn::Tools(results) => {
                for result in results {
                    let is_custom = custom_calls.contains(&result.call_id);
                    put_result(json, result, is_custom, traits, losses);
                }
            }
        }
    }
    json.close(']');
}

/// `instructions` are one text, a system's, and come first.
fn is_plain_system(turn: &Turn<'_>) -> bool {
    match turn {
        Turn::Instructions { authority: Authority::System, parts, name: None, at: _ } => {
            matches!(parts.as_slice(), [Text { cache: None, text, .. }] if !text.is_empty())
        }
        _ => false,
    }
}

/// The ids of calls whose results have a type of their own.
fn custom_calls<'a>(turns: &[Turn<'a>]) -> Vec<Cow<'a, str>> {
    let parts = turns.iter().filter_map(|turn| match turn {
        Turn::Assistant { parts, .. } => Some(parts),
        _ => None,
    });
    parts
        .flatten()
        .filter_map(|part| match part {
            AssistantPart::ToolCall(call) if matches!(call.arguments, Arguments::Free(_)) => {
                Some(call.id.clone())
            }
            _ => None,
        })
        .collect()
}

fn put_message(
    json: &mut Json,
    role: &str,
    parts: Vec<Content<'_>>,
    name: Option<Field<Cow<'_, str>>>,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    note_name(name, losses);
    json.open('{').key("type").string("message").key("role").string(role).key("content");
    put_contents(json, parts, traits, losses);
    json.close('}');
}

fn note_name(name: Option<Field<Cow<'_, str>>>, losses: &mut Losses) {
    if let Some(name) = name {
        losses.note(name.at, "participants have no names");
    }
}

/// A content: the bare string where it is one text and nothing else, else parts.
fn put_contents(json: &mut Json, parts: Vec<Content<'_>>, traits: ModelTraits, losses: &mut Losses) {
    match parts.as_slice() {
        [] => {
            json.string("");
        }
        [Content::Text(text)] if text.cache.is_none() => {
            note_beside(text, losses);
            json.string(&text.text);
        }
        _ => {
            json.open('[');
            for part in parts {
                match part {
                    Content::Text(text) => put_text(json, text, traits, losses),
                    Content::Media(media) => put_media(json, media, traits, losses),
                    Content::Native(native) => put_native(json, native, Maker::OpenAiResponses, losses),
                }
            }
            json.close(']');
        }
    }
}

fn note_beside(text: &Text<'_>, losses: &mut Losses) {
    if !text.citations.is_empty() {
        losses.note(text.at, "only what the model said can have citations");
    }
    if text.seal.is_some() {
        losses.note(text.at, "a seal has no place on a user's text");
    }
}

fn put_text(json: &mut Json, text: Text<'_>, traits: ModelTraits, losses: &mut Losses) {
    note_beside(&text, losses);
    let Text { text, citations: _, seal: _, cache, at: _ } = text;
    json.open('{').key("type").string("input_text").key("text").string(&text);
    put_cache(json, cache, traits, losses);
    json.close('}');
}

fn put_media(json: &mut Json, media: Media<'_>, traits: ModelTraits, losses: &mut Losses) {
    let Media { kind, source, detail, title, context, cites, cache, at } = media;
    note_beside_medium(kind, title.as_ref(), context.as_ref(), cites.as_ref(), losses);
    let Some(source) = sayable(json, kind, source, traits, at, losses) else { return };
    json.open('{').key("type");
    match kind {
        MediaKind::Image => {
            json.string("input_image");
            put_source(json, source, ["image_url", "image_url", "file_id"], None);
        }
        MediaKind::Document | MediaKind::Video | MediaKind::Audio => {
            json.string("input_file");
            put_source(json, source, ["file_url", "file_data", "file_id"], title);
        }
    }
    // Of an image it must be said.
    let usual = (kind == MediaKind::Image).then_some(Detail::Auto);
    if let Some(detail) = detail.map(|detail| detail.value).or(usual) {
        json.key("detail").string(detail_word(detail));
    }
    put_cache(json, cache, traits, losses);
    json.close('}');
}

/// The source, where the dialect has a form for it; a document that is text is written as that, noted.
fn sayable<'a>(
    json: &mut Json,
    kind: MediaKind,
    source: Source<'a>,
    traits: ModelTraits,
    at: Spot,
    losses: &mut Losses,
) -> Option<Source<'a>> {
    let why = match (kind, &source) {
        (
            MediaKind::Image | MediaKind::Document,
            Source::Url(_) | Source::Base64 { .. } | Source::Stored { owner: Maker::OpenAi, .. },
        ) => return Some(source),
        (MediaKind::Document, Source::Text { text, .. }) => {
            put_text(json, Text::plain(Cow::Borrowed(text), at), traits, losses);
            "documents are taken as files; this one is sent as text"
        }
        (_, Source::Stored { .. }) => "the file is kept at another provider",
        (MediaKind::Document, Source::Parts(_)) => "documents are taken as files",
        (MediaKind::Audio, _) => "sound is not taken",
        (MediaKind::Video, _) => "films are not taken",
        (MediaKind::Image, _) => "images are taken by address or in base64",
    };
    losses.note(at, why);
    None
}

/// The fields of a source: by address, in base64, kept.
fn put_source(
    json: &mut Json,
    source: Source<'_>,
    [url, data, id]: [&str; 3],
    title: Option<Field<Cow<'_, str>>>,
) {
    let mut title = title.map(|title| title.value);
    match source {
        Source::Url(told) => {
            json.key(url).string(&told);
        }
        Source::Stored { id: told, owner: _ } => {
            json.key(id).string(&told);
        }
        Source::Base64 { media_type, data: told } => {
            json.key(data);
            if media_type.is_empty() {
                json.string(&told);
            } else {
                json.string(&data_url::write(&media_type, &told));
            }
            // A file without a name is refused.
            if data == "file_data" {
                title.get_or_insert(Cow::Borrowed("document.pdf"));
            }
        }
        Source::Text { .. } | Source::Parts(_) => {}
    }
    if let Some(title) = title {
        json.key("filename").string(&title);
    }
}

fn put_result(
    json: &mut Json,
    result: ToolResult<'_>,
    is_custom: bool,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    let ToolResult { call_id, parts, is_error, cache, at: _ } = result;
    if let Some(failed) = is_error {
        losses.note(failed.at, "that a tool failed can be told in words only");
    }
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can be marked on parts of a result only");
    }
    let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
    json.open('{').key("type").string(kind).key("call_id").string(&call_id).key("output");
    put_contents(json, parts, traits, losses);
    json.close('}');
}

fn put_assistant(json: &mut Json, parts: Vec<AssistantPart<'_>>, losses: &mut Losses) {
    let mut start = 0;
    for item in gather(parts) {
        match item {
            Item::Message(contents) => put_said_before(json, &contents, &mut start, losses),
            Item::Reasoning(stretches) => put_sealed(json, &stretches, losses),
            Item::Call(call) => {
                let (kind, _) = call_type(matches!(call.arguments, Arguments::Free(_)));
                json.open('{').key("type").string(kind);
                put_call(json, &call, losses);
                json.close('}');
            }
            Item::SealOfLast(_, at) => losses.note(at, "a seal can be sent back to its own maker only"),
            Item::Media(media) => losses.note(media.at, "an assistant's own media can't be sent back"),
            Item::Native(native) => put_native(json, native, Maker::OpenAiResponses, losses),
        }
    }
}

fn put_said_before(json: &mut Json, contents: &[Said<'_>], start: &mut u64, losses: &mut Losses) {
    // What says nothing is left out.
    if matches!(contents, [Said::Text(Text { text, .. })] if text.is_empty()) {
        return;
    }
    json.open('{').key("type").string("message").key("role").string("assistant").key("content");
    match contents {
        [Said::Text(Text { text, cache: None, citations, .. })] if citations.is_empty() => {
            json.string(text);
            *start += text.chars().count() as u64;
        }
        _ => {
            json.open('[');
            for said in contents {
                put_said(json, said, start, None, losses);
            }
            json.close(']');
        }
    }
    json.close('}');
}

/// Reasoning is taken back only where OpenAI sealed it, and is read from its seal.
fn put_sealed(json: &mut Json, stretches: &[Reasoning<'_>], losses: &mut Losses) {
    let Some(last) = stretches.last() else { return };
    let Some(seal) = last.seal.as_ref().filter(|seal| seal.maker == Maker::OpenAi) else {
        return losses.note(last.at, "reasoning can be sent back to its own maker only");
    };
    json.open('{').key("type").string("reasoning");
    if let Some(id) = &last.id {
        json.key("id").string(id);
    }
    put_reasoning(json, stretches, Some(&seal.data));
    json.close('}');
}
