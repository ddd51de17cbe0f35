//! A stream, read: chunks in bare `data:` lines, then `[DONE]`.

use super::read_message::{citation, seal_of_call};
use super::{details, words};
use crate::translate::codec::{Sink, StreamReader};
use crate::translate::frames::Frames;
use crate::translate::json::{Node, Value, parse};
use crate::translate::model::{Delta, Event, Failure, PartStart, Raw, Seal, SealKind, Stop};
use crate::translate::openai::failure;
use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Reader {
    frames: Frames,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    has_started: bool,
    choices: Vec<Choice>,
}

/// One answer: which of its parts are open, and under which number.
#[derive(Debug, Default)]
struct Choice {
    number: u32,
    /// How many parts have begun.
    begun: u32,
    text: Option<u32>,
    refusal: Option<u32>,
    /// Reasoning that is told as a bare text.
    reasoning: Option<u32>,
    /// Reasoning that is told in details, by their index.
    details: Vec<(u64, u32)>,
    /// Calls, by their index in the chunks.
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: u64,
    part: u32,
    is_empty: bool,
    is_custom: bool,
}

impl StreamReader for Reader {
    fn push(&mut self, piece: &[u8], sink: Sink<'_>) {
        let state = &mut self.state;
        self.frames.push(piece, &mut |name, data| state.read(name, data, sink));
    }

    fn held_bytes(&self) -> usize {
        self.frames.held_bytes()
    }

    fn finish(&mut self, sink: Sink<'_>) {
        let state = &mut self.state;
        self.frames.finish(&mut |name, data| state.read(name, data, sink));
    }
}

impl State {
    fn read(&mut self, name: Option<&str>, data: &str, sink: Sink<'_>) {
        if data.trim_ascii() == "[DONE]" {
            return sink(Event::Done);
        }
        let Ok(chunk) = parse(data) else { return sink(torn()) };
        if let Some(failure) = failure::read_node(None, &chunk) {
            return sink(Event::Failed(failure));
        }
        if name == Some("error") {
            return sink(torn());
        }
        let choices = match chunk.member("choices").map(|choices| &choices.value) {
            Some(Value::List(choices)) => choices.as_slice(),
            _ => &[],
        };
        // Azure's first chunk has no choices and tells no id: it is about the prompt.
        if !self.has_started && !choices.is_empty() {
            self.has_started = true;
            sink(Event::Started {
                id: chunk.text_of("id").unwrap_or_default(),
                model: chunk.text_of("model").unwrap_or_default(),
                created: chunk.count_of("created").filter(|created| *created > 0),
            });
        }
        for choice in choices {
            let Some(known) = self.choice(choice) else { return sink(torn()) };
            known.read(choice, sink);
        }
        let nested = || chunk.member("x_groq").and_then(|own| own.member("usage"));
        if let Some(usage) = chunk.member("usage").or_else(nested).and_then(words::usage) {
            sink(Event::Usage(usage));
        }
    }

    /// The choice that is spoken of; none where there are more than any request can have asked for.
    fn choice(&mut self, node: &Node<'_>) -> Option<&mut Choice> {
        let number = node.count_of("index").and_then(|index| index.try_into().ok()).unwrap_or(0);
        let known = self.choices.iter().position(|choice| choice.number == number);
        let position = known.unwrap_or(self.choices.len());
        if known.is_none() && position < MOST_CHOICES {
            self.choices.push(Choice { number, ..Choice::default() });
        }
        self.choices.get_mut(position)
    }
}

/// OpenAI's limit of `n`. Every choice is looked for among all, so there must be a limit.
const MOST_CHOICES: usize = 128;
/// Calls, and reasoning details, of one choice, for the same reason; a provider's limits are far below.
const MOST_OPEN: usize = 1024;

impl Choice {
    fn read(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        if let Some(delta) = node.member("delta") {
            self.read_delta(delta, sink);
        }
        if let Some(logprobs) = node.member("logprobs") {
            sink(Event::Logprobs { choice: self.number, logprobs: Raw::borrowed(logprobs.raw) });
        }
        if let Some(reason) = node.text_of("finish_reason").filter(|reason| !reason.is_empty()) {
            self.end_all(sink);
            let stop = Stop::plain(words::stop_reason(reason));
            sink(Event::Stopped { choice: self.number, stop });
        }
    }

    fn read_delta(&mut self, delta: &Node<'_>, sink: Sink<'_>) {
        self.read_reasoning(delta, sink);
        match delta.member("content").map(|content| (content, content.text())) {
            Some((_, Some(text))) => self.add_text(text, sink),
            // Mistral's parts.
            Some((Node { value: Value::List(parts), .. }, None)) => {
                for part in parts {
                    if let Some(text) = part.text_of("text") {
                        self.add_text(text, sink);
                    }
                    if let Some(Value::List(thoughts)) = part.member("thinking").map(|said| &said.value) {
                        for thought in thoughts {
                            self.add_reasoning(thought.text_of("text").unwrap_or_default(), sink);
                        }
                    }
                }
            }
            _ => {}
        }
        if let Some(refusal) = delta.text_of("refusal").filter(|refusal| !refusal.is_empty()) {
            let index = match self.refusal {
                Some(index) => index,
                None => self.begin(PartStart::Refusal, sink),
            };
            self.refusal = Some(index);
            self.send(index, Delta::Text(refusal), sink);
        }
        if let Some(Value::List(annotations)) = delta.member("annotations").map(|told| &told.value) {
            for told in annotations.iter().filter_map(citation) {
                let index = self.open_text(sink);
                self.send(index, Delta::Citation(told), sink);
            }
        }
        if let Some(Value::List(calls)) = delta.member("tool_calls").map(|calls| &calls.value) {
            for call in calls {
                self.read_call(call, sink);
            }
        }
    }

