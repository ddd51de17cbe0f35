//! Content blocks, written.

use super::words::{INVALID_JSON, cache_ttl_word};
use crate::translate::dialogue::says_anything;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Arguments, AssistantPart, CacheMark, Citation, Content, Detail, Field, Maker, Media, MediaKind, Native,
    Reasoning, SealKind, Source, Spot, Text, ToolCall, ToolResult,
};
use crate::translate::seal;
use std::borrow::Cow;
use std::fmt::Write as _;

pub(super) fn put_text(json: &mut Json, text: Text<'_>, losses: &mut Losses) {
    let Text { text, citations, seal, cache, at } = text;
    json.open('{').key("type").string("text").key("text").string(&text);
    put_citations(json, &citations, at, losses);
    put_cache(json, cache, losses);
    json.close('}');
    if let Some(seal) = seal {
        json.open('{').key("type").string("redacted_thinking");
        json.key("data").string(&seal::write_of_last(&seal)).close('}');
    }
}

fn put_citations(json: &mut Json, citations: &[Citation<'_>], at: Spot, losses: &mut Losses) {
    let mut is_open = false;
    for citation in citations {
        let Some(native) = native_of(citation) else {
            losses.note(at, "a citation of another maker can't be told as one of Anthropic's");
            continue;
        };
        if !is_open {
            json.key("citations").open('[');
            is_open = true;
        }
        json.raw(native.value.text());
    }
    if is_open {
        json.close(']');
    }
}

/// Only what Anthropic made can be one of its citations: they name places in its own documents.
pub(super) fn native_of<'c, 'a>(citation: &'c Citation<'a>) -> Option<&'c Native<'a>> {
    let Citation { url: _, title: _, cited_text: _, span: _, native } = citation;
    native.as_ref().filter(|native| native.owner == Maker::Anthropic)
}

/// One part of a user's, or of a tool's result.
pub(super) fn put_content(json: &mut Json, part: Content<'_>, losses: &mut Losses) {
    match part {
        Content::Text(mut text) => {
            if says_anything(&text, losses) {
                if text.seal.take().is_some() {
                    losses.note(text.at, "a seal has no place on a user's text");
                }
                put_text(json, text, losses);
            }
        }
        Content::Media(media) => put_media(json, media, losses),
        Content::Native(native) => put_native(json, native, losses),
    }
}

pub(super) fn put_native(json: &mut Json, native: Native<'_>, losses: &mut Losses) {
    let Native { owner, name: _, value, at } = native;
    if owner == Maker::Anthropic {
        json.raw(value.text());
    } else {
        losses.note(at, "it is known to its own provider only");
    }
}

fn put_media(json: &mut Json, media: Media<'_>, losses: &mut Losses) {
    let Media { kind, source, detail, title, context, cites, cache, at } = media;
    let kind = match kind {
        MediaKind::Image => "image",
        MediaKind::Document => "document",
        MediaKind::Audio => return losses.note(at, "sound is not taken"),
        MediaKind::Video => return losses.note(at, "films are not taken"),
    };
    if kind == "document"
        && let Source::Base64 { media_type, .. } = &source
        && media_type != "application/pdf"
    {
        return losses.note(at, "documents are taken as PDF or as plain text");
    }
    if matches!(source, Source::Stored { owner, .. } if owner != Maker::Anthropic) {
        return losses.note(at, "the file is kept at another provider");
    }
    if let Some(detail) = detail.filter(|detail| detail.value != Detail::Auto) {
        losses.note(detail.at, "how closely an image is looked at can't be set");
    }
    json.open('{').key("type").string(kind).key("source");
    put_source(json, source, losses);
    put_optional(json, "title", title, kind, losses);
    put_optional(json, "context", context, kind, losses);
    if let Some(cites) = cites {
        json.key("citations").open('{').key("enabled").bool(cites.value).close('}');
    }
    put_cache(json, cache, losses);
    json.close('}');
}

fn put_optional(
    json: &mut Json,
    name: &str,
    text: Option<Field<Cow<'_, str>>>,
    kind: &str,
    losses: &mut Losses,
) {
    let Some(text) = text else { return };
    if kind == "document" {
        json.key(name).string(&text.value);
    } else {
        losses.note(text.at, "only documents have a title and a context");
    }
}

fn put_source(json: &mut Json, source: Source<'_>, losses: &mut Losses) {
    json.open('{').key("type");
    match source {
        Source::Url(url) => json.string("url").key("url").string(&url),
        Source::Base64 { media_type, data } => {
            json.string("base64").key("media_type").string(&media_type);
            json.key("data").string(&data)
        }
        Source::Text { media_type, text } => {
            json.string("text").key("media_type").string(&media_type);
            json.key("data").string(&text)
        }
        Source::Stored { owner: _, id } => json.string("file").key("file_id").string(&id),
        Source::Parts(parts) => {
            json.string("content").key("content").open('[');
            for part in parts {
                put_content(json, part, losses);
            }
            json.close(']')
        }
    };
    json.close('}');
}

pub(super) fn put_tool_result(json: &mut Json, result: ToolResult<'_>, losses: &mut Losses) {
    let ToolResult { call_id, mut parts, is_error, cache, at: _ } = result;
    json.open('{').key("type").string("tool_result").key("tool_use_id").string(&safe_id(&call_id));
    let is_plain = matches!(parts.as_slice(), [Content::Text(Text { cache: None, seal: None, .. })]);
    match parts.pop() {
        None => {}
        Some(Content::Text(text)) if is_plain => {
            json.key("content").string(&text.text);
        }
        Some(last) => {
            json.key("content").open('[');
            for part in parts.into_iter().chain([last]) {
                put_content(json, part, losses);
            }
            json.close(']');
        }
    }
    if is_error.is_some() {
        json.key("is_error").bool(true);
    }
    put_cache(json, cache, losses);
    json.close('}');
}

pub(super) fn put_assistant(json: &mut Json, part: AssistantPart<'_>, losses: &mut Losses) {
    match part {
        AssistantPart::Text(text) | AssistantPart::Refusal(text) => {
            if says_anything(&text, losses) {
                put_text(json, text, losses);
            }
        }
        AssistantPart::Reasoning(reasoning) => put_reasoning(json, reasoning),
        AssistantPart::ToolCall(call) => put_tool_call(json, call, losses),
        AssistantPart::Media(media) => losses.note(media.at, "an assistant can say only text"),
        AssistantPart::Native(native) => put_native(json, native, losses),
    }
}

fn put_reasoning(json: &mut Json, reasoning: Reasoning<'_>) {
    // Summary or not, and to which item it belongs, the seal knows; the dialect has one kind.
    let Reasoning { text, is_summary: _, seal, id: _, at: _ } = reasoning;
    match seal {
        Some(seal) if seal.kind == SealKind::Encrypted && text.is_empty() => {
            json.open('{').key("type").string("redacted_thinking");
            json.key("data").string(&seal::write(Maker::Anthropic, &seal)).close('}');
        }
        Some(seal) => {
            json.open('{').key("type").string("thinking").key("thinking").string(&text);
            json.key("signature").string(&seal::write(Maker::Anthropic, &seal)).close('}');
        }
        None => {
            json.open('{').key("type").string("thinking").key("thinking").string(&text);
            json.key("signature").string("").close('}');
        }
    }
}

fn put_tool_call(json: &mut Json, call: ToolCall<'_>, losses: &mut Losses) {
    let ToolCall { id, name, arguments, seal, cache, at } = call;
    json.open('{').key("type").string("tool_use").key("id").string(&safe_id(&id));
    json.key("name").string(&name).key("input");
    put_arguments(json, arguments, at, losses);
    put_cache(json, cache, losses);
    json.close('}');
    if let Some(seal) = seal {
        json.open('{').key("type").string("redacted_thinking");
        json.key("data").string(&seal::write_of_last(&seal)).close('}');
    }
}

/// What a call is made with, which must be an object.
pub(in crate::translate) fn put_arguments(
    json: &mut Json,
    arguments: Arguments<'_>,
    at: Spot,
    losses: &mut Losses,
) {
    match arguments {
        Arguments::Object(object) => json.raw(object.text()),
        Arguments::Broken(text) => json.open('{').key(INVALID_JSON).string(&text).close('}'),
        Arguments::Free(text) => {
            losses.note(at, "a custom tool's input is sent as broken arguments of a function");
            json.open('{').key(INVALID_JSON).string(&text).close('}')
        }
    };
}

pub(super) fn put_cache(json: &mut Json, cache: Option<CacheMark>, losses: &mut Losses) {
    let Some(CacheMark { ttl, at }) = cache else { return };
    json.key("cache_control").open('{').key("type").string("ephemeral");
    if let Some(ttl) = ttl {
        let (word, is_same) = cache_ttl_word(ttl);
        if !is_same {
            losses.note(at, "a prompt is cached for five minutes or an hour; it is sent as an hour");
        }
        json.key("ttl").string(word);
    }
    json.close('}');
}

/// An id of letters, digits, `_` and `-`, the only ones that are taken; the same for the same id.
pub(super) fn safe_id(id: &str) -> Cow<'_, str> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.bytes().all(is_safe) {
        return Cow::Borrowed(id);
    }
    let mut safe = String::with_capacity(id.len() + 4);
    for byte in id.bytes() {
        if is_safe(byte) {
            safe.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(safe, "_{byte:02x}");
        }
    }
    Cow::Owned(safe)
}
