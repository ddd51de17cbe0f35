//! Parts of a message's content, read.

use crate::translate::data_url;
use crate::translate::json::{Fields, Node};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Content, Field, Maker, Media, MediaKind, Native, Raw, Source, Text};
use crate::translate::openai::cache::cache;
use crate::translate::openai::{content, words};
use std::borrow::Cow;

/// A `content`: a string, or parts.
pub(super) fn contents<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Content<'a>>, Malformed> {
    content::contents(content, part_of, losses)
}

/// A `content` that can be text only.
pub(super) fn texts<'a>(content: Node<'a>, losses: &mut Losses) -> Result<Vec<Text<'a>>, Malformed> {
    content::texts(content, part_of, losses)
}

fn part_of<'a>(part: Node<'a>, losses: &mut Losses) -> Result<Content<'a>, Malformed> {
    let kind = part.text_of("type").ok_or_else(|| Malformed::missing(part.at, "type"))?;
    let name = match kind.as_ref() {
        "text" => return Ok(Content::Text(text(Fields::of(part)?, losses)?)),
        "image_url" => "image_url",
        "input_audio" => "input_audio",
        "file" => "file",
        _ => return Ok(Content::Native(native(&part))),
    };
    let whole = native(&part);
    let mut fields = Fields::of(part)?;
    fields.take("type");
    let inner = fields.needed(name)?;
    let at = inner.at;
    let cache = cache(&mut fields, losses)?;
    fields.finish(losses);
    let media = match name {
        "image_url" => image(inner, losses)?,
        "input_audio" => audio(Fields::of(inner)?, losses)?,
        _ => file(Fields::of(inner)?, losses)?,
    };
    Ok(match media {
        Some(Medium { kind, source, detail, title, context }) => {
            Content::Media(Media { kind, source, detail, title, context, cites: None, cache, at })
        }
        None => Content::Native(whole),
    })
}

pub(super) fn text<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Text<'a>, Malformed> {
    let at = fields.at;
    fields.take("type");
    let text = fields.needed_text("text")?.value;
    let cache = cache(&mut fields, losses)?;
    fields.finish(losses);
    Ok(Text { text, citations: Vec::new(), seal: None, cache, at })
}

struct Medium<'a> {
    kind: MediaKind,
    source: Source<'a>,
    detail: Option<Field<crate::translate::model::Detail>>,
    title: Option<Field<Cow<'a, str>>>,
    context: Option<Field<Cow<'a, str>>>,
}

impl<'a> Medium<'a> {
    const fn of(kind: MediaKind, source: Source<'a>) -> Self {
        Self { kind, source, detail: None, title: None, context: None }
    }
}

fn image<'a>(node: Node<'a>, losses: &mut Losses) -> Result<Option<Medium<'a>>, Malformed> {
    // Some clients write the address itself where an object with it should be.
    if let Some(url) = node.text() {
        return Ok(Some(Medium::of(MediaKind::Image, data_url::read(url))));
    }
    let mut fields = Fields::of(node)?;
    let url = fields.needed_text("url")?.value;
    let mut detail = None;
    if let Some(told) = fields.text("detail")? {
        match words::detail(&told.value) {
            Some(value) => detail = Some(Field { value, at: told.at }),
            None => losses.unknown(told.at),
        }
    }
    fields.finish(losses);
    Ok(Some(Medium { detail, ..Medium::of(MediaKind::Image, data_url::read(url)) }))
}

fn audio<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Option<Medium<'a>>, Malformed> {
    let data = fields.needed_text("data")?.value;
    let format = fields.needed_text("format")?;
    let Some(media_type) = words::audio_type(&format.value) else { return Ok(None) };
    fields.finish(losses);
    let source = Source::Base64 { media_type: Cow::Borrowed(media_type), data };
    Ok(Some(Medium::of(MediaKind::Audio, source)))
}

fn file<'a>(mut fields: Fields<'a>, losses: &mut Losses) -> Result<Option<Medium<'a>>, Malformed> {
    let title = fields.text("filename")?;
    let source = match (fields.text("file_data")?, fields.text("file_id")?) {
        (Some(data), None) => match data_url::read(data.value) {
            // The provider takes bare base64 too; nothing then says what it is.
            Source::Url(data) => Source::Base64 { media_type: Cow::Borrowed(""), data },
            source => source,
        },
        (None, Some(id)) => Source::Stored { owner: Maker::OpenAi, id: id.value },
        _ => return Ok(None),
    };
    fields.finish(losses);
    Ok(Some(Medium { title, ..Medium::of(MediaKind::Document, source) }))
}

pub(super) fn native<'a>(node: &Node<'a>) -> Native<'a> {
    Native { owner: Maker::OpenAi, name: Cow::Borrowed(""), value: Raw::borrowed(node.raw), at: node.at }
}
