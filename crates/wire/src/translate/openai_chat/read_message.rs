//! Messages, read: those of a request, and the one of an answer.

use super::details;
use super::read_parts::{contents, native, text, texts};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Arguments, AssistantPart, Authority, Citation, Field, Maker, Raw, Reasoning, Seal, SealKind, Text,
    ToolCall, ToolResult, Turn,
};
use crate::translate::openai::cache::cache;
use crate::translate::openai::content::list;
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
            "system" | "developer" => {
                let is_system = role.value == "system";
                let authority = if is_system { Authority::System } else { Authority::Developer };
                let parts = texts(fields.needed("content")?, losses)?;
                turns.push(Turn::Instructions { authority, parts, name: fields.text("name")?, at });
            }
            "user" => {
                let parts = contents(fields.needed("content")?, losses)?;
                turns.push(Turn::User { parts, name: fields.text("name")?, at });
            }
            "assistant" => {
                let parts = assistant(&mut fields, losses)?;
                turns.push(Turn::Assistant { parts, name: fields.text("name")?, at });
            }
            "tool" => {
                let result = tool_result(&mut fields, losses)?;
                if let Some(Turn::Tools(results)) = turns.last_mut() {
                    results.push(result);
                } else {
                    turns.push(Turn::Tools(vec![result]));
                }
            }
            // The results of `function_call`, which both went when tools came.
            "function" => {
                losses.note(at.at, "functions are superseded; use tools");
                continue;
            }
            _ => {
                return Err(Malformed::new(role.at, "`system`, `developer`, `user`, `assistant` or `tool`"));
            }
        }
        fields.finish(losses);
    }
    Ok(turns)
}

fn tool_result<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<ToolResult<'a>, Malformed> {
    let at = fields.at;
    // Which tool it was is told by the call.
    fields.take("name");
    let call_id = fields.needed_text("tool_call_id")?.value;
    let parts = match fields.take("content") {
        Some(content) => contents(content, losses)?,
        None => Vec::new(),
    };
    Ok(ToolResult { call_id, parts, is_error: None, cache: cache(fields, losses)?, at })
}

/// What an assistant's message says, whether of an answer or replayed. Its name, and what nobody knows,
/// are left in the fields.
pub(super) fn assistant<'a>(
    fields: &mut Fields<'a>,
    losses: &mut Losses,
) -> Result<Vec<AssistantPart<'a>>, Malformed> {
    let mut parts = Vec::new();
    if let Some(content) = fields.take("content") {
        read_content(content, &mut parts, losses)?;
    }
    add_citations(fields.list("annotations")?, &mut parts, losses);
    if let Some(refusal) = fields.text("refusal")? {
        parts.push(AssistantPart::Refusal(Text::plain(refusal.value, refusal.at)));
    }
    for call in fields.list("tool_calls")? {
        parts.push(AssistantPart::ToolCall(tool_call(call, losses)?));
    }
    // Mistral has it in every message, and its SDK sends it back: whether the answer is to begin with this.
    if let Some(prefix) = fields.truth("prefix")?.filter(|prefix| prefix.value) {
        losses.note(prefix.at, "an answer can't be told how to begin");
    }
    let details = fields.take("reasoning_details").map(list).transpose()?;
    let text = [fields.text("reasoning")?, fields.text("reasoning_content")?];
    match details {
        // The text beside the details is theirs once more.
        Some(details) if !details.is_empty() => weave(details::read(details, losses)?, parts),
        _ => {
            let told = text.into_iter().flatten().find(|text| !text.value.is_empty());
            let reasoning = told.map(|text| {
                let Field { value: text, at } = text;
                AssistantPart::Reasoning(Reasoning { text, is_summary: false, seal: None, id: None, at })
            });
            Ok(reasoning.into_iter().chain(parts).collect())
        }
    }
}

