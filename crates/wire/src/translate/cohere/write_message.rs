//! Messages, written: those of a request, and the one of an answer.

use super::citations::{self, Cited};
use super::{documents, words};
use crate::translate::data_url;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Arguments, AssistantPart, CacheMark, Content, Field, Maker, Media, MediaKind, Native, Reasoning, Source,
    Text, ToolCall, ToolResult, Turn,
};
use std::borrow::Cow;

/// Writes the turns, and gives the documents in them, which stand beside the conversation.
pub(super) fn put_turns<'a>(json: &mut Json, turns: Vec<Turn<'a>>, losses: &mut Losses) -> Vec<Media<'a>> {
    let last = turns.iter().rposition(|turn| matches!(turn, Turn::User { .. }));
    let mut found = Vec::new();
    json.key("messages").open('[');
    for (index, turn) in turns.into_iter().enumerate() {
        match turn {
            // Where there is one kind of instructions only, both are that.
            Turn::Instructions { authority: _, parts, name, at: _ } => {
                note_name(name, losses);
                let parts = parts.into_iter().map(Content::Text).collect();
                put_contents(json, "system", parts, losses);
            }
            Turn::User { parts, name, at: _ } => {
                note_name(name, losses);
                let (documents, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_document);
                put_contents(json, "user", parts, losses);
                for document in media_of(documents) {
                    if Some(index) != last {
                        losses.note(document.at, "documents stand beside the whole conversation");
                    }
                    found.push(document);
                }
            }
            Turn::Assistant { parts, name, at: _ } => {
                note_name(name, losses);
                let sorted = Sorted::of(parts, losses);
                if sorted.says_anything() {
                    json.open('{').key("role").string("assistant");
                    sorted.put(json, Form::Asked, losses);
                    json.close('}');
                }
            }
            Turn::Tools(results) => put_results(json, results, losses),
        }
    }
    json.close(']');
    found
}

fn is_document(part: &Content<'_>) -> bool {
    matches!(part, Content::Media(media) if documents::is_text(media))
}

fn media_of<'a>(parts: Vec<Content<'a>>) -> impl Iterator<Item = Media<'a>> {
    parts.into_iter().filter_map(|part| match part {
        Content::Media(media) => Some(media),
        Content::Text(_) | Content::Native(_) => None,
    })
}

fn note_name(name: Option<Field<Cow<'_, str>>>, losses: &mut Losses) {
    if let Some(name) = name {
        losses.note(name.at, "participants have no names");
    }
}

fn note_cache(cache: Option<CacheMark>, losses: &mut Losses) {
    if let Some(cache) = cache {
        losses.note(cache.at, "what is cached can't be marked");
    }
}

/// What a text has beside its words, none of which can be said here.
fn note_beside(text: &Text<'_>, losses: &mut Losses) {
    note_cache(text.cache, losses);
    if text.seal.is_some() {
        losses.note(text.at, "a seal has no place on a text");
    }
}

fn note_uncited(text: &Text<'_>, losses: &mut Losses) {
    note_beside(text, losses);
    if !text.citations.is_empty() {
        losses.note(text.at, "only an assistant's texts rest on citations");
    }
}

/// A message, unless it says nothing: such are refused, and what is around it goes on.
fn put_contents(json: &mut Json, role: &str, parts: Vec<Content<'_>>, losses: &mut Losses) {
    let mut parts = sayable(parts, losses);
    parts.retain(|part| !matches!(part, Content::Text(text) if text.text.is_empty()));
    if !parts.is_empty() {
        json.open('{').key("role").string(role).key("content");
        put_content(json, parts, losses);
        json.close('}');
    }
}

/// The parts that there is a form for.
fn sayable<'a>(mut parts: Vec<Content<'a>>, losses: &mut Losses) -> Vec<Content<'a>> {
    parts.retain(|part| {
        let (at, why) = match part {
            Content::Text(_) | Content::Native(Native { owner: Maker::Cohere, .. }) => return true,
            Content::Native(native) => (native.at, "it is known to its own provider only"),
            Content::Media(media) if documents::is_text(media) => return true,
            Content::Media(media) => match (media.kind, &media.source) {
                (MediaKind::Image, Source::Url(_) | Source::Base64 { .. }) => return true,
                (_, Source::Stored { .. }) => (media.at, "the file is kept at another provider"),
                (MediaKind::Document, _) => (media.at, "documents are taken as texts"),
                (MediaKind::Audio, _) => (media.at, "sound is not taken"),
                (MediaKind::Video, _) => (media.at, "films are not taken"),
                (MediaKind::Image, _) => (media.at, "images are taken by address or in base64"),
            },
        };
        losses.note(at, why);
        false
    });
    parts
}

