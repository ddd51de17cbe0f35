//! A whole answer, read.

use super::read_message::assistant;
use super::read_parts::native;
use super::words;
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Answer, Choice, Native, Stop};

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    fields.take("object");
    let told = fields.needed("choices")?;
    let Value::List(told) = told.value else { return Err(Malformed::new(told.at, "an array")) };
    let mut choices = Vec::with_capacity(told.len());
    for choice in told {
        choices.push(read_choice(choice, losses)?);
    }
    let usage = fields.take("usage").and_then(|told| words::usage(&told));
    Ok(Answer {
        id: fields.text("id")?.map(|id| id.value).unwrap_or_default(),
        model: fields.text("model")?.map(|model| model.value).unwrap_or_default(),
        created: fields.count("created")?.map(|created| created.value),
        choices,
        usage,
        service_tier: fields.text("service_tier")?.map(|tier| tier.value),
        natives: fields.into_rest().map(|(name, node)| Native { name, ..native(&node) }).collect(),
    })
}

fn read_choice<'a>(choice: Node<'a>, losses: &mut Losses) -> Result<Choice<'a>, Malformed> {
    let mut fields = Fields::of(choice)?;
    let index = fields.count("index")?.map_or(0, |index| index.value);
    let mut message = Fields::of(fields.needed("message")?)?;
    message.take("role");
    let parts = assistant(&mut message, losses)?;
    message.finish(losses);
    let stop = fields.text("finish_reason")?;
    let stop = stop.map(|reason| Stop::plain(words::stop_reason(reason.value)));
    let logprobs = fields.raw("logprobs").map(|logprobs| logprobs.value);
    fields.finish(losses);
    Ok(Choice { index, parts, stop, logprobs })
}
