//! Content blocks, read.

use super::words::{INVALID_JSON, cache_ttl};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Arguments, AssistantPart, CacheMark, Citation, Content, Maker, Media, MediaKind, Native, Raw, Reasoning,
    Seal, SealKind, Source, Spot, Text, ToolCall, ToolResult,
};
use crate::translate::seal::{self, Found, is_of_a_summary};
use std::borrow::Cow;

/// What a `content` holds: one text, or blocks.
pub(super) enum Blocks<'a> {
    Text(Text<'a>),
    List(Vec<Node<'a>>),
}

pub(super) fn blocks(content: Node<'_>) -> Result<Blocks<'_>, Malformed> {
    if let Some(text) = content.text() {
        return Ok(Blocks::Text(Text::plain(text, content.at)));
    }
    match content.value {
        Value::List(elements) => Ok(Blocks::List(elements)),
        _ => Err(Malformed::new(content.at, "a string or an array of content blocks")),
    }
}

/// The texts of a `system` prompt or a system message.
pub(super) fn texts<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Text<'a>>, Malformed> {
    let list = match blocks(content)? {
        Blocks::Text(text) => return Ok(vec![text]),
        Blocks::List(list) => list,
    };
    let mut texts = Vec::with_capacity(list.len());
    for block in list {
        let at = block.at;
        if block.text_of("type").as_deref() == Some("text") {
            texts.push(text(Fields::of(block)?, losses)?);
        } else {
            losses.note(at, "instructions can be text only");
        }
    }
    Ok(texts)
}

/// One block of a user's, or of a tool's result.
pub(super) fn content<'a>(block: Node<'a>, losses: &mut Losses) -> Result<Content<'a>, Malformed> {
    let kind = kind(&block)?;
    Ok(match kind.as_ref() {
        "text" => Content::Text(text(Fields::of(block)?, losses)?),
        "image" => Content::Media(media(MediaKind::Image, Fields::of(block)?, losses)?),
        "document" => Content::Media(media(MediaKind::Document, Fields::of(block)?, losses)?),
        _ => Content::Native(native(&block)),
    })
}

pub(super) fn tool_result<'a>(block: Node<'a>, losses: &mut Losses) -> Result<ToolResult<'a>, Malformed> {
    let mut fields = Fields::of(block)?;
    let at = fields.at;
    fields.take("type");
    let call_id = fields.needed_text("tool_use_id")?.value;
    let is_error = fields.truth("is_error")?.filter(|failed| failed.value).map(|failed| failed.map(|_| ()));
    let cache = cache(&mut fields, losses)?;
    let mut parts = Vec::new();
    match fields.take("content").map(blocks).transpose()? {
        None => {}
        Some(Blocks::Text(text)) => parts.push(Content::Text(text)),
        Some(Blocks::List(list)) => {
            for block in list {
                parts.push(content(block, losses)?);
            }
        }
    }
    fields.finish(losses);
    Ok(ToolResult { call_id, parts, is_error, cache, at })
}

/// The blocks of an assistant, in an answer or replayed.
pub(super) fn assistant<'a>(
    list: Vec<Node<'a>>,
    losses: &mut Losses,
) -> Result<Vec<AssistantPart<'a>>, Malformed> {
    let mut parts = Vec::with_capacity(list.len());
    for block in list {
        let kind = kind(&block)?;
        match kind.as_ref() {
            "text" => parts.push(AssistantPart::Text(text(Fields::of(block)?, losses)?)),
            "tool_use" => parts.push(AssistantPart::ToolCall(tool_call(Fields::of(block)?, losses)?)),
            "thinking" => {
                let mut fields = Fields::of(block)?;
                fields.take("type");
                let text = fields.needed_text("thinking")?.value;
                let signature = fields.text("signature")?.map(|signature| signature.value);
                let signature = signature.filter(|signature| !signature.is_empty());
                let seal =
                    signature.map(|signature| seal::read(Maker::Anthropic, signature, SealKind::Signature));
                let is_summary =
                    !text.is_empty() && matches!(&seal, Some(Found::Own(seal)) if is_of_a_summary(seal));
                let thought = Reasoning { is_summary, ..thought(text, fields.at) };
                seal::add_reasoning(&mut parts, seal, thought);
                fields.finish(losses);
            }
            "redacted_thinking" => {
                let mut fields = Fields::of(block)?;
                fields.take("type");
                let data = fields.needed_text("data")?.value;
                let seal = Some(seal::read(Maker::Anthropic, data, SealKind::Encrypted));
                seal::add_reasoning(&mut parts, seal, thought(Cow::Borrowed(""), fields.at));
                fields.finish(losses);
            }
            _ => parts.push(AssistantPart::Native(native(&block))),
        }
    }
    Ok(parts)
}

