//! A whole answer, read.

use super::citations::native;
use super::read_message::assistant;
use super::{logprobs, words};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Answer, Choice, Native, Stop, Usage};
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let mut message = Fields::of(fields.needed("message")?)?;
    message.take("role");
    let parts = assistant(&mut message, losses)?;
    message.finish(losses);
    let stop = fields.text("finish_reason")?;
    let stop = stop.map(|reason| Stop::plain(words::stop_reason(reason.value)));
    let items = fields.list("logprobs")?;
    let logprobs = if items.is_empty() { None } else { logprobs::read(&items) };
    let usage = fields.take("usage").and_then(|told| usage_of(&told, losses));
    Ok(Answer {
        id: fields.text("id")?.map(|id| id.value).unwrap_or_default(),
        model: Cow::Borrowed(""),
        created: None,
        choices: vec![Choice { index: 0, parts, stop, logprobs }],
        usage,
        service_tier: None,
        natives: fields.into_rest().map(|(name, node)| Native { name, ..native(&node) }).collect(),
    })
}

fn usage_of(told: &Node<'_>, losses: &mut Losses) -> Option<Usage> {
    let counts = |name: &str| {
        let told = told.member(name)?;
        words::count(told, "input_tokens").zip(words::count(told, "output_tokens"))
    };
    if let (Some(tokens), Some(all), Some(billed)) =
        (told.member("tokens"), counts("tokens"), counts("billed_units"))
        && all != billed
    {
        losses.note(tokens.at, "tokens that are not billed are not counted");
    }
    note_others(told, &["billed_units", "tokens", "cached_tokens"], losses);
    if let Some(billed) = told.member("billed_units") {
        note_others(billed, &["input_tokens", "output_tokens"], losses);
    }
    words::usage(told)
}

fn note_others(told: &Node<'_>, known: &[&str], losses: &mut Losses) {
    let Value::Object(members) = &told.value else { return };
    for (name, node) in members {
        let says_anything = !matches!(node.raw, "null" | "0" | "0.0");
        if says_anything && !known.contains(&name.as_ref()) {
            losses.unknown(node.at);
        }
    }
}
