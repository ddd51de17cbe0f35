//! A whole answer, read.

use super::{read_parts, words};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Answer, Choice, Maker, Native, Raw, Stop, Usage};
use crate::usage::AnthropicUsage;
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    for known in ["type", "role"] {
        fields.take(known);
    }
    let content = fields.needed("content")?;
    let read_parts::Blocks::List(blocks) = read_parts::blocks(content)? else {
        return Err(Malformed::new(fields.at, "an answer of blocks"));
    };
    let parts = read_parts::assistant(blocks, losses)?;
    let stop_text = fields.text("stop_sequence")?.map(|text| text.value);
    let explanation = fields.take("stop_details").and_then(|details| details.text_of("explanation"));
    let stop = fields
        .text("stop_reason")?
        .map(|reason| Stop { reason: words::stop_reason(reason.value, stop_text), explanation });
    let mut service_tier = None;
    let usage = fields.take("usage").map(|told| {
        service_tier = told.text_of("service_tier");
        usage_of(&told, losses)
    });
    Ok(Answer {
        id: fields.text("id")?.map(|id| id.value).unwrap_or_default(),
        model: fields.text("model")?.map(|model| model.value).unwrap_or_default(),
        created: None,
        choices: vec![Choice { index: 0, parts, stop, logprobs: None }],
        usage,
        service_tier,
        natives: natives(fields),
    })
}

fn usage_of(told: &Node<'_>, losses: &mut Losses) -> Usage {
    const KNOWN: [&str; 7] = [
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation",
        "output_tokens_details",
        "service_tier",
    ];
    let mut counts = AnthropicUsage::default();
    // What is no usage counts nothing.
    let _ = counts.add(told.raw);
    if let Value::Object(members) = &told.value {
        for (name, node) in members {
            if !KNOWN.contains(&name.as_ref()) && !matches!(node.value, Value::Null) {
                losses.unknown(node.at);
            }
        }
    }
    Usage { tokens: counts.tokens(), ..Usage::default() }
}

fn natives<'a>(fields: Fields<'a>) -> Vec<Native<'a>> {
    let native = |(name, node): (Cow<'a, str>, Node<'a>)| Native {
        owner: Maker::Anthropic,
        name,
        value: Raw::borrowed(node.raw),
        at: node.at,
    };
    fields.into_rest().map(native).collect()
}
