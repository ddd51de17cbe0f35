//! Parts of a `Content`, written.

use super::seal;
use super::words::{media_type_of, usual_type};
use crate::translate::anthropic::write_parts::put_arguments;
use crate::translate::codec::{ModelTraits, ThinkingStyle};
use crate::translate::json::{Json, Value, parse};
use crate::translate::losses::Losses;
use crate::translate::model::{
    AssistantPart, Content, Detail, Field, Maker, Media, MediaKind, Native, Reasoning, SealKind, Source,
    Text, ToolCall, ToolResult,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One part of a user's.
pub(super) fn put_content(json: &mut Json, part: Content<'_>, traits: ModelTraits, losses: &mut Losses) {
    match part {
        Content::Text(mut text) => {
            if text.seal.take().is_some() {
                losses.note(text.at, "a seal has no place on a user's text");
            }
            put_text(json, text, losses);
        }
        Content::Media(media) => put_media(json, media, traits, losses),
        Content::Native(native) => put_native(json, native, losses),
    }
}

pub(super) fn put_native(json: &mut Json, native: Native<'_>, losses: &mut Losses) {
    let Native { owner, name: _, value, at } = native;
    if owner == Maker::Gemini {
        json.raw(value.text());
    } else {
        losses.note(at, "it is known to its own provider only");
    }
}

/// What a model said. The signature of a text returns to it from the reasoning that it was told as.
pub(super) fn put_said(
    json: &mut Json,
    parts: Vec<AssistantPart<'_>>,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            AssistantPart::Text(mut text) | AssistantPart::Refusal(mut text) => {
                let takes_seal = text.seal.is_none() && !text.text.is_empty();
                if takes_seal && let Some(AssistantPart::Reasoning(next)) = parts.next_if(is_withheld) {
                    text.seal = next.seal;
                }
                put_text(json, text, losses);
            }
            AssistantPart::Reasoning(reasoning) => put_reasoning(json, &reasoning),
            AssistantPart::ToolCall(call) => put_tool_call(json, call, false, losses),
            AssistantPart::Media(media) => put_media(json, media, traits, losses),
            AssistantPart::Native(native) => put_native(json, native, losses),
        }
    }
}

/// Is it what a signature on a text is told as?
fn is_withheld(part: &AssistantPart<'_>) -> bool {
    matches!(part, AssistantPart::Reasoning(reasoning) if is_own_withheld(reasoning))
}

fn is_own_withheld(reasoning: &Reasoning<'_>) -> bool {
    let Reasoning { text, is_summary: _, seal, id: _, at: _ } = reasoning;
    text.is_empty()
        && seal.as_ref().is_some_and(|seal| seal.maker == Maker::Gemini && seal.kind == SealKind::Encrypted)
}

pub(super) fn put_text(json: &mut Json, text: Text<'_>, losses: &mut Losses) {
    let Text { text, citations, seal, cache, at } = text;
    if !citations.is_empty() {
        losses.note(at, "citations can't be sent back");
    }
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    if text.is_empty() && seal.is_none() {
        return;
    }
    json.open('{').key("text").string(&text);
    if let Some(seal) = seal {
        json.key("thoughtSignature").string(&seal::write(&seal));
    }
    json.close('}');
}

pub(super) fn put_reasoning(json: &mut Json, reasoning: &Reasoning<'_>) {
    // A maker's id of an item is known to its seal.
    let Reasoning { text, is_summary: _, seal, id: _, at: _ } = reasoning;
    json.open('{').key("text").string(text);
    if !is_own_withheld(reasoning) {
        json.key("thought").bool(true);
    }
    if let Some(seal) = seal {
        json.key("thoughtSignature").string(&seal::write(seal));
    }
    json.close('}');
}

/// A call; with what stands for a signature where it has none, if the model `demands` one.
pub(super) fn put_tool_call(json: &mut Json, call: ToolCall<'_>, demands: bool, losses: &mut Losses) {
    let ToolCall { id, name, arguments, seal, cache, at } = call;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    json.open('{').key("functionCall").open('{');
    if !id.is_empty() {
        json.key("id").string(&id);
    }
    json.key("name").string(&name).key("args");
    put_arguments(json, arguments, at, losses);
    json.close('}');
    match seal {
        Some(seal) => {
            json.key("thoughtSignature").string(&seal::write(&seal));
        }
        None if demands => {
            json.key("thoughtSignature").string(seal::UNSIGNED);
        }
        None => {}
    }
    json.close('}');
}

