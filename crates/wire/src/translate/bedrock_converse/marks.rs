//! Cache points: blocks of their own here, marks on what stands before them in the model.

use crate::translate::losses::Losses;
use crate::translate::model::{AssistantPart, CacheMark, Content, Tool, Turn};

/// The place of a mark, if there is one.
pub(super) type Place<'p> = Option<&'p mut Option<CacheMark>>;

/// Marks what stands before a cache point, if that can be marked and isn't yet.
pub(super) fn has_marked(place: Place<'_>, mark: CacheMark) -> bool {
    match place {
        Some(place) if place.is_none() => {
            *place = Some(mark);
            true
        }
        _ => false,
    }
}

pub(super) fn of_assistant<'p>(part: &'p mut AssistantPart<'_>) -> Place<'p> {
    match part {
        AssistantPart::Text(text) | AssistantPart::Refusal(text) => Some(&mut text.cache),
        AssistantPart::ToolCall(call) => Some(&mut call.cache),
        AssistantPart::Media(media) => Some(&mut media.cache),
        AssistantPart::Reasoning(_) | AssistantPart::Native(_) => None,
    }
}

pub(super) fn of_content<'p>(part: &'p mut Content<'_>) -> Place<'p> {
    match part {
        Content::Text(text) => Some(&mut text.cache),
        Content::Media(media) => Some(&mut media.cache),
        Content::Native(_) => None,
    }
}

pub(super) fn of_tool<'p>(tool: &'p mut Tool<'_>) -> Place<'p> {
    match tool {
        Tool::Function(function) => Some(&mut function.cache),
        Tool::Custom(_) | Tool::Native(_) => None,
    }
}

/// Takes all marks away: models that cache nothing refuse them.
pub(super) fn take_all(turns: &mut [Turn<'_>], tools: &mut [Tool<'_>], losses: &mut Losses) {
    let mut take = |place: Place<'_>| {
        if let Some(mark) = place.and_then(Option::take) {
            losses.note(mark.at, "what is cached can't be marked");
        }
    };
    for tool in tools {
        take(of_tool(tool));
    }
    for turn in turns {
        match turn {
            Turn::Instructions { parts, .. } => parts.iter_mut().for_each(|text| take(Some(&mut text.cache))),
            Turn::User { parts, .. } => parts.iter_mut().for_each(|part| take(of_content(part))),
            Turn::Assistant { parts, .. } => parts.iter_mut().for_each(|part| take(of_assistant(part))),
            Turn::Tools(results) => {
                for result in results {
                    result.parts.iter_mut().for_each(|part| take(of_content(part)));
                    take(Some(&mut result.cache));
                }
            }
        }
    }
}
