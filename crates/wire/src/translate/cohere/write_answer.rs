//! A whole answer, written.

use super::write_message::{Form, Sorted};
use super::{logprobs, words};
use crate::translate::codec::AnswerContext;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Answer, AssistantPart, Choice, Maker, Native, Raw, Spot, Stop, Usage};

pub(super) fn write(answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
    // Which model answered, and when, has no place here; its caller named the one, and the response's
    // `date` tells the other.
    let Answer { id, model: _, created: _, choices, usage, service_tier, natives } = answer;
    let mut choices = choices.into_iter();
    let Choice { index: _, parts, stop, logprobs } = choices.next().unwrap_or_default();
    if choices.next().is_some() {
        note_other_answers(losses);
    }
    if parts.iter().any(|part| matches!(part, AssistantPart::Refusal(_))) {
        note_refusal(losses);
    }
    let mut json = Json::with_capacity(1024);
    json.open('{').key("id").string(if id.is_empty() { context.id } else { &id });
    json.key("finish_reason");
    match &stop {
        Some(stop) => json.string(stop_word(stop, losses)),
        None => json.null(),
    };
    if stop.is_some_and(|stop| stop.explanation.is_some()) {
        losses.note(Spot::NOWHERE, "why it stopped can't be told in words");
    }
    json.key("message").open('{').key("role").string("assistant");
    Sorted::of(parts, losses).put(&mut json, Form::Answered, losses);
    json.close('}');
    if let Some(usage) = &usage {
        note_usage(usage, losses);
        json.key("usage");
        words::put_usage(&mut json, usage);
    }
    if let Some(told) = logprobs {
        put_logprobs(&mut json, &told, losses);
    }
    if service_tier.is_some() {
        losses.note(Spot::NOWHERE, "the service tier's name is its provider's own");
    }
    for Native { owner, name, value, at } in natives {
        if owner == Maker::Cohere {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_logprobs(json: &mut Json, told: &Raw<'_>, losses: &mut Losses) {
    json.key("logprobs").open('[');
    logprobs::write(told, losses, |item| item.put(json));
    json.close(']');
}

pub(super) fn stop_word<'s>(stop: &'s Stop<'_>, losses: &mut Losses) -> &'s str {
    let (word, is_told) = words::stop_word(&stop.reason);
    if !is_told {
        losses.note(Spot::NOWHERE, "why it stopped has no name here; it is told as the nearest that has");
    }
    word
}

pub(super) fn note_usage(usage: &Usage, losses: &mut Losses) {
    let Usage { tokens, audio_in, audio_out, accepted_prediction, rejected_prediction } = usage;
    if audio_in + audio_out + accepted_prediction + rejected_prediction > 0 {
        losses.note(Spot::NOWHERE, "what of the usage was sound or prediction is left out");
    }
    if tokens.cache_write_5m + tokens.cache_write_1h + tokens.reasoning > 0 {
        losses.note(Spot::NOWHERE, "what of the usage was cached anew or reasoned is told with the rest");
    }
}

pub(super) fn note_other_answers(losses: &mut Losses) {
    losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
}

pub(super) fn note_refusal(losses: &mut Losses) {
    losses.note(Spot::NOWHERE, "a refusal is told as a text like any other");
}
