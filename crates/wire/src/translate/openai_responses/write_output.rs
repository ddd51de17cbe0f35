//! The items of an answer, written.

use super::items::{Item, MADE_REASONING_ID, Said, call_type, gather, put_call, put_reasoning, put_said};
use crate::translate::json::Json;
use crate::translate::json::parse;
use crate::translate::losses::Losses;
use crate::translate::model::{Arguments, AssistantPart, Maker, Native, Raw, Reasoning, Seal, Spot, Text};
use crate::translate::seal;

/// Writes `output`'s items; `id` is unique to the answer.
pub(super) fn put_output(
    json: &mut Json,
    parts: Vec<AssistantPart<'_>>,
    logprobs: Option<&Raw<'_>>,
    id: &str,
    losses: &mut Losses,
) {
    let mut tokens = logprobs.and_then(|logprobs| of_one_text(logprobs, &parts, losses));
    let mut start = 0;
    for (number, item) in gather(parts).into_iter().enumerate() {
        match item {
            Item::Message(contents) => {
                json.open('{').key("type").string("message");
                json.key("id").string(&format!("msg_{id}_{number}")).key("status").string("completed");
                json.key("role").string("assistant").key("content").open('[');
                for said in contents {
                    let told = matches!(said, Said::Text(_)).then(|| tokens.take()).flatten();
                    put_said(json, &said, &mut start, told.as_deref(), losses);
                }
                json.close(']').close('}');
            }
            Item::Reasoning(stretches) => put_thought(json, &stretches, id, number),
            Item::Call(call) => {
                let (kind, mark) = call_type(matches!(call.arguments, Arguments::Free(_)));
                json.open('{').key("type").string(kind);
                json.key("id").string(&format!("{mark}_{id}_{number}")).key("status").string("completed");
                put_call(json, &call, losses);
                json.close('}');
            }
            Item::SealOfLast(of_last, _) => put_seal(json, &of_last, &made_id(id, number)),
            Item::Media(media) => losses.note(media.at, "media have no place in an answer"),
            Item::Native(native) => put_native(json, native, losses),
        }
    }
}

/// The probabilities of tokens as a list, where it is clear to which text they belong.
fn of_one_text(logprobs: &Raw<'_>, parts: &[AssistantPart<'_>], losses: &mut Losses) -> Option<String> {
    let mut texts = parts.iter().filter(|part| matches!(part, AssistantPart::Text(_)));
    let is_one = texts.next().is_some() && texts.next().is_none();
    let told = parse(logprobs.text()).ok();
    let tokens = told.as_ref().and_then(|told| told.member("content")).filter(|_| is_one);
    if tokens.is_none() {
        losses.note(Spot::NOWHERE, "probabilities of tokens are told of one text only");
    }
    tokens.map(|tokens| tokens.raw.to_owned())
}

fn put_thought(json: &mut Json, stretches: &[Reasoning<'_>], id: &str, number: usize) {
    let last = stretches.last();
    let made = made_id(id, number);
    let own = last.and_then(|last| last.id.as_deref());
    let sealed = last.and_then(|last| last.seal.as_ref());
    let sealed = sealed.map(|sealed| seal::write_with_kind(Maker::OpenAi, sealed));
    json.open('{').key("type").string("reasoning").key("id").string(own.unwrap_or(&made));
    put_reasoning(json, stretches, sealed.as_deref());
    json.close('}');
}

pub(super) fn made_id(id: &str, number: impl std::fmt::Display) -> String {
    format!("{MADE_REASONING_ID}{id}_{number}")
}

/// A seal of the item before, for which there is no place in it.
pub(super) fn put_seal(json: &mut Json, of_last: &Seal<'_>, id: &str) {
    json.open('{').key("type").string("reasoning").key("id").string(id);
    put_reasoning(json, &[], Some(&seal::write_of_last(of_last)));
    json.close('}');
}

fn put_native(json: &mut Json, native: Native<'_>, losses: &mut Losses) {
    let Native { owner, name: _, value, at } = native;
    if owner == Maker::OpenAiResponses {
        json.raw(value.text());
    } else {
        losses.note(at, "a part that only its own provider knows is left out");
    }
}

/// An answer that declines in words says so in a part of its own, unless it has one.
pub(super) fn add_explanation<'a>(
    parts: &mut Vec<AssistantPart<'a>>,
    words: Option<std::borrow::Cow<'a, str>>,
) {
    let has_refused = parts.iter().any(|part| matches!(part, AssistantPart::Refusal(_)));
    if let Some(words) = words.filter(|_| !has_refused) {
        parts.push(AssistantPart::Refusal(Text::plain(words, Spot::NOWHERE)));
    }
}
