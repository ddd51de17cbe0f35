//! The item of a stream that is open: its events, and what it has come to when it is over.

use super::items::{call_type, put_citation};
use super::write_stream::{Events, add, value};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Citation, Maker, PartStart, Seal, Spot};
use crate::translate::seal;

#[derive(Debug)]
pub(super) enum Open {
    Nothing,
    Message(Message),
    Thought(Thought),
    Call(Call),
}

/// Where an item stands, and what it is called.
#[derive(Debug)]
struct Place {
    index: u64,
    id: String,
}

impl Place {
    /// What every event of an item says.
    fn put(&self, json: &mut Json) {
        json.key("item_id").string(&self.id).key("output_index").count(self.index);
    }

    fn item(&self, events: &mut Events<'_>, name: &str, item: &str) {
        events.put(name, |json| {
            json.key("output_index").count(self.index).key("item").raw(item);
        });
    }

    fn added(&self, events: &mut Events<'_>, item: impl FnOnce(&mut Json)) {
        let item = value(|json| {
            json.open('{').key("id").string(&self.id);
            item(json);
            json.close('}');
        });
        self.item(events, "response.output_item.added", &item);
    }

    fn done(&self, events: &mut Events<'_>, item: impl FnOnce(&mut Json)) -> String {
        let item = value(|json| {
            json.open('{').key("id").string(&self.id);
            item(json);
            json.close('}');
        });
        self.item(events, "response.output_item.done", &item);
        item
    }
}

/// A message: contents one after another.
#[derive(Debug)]
pub(super) struct Message {
    place: Place,
    /// The contents that are complete, as a list's inside.
    contents: String,
    count: u64,
    content: Option<Content>,
    /// Of its last text.
    pub(super) seal: Option<Seal<'static>>,
}

#[derive(Debug, Default)]
struct Content {
    is_refusal: bool,
    text: String,
    /// Lists' insides.
    annotations: String,
    annotation_count: u64,
    logprobs: String,
    /// The characters that were said before it.
    start: u64,
}

impl Content {
    fn put(&self, json: &mut Json) {
        json.open('{').key("type");
        if self.is_refusal {
            json.string("refusal").key("refusal").string(&self.text).close('}');
            return;
        }
        json.string("output_text").key("text").string(&self.text).key("annotations");
        put_list(json, &self.annotations);
        json.key("logprobs");
        put_list(json, &self.logprobs);
        json.close('}');
    }
}

fn put_list(json: &mut Json, inside: &str) {
    json.open('[');
    if !inside.is_empty() {
        json.raw(inside);
    }
    json.close(']');
}

impl Message {
    pub(super) fn begin(index: u64, id: String, events: &mut Events<'_>) -> Self {
        let place = Place { index, id };
        place.added(events, |json| put_message(json, "in_progress", ""));
        Self { place, contents: String::new(), count: 0, content: None, seal: None }
    }

