//! Items, read: those of a request's `input`, and those of an answer's `output`.

use super::items::MADE_REASONING_ID;
use super::read_parts::{contents, native, said, texts};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Arguments, AssistantPart, Authority, Content, Field, Maker, Raw, Reasoning, SealKind, Text, ToolCall,
    ToolResult, Turn,
};
use crate::translate::openai::content::list;
use crate::translate::seal;
use std::borrow::Cow;

/// An `input`: what the user says, or items.
pub(super) fn read_input<'a>(
    input: Node<'a>,
    turns: &mut Vec<Turn<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let at = Field { value: (), at: input.at };
    if let Some(text) = input.text() {
        let parts = vec![Content::Text(Text::plain(text, input.at))];
        turns.push(Turn::User { parts, name: None, at });
        return Ok(());
    }
    let Value::List(items) = input.value else {
        return Err(Malformed::new(input.at, "a string or an array of items"));
    };
    for item in items {
        read_item(item, turns, losses)?;
    }
    Ok(())
}

fn read_item<'a>(item: Node<'a>, turns: &mut Vec<Turn<'a>>, losses: &mut Losses) -> Result<(), Malformed> {
    let at = Field { value: (), at: item.at };
    let role = item.text_of("role");
    match (item.text_of("type").as_deref(), role.as_deref()) {
        (Some("message") | None, Some("assistant")) => {}
        (Some("message"), _) | (None, Some(_)) => {
            turns.push(read_message(item, at, losses)?);
            return Ok(());
        }
        (Some("function_call_output" | "custom_tool_call_output"), _) => {
            let result = read_result(Fields::of(item)?, losses)?;
            match turns.last_mut() {
                Some(Turn::Tools(results)) => results.push(result),
                _ => turns.push(Turn::Tools(vec![result])),
            }
            return Ok(());
        }
        // A bare id stands for an item that the provider keeps.
        _ => {}
    }
    let (mut parts, at) = match turns.pop() {
        Some(Turn::Assistant { parts, name: _, at }) => (parts, at),
        other => {
            turns.extend(other);
            (Vec::new(), at)
        }
    };
    read_output(item, &mut parts, losses)?;
    if !parts.is_empty() {
        turns.push(Turn::Assistant { parts, name: None, at });
    }
    Ok(())
}

fn read_message<'a>(item: Node<'a>, at: Field<()>, losses: &mut Losses) -> Result<Turn<'a>, Malformed> {
    let mut fields = Fields::of(item)?;
    forget(&mut fields, &["type", "id", "status"]);
    let role = fields.needed_text("role")?;
    let content = fields.needed("content")?;
    fields.finish(losses);
    let authority = match role.value.as_ref() {
        "user" => return Ok(Turn::User { parts: contents(content, losses)?, name: None, at }),
        "system" => Authority::System,
        "developer" => Authority::Developer,
        _ => return Err(Malformed::new(role.at, "`user`, `assistant`, `system` or `developer`")),
    };
    Ok(Turn::Instructions { authority, parts: texts(content, losses)?, name: None, at })
}

/// Results name their call by `call_id`; their own `id`, and which tool it was, say nothing more.
fn read_result<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<ToolResult<'a>, Malformed> {
    forget(&mut fields, &["type", "id", "status", "name"]);
    forget_direct_caller(&mut fields, losses);
    let call_id = fields.needed_text("call_id")?.value;
    let parts = contents(fields.needed("output")?, losses)?;
    let at = fields.at;
    fields.finish(losses);
    Ok(ToolResult { call_id, parts, is_error: None, cache: None, at })
}

/// One item of the model's, added to what it has said in the same turn.
pub(super) fn read_output<'a>(
    item: Node<'a>,
    parts: &mut Vec<AssistantPart<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let kind = item.text_of("type");
    let is_message = kind.is_none() && item.member("role").is_some();
    match kind.as_deref() {
        None if is_message => read_said(Fields::of(item)?, parts, losses),
        Some("message") => read_said(Fields::of(item)?, parts, losses),
        Some("reasoning") => read_reasoning(Fields::of(item)?, parts, losses),
        Some(kind @ ("function_call" | "custom_tool_call")) => {
            let is_custom = kind == "custom_tool_call";
            parts.push(AssistantPart::ToolCall(read_call(Fields::of(item)?, is_custom, losses)?));
            Ok(())
        }
        _ => {
            parts.push(AssistantPart::Native(native(&item)));
            Ok(())
        }
    }
}

