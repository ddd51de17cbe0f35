//! OpenAI caches a prompt unasked, Anthropic only what is marked. A caller that gives `prompt_cache_key` counts on a cache,
//! such as an agent that sends all of its conversation again in each turn; marks are as near as it gets.
//!
//! Source: Anthropic, "Prompt caching": what comes before a mark is cached with it, and up to four may be set.

use crate::translate::losses::Losses;
use crate::translate::model::{AssistantPart, CacheMark, Content, Field, Text, Tool, Turn};
use std::borrow::Cow;

/// Marks the end of the instructions, which stay the same for all conversations, and the end of this one, unless the
/// caller has marked anything itself.
pub(super) fn mark(
    key: Option<Field<Cow<'_, str>>>,
    turns: &mut [Turn<'_>],
    tools: &[Tool<'_>],
    losses: &mut Losses,
) {
    let Some(key) = key else { return };
    losses.note(key.at, "a prompt has no key; its instructions and its end are marked to be cached");
    if turns.iter().any(is_marked) || tools.iter().any(is_tool_marked) {
        return;
    }
    let mark = Some(CacheMark { ttl: None, at: key.at });
    let instructions = turns.iter_mut().take_while(|turn| matches!(turn, Turn::Instructions { .. })).last();
    if let Some(Turn::Instructions { parts, .. }) = instructions
        && let Some(text) = parts.last_mut()
    {
        text.cache = mark;
    }
    match turns.last_mut() {
        Some(Turn::User { parts, .. }) => match parts.last_mut() {
            Some(Content::Text(text)) => text.cache = mark,
            Some(Content::Media(media)) => media.cache = mark,
            Some(Content::Native(_)) | None => {}
        },
        Some(Turn::Tools(results)) => {
            if let Some(result) = results.last_mut() {
                result.cache = mark;
            }
        }
        Some(Turn::Instructions { .. } | Turn::Assistant { .. }) | None => {}
    }
}

fn is_marked(turn: &Turn<'_>) -> bool {
    let in_text = |text: &Text<'_>| text.cache.is_some();
    let in_content = |part: &Content<'_>| match part {
        Content::Text(text) => in_text(text),
        Content::Media(media) => media.cache.is_some(),
        Content::Native(_) => false,
    };
    match turn {
        Turn::Instructions { parts, .. } => parts.iter().any(in_text),
        Turn::User { parts, .. } => parts.iter().any(in_content),
        Turn::Assistant { parts, .. } => parts.iter().any(|part| match part {
            AssistantPart::Text(text) | AssistantPart::Refusal(text) => in_text(text),
            AssistantPart::ToolCall(call) => call.cache.is_some(),
            AssistantPart::Media(media) => media.cache.is_some(),
            AssistantPart::Reasoning(_) | AssistantPart::Native(_) => false,
        }),
        Turn::Tools(results) => {
            results.iter().any(|result| result.cache.is_some() || result.parts.iter().any(in_content))
        }
    }
}

const fn is_tool_marked(tool: &Tool<'_>) -> bool {
    match tool {
        Tool::Function(function) => function.cache.is_some(),
        Tool::Custom(_) | Tool::Native(_) => false,
    }
}
