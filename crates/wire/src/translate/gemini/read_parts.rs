//! Parts of a `Content`, read.

use super::calls::Calls;
use super::seal;
use super::words::{media_kind, media_type_of};
use crate::translate::anthropic::read_parts::arguments;
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Arguments, AssistantPart, Content, Detail, Field, Maker, Media, MediaKind, Native, Raw, Reasoning, Seal,
    SealKind, Source, Spot, Text, ToolCall, ToolResult,
};
use std::borrow::Cow;

/// A field that holds a list, or one value where a list is meant.
pub(super) fn several<'a>(fields: &mut Fields<'a>, name: &str) -> Vec<Node<'a>> {
    match fields.take(name) {
        None => Vec::new(),
        Some(Node { value: Value::List(elements), .. }) => elements,
        Some(one) => vec![one],
    }
}

/// The texts of a `systemInstruction`, which may be a bare string too.
pub(super) fn instructions<'a>(node: Node<'a>, losses: &mut Losses) -> Result<Vec<Text<'a>>, Malformed> {
    if let Some(text) = node.text() {
        return Ok(vec![Text::plain(text, node.at)]);
    }
    let mut fields = Fields::in_camel_case(node)?;
    fields.take("role");
    let mut texts = Vec::new();
    for part in several(&mut fields, "parts") {
        let at = part.at;
        let mut part = Fields::in_camel_case(part)?;
        match part.text("text")? {
            Some(text) => texts.push(Text::plain(text.value, at)),
            None => losses.note(at, "instructions can be text only"),
        }
        part.finish(losses);
    }
    fields.finish(losses);
    Ok(texts)
}

/// What a user's turn holds: the results of tools, and what the user adds.
pub(super) fn user<'a>(
    parts: Vec<Node<'a>>,
    calls: &mut Calls<'a>,
    losses: &mut Losses,
) -> Result<(Vec<ToolResult<'a>>, Vec<Content<'a>>), Malformed> {
    let mut results = Vec::new();
    let mut contents = Vec::new();
    for part in parts {
        let whole = native(&part);
        let mut fields = Fields::in_camel_case(part)?;
        let at = fields.at;
        if let Some(text) = fields.text("text")? {
            contents.push(Content::Text(Text::plain(text.value, at)));
        } else if let Some(result) = fields.take("functionResponse") {
            results.push(tool_result(result, calls, losses)?);
        } else if let Some(media) = media(&mut fields, losses)? {
            contents.push(Content::Media(media));
        } else {
            contents.push(Content::Native(whole));
            continue;
        }
        fields.finish(losses);
    }
    Ok((results, contents))
}

/// What a model said, in an answer or replayed. Calls without ids have empty ones.
pub(super) fn model<'a>(
    parts: Vec<Node<'a>>,
    losses: &mut Losses,
) -> Result<Vec<AssistantPart<'a>>, Malformed> {
    let mut said = Vec::with_capacity(parts.len());
    for part in parts {
        let whole = native(&part);
        let is_bare = is_bare(&part);
        let mut fields = Fields::in_camel_case(part)?;
        let at = fields.at;
        let is_thought = fields.truth("thought")?.is_some_and(|thought| thought.value);
        let signature = fields.text("thoughtSignature")?.map(|signature| signature.value);
        if let Some(call) = fields.take("functionCall") {
            let seal = signature.and_then(|text| seal::read(text, SealKind::Signature));
            said.push(AssistantPart::ToolCall(tool_call(call, seal, at, losses)?));
        } else if let Some(text) = fields.text("text")? {
            add_text(&mut said, text.value, is_thought, signature, at);
        } else if signature.is_none()
            && let Some(media) = media(&mut fields, losses)?
        {
            said.push(AssistantPart::Media(media));
        } else if is_bare {
            // A signature alone, as the last piece of a stream may be.
            add_text(&mut said, Cow::Borrowed(""), is_thought, signature, at);
        } else {
            said.push(AssistantPart::Native(whole));
            continue;
        }
        fields.finish(losses);
    }
    Ok(said)
}

