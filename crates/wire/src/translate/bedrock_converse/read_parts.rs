//! Content blocks, read: unions, each an object of one member that says what it is.

use super::words::{media_kind, media_type};
use super::{marks, redacted};
use crate::translate::anthropic::{read_parts::arguments, words::cache_ttl};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    AssistantPart, CacheMark, Citation, Content, Maker, Media, MediaKind, Native, Raw, Reasoning, SealKind,
    Source, Text, ToolCall, ToolResult,
};
use crate::translate::seal::{self, Found, is_of_a_summary};
use std::borrow::Cow;

/// A union: the name of its one member, the member's value, and the whole as it stands.
pub(super) struct Union<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Node<'a>,
    pub(super) whole: Native<'a>,
}

pub(super) fn union(node: Node<'_>) -> Result<Union<'_>, Malformed> {
    let whole = native(&node);
    let mut members = Fields::of(node)?.into_rest();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok(Union { name, value, whole }),
        _ => Err(Malformed::new(whole.at, "an object of exactly one member")),
    }
}

/// The value of a union as one of its texts.
pub(super) fn text_of<'a>(value: &Node<'a>) -> Result<Text<'a>, Malformed> {
    let text = value.text().ok_or(Malformed::new(value.at, "a string"))?;
    Ok(Text::plain(text, value.at))
}

/// One block of a user's, or of a tool's result; cache points and results are for who holds the list.
pub(super) fn content<'a>(block: Union<'a>, losses: &mut Losses) -> Result<Content<'a>, Malformed> {
    let Union { name, value, whole } = block;
    if name == "text" {
        return Ok(Content::Text(text_of(&value)?));
    }
    match media_kind(&name) {
        Some(kind) => media(kind, value, whole, losses),
        None => Ok(Content::Native(whole)),
    }
}

/// The mark that a `cachePoint` is.
pub(super) fn cache_point(value: Node<'_>, losses: &mut Losses) -> Result<CacheMark, Malformed> {
    let mut fields = Fields::of(value)?;
    let at = fields.at;
    fields.take("type");
    let ttl = fields.text("ttl")?;
    let known = ttl.as_ref().and_then(|ttl| cache_ttl(&ttl.value));
    if let Some(ttl) = ttl.filter(|_| known.is_none()) {
        losses.unknown(ttl.at);
    }
    fields.finish(losses);
    Ok(CacheMark { ttl: known, at })
}

pub(super) fn tool_result<'a>(value: Node<'a>, losses: &mut Losses) -> Result<ToolResult<'a>, Malformed> {
    let mut fields = Fields::of(value)?;
    let at = fields.at;
    let call_id = fields.needed_text("toolUseId")?.value;
    let mut parts = Vec::new();
    for block in fields.list("content")? {
        let block = union(block)?;
        // What a tool gives as JSON is text to a model, and to every other dialect.
        parts.push(if block.name == "json" {
            Content::Text(Text::plain(Cow::Borrowed(block.value.raw), block.value.at))
        } else {
            content(block, losses)?
        });
    }
    let status = fields.text("status")?;
    let is_error = status.filter(|status| status.value == "error").map(|status| status.map(|_| ()));
    fields.finish(losses);
    Ok(ToolResult { call_id, parts, is_error, cache: None, at })
}

/// The blocks of an assistant, in an answer or replayed.
pub(super) fn assistant<'a>(
    list: Vec<Node<'a>>,
    losses: &mut Losses,
) -> Result<Vec<AssistantPart<'a>>, Malformed> {
    let mut parts = Vec::with_capacity(list.len());
    for block in list {
        let block = union(block)?;
        let Union { name, value, whole } = &block;
        match name.as_ref() {
            "text" => parts.push(AssistantPart::Text(text_of(value)?)),
            "toolUse" if value.member("type").is_none() => {
                parts.push(AssistantPart::ToolCall(tool_call(block.value, losses)?));
            }
            "reasoningContent" => add_reasoning(&mut parts, block.value, losses)?,
            "citationsContent" => parts.push(AssistantPart::Text(cited(block.value, losses)?)),
            "cachePoint" => {
                let mark = cache_point(value.clone(), losses)?;
                if !marks::has_marked(parts.last_mut().and_then(marks::of_assistant), mark) {
                    parts.push(AssistantPart::Native(whole.clone()));
                }
            }
            _ => parts.push(match content(block, losses)? {
                Content::Text(text) => AssistantPart::Text(text),
                Content::Media(media) => AssistantPart::Media(media),
                Content::Native(native) => AssistantPart::Native(native),
            }),
        }
    }
    Ok(parts)
}

