//! Content blocks, written.

use super::redacted;
use super::words::{media_format, media_word};
use crate::translate::anthropic::{words::cache_ttl_word, write_parts::put_arguments};
use crate::translate::dialogue::says_anything;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    AssistantPart, CacheMark, Citation, Content, Detail, Field, Maker, Media, MediaKind, Native, Reasoning,
    Seal, SealKind, Source, Spot, Text, ToolCall, ToolResult,
};
use crate::translate::seal;
use std::borrow::Cow;
use std::fmt::Write as _;

/// A text, and the cache point behind it.
pub(super) fn put_text(json: &mut Json, text: Text<'_>, losses: &mut Losses) {
    let Text { text, mut citations, seal, cache, at } = text;
    citations.retain(|citation| is_citation(citation, at, losses));
    if citations.is_empty() {
        json.open('{').key("text").string(&text).close('}');
    } else {
        json.open('{').key("citationsContent").open('{');
        json.key("content").open('[').open('{').key("text").string(&text).close('}').close(']');
        json.key("citations").open('[');
        for citation in &citations {
            put_citation(json, citation);
        }
        json.close(']').close('}').close('}');
    }
    put_cache(json, cache, losses);
    put_seal_of_last(json, seal.as_ref());
}

/// Is there anything of a citation that Converse has fields for? What else another maker's says is noted.
pub(super) fn is_citation(citation: &Citation<'_>, at: Spot, losses: &mut Losses) -> bool {
    let Citation { url, title, cited_text, span, native } = citation;
    if has_own(citation) {
        return true;
    }
    if native.is_some() || span.is_some() {
        losses.note(at, "where a citation stands is told in its provider's own way");
    }
    url.is_some() || title.is_some() || cited_text.is_some()
}

/// Is it one of Converse's own?
pub(super) fn has_own(citation: &Citation<'_>) -> bool {
    citation.native.as_ref().is_some_and(|native| native.owner == Maker::Bedrock)
}

/// A citation; of another maker's, what Converse has fields for.
pub(super) fn put_citation(json: &mut Json, citation: &Citation<'_>) {
    let Citation { url, title, cited_text, span: _, native } = citation;
    if let Some(native) = native.as_ref().filter(|native| native.owner == Maker::Bedrock) {
        json.raw(native.value.text());
        return;
    }
    json.open('{');
    if let Some(title) = title {
        json.key("title").string(title);
    }
    if let Some(words) = cited_text {
        json.key("sourceContent").open('[').open('{').key("text").string(words).close('}').close(']');
    }
    if let Some(url) = url {
        json.key("location").open('{').key("web").open('{').key("url").string(url).close('}').close('}');
    }
    json.close('}');
}

/// A seal of the part before, in reasoning of its own.
fn put_seal_of_last(json: &mut Json, seal: Option<&Seal<'_>>) {
    if let Some(seal) = seal {
        put_redacted(json, &redacted::write_of_last(seal));
    }
}

fn put_redacted(json: &mut Json, content: &str) {
    json.open('{').key("reasoningContent").open('{').key("redactedContent").string(content);
    json.close('}').close('}');
}

/// One part of a user's.
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
    if owner == Maker::Bedrock {
        json.raw(value.text());
    } else {
        losses.note(at, "it is known to its own provider only");
    }
}

