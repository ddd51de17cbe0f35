//! A whole answer, written.

use super::words;
use super::write_parts::put_assistant;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Answer, AssistantPart, Choice, Maker, Native, Spot, Stop, StopReason, Usage};

pub(super) fn write(answer: Answer<'_>, losses: &mut Losses) -> Vec<u8> {
    // Id, time and model have no place here; the response's headers and the request's path tell them.
    let Answer { id: _, model: _, created: _, choices, usage, service_tier, natives } = answer;
    let mut choices = choices.into_iter();
    let Choice { index: _, parts, stop, logprobs } = choices.next().unwrap_or_default();
    if choices.next().is_some() {
        losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
    }
    if logprobs.is_some() {
        losses.note(Spot::NOWHERE, "probabilities of tokens are left out");
    }
    let has_refused = parts.iter().any(|part| matches!(part, AssistantPart::Refusal(_)));
    let mut json = Json::with_capacity(1024);
    json.open('{').key("output").open('{').key("message").open('{');
    json.key("role").string("assistant").key("content").open('[');
    for part in parts {
        put_assistant(&mut json, part, losses);
    }
    json.close(']').close('}').close('}');
    if let Some(stop) = &stop {
        put_stop(&mut json, stop, has_refused, losses);
    }
    note_usage(usage, losses);
    words::put_usage(&mut json, &usage.unwrap_or_default());
    put_metrics(&mut json);
    if service_tier.is_some() {
        losses.note(Spot::NOWHERE, "the service tier's name is its provider's own");
    }
    for Native { owner, name, value, at } in natives {
        if owner == Maker::Bedrock {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

/// `stopReason`, and the stop text where Claude's is told.
pub(super) fn put_stop(json: &mut Json, stop: &Stop<'_>, has_refused: bool, losses: &mut Losses) {
    let Stop { reason, explanation } = stop;
    // An answer that declines in words ends here by a reason of its own.
    let reason = if has_refused && *reason == StopReason::End { &StopReason::Refused } else { reason };
    let (word, is_same) = words::stop_word(reason);
    if !is_same {
        losses.note(Spot::NOWHERE, "why it stopped has no name here; it is told as `max_tokens`");
    }
    if explanation.is_some() {
        losses.note(Spot::NOWHERE, "what is said of why it stopped is left out");
    }
    json.key("stopReason").string(word);
    if let StopReason::StopText(Some(text)) = reason {
        json.key(words::MORE_OF_ANSWER).open('{').key(words::STOP_TEXT).string(text).close('}');
    }
}

/// Clients want to find it, and nobody told how long it took.
pub(super) fn put_metrics(json: &mut Json) {
    json.key("metrics").open('{').key("latencyMs").count(0).close('}');
}

pub(super) fn note_usage(usage: Option<Usage>, losses: &mut Losses) {
    let Some(usage) = usage else {
        return losses.note(Spot::NOWHERE, "usage was not told and is written as 0, since it must be there");
    };
    let Usage { tokens, audio_in, audio_out, accepted_prediction, rejected_prediction } = usage;
    if audio_in + audio_out + accepted_prediction + rejected_prediction > 0 {
        losses.note(Spot::NOWHERE, "what of the usage was sound or prediction is left out");
    }
    if tokens.reasoning > 0 {
        losses.note(Spot::NOWHERE, "reasoning is counted as output, and how much it was is left out");
    }
}
