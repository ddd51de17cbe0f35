//! A whole answer, written.

use super::write_message::put_call;
use super::{details, words};
use crate::translate::codec::AnswerContext;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Answer, AssistantPart, Choice, Citation, Maker, Native, Reasoning, Spot, Stop, Text, ToolCall,
};

pub(super) fn write(answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
    let Answer { id, model, created, choices, usage, service_tier, natives } = answer;
    let mut json = Json::with_capacity(1024);
    json.open('{').key("id");
    if id.is_empty() {
        json.string(&format!("chatcmpl-{}", context.id))
    } else {
        json.string(&id)
    };
    json.key("object").string("chat.completion").key("created").count(created.unwrap_or(context.created));
    json.key("model").string(if model.is_empty() { context.model } else { &model });
    json.key("choices").open('[');
    for choice in choices {
        put_choice(&mut json, choice, losses);
    }
    json.close(']');
    if let Some(usage) = &usage {
        json.key("usage");
        words::put_usage(&mut json, usage);
    }
    if let Some(tier) = service_tier {
        json.key("service_tier").string(&tier);
    }
    for Native { owner, name, value, at } in natives {
        if owner == Maker::OpenAi {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_choice(json: &mut Json, choice: Choice<'_>, losses: &mut Losses) {
    let Choice { index, parts, stop, logprobs } = choice;
    json.open('{').key("index").count(index).key("message").open('{').key("role").string("assistant");
    put_message(json, parts, stop.as_ref(), losses);
    json.close('}').key("logprobs");
    match logprobs {
        Some(logprobs) => json.raw(logprobs.text()),
        None => json.null(),
    };
    json.key("finish_reason");
    match &stop {
        Some(stop) => json.string(stop_word(stop, losses)),
        None => json.null(),
    };
    json.close('}');
}

pub(super) fn stop_word(stop: &Stop<'_>, losses: &mut Losses) -> &'static str {
    let (word, is_told) = words::stop_word(&stop.reason);
    if !is_told {
        losses.note(Spot::NOWHERE, "why it stopped has no name here; it is told as `length`");
    }
    word
}

/// The parts of an answer by the fields that they go to.
#[derive(Default)]
struct Sorted<'a> {
    texts: Vec<Text<'a>>,
    refusal: String,
    reasoning: Vec<(u64, Reasoning<'a>)>,
    calls: Vec<ToolCall<'a>>,
}

fn put_message(json: &mut Json, parts: Vec<AssistantPart<'_>>, stop: Option<&Stop<'_>>, losses: &mut Losses) {
    let mut sorted = sort(parts, losses);
    if let Some(explanation) = stop.and_then(|stop| stop.explanation.as_deref())
        && sorted.refusal.is_empty()
    {
        sorted.refusal.push_str(explanation);
    }
    let Sorted { texts, refusal, reasoning, calls } = sorted;
    let is_silent = texts.is_empty() && (!calls.is_empty() || !refusal.is_empty());
    let words: Vec<&str> = texts.iter().map(|text| text.text.as_ref()).collect();
    json.key("content");
    if is_silent {
        json.null()
    } else {
        json.string(&words.concat())
    };
    json.key("refusal");
    if refusal.is_empty() {
        json.null()
    } else {
        json.string(&refusal)
    };
    put_annotations(json, &texts, losses);
    put_reasoning(json, &reasoning);
    if !calls.is_empty() {
        json.key("tool_calls").open('[');
        for call in calls {
            put_call(json, call, losses);
        }
        json.close(']');
    }
}

fn sort<'a>(parts: Vec<AssistantPart<'a>>, losses: &mut Losses) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    let mut position = 0;
    for part in parts {
        match part {
            AssistantPart::Text(text) => {
                if text.seal.is_some() {
                    losses.note(text.at, "a seal has no place on a text");
                }
                if !sorted.calls.is_empty() {
                    losses.note(text.at, "a text behind a tool call is told before it");
                }
                // All texts are one content, so only the first has a place of its own.
                position += u64::from(sorted.texts.is_empty());
                sorted.texts.push(text);
                continue;
            }
            AssistantPart::Refusal(text) => sorted.refusal.push_str(&text.text),
            AssistantPart::Reasoning(part) => sorted.reasoning.push((position, part)),
            AssistantPart::ToolCall(call) => sorted.calls.push(call),
            AssistantPart::Media(media) => {
                losses.note(media.at, "media have no place in an answer");
                continue;
            }
            AssistantPart::Native(native) => {
                losses.note(native.at, "a part that only its own provider knows is left out");
                continue;
            }
        }
        position += 1;
    }
    sorted
}

fn put_annotations(json: &mut Json, texts: &[Text<'_>], losses: &mut Losses) {
    let mut is_open = false;
    let mut start = 0;
    for text in texts {
        let end = start + text.text.chars().count() as u64;
        for citation in &text.citations {
            if citation.url.is_none() {
                losses.note(text.at, "only addresses can be cited");
                continue;
            }
            if !is_open {
                json.key("annotations").open('[');
                is_open = true;
            }
            put_citation(json, citation, (start, end), losses);
        }
        start = end;
    }
    if is_open {
        json.close(']');
    }
}

/// A citation of an address; `span` is where its text stands, in characters.
pub(super) fn put_citation(json: &mut Json, citation: &Citation<'_>, span: (u64, u64), losses: &mut Losses) {
    let Citation { url, title, cited_text, span: told, native } = citation;
    if cited_text.is_some() || native.is_some() {
        let at = native.as_ref().map_or(Spot::NOWHERE, |native| native.at);
        losses.note(at, "of a citation, its address and title are told, and not the cited words");
    }
    let (start, end) = told.unwrap_or(span);
    json.open('{').key("type").string("url_citation").key("url_citation").open('{');
    json.key("start_index").count(start).key("end_index").count(end);
    json.key("title").string(title.as_deref().unwrap_or_default());
    json.key("url").string(url.as_deref().unwrap_or_default()).close('}').close('}');
}

fn put_reasoning(json: &mut Json, reasoning: &[(u64, Reasoning<'_>)]) {
    if reasoning.is_empty() {
        return;
    }
    let words: Vec<&str> = reasoning.iter().map(|(_, part)| part.text.as_ref()).collect();
    json.key("reasoning").string(&words.concat());
    json.key("reasoning_details").open('[');
    for (index, (position, part)) in reasoning.iter().enumerate() {
        details::put(json, index as u64, *position, part);
    }
    json.close(']');
}
