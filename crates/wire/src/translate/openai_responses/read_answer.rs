//! A whole answer, read.

use super::read_item::read_output;
use super::read_parts::native;
use super::words;
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Answer, Choice, Native, Raw};
use std::borrow::Cow;

/// What an answer repeats of its request, and what is read from it in other ways.
const REPEATED: [&str; 31] = [
    "object",
    "status",
    "error",
    "incomplete_details",
    "usage",
    "completed_at",
    "instructions",
    "metadata",
    "parallel_tool_calls",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "background",
    "conversation",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "store",
    "text",
    "top_logprobs",
    "truncation",
    "user",
    "frequency_penalty",
    "presence_penalty",
];

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    refuse_unfinished(&body)?;
    let output = output(&body);
    let has_calls = output.iter().any(is_call);
    let stop = words::stop(&body, has_calls);
    let logprobs = logprobs(output);
    let usage = body.member("usage").and_then(words::usage);
    let created = created(&body);
    let mut fields = Fields::of(body)?;
    let told = fields.needed("output")?;
    let Value::List(items) = told.value else { return Err(Malformed::new(told.at, "an array")) };
    let mut parts = Vec::new();
    for item in items {
        read_output(item, &mut parts, losses)?;
    }
    for name in REPEATED {
        fields.take(name);
    }
    fields.take("created_at");
    Ok(Answer {
        id: fields.text("id")?.map(|id| id.value).unwrap_or_default(),
        model: fields.text("model")?.map(|model| model.value).unwrap_or_default(),
        created,
        choices: vec![Choice { index: 0, parts, stop, logprobs }],
        usage,
        service_tier: fields.text("service_tier")?.map(|tier| tier.value),
        natives: fields.into_rest().map(|(name, node)| Native { name, ..native(&node) }).collect(),
    })
}

/// Some tell it with a fraction.
pub(super) fn created(response: &Node<'_>) -> Option<u64> {
    let told = response.member("created_at")?;
    told.raw.split('.').next()?.parse().ok()
}

pub(super) fn output<'n, 'a>(response: &'n Node<'a>) -> &'n [Node<'a>] {
    match response.member("output").map(|output| &output.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn is_call(item: &Node<'_>) -> bool {
    matches!(item.text_of("type").as_deref(), Some("function_call" | "custom_tool_call"))
}

/// One that failed, or goes on in the background, is no answer, whatever status it came with.
fn refuse_unfinished(response: &Node<'_>) -> Result<(), Malformed> {
    if let Some(error) = response.member("error") {
        return Err(Malformed::new(error.at, "null, for the provider failed"));
    }
    match response.member("status") {
        Some(status) if !matches!(status.text().as_deref(), Some("completed" | "incomplete")) => {
            Err(Malformed::new(status.at, "`completed` or `incomplete`"))
        }
        _ => Ok(()),
    }
}

/// The probabilities of all texts, as chat tells them.
fn logprobs<'a>(output: &[Node<'_>]) -> Option<Raw<'a>> {
    let mut told: Vec<&str> = Vec::new();
    for item in output {
        let Some(Value::List(parts)) = item.member("content").map(|content| &content.value) else { continue };
        for part in parts {
            if let Some(Value::List(tokens)) = part.member("logprobs").map(|told| &told.value) {
                told.extend(tokens.iter().map(|token| token.raw));
            }
        }
    }
    (!told.is_empty()).then(|| as_chat_tells(&told)).flatten()
}

/// A list of tokens as chat tells it.
pub(super) fn as_chat_tells<'a>(tokens: &[&str]) -> Option<Raw<'a>> {
    Raw::new(Cow::Owned(format!("{{\"content\":[{}]}}", tokens.join(","))))
}