/// A `content` of what is [`sayable`]: the bare string where it is one text, else parts.
fn put_content(json: &mut Json, parts: Vec<Content<'_>>, losses: &mut Losses) {
    if let [Content::Text(text)] = parts.as_slice() {
        note_uncited(text, losses);
        json.string(&text.text);
        return;
    }
    json.open('[');
    for part in parts {
        match part {
            Content::Text(text) => {
                note_uncited(&text, losses);
                put_text(json, &text.text);
            }
            Content::Media(media) if documents::is_text(&media) => {
                json.open('{').key("type").string("document").key("document");
                documents::put(json, media, losses);
                json.close('}');
            }
            Content::Media(media) => put_image(json, media, losses),
            Content::Native(Native { owner: _, name: _, value, at: _ }) => {
                json.raw(value.text());
            }
        }
    }
    json.close(']');
}

fn put_text(json: &mut Json, text: &str) {
    json.open('{').key("type").string("text").key("text").string(text).close('}');
}

fn put_image(json: &mut Json, image: Media<'_>, losses: &mut Losses) {
    let Media { kind: _, source, detail, title, context, cites: _, cache, at: _ } = image;
    note_cache(cache, losses);
    for beside in [title, context].into_iter().flatten() {
        losses.note(beside.at, "only documents have a title and a context");
    }
    json.open('{').key("type").string("image_url").key("image_url").open('{').key("url");
    match source {
        Source::Base64 { media_type, data } => json.string(&data_url::write(&media_type, &data)),
        Source::Url(url) => json.string(&url),
        Source::Text { .. } | Source::Parts(_) | Source::Stored { .. } => json.null(),
    };
    if let Some(detail) = detail {
        let (word, is_same) = words::detail_word(detail.value);
        if !is_same {
            losses.note(detail.at, "an image is looked at scaled, at most finely");
        }
        json.key("detail").string(word);
    }
    json.close('}').close('}');
}

/// A message a result. What a result shows besides texts and documents comes behind them all, from the
/// user, since the dialect has no other place for it.
fn put_results(json: &mut Json, results: Vec<ToolResult<'_>>, losses: &mut Losses) {
    let mut shown = Vec::new();
    for result in results {
        let ToolResult { call_id, parts, is_error, cache, at: _ } = result;
        note_cache(cache, losses);
        if let Some(failed) = is_error {
            losses.note(failed.at, "that a tool failed can be told in words only");
        }
        let (told, images): (Vec<_>, Vec<_>) = sayable(parts, losses)
            .into_iter()
            .partition(|part| !matches!(part, Content::Media(media) if !documents::is_text(media)));
        for image in media_of(images) {
            losses.note(
                image.at,
                "a tool can give texts and documents only; it is shown by the user behind the results",
            );
            shown.push(Content::Media(image));
        }
        json.open('{').key("role").string("tool").key("tool_call_id").string(&call_id).key("content");
        if told.is_empty() {
            json.string("");
        } else {
            put_content(json, told, losses);
        }
        json.close('}');
    }
    put_contents(json, "user", shown, losses);
}

/// Where a message of an assistant stands: in a request one text may be the bare content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Asked,
    Answered,
}

/// The parts of an assistant's message by the fields that they go to.
#[derive(Default)]
pub(super) struct Sorted<'a> {
    content: Vec<Block<'a>>,
    plan: Option<Cow<'a, str>>,
    calls: Vec<ToolCall<'a>>,
}