    fn read_reasoning(&mut self, delta: &Node<'_>, sink: Sink<'_>) {
        if let Some(Value::List(all)) = delta.member("reasoning_details").map(|details| &details.value)
            && !all.is_empty()
        {
            for detail in all {
                self.read_detail(detail, sink);
            }
            return;
        }
        if let Some(text) = delta.text_of("reasoning_content").or_else(|| delta.text_of("reasoning")) {
            self.add_reasoning(text, sink);
        }
    }

    fn add_reasoning(&mut self, text: Cow<'_, str>, sink: Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let index = match self.reasoning {
            Some(index) => index,
            None => self.begin(PartStart::Reasoning { is_summary: false, id: None }, sink),
        };
        self.reasoning = Some(index);
        self.send(index, Delta::Text(text), sink);
    }

    fn read_detail(&mut self, detail: &Node<'_>, sink: Sink<'_>) {
        let key = detail.count_of("index").unwrap_or(0);
        let known = self.details.iter().find(|(index, _)| *index == key).map(|(_, part)| *part);
        if known.is_none() && self.details.len() >= MOST_OPEN {
            return sink(torn());
        }
        let index = known.unwrap_or_else(|| {
            let is_summary = detail.text_of("type").as_deref() == Some("reasoning.summary");
            let index = self.begin(PartStart::Reasoning { is_summary, id: detail.text_of("id") }, sink);
            self.details.push((key, index));
            index
        });
        let text = detail.text_of("text").or_else(|| detail.text_of("summary"));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.send(index, Delta::Text(text), sink);
        }
        let maker = detail
            .text_of("format")
            .map_or(crate::translate::model::Maker::Unknown, |format| details::maker(&format));
        for (field, kind) in [("signature", SealKind::Signature), ("data", SealKind::Encrypted)] {
            if let Some(data) = detail.text_of(field).filter(|data| !data.is_empty()) {
                self.send(index, Delta::Seal(Seal { maker, kind, data }), sink);
            }
        }
    }

    fn add_text(&mut self, text: Cow<'_, str>, sink: Sink<'_>) {
        if !text.is_empty() {
            let index = self.open_text(sink);
            self.send(index, Delta::Text(text), sink);
        }
    }

    fn open_text(&mut self, sink: Sink<'_>) -> u32 {
        let index = match self.text {
            Some(index) => index,
            None => self.begin(PartStart::Text, sink),
        };
        self.text = Some(index);
        index
    }

    fn read_call(&mut self, told: &Node<'_>, sink: Sink<'_>) {
        let function = told.member("function").or_else(|| told.member("custom"));
        let id = told.text_of("id").filter(|id| !id.is_empty());
        // Some compatible providers number no calls; each of theirs comes whole, with its id.
        let next = self.calls.len() as u64;
        let last = next.saturating_sub(1);
        let key = told.count_of("index").unwrap_or(if id.is_some() { next } else { last });
        let known = self.calls.iter().position(|call| call.index == key);
        if known.is_none() && self.calls.len() >= MOST_OPEN {
            return sink(torn());
        }
        let position = known.unwrap_or_else(|| {
            let is_custom = told.member("custom").is_some();
            let part = PartStart::ToolCall {
                id: id.unwrap_or_default(),
                name: function.and_then(|function| function.text_of("name")).unwrap_or_default(),
                is_custom,
                seal: told.member("extra_content").and_then(seal_of_call),
            };
            let part = self.begin(part, sink);
            self.calls.push(Call { index: key, part, is_empty: true, is_custom });
            self.calls.len() - 1
        });
        let said = function.and_then(|function| {
            let said = function.member("arguments").or_else(|| function.member("input"))?;
            // Mistral's can be the object itself.
            Some(said.text().unwrap_or(Cow::Borrowed(said.raw)))
        });
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        let Some(call) = self.calls.get_mut(position) else { return };
        call.is_empty = false;
        let index = call.part;
        self.send(index, Delta::Arguments(said), sink);
    }

    /// Begins a part. Text and bare reasoning are over when something else begins: what comes of them
    /// later is a new part.
    fn begin(&mut self, part: PartStart<'_>, sink: Sink<'_>) -> u32 {
        for index in [self.text.take(), self.reasoning.take()].into_iter().flatten() {
            sink(Event::PartEnded { choice: self.number, index });
        }
        let index = self.begun;
        self.begun += 1;
        sink(Event::PartStarted { choice: self.number, index, part });
        index
    }

    fn send(&self, index: u32, delta: Delta<'_>, sink: Sink<'_>) {
        sink(Event::Delta { choice: self.number, index, delta });
    }

    fn end_all(&mut self, sink: Sink<'_>) {
        let choice = self.number;
        // A call with nothing to say is a call with no arguments.
        for call in self.calls.iter().filter(|call| call.is_empty && !call.is_custom) {
            let delta = Delta::Arguments(Cow::Borrowed("{}"));
            sink(Event::Delta { choice, index: call.part, delta });
        }
        let mut open: Vec<u32> = [self.text.take(), self.reasoning.take(), self.refusal.take()]
            .into_iter()
            .flatten()
            .chain(self.details.drain(..).map(|(_, part)| part))
            .chain(self.calls.drain(..).map(|call| call.part))
            .collect();
        open.sort_unstable();
        for index in open {
            sink(Event::PartEnded { choice, index });
        }
    }
}

fn torn() -> Event<'static> {
    Event::Failed(Failure::unreadable_stream())
}
