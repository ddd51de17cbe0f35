//! A whole answer, written.

use super::write_parts::put_said;
use super::{logprobs, sources, words};
use crate::translate::codec::{AnswerContext, ModelTraits};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Answer, AssistantPart, Choice, Citation, Maker, Native, Spot, Stop, StopReason, Usage,
};

pub(super) fn write(answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
    // When it was made has no place here; the response's `date` tells it as well.
    let Answer { id, model, created: _, choices, usage, service_tier, natives } = answer;
    let mut json = Json::with_capacity(1024);
    json.open('{').key("candidates").open('[');
    for choice in choices {
        put_candidate(&mut json, choice, losses);
    }
    json.close(']');
    if let Some(usage) = usage {
        note_usage(&usage, losses);
        json.key("usageMetadata");
        words::put_usage(&mut json, &usage);
    }
    if service_tier.is_some() {
        losses.note(Spot::NOWHERE, "the service tier's name is its provider's own");
    }
    for Native { owner, name, value, at } in natives {
        if owner == Maker::Gemini {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.key("modelVersion").string(if model.is_empty() { context.model } else { &model });
    json.key("responseId").string(if id.is_empty() { context.id } else { &id }).close('}');
    json.into_bytes()
}

fn put_candidate(json: &mut Json, choice: Choice<'_>, losses: &mut Losses) {
    let Choice { index, mut parts, stop, logprobs } = choice;
    let has_refused = parts.iter().any(|part| matches!(part, AssistantPart::Refusal(_)));
    let (citations, told) = take_citations(&mut parts);
    json.open('{').key("content").open('{').key("parts").open('[');
    put_said(json, parts, ModelTraits::default(), losses);
    json.close(']').key("role").string("model").close('}');
    if let Some(stop) = &stop {
        put_stop(json, stop, has_refused, losses);
    }
    json.key("index").count(index);
    put_citations(json, &citations, &told, losses);
    if let Some(logprobs) = logprobs
        && !logprobs::put(json, &logprobs)
    {
        losses.note(Spot::NOWHERE, "probabilities of tokens are left out");
    }
    json.close('}');
}

/// `finishReason`, and what is said of it. An answer that declines in words ends by a reason of its own.
pub(super) fn put_stop(json: &mut Json, stop: &Stop<'_>, has_refused: bool, losses: &mut Losses) {
    let Stop { reason, explanation } = stop;
    let refused = StopReason::Refused;
    let reason = if has_refused && *reason == StopReason::End { &refused } else { reason };
    let (word, is_told) = words::stop_word(reason);
    if !is_told {
        losses.note(Spot::NOWHERE, "why it stopped has no name here; the nearest is told");
    }
    json.key("finishReason").string(word);
    if let Some(explanation) = explanation {
        json.key("finishMessage").string(explanation);
    }
}

/// All citations of the texts, each with its span in what they say together.
fn take_citations<'a>(parts: &mut [AssistantPart<'a>]) -> (Vec<Citation<'a>>, String) {
    let mut citations = Vec::new();
    let mut told = String::new();
    let mut length = 0;
    for part in parts {
        let AssistantPart::Text(text) = part else { continue };
        told.push_str(&text.text);
        let start = length;
        length += text.text.chars().count() as u64;
        for mut citation in text.citations.drain(..) {
            citation.span = citation.span.or(Some((start, length)));
            citations.push(citation);
        }
    }
    (citations, told)
}

/// `citationMetadata`; `told` is all the text of the answer.
pub(super) fn put_citations(json: &mut Json, citations: &[Citation<'_>], told: &str, losses: &mut Losses) {
    let mut is_open = false;
    for citation in citations {
        let Citation { url, title, cited_text, span, native } = citation;
        let Some(url) = url else {
            losses.note(Spot::NOWHERE, "only addresses can be cited");
            continue;
        };
        if cited_text.is_some() || native.is_some() {
            let at = native.as_ref().map_or(Spot::NOWHERE, |native| native.at);
            losses.note(at, "of a citation, its address and title are told, and not the cited words");
        }
        if !is_open {
            json.key("citationMetadata").open('{').key("citationSources").open('[');
            is_open = true;
        }
        json.open('{');
        if let Some((start, end)) = span.and_then(|span| sources::bytes(told, span)) {
            json.key("startIndex").count(start).key("endIndex").count(end);
        }
        json.key("uri").string(url);
        if let Some(title) = title {
            json.key("title").string(title);
        }
        json.close('}');
    }
    if is_open {
        json.close(']').close('}');
    }
}

pub(super) fn note_usage(usage: &Usage, losses: &mut Losses) {
    let Usage { tokens, audio_in: _, audio_out: _, accepted_prediction, rejected_prediction } = usage;
    if tokens.cache_write_5m + tokens.cache_write_1h > 0 {
        losses.note(Spot::NOWHERE, "what was written to a cache is counted as any other input");
    }
    if accepted_prediction + rejected_prediction > 0 {
        losses.note(Spot::NOWHERE, "what of the usage was prediction is left out");
    }
}