fn tool_call<'a>(value: Node<'a>, losses: &mut Losses) -> Result<ToolCall<'a>, Malformed> {
    let mut fields = Fields::of(value)?;
    let at = fields.at;
    let id = fields.needed_text("toolUseId")?.value;
    let name = fields.needed_text("name")?.value;
    let arguments = arguments(&fields.needed("input")?)?;
    fields.finish(losses);
    Ok(ToolCall { id, name, arguments, seal: None, cache: None, at })
}

fn add_reasoning<'a>(
    parts: &mut Vec<AssistantPart<'a>>,
    value: Node<'a>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let Union { name, value: inner, whole: _ } = union(value)?;
    let at = inner.at;
    let reasoning = |text, is_summary| Reasoning { text, is_summary, seal: None, id: None, at };
    match name.as_ref() {
        "reasoningText" => {
            let mut fields = Fields::of(inner)?;
            let text = fields.needed_text("text")?.value;
            let signature = fields.text("signature")?.map(|signature| signature.value);
            fields.finish(losses);
            let seal = signature.filter(|signature| !signature.is_empty()).map(signed);
            let is_summary = matches!(&seal, Some(Found::Own(seal)) if is_of_a_summary(seal));
            let is_summary = is_summary && !text.is_empty();
            seal::add_reasoning(parts, seal, reasoning(text, is_summary));
        }
        "redactedContent" => {
            let content = text_of(&inner)?.text;
            let withheld = reasoning(Cow::Borrowed(""), false);
            seal::add_reasoning(parts, Some(redacted::read(content)), withheld);
        }
        _ => losses.unknown(at),
    }
    Ok(())
}

/// The seal that a `signature` is.
pub(super) fn signed(signature: Cow<'_, str>) -> Found<'_> {
    seal::read(Maker::Anthropic, signature, SealKind::Signature)
}

/// Text with what it rests on.
fn cited<'a>(value: Node<'a>, losses: &mut Losses) -> Result<Text<'a>, Malformed> {
    let mut fields = Fields::of(value)?;
    let at = fields.at;
    let mut text = Cow::Borrowed("");
    for generated in fields.list("content")? {
        let more = text_of(&union(generated)?.value)?.text;
        text = if text.is_empty() { more } else { text + more };
    }
    let citations = fields.list("citations")?.iter().map(citation).collect();
    fields.finish(losses);
    Ok(Text { citations, ..Text::plain(text, at) })
}

/// A citation: what all dialects know of one, and the whole.
pub(super) fn citation<'a>(node: &Node<'a>) -> Citation<'a> {
    let web = node.member("location").and_then(|location| location.member("web"));
    let first_words = node.member("sourceContent").and_then(|content| match &content.value {
        Value::List(list) => list.first(),
        _ => None,
    });
    Citation {
        url: web.and_then(|web| web.text_of("url")),
        title: node.text_of("title"),
        cited_text: first_words.and_then(|words| words.text_of("text")),
        span: None,
        native: Some(native(node)),
    }
}

/// A medium; one that lies in Amazon's own storage only Amazon can fetch, so it is carried as it stands.
fn media<'a>(
    kind: MediaKind,
    value: Node<'a>,
    whole: Native<'a>,
    losses: &mut Losses,
) -> Result<Content<'a>, Malformed> {
    let mut fields = Fields::of(value)?;
    let at = fields.at;
    let format = fields.text("format")?;
    let title = fields.text("name")?;
    let context = fields.text("context")?;
    let mut cites = None;
    if let Some(mut config) = fields.object("citations")? {
        cites = config.truth("enabled")?;
        config.finish(losses);
    }
    let Union { name, value: inner, whole: _ } = union(fields.needed("source")?)?;
    let media_type = format.as_ref().and_then(|format| media_type(kind, &format.value));
    if let Some(format) = format.filter(|_| media_type.is_none()) {
        losses.unknown(format.at);
    }
    let media_type = Cow::Borrowed(media_type.unwrap_or_default());
    let source = match name.as_ref() {
        "bytes" => Source::Base64 { media_type, data: text_of(&inner)?.text },
        "text" => {
            let media_type = if media_type.is_empty() { Cow::Borrowed("text/plain") } else { media_type };
            Source::Text { media_type, text: text_of(&inner)?.text }
        }
        "content" => {
            let Value::List(list) = inner.value else { return Err(Malformed::new(inner.at, "an array")) };
            let read = |block: Node<'a>| Ok(Content::Text(text_of(&union(block)?.value)?));
            Source::Parts(list.into_iter().map(read).collect::<Result<_, Malformed>>()?)
        }
        _ => return Ok(Content::Native(whole)),
    };
    fields.finish(losses);
    Ok(Content::Media(Media { kind, source, detail: None, title, context, cites, cache: None, at }))
}

pub(super) fn native<'a>(node: &Node<'a>) -> Native<'a> {
    Native { owner: Maker::Bedrock, name: Cow::Borrowed(""), value: Raw::borrowed(node.raw), at: node.at }
}