/// Puts reasoning where it was among the parts; where that isn't told, before them.
fn weave<'a>(
    reasoning: Vec<(Option<u64>, Reasoning<'a>)>,
    parts: Vec<AssistantPart<'a>>,
) -> Result<Vec<AssistantPart<'a>>, Malformed> {
    let mut woven = Vec::with_capacity(reasoning.len() + parts.len());
    let mut parts = parts.into_iter();
    for (position, reasoning) in reasoning {
        let before = position.unwrap_or(0).saturating_sub(woven.len() as u64);
        woven.extend(parts.by_ref().take(usize::try_from(before).unwrap_or(usize::MAX)));
        woven.push(AssistantPart::Reasoning(reasoning));
    }
    woven.extend(parts);
    Ok(woven)
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
    for part in list(content)? {
        match part.text_of("type").as_deref() {
            Some("text") => parts.push(AssistantPart::Text(text(Fields::of(part)?, losses)?)),
            Some("refusal") => {
                let mut fields = Fields::of(part)?;
                fields.take("type");
                let refusal = fields.needed_text("refusal")?;
                parts.push(AssistantPart::Refusal(Text::plain(refusal.value, refusal.at)));
                fields.finish(losses);
            }
            // Mistral's reasoning: `{"type": "thinking", "thinking": [{"type": "text", "text"}]}`.
            Some("thinking") => {
                let at = part.at;
                let mut fields = Fields::of(part)?;
                fields.take("type");
                fields.take("closed");
                let mut text = String::new();
                for said in fields.list("thinking")? {
                    text.push_str(&said.text_of("text").unwrap_or_default());
                }
                fields.finish(losses);
                let text = Cow::Owned(text);
                let reasoning = Reasoning { text, is_summary: false, seal: None, id: None, at };
                parts.push(AssistantPart::Reasoning(reasoning));
            }
            _ => parts.push(AssistantPart::Native(native(&part))),
        }
    }
    Ok(())
}

/// The sources of a message's text belong to its last text.
fn add_citations<'a>(annotations: Vec<Node<'a>>, parts: &mut [AssistantPart<'a>], losses: &mut Losses) {
    let mut last = parts.iter_mut().rev().find_map(|part| match part {
        AssistantPart::Text(text) => Some(text),
        _ => None,
    });
    for annotation in annotations {
        match (&mut last, citation(&annotation)) {
            (Some(text), Some(citation)) => text.citations.push(citation),
            _ => losses.unknown(annotation.at),
        }
    }
}

pub(super) fn citation<'a>(annotation: &Node<'a>) -> Option<Citation<'a>> {
    let told = annotation.member("url_citation")?;
    let span = told.count_of("start_index").zip(told.count_of("end_index"));
    Some(Citation {
        url: told.text_of("url"),
        title: told.text_of("title"),
        cited_text: None,
        span,
        native: None,
    })
}

fn tool_call<'a>(call: Node<'a>, losses: &mut Losses) -> Result<ToolCall<'a>, Malformed> {
    let mut fields = Fields::of(call)?;
    let at = fields.at;
    let is_custom = fields.text("type")?.is_some_and(|kind| kind.value == "custom");
    fields.take("index");
    let id = fields.needed_text("id")?.value;
    let mut seal = None;
    if let Some(extra) = fields.take("extra_content") {
        seal = seal_of_call(&extra);
        if seal.is_none() {
            losses.unknown(extra.at);
        }
    }
    let mut inner = Fields::of(fields.needed(if is_custom { "custom" } else { "function" })?)?;
    let name = inner.needed_text("name")?.value;
    let arguments = if is_custom {
        Arguments::Free(inner.needed_text("input")?.value)
    } else {
        arguments(inner.take("arguments"))
    };
    inner.finish(losses);
    fields.finish(losses);
    Ok(ToolCall { id, name, arguments, seal, cache: None, at })
}

fn arguments(told: Option<Node<'_>>) -> Arguments<'_> {
    match told {
        None => Arguments::of_text(Cow::Borrowed("")),
        Some(node) => match (node.text(), &node.value) {
            (Some(text), _) => Arguments::of_text(text),
            // Mistral's can be the object itself.
            (None, Value::Object(_)) => Arguments::Object(Raw::borrowed(node.raw)),
            (None, _) => Arguments::Broken(node.raw.into()),
        },
    }
}

/// Google's own way to carry `thoughtSignature` in this dialect.
pub(super) fn seal_of_call<'a>(extra: &Node<'a>) -> Option<Seal<'a>> {
    let data = extra.member("google")?.text_of("thought_signature")?;
    Some(Seal { maker: Maker::Gemini, kind: SealKind::Signature, data })
}