fn put_media(json: &mut Json, media: Media<'_>, losses: &mut Losses) {
    let Media { kind, source, detail, title, context, cites, cache, at } = media;
    let format = match &source {
        Source::Base64 { media_type, .. } => {
            let Some(format) = media_format(kind, media_type) else {
                return losses.note(at, "media of this type are not taken");
            };
            format
        }
        Source::Text { .. } | Source::Parts(_) if kind != MediaKind::Document => {
            return losses.note(at, "only documents are taken as text");
        }
        Source::Text { media_type, .. } => media_format(kind, media_type).unwrap_or("txt"),
        Source::Parts(_) => "txt",
        Source::Url(_) => return losses.note(at, "media are not fetched from an address; send the bytes"),
        Source::Stored { .. } => return losses.note(at, "the file is kept at another provider"),
    };
    if let Some(detail) = detail.filter(|detail| detail.value != Detail::Auto) {
        losses.note(detail.at, "how closely an image is looked at can't be set");
    }
    json.open('{').key(media_word(kind)).open('{').key("format").string(format);
    if kind == MediaKind::Document {
        json.key("name").string(&document_name(title, format, at, losses));
        if let Some(context) = context {
            json.key("context").string(&context.value);
        }
        if let Some(cites) = cites {
            json.key("citations").open('{').key("enabled").bool(cites.value).close('}');
        }
    } else {
        for text in [title, context].into_iter().flatten() {
            losses.note(text.at, "only documents have a title and a context");
        }
        if let Some(cites) = cites.filter(|cites| cites.value) {
            losses.note(cites.at, "only documents are cited");
        }
    }
    json.key("source").open('{');
    put_source(json, source, losses);
    json.close('}').close('}').close('}');
    put_cache(json, cache, losses);
}

fn put_source(json: &mut Json, source: Source<'_>, losses: &mut Losses) {
    match source {
        Source::Base64 { media_type: _, data } => {
            json.key("bytes").string(&data);
        }
        Source::Text { media_type: _, text } => {
            json.key("text").string(&text);
        }
        Source::Parts(parts) => {
            json.key("content").open('[');
            for part in parts {
                match part {
                    Content::Text(text) => {
                        note_mark(text.cache, losses);
                        json.open('{').key("text").string(&text.text).close('}');
                    }
                    Content::Media(Media { at, .. }) | Content::Native(Native { at, .. }) => {
                        losses.note(at, "a document is made of texts only");
                    }
                }
            }
            json.close(']');
        }
        Source::Url(_) | Source::Stored { .. } => {}
    }
}

/// A document's name, which must be there, of the characters that are allowed. Its format tells what the
/// ending of a file's name does.
fn document_name<'a>(
    title: Option<Field<Cow<'a, str>>>,
    format: &str,
    at: Spot,
    losses: &mut Losses,
) -> Cow<'a, str> {
    const MOST: usize = 200;
    let Some(title) = title else { return Cow::Owned(format!("document {}", at.offset())) };
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || " -()[]".contains(letter);
    let is_sound = |name: &str| name.len() <= MOST && name.chars().all(is_allowed) && !name.contains("  ");
    let ending = title.value.len().saturating_sub(format.len() + 1);
    let has_ending = title.value.get(ending..).is_some_and(|end| end.strip_prefix('.') == Some(format));
    let bare = if has_ending { title.value.get(..ending).unwrap_or_default() } else { &title.value };
    if !bare.is_empty() && is_sound(bare) {
        return if has_ending { Cow::Owned(bare.to_owned()) } else { title.value };
    }
    losses
        .note(title.at, "a document's name has letters, digits, spaces, `-()[]` only; the rest is replaced");
    let mut name = String::with_capacity(bare.len());
    for letter in bare.chars().take(MOST) {
        match letter {
            ' ' if name.ends_with(' ') => {}
            letter if is_allowed(letter) => name.push(letter),
            _ => name.push('-'),
        }
    }
    Cow::Owned(if name.is_empty() { "document".to_owned() } else { name })
}

pub(super) fn put_tool_result(json: &mut Json, result: ToolResult<'_>, losses: &mut Losses) {
    let ToolResult { call_id, parts, is_error, mut cache, at } = result;
    json.open('{').key("toolResult").open('{').key("toolUseId").string(&safe_id(&call_id));
    json.key("content").open('[');
    let last = parts.len().saturating_sub(1);
    let is_blank = |part: &Content<'_>| matches!(part, Content::Text(text) if text.text.trim().is_empty());
    let is_empty = parts.iter().all(is_blank);
    for (index, mut part) in parts.into_iter().enumerate() {
        let mark = match &mut part {
            Content::Text(text) => text.cache.take(),
            Content::Media(media) => media.cache.take(),
            Content::Native(_) => None,
        };
        // Behind the last part of a result the prompt is as long as behind the result.
        if index == last && cache.is_none() {
            cache = mark;
        } else {
            note_mark(mark, losses);
        }
        match part {
            Content::Media(Media { kind: MediaKind::Audio, at, .. }) => {
                losses.note(at, "a tool can't give sound");
            }
            other => put_content(json, other, losses),
        }
    }
    if is_error.is_some() && is_empty {
        losses.note(at, "a tool that failed must say something; `error` is sent");
        json.open('{').key("text").string("error").close('}');
    }
    json.close(']');
    if is_error.is_some() {
        json.key("status").string("error");
    }
    json.close('}').close('}');
    put_cache(json, cache, losses);
}

