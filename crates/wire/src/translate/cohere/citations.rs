//! Citations: which characters of a content block rest on which documents or results of tools.

use crate::translate::json::{Json, Node, Value};
use crate::translate::losses::Losses;
use crate::translate::model::{Citation, Maker, Native, Raw, Spot};
use std::borrow::Cow;

/// A citation, and what it is of.
pub(super) struct Told<'a> {
    pub(super) citation: Citation<'a>,
    /// The content block, by its number.
    pub(super) block: Option<u64>,
    /// Is it of a text, and not of reasoning or of the plan?
    pub(super) is_of_text: bool,
}

/// Reads one. Its span is of its block, and becomes one of the message's text by what stands `before` the
/// block.
pub(super) fn read<'a>(node: &Node<'a>, before: u64) -> Told<'a> {
    let span = node.count_of("start").zip(node.count_of("end"));
    let sources = match node.member("sources").map(|sources| &sources.value) {
        Some(Value::List(sources)) => sources.as_slice(),
        _ => &[],
    };
    let first = |name| sources.iter().find_map(|source| source.member("document")?.text_of(name));
    Told {
        citation: Citation {
            url: first("url"),
            title: first("title"),
            cited_text: None,
            span: span.map(|(start, end)| (before.saturating_add(start), before.saturating_add(end))),
            native: Some(native(node)),
        },
        block: node.count_of("content_index"),
        is_of_text: matches!(node.text_of("type").as_deref(), None | Some("TEXT_CONTENT")),
    }
}

/// A citation, or a part, as it stands.
pub(super) fn native<'a>(node: &Node<'a>) -> Native<'a> {
    Native { owner: Maker::Cohere, name: Cow::Borrowed(""), value: Raw::borrowed(node.raw), at: node.at }
}

/// The text that a citation is on.
pub(super) struct Cited<'t> {
    pub(super) text: &'t str,
    /// Its number among the content blocks.
    pub(super) block: u64,
    /// How many characters of text stand in blocks before it.
    pub(super) before: u64,
}

/// Writes one: as it was, where Cohere made it, else as one of a document.
pub(super) fn put(json: &mut Json, citation: &Citation<'_>, of: &Cited<'_>, losses: &mut Losses) {
    let Citation { url, title, cited_text, span, native } = citation;
    match native {
        Some(native) if native.owner == Maker::Cohere => {
            json.raw(native.value.text());
            return;
        }
        Some(native) => losses.note(native.at, "of a citation, what is cited is told, and not its place"),
        None => {}
    }
    // In a stream a span may be of a block that has been closed: then this one is all that can be told.
    let within = span.filter(|(start, _)| *start >= of.before);
    let (start, end) = match within {
        Some((start, end)) => (start - of.before, end.saturating_sub(of.before)),
        None => (0, of.text.chars().count() as u64),
    };
    let at = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let words: String = of.text.chars().skip(at(start)).take(at(end.saturating_sub(start))).collect();
    json.open('{').key("start").count(start).key("end").count(end).key("text").string(&words);
    let id = url.as_deref().or(title.as_deref()).unwrap_or_default();
    json.key("sources").open('[').open('{').key("type").string("document").key("id").string(id);
    json.key("document").open('{').key("id").string(id);
    for (name, text) in [("title", title), ("url", url), ("snippet", cited_text)] {
        if let Some(text) = text {
            json.key(name).string(text);
        }
    }
    json.close('}').close('}').close(']');
    json.key("content_index").count(of.block).key("type").string("TEXT_CONTENT").close('}');
}

/// Where a citation of something that can't be cited elsewhere stood.
pub(super) fn note_misplaced(at: Spot, losses: &mut Losses) {
    losses.note(at, "only texts rest on citations; those of reasoning and plans are left out");
}
