//! Parts of a message's content, written.

use crate::translate::codec::ModelTraits;
use crate::translate::data_url;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Content, Field, Maker, Media, MediaKind, Source, Spot, Text};
use crate::translate::openai::cache::put_cache;
use crate::translate::openai::content::{note_beside_medium, put_native};
use crate::translate::openai::words::{audio_format, detail_word};
use std::borrow::Cow;

/// A `content`: the bare string where it is one text and nothing else, else parts.
pub(super) fn put_contents(
    json: &mut Json,
    parts: Vec<Content<'_>>,
    traits: ModelTraits,
    losses: &mut Losses,
) {
    match parts.as_slice() {
        [] => {
            json.string("");
        }
        [Content::Text(text)] if is_plain(text, traits) => {
            note_beside(text, losses);
            json.string(&text.text);
        }
        _ => {
            json.open('[');
            for part in parts {
                match part {
                    Content::Text(text) => put_text(json, text, traits, losses),
                    Content::Media(media) => put_media(json, media, traits, losses),
                    Content::Native(native) => put_native(json, native, Maker::OpenAi, losses),
                }
            }
            json.close(']');
        }
    }
}

/// Texts only, in the same way.
pub(super) fn put_texts(json: &mut Json, mut texts: Vec<Text<'_>>, traits: ModelTraits, losses: &mut Losses) {
    let is_one = matches!(texts.as_slice(), [text] if is_plain(text, traits));
    if is_one && let Some(text) = texts.pop() {
        note_beside(&text, losses);
        json.string(&text.text);
        return;
    }
    json.open('[');
    for text in texts {
        put_text(json, text, traits, losses);
    }
    json.close(']');
}

fn is_plain(text: &Text<'_>, traits: ModelTraits) -> bool {
    text.cache.is_none() || !traits.takes_cache_marks
}

/// What a bare string has no room for.
fn note_beside(text: &Text<'_>, losses: &mut Losses) {
    if let Some(cache) = text.cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
    note_unsayable(text, losses);
}

fn note_unsayable(text: &Text<'_>, losses: &mut Losses) {
    if !text.citations.is_empty() {
        losses.note(text.at, "citations can't be sent back");
    }
    if text.seal.is_some() {
        losses.note(text.at, "a seal has no place on a text");
    }
}

fn put_text(json: &mut Json, text: Text<'_>, traits: ModelTraits, losses: &mut Losses) {
    note_unsayable(&text, losses);
    let Text { text, citations: _, seal: _, cache, at: _ } = text;
    json.open('{').key("type").string("text").key("text").string(&text);
    put_cache(json, cache, traits, losses);
    json.close('}');
}

pub(super) fn put_media(json: &mut Json, media: Media<'_>, traits: ModelTraits, losses: &mut Losses) {
    let Media { kind, source, detail, title, context, cites, cache, at } = media;
    note_beside_medium(kind, title.as_ref(), context.as_ref(), cites.as_ref(), losses);
    if kind != MediaKind::Image
        && let Some(detail) = detail
    {
        losses.note(detail.at, "only an image is looked at more or less closely");
    }
    let Some(source) = sayable(json, kind, source, traits, at, losses) else { return };
    json.open('{').key("type");
    match kind {
        MediaKind::Image => {
            json.string("image_url").key("image_url").open('{').key("url");
            put_url(json, &source);
            if let Some(Field { value, .. }) = detail {
                json.key("detail").string(detail_word(value));
            }
            json.close('}');
        }
        MediaKind::Audio => {
            json.string("input_audio").key("input_audio").open('{');
            if let Source::Base64 { media_type, data } = &source {
                json.key("data").string(data);
                json.key("format").string(audio_format(media_type).unwrap_or_default());
            }
            json.close('}');
        }
        MediaKind::Document | MediaKind::Video => put_file(json, source, title),
    }
    put_cache(json, cache, traits, losses);
    json.close('}');
}

/// The source, where the dialect has a form for it; a document that is text is written as that, noted.
fn sayable<'a>(
    json: &mut Json,
    kind: MediaKind,
    source: Source<'a>,
    traits: ModelTraits,
    at: Spot,
    losses: &mut Losses,
) -> Option<Source<'a>> {
    let why = match (kind, &source) {
        (MediaKind::Image, Source::Url(_) | Source::Base64 { .. })
        | (MediaKind::Document, Source::Base64 { .. } | Source::Stored { owner: Maker::OpenAi, .. }) => {
            return Some(source);
        }
        (MediaKind::Audio, Source::Base64 { media_type, .. }) if audio_format(media_type).is_some() => {
            return Some(source);
        }
        (MediaKind::Document, Source::Text { text, .. }) => {
            put_text(json, Text::plain(Cow::Borrowed(text), at), traits, losses);
            "documents are taken as files; this one is sent as text"
        }
        (_, Source::Stored { .. }) => "the file is kept at another provider",
        (MediaKind::Document, Source::Url(_)) => "documents are not fetched from addresses",
        (MediaKind::Document, Source::Parts(_)) => "documents are taken as files",
        (MediaKind::Audio, _) => "sound is taken as WAV or MP3 in base64",
        (MediaKind::Video, _) => "films are not taken",
        (MediaKind::Image, _) => "images are taken by address or in base64",
    };
    losses.note(at, why);
    None
}

fn put_url(json: &mut Json, source: &Source<'_>) {
    match source {
        Source::Url(url) => json.string(url),
        Source::Base64 { media_type, data } => json.string(&data_url::write(media_type, data)),
        _ => json.null(),
    };
}

fn put_file(json: &mut Json, source: Source<'_>, title: Option<Field<Cow<'_, str>>>) {
    json.string("file").key("file").open('{');
    match source {
        Source::Stored { id, .. } => {
            json.key("file_id").string(&id);
            if let Some(title) = title {
                json.key("filename").string(&title.value);
            }
        }
        Source::Base64 { media_type, data } => {
            // A file without a name is refused.
            let name = title.map_or(Cow::Borrowed("document.pdf"), |title| title.value);
            json.key("filename").string(&name).key("file_data");
            let is_bare = media_type.is_empty();
            if is_bare {
                json.string(&data)
            } else {
                json.string(&data_url::write(&media_type, &data))
            };
        }
        _ => {}
    }
    json.close('}');
}
