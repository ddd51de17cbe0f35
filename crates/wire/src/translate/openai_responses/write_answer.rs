//! A whole answer, written.

use super::answer_frame::{Frame, State};
use super::words::End;
use super::write_output::{add_explanation, put_output};
use crate::translate::codec::AnswerContext;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Answer, Choice, Maker, Native, Spot};

/// Clients take no other names.
const SERVICE_TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];

pub(super) fn write(answer: Answer<'_>, context: &AnswerContext<'_>, losses: &mut Losses) -> Vec<u8> {
    let Answer { id, model, created, choices, usage, service_tier, natives } = answer;
    let mut choices = choices.into_iter();
    let Choice { index: _, mut parts, mut stop, logprobs } = choices.next().unwrap_or_default();
    if choices.next().is_some() {
        losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
    }
    add_explanation(&mut parts, stop.as_mut().and_then(|stop| stop.explanation.take()));
    let made = format!("resp_{}", context.id);
    let frame = Frame {
        id: if id.is_empty() { &made } else { &id },
        model: if model.is_empty() { context.model } else { &model },
        created: created.unwrap_or(context.created),
        state: State::Ended(End::of(stop.as_ref(), losses)),
        usage,
    };
    let mut json = Json::with_capacity(1024);
    frame.put(&mut json, losses, |json, losses| {
        put_output(json, parts, logprobs.as_ref(), context.id, losses);
    });
    match service_tier {
        None => {}
        Some(tier) if SERVICE_TIERS.contains(&tier.as_ref()) => {
            json.key("service_tier").string(&tier);
        }
        Some(_) => losses.note(Spot::NOWHERE, "the service tier's name is its provider's own"),
    }
    for Native { owner, name, value, at } in natives {
        if owner == Maker::OpenAiResponses {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}