enum Block<'a> {
    Text(Text<'a>),
    Thinking(Cow<'a, str>),
    Native(Native<'a>),
}

impl<'a> Sorted<'a> {
    pub(super) fn of(parts: Vec<AssistantPart<'a>>, losses: &mut Losses) -> Self {
        let mut sorted = Self::default();
        for part in parts {
            match part {
                AssistantPart::Text(text) | AssistantPart::Refusal(text) => {
                    note_beside(&text, losses);
                    if !sorted.calls.is_empty() {
                        losses.note(text.at, "a text behind a tool call is told before it");
                    }
                    if !text.text.is_empty() {
                        sorted.content.push(Block::Text(text));
                    }
                }
                AssistantPart::Reasoning(reasoning) => sorted.add_reasoning(reasoning, losses),
                AssistantPart::ToolCall(call) => sorted.calls.push(call),
                AssistantPart::Media(media) => losses.note(media.at, "an assistant can say only text"),
                AssistantPart::Native(native) if native.owner == Maker::Cohere => {
                    sorted.content.push(Block::Native(native));
                }
                AssistantPart::Native(native) => {
                    losses.note(native.at, "it is known to its own provider only");
                }
            }
        }
        sorted
    }

    fn add_reasoning(&mut self, reasoning: Reasoning<'a>, losses: &mut Losses) {
        let Reasoning { text, is_summary, seal, id: _, at } = reasoning;
        if seal.is_some() {
            losses.note(at, "reasoning has no seal here");
        }
        if text.is_empty() {
            return;
        }
        if !is_summary {
            return self.content.push(Block::Thinking(text));
        }
        self.plan = Some(match self.plan.take() {
            None => text,
            Some(before) => {
                losses.note(at, "there is one plan, to which this is added");
                Cow::Owned(format!("{before}\n\n{text}"))
            }
        });
    }

    fn says_anything(&self) -> bool {
        let Self { content, plan, calls } = self;
        !content.is_empty() || plan.is_some() || !calls.is_empty()
    }

    /// Writes the fields of the message, but for its role.
    pub(super) fn put(self, json: &mut Json, form: Form, losses: &mut Losses) {
        let Self { content, plan, calls } = self;
        match content.as_slice() {
            [] if form == Form::Answered && calls.is_empty() => {
                json.key("content").open('[').close(']');
            }
            [] => {}
            [Block::Text(text)] if form == Form::Asked => {
                json.key("content").string(&text.text);
            }
            blocks => {
                json.key("content").open('[');
                for block in blocks {
                    match block {
                        Block::Text(text) => put_text(json, &text.text),
                        Block::Thinking(text) => {
                            json.open('{').key("type").string("thinking");
                            json.key("thinking").string(text).close('}');
                        }
                        Block::Native(native) => {
                            json.raw(native.value.text());
                        }
                    }
                }
                json.close(']');
            }
        }
        if let Some(plan) = plan {
            json.key("tool_plan").string(&plan);
        }
        if !calls.is_empty() {
            json.key("tool_calls").open('[');
            for call in calls {
                put_call(json, call, losses);
            }
            json.close(']');
        }
        put_citations(json, &content, losses);
    }
}

fn put_citations(json: &mut Json, content: &[Block<'_>], losses: &mut Losses) {
    let mut texts: Vec<Cited<'_>> = Vec::new();
    let mut told = Vec::new();
    let mut before = 0;
    for (block, said) in (0..).zip(content) {
        let Block::Text(text) = said else { continue };
        told.extend(text.citations.iter().map(|citation| (citation, texts.len())));
        texts.push(Cited { text: &text.text, block, before });
        before += text.text.chars().count() as u64;
    }
    if told.is_empty() {
        return;
    }
    json.key("citations").open('[');
    for (citation, own) in told {
        // Others tell the citations of all texts on the last one; where they are, their span says.
        let spanned = citation.span.and_then(|(start, _)| texts.iter().rfind(|text| text.before <= start));
        if let Some(text) = spanned.or_else(|| texts.get(own)) {
            citations::put(json, citation, text, losses);
        }
    }
    json.close(']');
}

fn put_call(json: &mut Json, call: ToolCall<'_>, losses: &mut Losses) {
    let ToolCall { id, name, arguments, seal, cache, at } = call;
    note_cache(cache, losses);
    if seal.is_some() {
        losses.note(at, "a seal has no place on a call");
    }
    let text = match &arguments {
        Arguments::Object(object) => object.text(),
        Arguments::Broken(text) => text,
        Arguments::Free(text) => {
            losses.note(at, "a custom tool's input is sent as a function's arguments");
            text
        }
    };
    json.open('{').key("id").string(&id).key("type").string("function").key("function").open('{');
    json.key("name").string(&name).key("arguments").string(text).close('}').close('}');
}
