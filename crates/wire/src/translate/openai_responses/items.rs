//! What a model says as items: how its parts are gathered into them, and the forms that a request, an
//! answer and a stream have in common.

use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Arguments, AssistantPart, Citation, Maker, Media, Native, Reasoning, Seal, Spot, Text, ToolCall,
};

/// How ids of reasoning begin that no provider gave. Read again, they are none.
pub(super) const MADE_REASONING_ID: &str = "rs_topdog_";

/// One item.
pub(super) enum Item<'a> {
    Message(Vec<Said<'a>>),
    /// Stretches of one item; only the last can have a seal.
    Reasoning(Vec<Reasoning<'a>>),
    Call(ToolCall<'a>),
    /// A seal of the item before.
    SealOfLast(Seal<'a>, Spot),
    Media(Media<'a>),
    Native(Native<'a>),
}

/// One content of a message.
pub(super) enum Said<'a> {
    Text(Text<'a>),
    Refusal(Text<'a>),
}

/// The items that parts are in: texts in a row are one message, stretches of reasoning of one id one item.
pub(super) fn gather(parts: Vec<AssistantPart<'_>>) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            AssistantPart::Text(mut text) => {
                let seal = text.seal.take();
                let at = text.at;
                add_said(&mut items, Said::Text(text));
                items.extend(seal.map(|seal| Item::SealOfLast(seal, at)));
            }
            AssistantPart::Refusal(text) => add_said(&mut items, Said::Refusal(text)),
            AssistantPart::Reasoning(reasoning) => match items.last_mut() {
                Some(Item::Reasoning(stretches)) if goes_on(stretches, &reasoning) => {
                    stretches.push(reasoning)
                }
                _ => items.push(Item::Reasoning(vec![reasoning])),
            },
            AssistantPart::ToolCall(mut call) => {
                let seal = call.seal.take();
                let at = call.at;
                items.push(Item::Call(call));
                items.extend(seal.map(|seal| Item::SealOfLast(seal, at)));
            }
            AssistantPart::Media(media) => items.push(Item::Media(media)),
            AssistantPart::Native(native) => items.push(Item::Native(native)),
        }
    }
    items
}

fn add_said<'a>(items: &mut Vec<Item<'a>>, said: Said<'a>) {
    match items.last_mut() {
        Some(Item::Message(contents)) => contents.push(said),
        _ => items.push(Item::Message(vec![said])),
    }
}

/// An item tells its summaries first, and its seal last.
fn goes_on(stretches: &[Reasoning<'_>], next: &Reasoning<'_>) -> bool {
    let Some(last) = stretches.last() else { return false };
    let is_in_order = last.is_summary || !next.is_summary;
    last.id.is_some() && last.id == next.id && last.seal.is_none() && is_in_order
}

/// The fields of a reasoning item behind its type; texts that are empty are withheld.
pub(super) fn put_reasoning(json: &mut Json, stretches: &[Reasoning<'_>], sealed: Option<&str>) {
    let told = |is_summary| {
        stretches.iter().filter(move |part| part.is_summary == is_summary && says_anything(part))
    };
    json.key("summary").open('[');
    for part in told(true) {
        json.open('{').key("type").string("summary_text").key("text").string(&part.text).close('}');
    }
    json.close(']');
    let mut is_open = false;
    for part in told(false) {
        if !is_open {
            json.key("content").open('[');
            is_open = true;
        }
        json.open('{').key("type").string("reasoning_text").key("text").string(&part.text).close('}');
    }
    if is_open {
        json.close(']');
    }
    if let Some(sealed) = sealed {
        json.key("encrypted_content").string(sealed);
    }
}

/// What is withheld has a seal in its stead.
fn says_anything(part: &Reasoning<'_>) -> bool {
    !part.text.is_empty() || part.seal.is_none() || part.is_summary
}

/// The fields of a call behind its type and id.
pub(super) fn put_call(json: &mut Json, call: &ToolCall<'_>, losses: &mut Losses) {
    // Its seal follows it in an item of its own.
    let ToolCall { id, name, arguments, seal: _, cache, at: _ } = call;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can be marked in what the user says only");
    }
    json.key("call_id").string(id).key("name").string(name);
    match arguments {
        Arguments::Object(object) => json.key("arguments").string(object.text()),
        Arguments::Broken(text) => json.key("arguments").string(text),
        Arguments::Free(input) => json.key("input").string(input),
    };
}

/// The type of a call, and how its ids begin.
pub(super) const fn call_type(is_custom: bool) -> (&'static str, &'static str) {
    if is_custom { ("custom_tool_call", "ctc") } else { ("function_call", "fc") }
}

/// One content of a message. `start` is how many characters were said before in the same turn; a text's
/// own are added.
pub(super) fn put_said(
    json: &mut Json,
    said: &Said<'_>,
    start: &mut u64,
    logprobs: Option<&str>,
    losses: &mut Losses,
) {
    let text = match said {
        Said::Text(text) => text,
        Said::Refusal(text) => {
            json.open('{').key("type").string("refusal").key("refusal").string(&text.text).close('}');
            return;
        }
    };
    let Text { text, citations, seal: _, cache, at } = text;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can be marked in what the user says only");
    }
    let length = text.chars().count() as u64;
    json.open('{').key("type").string("output_text").key("text").string(text).key("annotations").open('[');
    for citation in citations {
        put_citation(json, citation, *start, length, *at, losses);
    }
    json.close(']');
    if let Some(logprobs) = logprobs {
        json.key("logprobs").raw(logprobs);
    }
    json.close('}');
    *start += length;
}

/// Says whether it could be told. Where it stands is told from the beginning of its own text.
pub(super) fn put_citation(
    json: &mut Json,
    citation: &Citation<'_>,
    start: u64,
    length: u64,
    at: Spot,
    losses: &mut Losses,
) -> bool {
    let Citation { url, title, cited_text, span, native } = citation;
    if let Some(native) = native.as_ref().filter(|native| native.owner == Maker::OpenAiResponses) {
        json.raw(native.value.text());
        return true;
    }
    let Some(url) = url else {
        losses.note(at, "only addresses can be cited");
        return false;
    };
    if cited_text.is_some() || native.is_some() {
        losses.note(at, "of a citation, its address and title are told, and not the cited words");
    }
    let (from, to) =
        span.map_or((0, length), |(from, to)| (from.saturating_sub(start), to.saturating_sub(start)));
    json.open('{').key("type").string("url_citation").key("start_index").count(from);
    json.key("end_index").count(to).key("url").string(url);
    json.key("title").string(title.as_deref().unwrap_or_default()).close('}');
    true
}
