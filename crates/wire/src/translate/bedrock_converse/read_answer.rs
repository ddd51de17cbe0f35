//! A whole answer, read.

use super::{read_parts, words};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Answer, Choice, Native, Stop};

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let mut output = Fields::of(fields.needed("output")?)?;
    let mut message = Fields::of(output.needed("message")?)?;
    message.take("role");
    let parts = read_parts::assistant(message.list("content")?, losses)?;
    message.finish(losses);
    output.finish(losses);
    let usage = fields.take("usage").map(|told| words::usage(&told));
    // How long it took is known to who waited for it.
    fields.take("metrics");
    let reason = fields.text("stopReason")?;
    let service_tier = fields.take("serviceTier").and_then(|tier| tier.text_of("type"));
    let mut stop_text = None;
    let mut natives = Vec::new();
    for (name, node) in fields.into_rest() {
        if name == words::MORE_OF_ANSWER {
            stop_text = node.text_of(words::STOP_TEXT);
            if matches!(&node.value, Value::Object(members) if members.len() == 1) && stop_text.is_some() {
                continue;
            }
        }
        natives.push(Native { name, ..read_parts::native(&node) });
    }
    let stop = reason.map(|reason| Stop::plain(words::stop_reason(reason.value, stop_text)));
    Ok(Answer {
        choices: vec![Choice { index: 0, parts, stop, logprobs: None }],
        usage,
        service_tier,
        natives,
        ..Answer::default()
    })
}