fn note_mark(mark: Option<CacheMark>, losses: &mut Losses) {
    if let Some(mark) = mark {
        losses.note(mark.at, "what is cached can't be marked within a part");
    }
}

pub(super) fn put_assistant(json: &mut Json, part: AssistantPart<'_>, losses: &mut Losses) {
    match part {
        AssistantPart::Text(text) | AssistantPart::Refusal(text) => {
            if says_anything(&text, losses) {
                put_text(json, text, losses);
            }
        }
        AssistantPart::Reasoning(reasoning) => put_reasoning(json, &reasoning),
        AssistantPart::ToolCall(call) => put_tool_call(json, call, losses),
        AssistantPart::Media(media) => put_media(json, media, losses),
        AssistantPart::Native(native) => put_native(json, native, losses),
    }
}

fn put_reasoning(json: &mut Json, reasoning: &Reasoning<'_>) {
    // Summary or not, and to which item it belongs, the seal knows; the dialect has one kind.
    let Reasoning { text, is_summary: _, seal, id: _, at: _ } = reasoning;
    match seal {
        Some(seal) if seal.kind == SealKind::Encrypted && text.is_empty() => {
            put_redacted(json, &redacted::write(seal));
        }
        seal => {
            json.open('{').key("reasoningContent").open('{').key("reasoningText").open('{');
            json.key("text").string(text);
            if let Some(seal) = seal {
                json.key("signature").string(&seal::write(Maker::Anthropic, seal));
            }
            json.close('}').close('}').close('}');
        }
    }
}

fn put_tool_call(json: &mut Json, call: ToolCall<'_>, losses: &mut Losses) {
    let ToolCall { id, name, arguments, seal, cache, at } = call;
    json.open('{').key("toolUse").open('{').key("toolUseId").string(&safe_id(&id));
    json.key("name").string(&name).key("input");
    put_arguments(json, arguments, at, losses);
    json.close('}').close('}');
    put_cache(json, cache, losses);
    put_seal_of_last(json, seal.as_ref());
}

/// A cache point, which stands behind what it marks.
pub(super) fn put_cache(json: &mut Json, cache: Option<CacheMark>, losses: &mut Losses) {
    let Some(CacheMark { ttl, at }) = cache else { return };
    json.open('{').key("cachePoint").open('{').key("type").string("default");
    if let Some(ttl) = ttl {
        let (word, is_same) = cache_ttl_word(ttl);
        if !is_same {
            losses.note(at, "a prompt is cached for five minutes or an hour; it is sent as an hour");
        }
        json.key("ttl").string(word);
    }
    json.close('}').close('}');
}

/// An id of letters, digits and `_.:-`, at most 64 of them, the only ones that are taken; the same for the
/// same id.
pub(super) fn safe_id(id: &str) -> Cow<'_, str> {
    const MOST: usize = 64;
    const DIGITS: usize = 16;
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if (1..=MOST).contains(&id.len()) && id.bytes().all(is_safe) {
        return Cow::Borrowed(id);
    }
    // FNV-1a: what is replaced or cut off still tells ids apart.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let kept = id.bytes().map(|byte| if is_safe(byte) { char::from(byte) } else { '_' });
    let mut safe: String = kept.take(MOST - DIGITS - 1).collect();
    // Writing to a string can't fail.
    let _ = write!(safe, "_{hash:016x}");
    Cow::Owned(safe)
}