/// Does a part hold nothing but its signature?
pub(super) fn is_bare(part: &Node<'_>) -> bool {
    let Value::Object(members) = &part.value else { return false };
    members
        .iter()
        .all(|(name, _)| matches!(name.as_ref(), "thought" | "thoughtSignature" | "thought_signature"))
}

fn add_text<'a>(
    said: &mut Vec<AssistantPart<'a>>,
    text: Cow<'a, str>,
    is_thought: bool,
    signature: Option<Cow<'a, str>>,
    at: Spot,
) {
    let kind = if is_thought { SealKind::Signature } else { SealKind::Encrypted };
    let seal = signature.and_then(|signature| seal::read(signature, kind));
    match seal {
        seal if is_thought => {
            let is_summary = is_summary(&text, seal.as_ref());
            said.push(AssistantPart::Reasoning(Reasoning { text, is_summary, seal, id: None, at }));
        }
        Some(seal) if seal.maker == Maker::Gemini => {
            if !text.is_empty() {
                said.push(AssistantPart::Text(Text::plain(text, at)));
            }
            said.push(AssistantPart::Reasoning(withheld(seal, at)));
        }
        None if text.is_empty() => {}
        seal => said.push(AssistantPart::Text(Text { seal, ..Text::plain(text, at) })),
    }
}

/// Gemini shows no more than summaries of what it thinks, and OpenAI of what it seals.
pub(super) fn is_summary(text: &str, seal: Option<&Seal<'_>>) -> bool {
    match seal.map(|seal| seal.maker) {
        None | Some(Maker::Gemini) => true,
        Some(Maker::OpenAi) => !text.is_empty(),
        Some(_) => false,
    }
}

/// The signature of a text, told as the reasoning that it stands for.
const fn withheld(seal: Seal<'_>, at: Spot) -> Reasoning<'_> {
    Reasoning { text: Cow::Borrowed(""), is_summary: false, seal: Some(seal), id: None, at }
}

fn tool_call<'a>(
    call: Node<'a>,
    seal: Option<Seal<'a>>,
    at: Spot,
    losses: &mut Losses,
) -> Result<ToolCall<'a>, Malformed> {
    let mut fields = Fields::in_camel_case(call)?;
    let id = fields.text("id")?.map(|id| id.value).unwrap_or_default();
    let name = fields.needed_text("name")?.value;
    let arguments = match fields.take("args") {
        Some(told) => arguments(&told)?,
        None => Arguments::of_text(Cow::Borrowed("")),
    };
    fields.finish(losses);
    Ok(ToolCall { id, name, arguments, seal, cache: None, at })
}

fn tool_result<'a>(
    result: Node<'a>,
    calls: &mut Calls<'a>,
    losses: &mut Losses,
) -> Result<ToolResult<'a>, Malformed> {
    let mut fields = Fields::in_camel_case(result)?;
    let at = fields.at;
    let id = fields.text("id")?.map(|id| id.value).filter(|id| !id.is_empty());
    let name = fields.text("name")?.map(|name| name.value).unwrap_or_default();
    let call_id = calls.answered(id, &name);
    let mut parts = Vec::new();
    let is_error = fields.take("response").and_then(|response| read_response(&response, &mut parts));
    for part in several(&mut fields, "parts") {
        let whole = native(&part);
        let mut part = Fields::in_camel_case(part)?;
        match media(&mut part, losses)? {
            Some(media) => {
                parts.push(Content::Media(media));
                part.finish(losses);
            }
            None => parts.push(Content::Native(whole)),
        }
    }
    fields.finish(losses);
    Ok(ToolResult { call_id, parts, is_error, cache: None, at })
}