    pub(super) fn start(&mut self, is_refusal: bool, start: u64, events: &mut Events<'_>) {
        self.end(events);
        let content = Content { is_refusal, start, ..Content::default() };
        self.event(events, "response.content_part.added", |json| {
            json.key("part");
            content.put(json);
        });
        self.content = Some(content);
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.is_refusal)
    }

    pub(super) fn has_text(&self) -> bool {
        self.content.as_ref().is_some_and(|content| !content.is_refusal)
    }

    pub(super) fn add(&mut self, text: &str, events: &mut Events<'_>) {
        let Some(content) = &mut self.content else { return };
        content.text.push_str(text);
        if content.is_refusal {
            self.event(events, "response.refusal.delta", |json| {
                json.key("delta").string(text);
            });
        } else {
            self.text_delta(text, "", events);
        }
    }

    /// Probabilities come behind the text that they are of.
    pub(super) fn add_logprobs(&mut self, tokens: &str, events: &mut Events<'_>) {
        let Some(content) = &mut self.content else { return };
        add(&mut content.logprobs, tokens);
        self.text_delta("", tokens, events);
    }

    fn text_delta(&self, text: &str, logprobs: &str, events: &mut Events<'_>) {
        self.event(events, "response.output_text.delta", |json| {
            json.key("delta").string(text).key("logprobs");
            put_list(json, logprobs);
        });
    }

    pub(super) fn cite(&mut self, citation: &Citation<'_>, losses: &mut Losses, events: &mut Events<'_>) {
        let Some(content) = &mut self.content else { return };
        let length = content.text.chars().count() as u64;
        let mut is_told = false;
        let told = value(|json| {
            is_told = put_citation(json, citation, content.start, length, Spot::NOWHERE, losses);
        });
        if !is_told {
            return;
        }
        let number = content.annotation_count;
        content.annotation_count += 1;
        add(&mut content.annotations, &told);
        self.event(events, "response.output_text.annotation.added", |json| {
            json.key("annotation_index").count(number).key("annotation").raw(&told);
        });
    }

    pub(super) fn end(&mut self, events: &mut Events<'_>) {
        let Some(content) = self.content.take() else { return };
        if content.is_refusal {
            self.event(events, "response.refusal.done", |json| {
                json.key("refusal").string(&content.text);
            });
        } else {
            self.event(events, "response.output_text.done", |json| {
                json.key("text").string(&content.text).key("logprobs");
                put_list(json, &content.logprobs);
            });
        }
        let part = value(|json| content.put(json));
        self.event(events, "response.content_part.done", |json| {
            json.key("part").raw(&part);
        });
        add(&mut self.contents, &part);
        self.count += 1;
    }

    pub(super) fn finish(mut self, events: &mut Events<'_>) -> (String, Option<Seal<'static>>) {
        self.end(events);
        let item = self.place.done(events, |json| put_message(json, "completed", &self.contents));
        (item, self.seal)
    }

    fn event(&self, events: &mut Events<'_>, name: &str, rest: impl FnOnce(&mut Json)) {
        events.put(name, |json| {
            self.place.put(json);
            json.key("content_index").count(self.count);
            rest(json);
        });
    }
}

fn put_message(json: &mut Json, status: &str, contents: &str) {
    json.key("type").string("message").key("status").string(status);
    json.key("role").string("assistant").key("content");
    put_list(json, contents);
}

/// Reasoning: summaries, then texts, as lists' insides.
#[derive(Debug)]
pub(super) struct Thought {
    place: Place,
    own_id: Option<String>,
    summaries: String,
    summary_count: u64,
    contents: String,
    content_count: u64,
    stretch: Option<Stretch>,
    pub(super) seal: Option<Seal<'static>>,
}

/// The stretch that is open; it is told from its first word on.
#[derive(Debug)]
struct Stretch {
    is_summary: bool,
    text: String,
}

impl Thought {
    pub(super) fn begin(index: u64, own_id: Option<String>, made: String, events: &mut Events<'_>) -> Self {
        let place = Place { index, id: own_id.clone().unwrap_or(made) };
        place.added(events, |json| {
            json.key("type").string("reasoning").key("summary").open('[').close(']');
        });
        Self {
            place,
            own_id,
            summaries: String::new(),
            summary_count: 0,
            contents: String::new(),
            content_count: 0,
            stretch: None,
            seal: None,
        }
    }

    /// Is a stretch of that id one more of this item?
    pub(super) fn goes_on(&self, is_summary: bool, id: Option<&str>) -> bool {
        let is_in_order = !is_summary || self.content_count == 0;
        id.is_some() && id == self.own_id.as_deref() && self.seal.is_none() && is_in_order
    }

    pub(super) fn start(&mut self, is_summary: bool) {
        self.stretch = Some(Stretch { is_summary, text: String::new() });
    }

    pub(super) fn add(&mut self, text: &str, events: &mut Events<'_>) {
        let Some(mut stretch) = self.stretch.take() else { return };
        if stretch.text.is_empty() {
            let name = if stretch.is_summary {
                "response.reasoning_summary_part.added"
            } else {
                "response.content_part.added"
            };
            self.event(events, name, stretch.is_summary, |json| put_stretch(json, stretch.is_summary, ""));
        }
        stretch.text.push_str(text);
        let name = if stretch.is_summary {
            "response.reasoning_summary_text.delta"
        } else {
            "response.reasoning_text.delta"
        };
        self.event(events, name, stretch.is_summary, |json| {
            json.key("delta").string(text);
        });
        self.stretch = Some(stretch);
    }

