//! A whole answer, written.

use super::words;
use super::write_parts::put_assistant;
use crate::translate::codec::AnswerContext;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Answer, AssistantPart, Choice, Maker, Native, Spot, Stop, StopReason, Usage};

pub(super) fn write(answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
    // When it was made has no place here; the response's `date` tells it as well.
    let Answer { id, model, created: _, choices, usage, service_tier, natives } = answer;
    let mut json = Json::with_capacity(1024);
    json.open('{').key("id");
    if id.is_empty() {
        json.string(&format!("msg_{}", context.id))
    } else {
        json.string(&id)
    };
    json.key("type").string("message").key("role").string("assistant");
    json.key("model").string(if model.is_empty() { context.model } else { &model });
    let mut choices = choices.into_iter();
    let Choice { index: _, parts, stop, logprobs } = choices.next().unwrap_or_default();
    if choices.next().is_some() {
        losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
    }
    if logprobs.is_some() {
        losses.note(Spot::NOWHERE, "probabilities of tokens are left out");
    }
    let has_refused = parts.iter().any(|part| matches!(part, AssistantPart::Refusal(_)));
    json.key("content").open('[');
    for part in parts {
        put_assistant(&mut json, part, losses);
    }
    json.close(']');
    let stop = stop.map(|stop| if has_refused { refused(stop) } else { stop });
    note_stop(stop.as_ref(), losses);
    words::put_stop(&mut json, stop.as_ref());
    json.key("usage");
    note_usage(usage, losses);
    words::put_usage(&mut json, &usage.unwrap_or_default());
    if service_tier.is_some() {
        losses.note(Spot::NOWHERE, "the service tier's name is its provider's own");
    }
    for Native { owner, name, value, at } in natives {
        if owner == Maker::Anthropic {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

/// An answer that declines in words ends here by a reason of its own.
pub(super) fn refused(stop: Stop<'_>) -> Stop<'_> {
    let Stop { reason, explanation } = stop;
    let reason = if reason == StopReason::End { StopReason::Refused } else { reason };
    Stop { reason, explanation }
}

pub(super) fn note_stop(stop: Option<&Stop<'_>>, losses: &mut Losses) {
    if let Some(stop) = stop
        && !words::stop_word(&stop.reason).1
    {
        losses.note(Spot::NOWHERE, "why it stopped has no name here; it is told as `max_tokens`");
    }
}

pub(super) fn note_usage(usage: Option<Usage>, losses: &mut Losses) {
    let Some(usage) = usage else {
        return losses.note(Spot::NOWHERE, "usage was not told and is written as 0, since it must be there");
    };
    let Usage { tokens: _, audio_in, audio_out, accepted_prediction, rejected_prediction } = usage;
    if audio_in + audio_out + accepted_prediction + rejected_prediction > 0 {
        losses.note(Spot::NOWHERE, "what of the usage was sound or prediction is left out");
    }
}
