//! Messages, read: those of a request, and the one of an answer.

use super::citations::{self, native, note_misplaced};
use super::{documents, words};
use crate::translate::data_url;
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Arguments, AssistantPart, Authority, Content, Field, Media, MediaKind, Reasoning, Text, ToolCall,
    ToolResult, Turn,
};
use std::borrow::Cow;

pub(super) fn read_turns<'a>(
    messages: Vec<Node<'a>>,
    losses: &mut Losses,
) -> Result<Vec<Turn<'a>>, Malformed> {
    let mut turns: Vec<Turn<'a>> = Vec::with_capacity(messages.len());
    for message in messages {
        let mut fields = Fields::of(message)?;
        let at = Field { value: (), at: fields.at };
        let role = fields.needed_text("role")?;
        match role.value.as_ref() {
            "system" => {
                let parts = texts(fields.needed("content")?, losses)?;
                turns.push(Turn::Instructions { authority: Authority::System, parts, name: None, at });
            }
            "user" => {
                let parts = contents(fields.needed("content")?, losses)?;
                turns.push(Turn::User { parts, name: None, at });
            }
            "assistant" => {
                let parts = assistant(&mut fields, losses)?;
                turns.push(Turn::Assistant { parts, name: None, at });
            }
            "tool" => {
                let call_id = fields.needed_text("tool_call_id")?.value;
                let parts = contents(fields.needed("content")?, losses)?;
                let parts = parts.into_iter().map(documents::bare).collect();
                let result = ToolResult { call_id, parts, is_error: None, cache: None, at: at.at };
                if let Some(Turn::Tools(results)) = turns.last_mut() {
                    results.push(result);
                } else {
                    turns.push(Turn::Tools(vec![result]));
                }
            }
            _ => return Err(Malformed::new(role.at, "`system`, `user`, `assistant` or `tool`")),
        }
        fields.finish(losses);
    }
    Ok(turns)
}

fn texts<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Text<'a>>, Malformed> {
    let mut texts = Vec::new();
    for part in contents(content, losses)? {
        match part {
            Content::Text(text) => texts.push(text),
            Content::Media(media) => losses.note(media.at, "instructions can be text only"),
            Content::Native(native) => losses.note(native.at, "instructions can be text only"),
        }
    }
    Ok(texts)
}

/// A `content`: a string, or parts.
fn contents<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Content<'a>>, Malformed> {
    if let Some(text) = content.text() {
        return Ok(vec![Content::Text(Text::plain(text, content.at))]);
    }
    let mut parts = Vec::new();
    for part in list(content)? {
        parts.push(content_of(part, losses)?);
    }
    Ok(parts)
}

fn list(content: Node<'_>) -> Result<Vec<Node<'_>>, Malformed> {
    match content.value {
        Value::List(parts) => Ok(parts),
        _ => Err(Malformed::new(content.at, "a string or an array of content blocks")),
    }
}

fn content_of<'a>(part: Node<'a>, losses: &mut Losses) -> Result<Content<'a>, Malformed> {
    let kind = part.text_of("type").ok_or_else(|| Malformed::missing(part.at, "type"))?;
    if !matches!(kind.as_ref(), "text" | "image_url" | "document") {
        return Ok(Content::Native(native(&part)));
    }
    let mut fields = Fields::of(part)?;
    fields.take("type");
    let content = match kind.as_ref() {
        "text" => {
            let text = fields.needed_text("text")?;
            Content::Text(Text::plain(text.value, fields.at))
        }
        "image_url" => Content::Media(image(fields.needed("image_url")?, losses)?),
        _ => Content::Media(documents::read(fields.needed("document")?, losses)?),
    };
    fields.finish(losses);
    Ok(content)
}