/// A result of a call of the function `name`.
pub(super) fn put_tool_result(
    json: &mut Json,
    result: ToolResult<'_>,
    name: &str,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    let ToolResult { call_id, parts, is_error, cache, at: _ } = result;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    let mut texts = Vec::new();
    let mut media = Vec::new();
    for part in parts {
        match part {
            Content::Text(text) => {
                if !media.is_empty() {
                    losses.note(text.at, "what a tool says stands before what it shows");
                }
                if let Some(cache) = text.cache {
                    losses.note(cache.at, "what is cached can't be marked");
                }
                texts.push(text);
            }
            shown => media.push(shown),
        }
    }
    json.open('{').key("functionResponse").open('{');
    if !call_id.is_empty() {
        json.key("id").string(&call_id);
    }
    json.key("name").string(name).key("response");
    put_response(json, &texts, is_error);
    if !media.is_empty() {
        json.key("parts").open('[');
        for part in media {
            put_content(json, part, traits, losses);
        }
        json.close(']');
    }
    json.close('}').close('}');
}

/// What a tool said: an object as it is, else under `output`, or `error` where it failed.
fn put_response(json: &mut Json, texts: &[Text<'_>], is_error: Option<Field<()>>) {
    let name = if is_error.is_some() { "error" } else { "output" };
    match texts {
        [] if is_error.is_none() => json.open('{').close('}'),
        [one] if is_error.is_none() && is_bare_object(&one.text) => json.raw(&one.text),
        [one] => json.open('{').key(name).string(&one.text).close('}'),
        several => {
            json.open('{').key(name).open('[');
            for text in several {
                json.string(&text.text);
            }
            json.close(']').close('}')
        }
    };
}

/// Is a text an object that is read again as the same text?
fn is_bare_object(text: &str) -> bool {
    let is_on_one_line = text.starts_with('{') && text.ends_with('}') && !text.contains(['\n', '\r']);
    let Some(Ok(object)) = is_on_one_line.then(|| parse(text)) else { return false };
    match &object.value {
        Value::Object(members) => match members.as_slice() {
            [] => false,
            [(name, _)] => name != "output" && name != "error",
            _ => true,
        },
        _ => false,
    }
}

fn put_media(json: &mut Json, media: Media<'_>, traits: ModelTraits, losses: &mut Losses) {
    let Media { kind, source, detail, title, context, cites, cache, at } = media;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    if let Some(context) = context {
        losses.note(context.at, "nothing can be said of a document beside it");
    }
    if let Some(cites) = cites.filter(|cites| cites.value) {
        losses.note(cites.at, "documents can't be cited");
    }
    match source {
        Source::Base64 { media_type, data } => {
            json.open('{').key("inlineData").open('{').key("mimeType");
            json.string(if media_type.is_empty() {
                usual_type(kind).unwrap_or("image/jpeg")
            } else {
                &media_type
            });
            json.key("data").string(&data);
        }
        Source::Text { media_type, text } => {
            json.open('{').key("inlineData").open('{').key("mimeType").string(&media_type);
            json.key("data").string(&STANDARD.encode(text.as_bytes()));
        }
        Source::Url(url) => put_file(json, &url, kind),
        Source::Stored { owner: Maker::Gemini, id } => put_file(json, &id, kind),
        Source::Stored { .. } => return losses.note(at, "the file is kept at another provider"),
        Source::Parts(_) => return losses.note(at, "documents are taken as files"),
    }
    if let Some(title) = title {
        json.key("displayName").string(&title.value);
    }
    json.close('}');
    if let Some(detail) = detail {
        put_detail(json, detail, traits, losses);
    }
    json.close('}');
}

/// Opens a `fileData`, whose media type is told as far as it is known.
fn put_file(json: &mut Json, uri: &str, kind: MediaKind) {
    json.open('{').key("fileData").open('{');
    if let Some(media_type) = media_type_of(uri).or_else(|| usual_type(kind)) {
        json.key("mimeType").string(media_type);
    }
    json.key("fileUri").string(uri);
}

/// Models from Gemini 3 on take a resolution of each part.
fn put_detail(json: &mut Json, detail: Field<Detail>, traits: ModelTraits, losses: &mut Losses) {
    let Field { value, at } = detail;
    let level = match value {
        Detail::Auto => return,
        Detail::Low => "MEDIA_RESOLUTION_LOW",
        Detail::High => "MEDIA_RESOLUTION_HIGH",
        Detail::Original => {
            losses.note(at, "an image is looked at scaled; it is sent as high");
            "MEDIA_RESOLUTION_HIGH"
        }
    };
    if traits.thinking == ThinkingStyle::Effort {
        json.key("mediaResolution").open('{').key("level").string(level).close('}');
    } else {
        losses.note(at, "this model takes no resolution of one image");
    }
}