    pub(super) fn end(&mut self, events: &mut Events<'_>) {
        let Some(Stretch { is_summary, text }) = self.stretch.take() else { return };
        if text.is_empty() {
            return;
        }
        let (said, part) = if is_summary {
            ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done")
        } else {
            ("response.reasoning_text.done", "response.content_part.done")
        };
        self.event(events, said, is_summary, |json| {
            json.key("text").string(&text);
        });
        self.event(events, part, is_summary, |json| put_stretch(json, is_summary, &text));
        let told = value(|json| put_stretch_value(json, is_summary, &text));
        if is_summary {
            add(&mut self.summaries, &told);
            self.summary_count += 1;
        } else {
            add(&mut self.contents, &told);
            self.content_count += 1;
        }
    }

    pub(super) fn finish(mut self, events: &mut Events<'_>) -> String {
        self.end(events);
        let sealed = self.seal.as_ref().map(|sealed| seal::write_with_kind(Maker::OpenAi, sealed));
        self.place.done(events, |json| {
            json.key("type").string("reasoning").key("summary");
            put_list(json, &self.summaries);
            if !self.contents.is_empty() {
                json.key("content");
                put_list(json, &self.contents);
            }
            if let Some(sealed) = &sealed {
                json.key("encrypted_content").string(sealed);
            }
        })
    }

    fn event(&self, events: &mut Events<'_>, name: &str, is_summary: bool, rest: impl FnOnce(&mut Json)) {
        events.put(name, |json| {
            self.place.put(json);
            if is_summary {
                json.key("summary_index").count(self.summary_count);
            } else {
                json.key("content_index").count(self.content_count);
            }
            rest(json);
        });
    }
}

fn put_stretch(json: &mut Json, is_summary: bool, text: &str) {
    json.key("part");
    put_stretch_value(json, is_summary, text);
}

fn put_stretch_value(json: &mut Json, is_summary: bool, text: &str) {
    let kind = if is_summary { "summary_text" } else { "reasoning_text" };
    json.open('{').key("type").string(kind).key("text").string(text).close('}');
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    place: Place,
    call_id: String,
    name: String,
    is_custom: bool,
    arguments: String,
    pub(super) seal: Option<Seal<'static>>,
}

impl Call {
    /// The call that a part is which begins; none where it is something else.
    pub(super) fn begin(
        index: u64,
        request: &str,
        part: &PartStart<'_>,
        events: &mut Events<'_>,
    ) -> Option<Self> {
        let PartStart::ToolCall { id, name, is_custom, seal } = part else { return None };
        let (_, mark) = call_type(*is_custom);
        let call = Self {
            place: Place { index, id: format!("{mark}_{request}_{index}") },
            call_id: id.clone().into_owned(),
            name: name.clone().into_owned(),
            is_custom: *is_custom,
            arguments: String::new(),
            seal: seal.clone().map(Seal::into_owned),
        };
        call.place.added(events, |json| call.put(json, "in_progress"));
        Some(call)
    }

    pub(super) fn add(&mut self, text: &str, events: &mut Events<'_>) {
        self.arguments.push_str(text);
        let (name, _) = self.event_names();
        events.put(name, |json| {
            self.place.put(json);
            json.key("delta").string(text);
        });
    }

    pub(super) fn finish(self, events: &mut Events<'_>) -> (String, Option<Seal<'static>>) {
        let (_, name) = self.event_names();
        events.put(name, |json| {
            self.place.put(json);
            json.key(self.field()).string(&self.arguments);
        });
        let item = self.place.done(events, |json| self.put(json, "completed"));
        (item, self.seal)
    }

    const fn event_names(&self) -> (&'static str, &'static str) {
        if self.is_custom {
            ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done")
        } else {
            ("response.function_call_arguments.delta", "response.function_call_arguments.done")
        }
    }

    const fn field(&self) -> &'static str {
        if self.is_custom { "input" } else { "arguments" }
    }

    fn put(&self, json: &mut Json, status: &str) {
        json.key("type").string(call_type(self.is_custom).0).key("status").string(status);
        json.key("call_id").string(&self.call_id).key("name").string(&self.name);
        json.key(self.field()).string(&self.arguments);
    }
}