const fn thought(text: Cow<'_, str>, at: Spot) -> Reasoning<'_> {
    Reasoning { text, is_summary: false, seal: None, id: None, at }
}

fn text<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Text<'a>, Malformed> {
    let at = fields.at;
    fields.take("type");
    let text = fields.needed_text("text")?.value;
    let citations = fields.list("citations")?.iter().map(citation).collect();
    let cache = cache(&mut fields, losses)?;
    fields.finish(losses);
    Ok(Text { text, citations, seal: None::<Seal<'a>>, cache, at })
}

/// A citation: what all dialects know of one, and the whole.
pub(super) fn citation<'a>(node: &Node<'a>) -> Citation<'a> {
    let url = || {
        let is_on_the_web = node.text_of("type").as_deref() == Some("web_search_result_location");
        is_on_the_web.then(|| node.text_of("url")).flatten()
    };
    Citation {
        url: url(),
        title: node.text_of("title").or_else(|| node.text_of("document_title")),
        cited_text: node.text_of("cited_text"),
        span: None,
        native: Some(native(node)),
    }
}

fn tool_call<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<ToolCall<'a>, Malformed> {
    let at = fields.at;
    fields.take("type");
    let id = fields.needed_text("id")?.value;
    let name = fields.needed_text("name")?.value;
    let input = fields.needed("input")?;
    let cache = cache(&mut fields, losses)?;
    // That the model itself made the call goes without saying; that its own code did, does not.
    if let Some(caller) = fields.take("caller")
        && caller.text_of("type").as_deref() != Some("direct")
    {
        losses.unknown(caller.at);
    }
    fields.finish(losses);
    Ok(ToolCall { id, name, arguments: arguments(&input)?, seal: None, cache, at })
}

/// What a call is made with.
pub(in crate::translate) fn arguments<'a>(input: &Node<'a>) -> Result<Arguments<'a>, Malformed> {
    let Value::Object(members) = &input.value else { return Err(Malformed::new(input.at, "an object")) };
    if let [(name, broken)] = members.as_slice()
        && name == INVALID_JSON
        && let Some(text) = broken.text()
    {
        return Ok(Arguments::Broken(text));
    }
    Ok(Arguments::Object(Raw::borrowed(input.raw)))
}

fn media<'a>(kind: MediaKind, mut fields: Fields<'a>, losses: &mut Losses) -> Result<Media<'a>, Malformed> {
    let at = fields.at;
    fields.take("type");
    let source = source(Fields::of(fields.needed("source")?)?, losses)?;
    let title = fields.text("title")?;
    let context = fields.text("context")?;
    let cites = match fields.object("citations")? {
        Some(mut citations) => {
            let enabled = citations.truth("enabled")?;
            citations.finish(losses);
            enabled
        }
        None => None,
    };
    let cache = cache(&mut fields, losses)?;
    fields.finish(losses);
    Ok(Media { kind, source, detail: None, title, context, cites, cache, at })
}

fn source<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Source<'a>, Malformed> {
    let kind = fields.needed_text("type")?;
    let source = match kind.value.as_ref() {
        "base64" => Source::Base64 {
            media_type: fields.needed_text("media_type")?.value,
            data: fields.needed_text("data")?.value,
        },
        "text" => Source::Text {
            media_type: fields.needed_text("media_type")?.value,
            text: fields.needed_text("data")?.value,
        },
        "url" => Source::Url(fields.needed_text("url")?.value),
        "file" => Source::Stored { owner: Maker::Anthropic, id: fields.needed_text("file_id")?.value },
        "content" => {
            let mut parts = Vec::new();
            match blocks(fields.needed("content")?)? {
                Blocks::Text(text) => parts.push(Content::Text(text)),
                Blocks::List(list) => {
                    for block in list {
                        parts.push(content(block, losses)?);
                    }
                }
            }
            Source::Parts(parts)
        }
        _ => return Err(Malformed::new(kind.at, "`base64`, `url`, `text`, `content` or `file`")),
    };
    fields.finish(losses);
    Ok(source)
}

pub(super) fn cache(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<CacheMark>, Malformed> {
    let Some(mut mark) = fields.object("cache_control")? else { return Ok(None) };
    let at = mark.at;
    mark.take("type");
    let ttl = mark.text("ttl")?;
    let known = ttl.as_ref().and_then(|ttl| cache_ttl(&ttl.value));
    if let Some(ttl) = ttl.filter(|_| known.is_none()) {
        losses.unknown(ttl.at);
    }
    mark.finish(losses);
    Ok(Some(CacheMark { ttl: known, at }))
}

pub(super) fn kind<'a>(block: &Node<'a>) -> Result<Cow<'a, str>, Malformed> {
    block.text_of("type").ok_or_else(|| Malformed::missing(block.at, "type"))
}

pub(super) fn native<'a>(node: &Node<'a>) -> Native<'a> {
    Native { owner: Maker::Anthropic, name: Cow::Borrowed(""), value: Raw::borrowed(node.raw), at: node.at }
}
