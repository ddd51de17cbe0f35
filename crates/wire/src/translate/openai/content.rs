//! What a message says: a string, or parts. Which parts there are, each dialect has to itself.

use crate::translate::json::{Json, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Content, Field, Maker, Media, MediaKind, Native, Text};
use std::borrow::Cow;

/// Reads one part.
type ReadPart = for<'a> fn(Node<'a>, &mut Losses) -> Result<Content<'a>, Malformed>;

/// Contents: a string, or parts.
pub(in crate::translate) fn contents<'a>(
    content: Node<'a>,
    part_of: ReadPart,
    losses: &mut Losses,
) -> Result<Vec<Content<'a>>, Malformed> {
    if let Some(text) = content.text() {
        return Ok(vec![Content::Text(Text::plain(text, content.at))]);
    }
    let mut parts = Vec::new();
    for part in list(content)? {
        parts.push(part_of(part, losses)?);
    }
    Ok(parts)
}

/// Contents that can be text only.
pub(in crate::translate) fn texts<'a>(
    content: Node<'a>,
    part_of: ReadPart,
    losses: &mut Losses,
) -> Result<Vec<Text<'a>>, Malformed> {
    let mut texts = Vec::new();
    for part in contents(content, part_of, losses)? {
        match part {
            Content::Text(text) => texts.push(text),
            Content::Media(Media { at, .. }) | Content::Native(Native { at, .. }) => {
                losses.note(at, "instructions can be text only");
            }
        }
    }
    Ok(texts)
}

/// Contents that are no string.
pub(in crate::translate) fn list(content: Node<'_>) -> Result<Vec<Node<'_>>, Malformed> {
    match content.value {
        Value::List(parts) => Ok(parts),
        _ => Err(Malformed::new(content.at, "a string or an array of content parts")),
    }
}

/// Writes a part that only `maker` knows, where it is one of its.
pub(in crate::translate) fn put_native(
    json: &mut Json,
    native: Native<'_>,
    maker: Maker,
    losses: &mut Losses,
) {
    let Native { owner, name: _, value, at } = native;
    if owner == maker {
        json.raw(value.text());
    } else {
        losses.note(at, "it is known to its own provider only");
    }
}

/// Notes what neither dialect can say beside a medium.
pub(in crate::translate) fn note_beside_medium(
    kind: MediaKind,
    title: Option<&Field<Cow<'_, str>>>,
    context: Option<&Field<Cow<'_, str>>>,
    cites: Option<&Field<bool>>,
    losses: &mut Losses,
) {
    if let Some(context) = context {
        losses.note(context.at, "nothing can be said of a document beside it");
    }
    if let Some(cites) = cites.filter(|cites| cites.value) {
        losses.note(cites.at, "documents can't be cited");
    }
    if kind != MediaKind::Document
        && let Some(title) = title
    {
        losses.note(title.at, "only documents have a name");
    }
}
