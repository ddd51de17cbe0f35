//! A whole answer, read.

use super::{logprobs, read_parts, sources, words};
use crate::translate::json::{Fields, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Answer, AssistantPart, Choice, Maker, Native, Raw, Stop, StopReason, Usage};
use std::borrow::Cow;

pub(super) fn read<'a>(body: Node<'a>, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    let mut fields = Fields::of(body)?;
    let blocked = fields.take("promptFeedback").and_then(|feedback| blocked(&feedback, losses));
    let mut choices = Vec::new();
    for candidate in fields.list("candidates")? {
        choices.push(choice(candidate, losses)?);
    }
    if choices.is_empty() {
        // A prompt that is blocked has no candidates.
        let stop = Some(blocked.ok_or_else(|| Malformed::missing(fields.at, "candidates"))?);
        choices.push(Choice { stop, ..Choice::default() });
    }
    let mut service_tier = None;
    let usage = fields.take("usageMetadata").and_then(|told| {
        service_tier = told.text_of("serviceTier");
        usage(&told, losses)
    });
    Ok(Answer {
        id: fields.text("responseId")?.map(|id| id.value).unwrap_or_default(),
        model: fields.text("modelVersion")?.map(|model| model.value).unwrap_or_default(),
        created: None,
        choices,
        usage,
        service_tier,
        natives: natives(fields),
    })
}

fn natives<'a>(fields: Fields<'a>) -> Vec<Native<'a>> {
    let native = |(name, node): (Cow<'a, str>, Node<'a>)| Native {
        owner: Maker::Gemini,
        name,
        value: Raw::borrowed(node.raw),
        at: node.at,
    };
    fields.into_rest().map(native).collect()
}

fn choice<'a>(candidate: Node<'a>, losses: &mut Losses) -> Result<Choice<'a>, Malformed> {
    let mut fields = Fields::of(candidate)?;
    let mut parts = Vec::new();
    if let Some(mut content) = fields.object("content")? {
        content.take("role");
        parts = read_parts::model(content.list("parts")?, losses)?;
        content.finish(losses);
    }
    sources::add(&mut parts, fields.take("citationMetadata"), fields.take("groundingMetadata"), losses);
    let has_calls = parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(_)));
    let explanation = fields.text("finishMessage")?.map(|message| message.value);
    let stop = fields
        .text("finishReason")?
        .and_then(|reason| words::stop_reason(reason.value, has_calls))
        .map(|reason| Stop { reason, explanation });
    let choice = Choice {
        index: fields.count("index")?.map_or(0, |index| index.value),
        parts,
        stop,
        logprobs: fields.take("logprobsResult").and_then(|result| logprobs::read(&result)),
    };
    fields.finish(losses);
    Ok(choice)
}

/// Why a prompt was blocked, which is why nothing was answered.
fn blocked<'a>(feedback: &Node<'a>, losses: &mut Losses) -> Option<Stop<'a>> {
    let stop = block_of(feedback);
    if stop.is_none() {
        losses.unknown(feedback.at);
    }
    stop
}

/// The same, of any `promptFeedback`.
pub(super) fn block_of<'a>(feedback: &Node<'a>) -> Option<Stop<'a>> {
    let reason = feedback.text_of("blockReason")?;
    let message = feedback.text_of("blockReasonMessage");
    let explanation = message.unwrap_or_else(|| Cow::Owned(format!("the prompt was blocked: {reason}")));
    Some(Stop { reason: StopReason::Filtered, explanation: Some(explanation) })
}

fn usage(told: &Node<'_>, losses: &mut Losses) -> Option<Usage> {
    const KNOWN: [&str; 11] = [
        "promptTokenCount",
        "candidatesTokenCount",
        "totalTokenCount",
        "cachedContentTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "promptTokensDetails",
        "candidatesTokensDetails",
        "cacheTokensDetails",
        "toolUsePromptTokensDetails",
        "serviceTier",
    ];
    if let Value::Object(members) = &told.value {
        for (name, node) in members {
            if !KNOWN.contains(&name.as_ref()) && !matches!(node.value, Value::Null) {
                losses.unknown(node.at);
            }
        }
    }
    words::usage(told)
}
