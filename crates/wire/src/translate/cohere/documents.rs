//! Documents that the model may cite: texts, each with `data` of any shape.

use crate::translate::json::{Fields, Json, Node, Value};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Content, Field, Media, MediaKind, Source, Spot, Text, Turn};
use std::borrow::Cow;

/// The members of `data` that hold a document's text, one of them, and its name. What has others is taken
/// whole, since the model is shown all of them, names and values.
const TEXTS: [&str; 3] = ["text", "snippet", "content"];
const TITLE: &str = "title";
const CONTEXT: &str = "context";

/// Reads one: `{"data", "id"}`, or a bare text.
pub(super) fn read<'a>(node: Node<'a>, losses: &mut Losses) -> Result<Media<'a>, Malformed> {
    let at = node.at;
    if let Some(text) = node.text() {
        return Ok(document(Data { text, title: None, context: None }, at));
    }
    let mut fields = Fields::of(node)?;
    let id = fields.text("id")?;
    let mut data = data(fields.needed("data")?);
    fields.finish(losses);
    match id {
        Some(id) if data.title.is_some() => {
            losses.note(id.at, "documents elsewhere have one name; this one's title is sent");
        }
        // Citations name documents, and this is the name that the caller will look for.
        id => data.title = data.title.or(id),
    }
    Ok(document(data, at))
}

struct Data<'a> {
    text: Cow<'a, str>,
    title: Option<Field<Cow<'a, str>>>,
    context: Option<Field<Cow<'a, str>>>,
}

fn data<'a>(node: Node<'a>) -> Data<'a> {
    let whole = |raw: &'a str| Data { text: Cow::Borrowed(raw), title: None, context: None };
    if let Some(text) = node.text() {
        return Data { text, title: None, context: None };
    }
    let Value::Object(members) = &node.value else { return whole(node.raw) };
    let (mut text, mut title, mut context) = (None, None, None);
    for (name, value) in members {
        let slot = match name.as_ref() {
            TITLE => &mut title,
            CONTEXT => &mut context,
            name if TEXTS.contains(&name) => &mut text,
            _ => return whole(node.raw),
        };
        let Some(said) = value.text().filter(|_| slot.is_none()) else { return whole(node.raw) };
        *slot = Some(Field { value: said, at: value.at });
    }
    match text {
        Some(text) => Data { text: text.value, title, context },
        None => whole(node.raw),
    }
}

fn document<'a>(data: Data<'a>, at: Spot) -> Media<'a> {
    let Data { text, title, context } = data;
    Media {
        kind: MediaKind::Document,
        source: Source::Text { media_type: Cow::Borrowed("text/plain"), text },
        detail: None,
        title,
        context,
        cites: None,
        cache: None,
        at,
    }
}

/// Gives the request's documents to the user's last turn, which the model answers with them before it.
pub(super) fn add_to<'a>(turns: &mut Vec<Turn<'a>>, documents: Vec<Media<'a>>) {
    if documents.is_empty() {
        return;
    }
    let documents = documents.into_iter().map(Content::Media);
    let last = turns.iter_mut().rev().find_map(|turn| match turn {
        Turn::User { parts, .. } => Some(parts),
        _ => None,
    });
    match last {
        Some(parts) => drop(parts.splice(0..0, documents)),
        None => turns.push(Turn::User { parts: documents.collect(), name: None, at: Field::made(()) }),
    }
}

/// A text for a document that is nothing but one: as such tools are to give all they give.
pub(super) fn bare(part: Content<'_>) -> Content<'_> {
    match part {
        Content::Media(Media {
            source: Source::Text { text, .. }, title: None, context: None, at, ..
        }) => Content::Text(Text::plain(text, at)),
        other => other,
    }
}

/// Is it a document that can be written here: one whose text is here?
pub(super) fn is_text(media: &Media<'_>) -> bool {
    let is_text = |part: &Content<'_>| matches!(part, Content::Text(_));
    media.kind == MediaKind::Document
        && match &media.source {
            Source::Text { .. } => true,
            Source::Parts(parts) => parts.iter().all(is_text),
            Source::Url(_) | Source::Base64 { .. } | Source::Stored { .. } => false,
        }
}

/// Writes one that [`is_text`]. Whether it may be cited is told for all documents together.
pub(super) fn put(json: &mut Json, media: Media<'_>, losses: &mut Losses) {
    let Media { kind: _, source, detail: _, title, context, cites: _, cache, at: _ } = media;
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    json.open('{').key("data").open('{');
    for (name, text) in [(TITLE, title), (CONTEXT, context)] {
        if let Some(text) = text {
            json.key(name).string(&text.value);
        }
    }
    json.key("text").string(&text_of(source)).close('}').close('}');
}

fn text_of(source: Source<'_>) -> Cow<'_, str> {
    match source {
        Source::Text { media_type: _, text } => text,
        Source::Parts(parts) => {
            let texts = parts.into_iter().filter_map(|part| match part {
                Content::Text(Text { text, .. }) => Some(text),
                Content::Media(_) | Content::Native(_) => None,
            });
            Cow::Owned(texts.collect::<Vec<_>>().join("\n"))
        }
        Source::Url(_) | Source::Base64 { .. } | Source::Stored { .. } => Cow::Borrowed(""),
    }
}

/// Whether documents are cited, of a request's `citation_options`; none where these say more than that.
pub(super) fn read_citing(options: &Node<'_>) -> Option<Field<bool>> {
    let is_bare = matches!(&options.value, Value::Object(members) if members.len() == 1);
    let value = match options.text_of("mode").as_deref() {
        Some("OFF" | "DISABLED") => false,
        Some("ENABLED") => true,
        _ => return None,
    };
    is_bare.then_some(Field { value, at: options.at })
}

/// The same, written: what isn't said is that they are.
pub(super) fn put_not_citing(json: &mut Json) {
    json.key("citation_options").open('{').key("mode").string("OFF").close('}');
}
