//! What an answer rests on: `citationMetadata` and `groundingMetadata`.
//!
//! Their spans are counted in bytes, those of the model in characters.

use crate::translate::json::{Node, Value};
use crate::translate::losses::Losses;
use crate::translate::model::{AssistantPart, Citation, Text};

/// Adds the sources of a candidate to the last of its texts.
pub(super) fn add(
    parts: &mut [AssistantPart<'_>],
    citations: Option<Node<'_>>,
    grounding: Option<Node<'_>>,
    losses: &mut Losses,
) {
    let told: String = texts(parts).map(|text| text.text.as_ref()).collect();
    let mut found: Vec<Citation<'static>> = Vec::new();
    if let Some(citations) = &citations {
        cited(citations, &told, &mut |citation| found.push(citation));
    }
    if let Some(grounding) = &grounding {
        losses.note(grounding.at, "of grounding, what is cited is told, and not how it was searched for");
        grounded(grounding, &told, &mut |citation| found.push(citation));
    }
    let last = parts.iter_mut().rev().find_map(|part| match part {
        AssistantPart::Text(text) => Some(text),
        _ => None,
    });
    match (last, citations) {
        (Some(text), _) => text.citations.extend(found),
        (None, Some(citations)) if !found.is_empty() => losses.unknown(citations.at),
        (None, _) => {}
    }
}

fn texts<'p, 'a>(parts: &'p [AssistantPart<'a>]) -> impl Iterator<Item = &'p Text<'a>> {
    parts.iter().filter_map(|part| match part {
        AssistantPart::Text(text) => Some(text),
        _ => None,
    })
}

/// Those of a `citationMetadata`, of the text told so far.
pub(super) fn cited(metadata: &Node<'_>, told: &str, each: &mut dyn FnMut(Citation<'static>)) {
    let sources = metadata.member("citationSources").or_else(|| metadata.member("citations"));
    let Some(Value::List(sources)) = sources.map(|sources| &sources.value) else { return };
    for source in sources {
        let start = source.count_of("startIndex").unwrap_or(0);
        each(Citation {
            url: source.text_of("uri").map(|uri| uri.into_owned().into()),
            title: source.text_of("title").map(|title| title.into_owned().into()),
            cited_text: None,
            span: source.count_of("endIndex").and_then(|end| characters(told, start, end)),
            native: None,
        });
    }
}

/// Those of a `groundingMetadata`: each stretch of the answer that is supported, with each page that does.
pub(super) fn grounded(metadata: &Node<'_>, told: &str, each: &mut dyn FnMut(Citation<'static>)) {
    let Some(Value::List(chunks)) = metadata.member("groundingChunks").map(|chunks| &chunks.value) else {
        return;
    };
    let Some(Value::List(supports)) = metadata.member("groundingSupports").map(|all| &all.value) else {
        return;
    };
    for support in supports {
        let segment = support.member("segment");
        let count = |name| segment.and_then(|segment| segment.count_of(name));
        let start = count("startIndex").unwrap_or(0);
        let span = count("endIndex").and_then(|end| characters(told, start, end));
        let indices = support.member("groundingChunkIndices").map(|indices| &indices.value);
        let Some(Value::List(indices)) = indices else { continue };
        for index in indices.iter().filter_map(|index| index.raw.parse::<usize>().ok()) {
            let page = chunks.get(index).and_then(|chunk| chunk.member("web"));
            let Some(page) = page else { continue };
            each(Citation {
                url: page.text_of("uri").map(|uri| uri.into_owned().into()),
                title: page.text_of("title").map(|title| title.into_owned().into()),
                cited_text: None,
                span,
                native: None,
            });
        }
    }
}

/// A span of bytes in characters, where it is one of this text.
fn characters(text: &str, start: u64, end: u64) -> Option<(u64, u64)> {
    let count = |end: u64| {
        let before = text.get(..usize::try_from(end).ok()?)?;
        Some(before.chars().count() as u64)
    };
    Some((count(start)?, count(end)?))
}

/// A span of characters in bytes, where it is one of this text.
pub(super) fn bytes(text: &str, (start, end): (u64, u64)) -> Option<(u64, u64)> {
    let offset = |characters: u64| {
        let characters = usize::try_from(characters).ok()?;
        let mut offsets = text.char_indices().map(|(offset, _)| offset).chain([text.len()]);
        offsets.nth(characters).map(|offset| offset as u64)
    };
    Some((offset(start)?, offset(end)?))
}