fn image<'a>(node: Node<'a>, losses: &mut Losses) -> Result<Media<'a>, Malformed> {
    let mut fields = Fields::of(node)?;
    let url = fields.needed_text("url")?.value;
    let told = fields.text("detail")?;
    let detail = told.as_ref().and_then(|told| words::detail(&told.value));
    let detail = told.and_then(|told| match detail {
        Some(value) => Some(Field { value, at: told.at }),
        None => {
            losses.unknown(told.at);
            None
        }
    });
    let at = fields.at;
    fields.finish(losses);
    Ok(Media {
        kind: MediaKind::Image,
        source: data_url::read(url),
        detail,
        title: None,
        context: None,
        cites: None,
        cache: None,
        at,
    })
}

/// What an assistant's message says, whether of an answer or replayed; what nobody knows is left in the
/// fields. Its plan comes behind its content and before the calls that it is of.
pub(super) fn assistant<'a>(
    fields: &mut Fields<'a>,
    losses: &mut Losses,
) -> Result<Vec<AssistantPart<'a>>, Malformed> {
    let mut parts = Vec::new();
    if let Some(content) = fields.take("content") {
        read_content(content, &mut parts, losses)?;
    }
    add_citations(&fields.list("citations")?, &mut parts, losses);
    if let Some(plan) = fields.text("tool_plan")?.filter(|plan| !plan.value.is_empty()) {
        parts.push(reasoning(plan, true));
    }
    for call in fields.list("tool_calls")? {
        parts.push(AssistantPart::ToolCall(tool_call(call, losses)?));
    }
    Ok(parts)
}

fn reasoning<'a>(said: Field<Cow<'a, str>>, is_summary: bool) -> AssistantPart<'a> {
    let Field { value: text, at } = said;
    AssistantPart::Reasoning(Reasoning { text, is_summary, seal: None, id: None, at })
}

fn read_content<'a>(
    content: Node<'a>,
    parts: &mut Vec<AssistantPart<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    if let Some(said) = content.text() {
        parts.push(AssistantPart::Text(Text::plain(said, content.at)));
        return Ok(());
    }
    for block in list(content)? {
        let kind = block.text_of("type").ok_or_else(|| Malformed::missing(block.at, "type"))?;
        let name = match kind.as_ref() {
            "text" => "text",
            "thinking" => "thinking",
            _ => {
                parts.push(AssistantPart::Native(native(&block)));
                continue;
            }
        };
        let mut fields = Fields::of(block)?;
        fields.take("type");
        let said = fields.needed_text(name)?;
        parts.push(if name == "text" {
            AssistantPart::Text(Text::plain(said.value, fields.at))
        } else {
            reasoning(said, false)
        });
        fields.finish(losses);
    }
    Ok(())
}

/// Gives citations to the texts that they are of: to the block that they name, else to the first text.
fn add_citations<'a>(told: &[Node<'a>], parts: &mut [AssistantPart<'a>], losses: &mut Losses) {
    for node in told {
        let named = node.count_of("content_index").and_then(|index| usize::try_from(index).ok());
        let is_text = |part: &AssistantPart<'_>| matches!(part, AssistantPart::Text(_));
        let position = match named {
            Some(index) => index,
            None => parts.iter().position(is_text).unwrap_or(0),
        };
        let before = parts.iter().take(position).map(text_length).sum();
        let told = citations::read(node, before);
        match parts.get_mut(position) {
            Some(AssistantPart::Text(text)) if told.is_of_text => text.citations.push(told.citation),
            _ => note_misplaced(node.at, losses),
        }
    }
}

fn text_length(part: &AssistantPart<'_>) -> u64 {
    match part {
        AssistantPart::Text(text) => text.text.chars().count() as u64,
        _ => 0,
    }
}

fn tool_call<'a>(call: Node<'a>, losses: &mut Losses) -> Result<ToolCall<'a>, Malformed> {
    let mut fields = Fields::of(call)?;
    let at = fields.at;
    fields.take("type");
    let id = fields.needed_text("id")?.value;
    let mut function = Fields::of(fields.needed("function")?)?;
    let name = function.needed_text("name")?.value;
    let arguments = function.text("arguments")?.map(|arguments| arguments.value).unwrap_or_default();
    function.finish(losses);
    fields.finish(losses);
    Ok(ToolCall { id, name, arguments: Arguments::of_text(arguments), seal: None, cache: None, at })
}