/// `{"output": …}` is what a function gave and `{"error": …}` why it failed; any other object is itself what
/// it gave. Tells whether it failed.
fn read_response<'a>(response: &Node<'a>, parts: &mut Vec<Content<'a>>) -> Option<Field<()>> {
    let mut add = |text: Cow<'a, str>, at| parts.push(Content::Text(Text::plain(text, at)));
    let members = match &response.value {
        Value::Object(members) => members.as_slice(),
        _ => {
            add(response.raw.into(), response.at);
            return None;
        }
    };
    let [(name, told)] = members else {
        if !members.is_empty() {
            add(response.raw.into(), response.at);
        }
        return None;
    };
    let has_failed = name == "error";
    if !has_failed && name != "output" {
        add(response.raw.into(), response.at);
        return None;
    }
    match &told.value {
        Value::Text => add(told.text().unwrap_or_default(), told.at),
        Value::List(texts) if is_texts(texts) => {
            for text in texts {
                add(text.text().unwrap_or_default(), text.at);
            }
        }
        Value::List(texts) if has_failed && texts.is_empty() => {}
        _ => add(told.raw.into(), told.at),
    }
    has_failed.then_some(Field { value: (), at: told.at })
}

fn is_texts(list: &[Node<'_>]) -> bool {
    list.len() > 1 && list.iter().all(|node| matches!(node.value, Value::Text))
}

/// The medium that a part holds, if it holds one.
fn media<'a>(fields: &mut Fields<'a>, losses: &mut Losses) -> Result<Option<Media<'a>>, Malformed> {
    let at = fields.at;
    let (kind, source, title) = if let Some(blob) = fields.take("inlineData") {
        let mut blob = Fields::in_camel_case(blob)?;
        let media_type = blob.text("mimeType")?.map(|kind| kind.value).unwrap_or_default();
        let data = blob.needed_text("data")?.value;
        let title = blob.text("displayName")?;
        blob.finish(losses);
        (media_kind(&media_type), Source::Base64 { media_type, data }, title)
    } else if let Some(file) = fields.take("fileData") {
        let mut file = Fields::in_camel_case(file)?;
        let uri = file.needed_text("fileUri")?.value;
        let media_type = file.text("mimeType")?.map(|kind| kind.value);
        let title = file.text("displayName")?;
        file.finish(losses);
        let kind = match media_type.as_deref().or_else(|| media_type_of(&uri)) {
            Some(media_type) => media_kind(media_type),
            None => MediaKind::Image,
        };
        (kind, source_of(uri), title)
    } else {
        return Ok(None);
    };
    let detail = resolution(fields, losses)?;
    Ok(Some(Media { kind, source, detail, title, context: None, cites: None, cache: None, at }))
}

/// Files that Google keeps are named by addresses too, which are no one else's to fetch.
fn source_of(uri: Cow<'_, str>) -> Source<'_> {
    let is_on_the_web = uri.starts_with("https://") || uri.starts_with("http://");
    let is_kept = uri.contains("generativelanguage.googleapis.com/") || !is_on_the_web;
    if is_kept { Source::Stored { owner: Maker::Gemini, id: uri } } else { Source::Url(uri) }
}

fn resolution(fields: &mut Fields<'_>, losses: &mut Losses) -> Result<Option<Field<Detail>>, Malformed> {
    let Some(resolution) = fields.take("mediaResolution") else { return Ok(None) };
    let at = resolution.at;
    let detail = match resolution.text_of("level").as_deref() {
        Some("MEDIA_RESOLUTION_LOW") => Detail::Low,
        Some("MEDIA_RESOLUTION_HIGH") => Detail::High,
        Some("MEDIA_RESOLUTION_UNSPECIFIED") => Detail::Auto,
        _ => {
            losses.unknown(at);
            return Ok(None);
        }
    };
    Ok(Some(Field { value: detail, at }))
}

pub(super) fn native<'a>(node: &Node<'a>) -> Native<'a> {
    Native { owner: Maker::Gemini, name: Cow::Borrowed(""), value: Raw::borrowed(node.raw), at: node.at }
}
