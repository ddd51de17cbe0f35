//! Content of messages and of tools' results, read.

use crate::translate::data_url;
use crate::translate::json::{Fields, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{
    Citation, Content, Detail, Field, Maker, Media, MediaKind, Native, Raw, Source, Text,
};
use crate::translate::openai::cache::cache;
use crate::translate::openai::{content, words};
use std::borrow::Cow;

/// A `content` or an `output`: a string, or parts.
pub(super) fn contents<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Content<'a>>, Malformed> {
    content::contents(content, part_of, losses)
}

/// A `content` that can be text only.
pub(super) fn texts<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Text<'a>>, Malformed> {
    content::texts(content, part_of, losses)
}

fn part_of<'a>(part: Node<'a>, losses: &mut Losses) -> Result<Content<'a>, Malformed> {
    let kind = part.text_of("type").ok_or_else(|| Malformed::missing(part.at, "type"))?;
    Ok(match kind.as_ref() {
        "input_text" | "output_text" | "text" => Content::Text(text(Fields::of(part)?, losses)?),
        "input_image" => Content::Media(image(Fields::of(part)?, losses)?),
        "input_file" => Content::Media(file(Fields::of(part)?, losses)?),
        "input_audio" => audio(part, losses)?,
        _ => Content::Native(native(&part)),
    })
}

fn text<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Text<'a>, Malformed> {
    let at = fields.at;
    fields.take("type");
    let text = fields.needed_text("text")?.value;
    let cache = cache(&mut fields, losses)?;
    fields.finish(losses);
    Ok(Text { cache, ..Text::plain(text, at) })
}

/// A text of the model's; `start` is how many characters it has said before in the same turn.
pub(super) fn said<'a>(
    mut fields: Fields<'a>,
    start: u64,
    losses: &mut Losses,
) -> Result<Text<'a>, Malformed> {
    fields.take("logprobs");
    let annotations = fields.list("annotations")?;
    let citations = annotations.iter().map(|told| citation(told, start)).collect();
    Ok(Text { citations, ..text(fields, losses)? })
}

/// An annotation: an address, which all dialects know, or a file of the provider's.
pub(super) fn citation<'a>(told: &Node<'a>, start: u64) -> Citation<'a> {
    let url = told.text_of("url");
    let moved = |name| told.count_of(name).map(|at| at.saturating_add(start));
    let native = url.is_none().then(|| native(told));
    Citation {
        span: moved("start_index").zip(moved("end_index")).filter(|_| native.is_none()),
        title: told.text_of("title").or_else(|| told.text_of("filename")),
        url,
        cited_text: None,
        native,
    }
}

fn image<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Media<'a>, Malformed> {
    let source = match (fields.text("image_url")?, fields.text("file_id")?) {
        (Some(url), _) => data_url::read(url.value),
        (None, Some(id)) => stored(id.value),
        (None, None) => return Err(Malformed::missing(fields.at, "image_url")),
    };
    media(MediaKind::Image, source, None, fields, losses)
}

fn file<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Media<'a>, Malformed> {
    let title = fields.text("filename")?;
    let source = match (fields.text("file_data")?, fields.text("file_url")?, fields.text("file_id")?) {
        (Some(data), _, _) => match data_url::read(data.value) {
            Source::Url(data) => Source::Base64 { media_type: Cow::Borrowed(""), data },
            source => source,
        },
        (None, Some(url), _) => Source::Url(url.value),
        (None, None, Some(id)) => stored(id.value),
        (None, None, None) => return Err(Malformed::missing(fields.at, "file_data")),
    };
    media(MediaKind::Document, source, title, fields, losses)
}

const fn stored(id: Cow<'_, str>) -> Source<'_> {
    Source::Stored { owner: Maker::OpenAi, id }
}

/// Sound is taken by some who speak like OpenAI; its own SDK has the type, and its manual not yet.
fn audio<'a>(part: Node<'a>, losses: &mut Losses) -> Result<Content<'a>, Malformed> {
    let whole = native(&part);
    let mut fields = Fields::of(part)?;
    let mut sound = Fields::of(fields.needed("input_audio")?)?;
    let data = sound.needed_text("data")?.value;
    let format = sound.needed_text("format")?;
    let Some(media_type) = words::audio_type(&format.value) else { return Ok(Content::Native(whole)) };
    sound.finish(losses);
    let source = Source::Base64 { media_type: Cow::Borrowed(media_type), data };
    Ok(Content::Media(media(MediaKind::Audio, source, None, fields, losses)?))
}

fn media<'a>(
    kind: MediaKind,
    source: Source<'a>,
    title: Option<Field<Cow<'a, str>>>,
    mut fields: Fields<'a>,
    losses: &mut Losses,
) -> Result<Media<'a>, Malformed> {
    let at = fields.at;
    fields.take("type");
    let detail = match fields.text("detail")? {
        Some(told) => known_detail(&told, losses),
        None => None,
    };
    let cache = cache(&mut fields, losses)?;
    fields.finish(losses);
    Ok(Media { kind, source, detail, title, context: None, cites: None, cache, at })
}

fn known_detail(told: &Field<Cow<'_, str>>, losses: &mut Losses) -> Option<Field<Detail>> {
    let detail = words::detail(&told.value);
    if detail.is_none() {
        losses.unknown(told.at);
    }
    // Written or not, `auto` is the default.
    detail.filter(|detail| *detail != Detail::Auto).map(|value| Field { value, at: told.at })
}

/// What only this dialect knows.
pub(super) fn native<'a>(node: &Node<'a>) -> Native<'a> {
    Native {
        owner: Maker::OpenAiResponses,
        name: Cow::Borrowed(""),
        value: Raw::borrowed(node.raw),
        at: node.at,
    }
}