fn read_said<'a>(
    mut fields: Fields<'a>,
    parts: &mut Vec<AssistantPart<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    forget(&mut fields, &["type", "id", "role", "status"]);
    let content = fields.needed("content")?;
    fields.finish(losses);
    if let Some(text) = content.text() {
        parts.push(AssistantPart::Text(Text::plain(text, content.at)));
        return Ok(());
    }
    let mut start = parts.iter().map(length).sum();
    for part in list(content)? {
        match part.text_of("type").as_deref() {
            Some("output_text" | "input_text" | "text") => {
                let text = AssistantPart::Text(said(Fields::of(part)?, start, losses)?);
                start += length(&text);
                parts.push(text);
            }
            Some("refusal") => {
                let mut fields = Fields::of(part)?;
                fields.take("type");
                let refusal = fields.needed_text("refusal")?;
                fields.finish(losses);
                parts.push(AssistantPart::Refusal(Text::plain(refusal.value, refusal.at)));
            }
            _ => losses.unknown(part.at),
        }
    }
    Ok(())
}

/// The characters of a text.
fn length(part: &AssistantPart<'_>) -> u64 {
    match part {
        AssistantPart::Text(text) => text.text.chars().count() as u64,
        _ => 0,
    }
}

/// A reasoning item: its summaries, its text, and its seal on the last of them.
fn read_reasoning<'a>(
    mut fields: Fields<'a>,
    parts: &mut Vec<AssistantPart<'a>>,
    losses: &mut Losses,
) -> Result<(), Malformed> {
    let at = fields.at;
    forget(&mut fields, &["type", "status"]);
    let id = fields.text("id")?.map(|id| id.value).filter(|id| !id.starts_with(MADE_REASONING_ID));
    let sealed = fields.text("encrypted_content")?.map(|sealed| sealed.value);
    let sealed = sealed.filter(|sealed| !sealed.is_empty());
    let mut stretches = Vec::new();
    for (field, is_summary) in [("summary", true), ("content", false)] {
        for part in fields.list(field)? {
            let at = part.at;
            let text = part.text_of("text").ok_or_else(|| Malformed::missing(at, "text"))?;
            stretches.push(Reasoning { text, is_summary, seal: None, id: id.clone(), at });
        }
    }
    fields.finish(losses);
    let last = stretches.pop();
    parts.extend(stretches.into_iter().map(AssistantPart::Reasoning));
    match (last, sealed) {
        (None, None) => losses.note(at, "reasoning that its provider keeps can't be told to another"),
        (Some(last), None) => parts.push(AssistantPart::Reasoning(last)),
        (last, Some(sealed)) => {
            let found = seal::read(Maker::OpenAi, sealed, SealKind::Encrypted);
            let withheld = Reasoning { text: Cow::Borrowed(""), is_summary: false, seal: None, id, at };
            seal::add_reasoning(parts, Some(found), last.unwrap_or(withheld));
        }
    }
    Ok(())
}

/// A call is known by its `call_id`; the `id` is the item's own.
fn read_call<'a>(
    mut fields: Fields<'a>,
    is_custom: bool,
    losses: &mut Losses,
) -> Result<ToolCall<'a>, Malformed> {
    let at = fields.at;
    forget(&mut fields, &["type", "id", "status"]);
    forget_direct_caller(&mut fields, losses);
    let id = fields.needed_text("call_id")?.value;
    let name = fields.needed_text("name")?.value;
    let arguments = if is_custom {
        Arguments::Free(fields.needed_text("input")?.value)
    } else {
        arguments(fields.take("arguments"))
    };
    fields.finish(losses);
    Ok(ToolCall { id, name, arguments, seal: None, cache: None, at })
}

fn arguments(told: Option<Node<'_>>) -> Arguments<'_> {
    let Some(node) = told else { return Arguments::of_text(Cow::Borrowed("")) };
    match (node.text(), &node.value) {
        (Some(text), _) => Arguments::of_text(text),
        (None, Value::Object(_)) => Arguments::Object(Raw::borrowed(node.raw)),
        (None, _) => Arguments::Broken(node.raw.into()),
    }
}

/// That the model itself made the call goes without saying; that a program of its did, does not.
fn forget_direct_caller(fields: &mut Fields<'_>, losses: &mut Losses) {
    if let Some(caller) = fields.take("caller")
        && caller.text_of("type").as_deref() != Some("direct")
    {
        losses.unknown(caller.at);
    }
}

fn forget(fields: &mut Fields<'_>, names: &[&str]) {
    for name in names {
        fields.take(name);
    }
}
