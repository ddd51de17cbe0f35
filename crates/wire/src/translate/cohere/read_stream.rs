//! A stream, read: named events, each with its `type` in its data too, then `[DONE]`.

use super::citations::{self, native};
use super::{failure, logprobs, words};
use crate::translate::codec::{Sink, StreamReader};
use crate::translate::frames::Frames;
use crate::translate::json::{Node, Value, parse};
use crate::translate::model::{Delta, Event, Failure, FailureKind, PartStart, Stop, StopReason};
use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Reader {
    frames: Frames,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    has_started: bool,
    is_over: bool,
    /// How many parts have begun.
    begun: u32,
    /// The text, reasoning or plan that is open. A text is open until something else begins, since the
    /// citations of it may come behind its end.
    open: Option<Open>,
    calls: Vec<Call>,
    /// Characters of text in blocks before the open one, and in all.
    before: u64,
    length: u64,
}

#[derive(Debug)]
struct Open {
    part: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text, and its number among the content blocks.
    Text(u64),
    Thinking(u64),
    Plan,
}

#[derive(Debug)]
struct Call {
    index: u64,
    part: u32,
    is_empty: bool,
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
        // `[DONE]` says nothing that the last event hasn't said, and everything is said by then.
        if self.is_over || data.trim_ascii() == "[DONE]" {
            return;
        }
        let Ok(event) = parse(data) else { return sink(Event::Failed(Failure::unreadable_stream())) };
        let told = event.text_of("type");
        let kind = told.as_deref().or(name).unwrap_or_default();
        let said = event.member("delta").and_then(|delta| delta.member("message"));
        match kind {
            "message-start" => self.start(&event, sink),
            "content-start" | "content-delta" => self.add_content(&event, kind, said, sink),
            "content-end" => self.end_thinking(sink),
            "tool-plan-delta" => {
                if let Some(text) = said.and_then(|said| said.text_of("tool_plan")) {
                    self.add(Kind::Plan, text, sink);
                }
            }
            "tool-call-start" => self.start_call(&event, said, sink),
            "tool-call-delta" => self.add_to_call(&event, said, sink),
            "tool-call-end" => self.end_call(&event, sink),
            "citation-start" => {
                if let Some(told) = said.and_then(|said| said.member("citations")) {
                    self.cite(only(told), sink);
                }
            }
            "message-end" => self.end(&event, sink),
            // An error body in the place of an event.
            "" | "error" => {
                if let Some(failure) = failure::read_node(&event) {
                    sink(Event::Failed(failure));
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.has_started, true) {
            let id = event.text_of("id").unwrap_or_default();
            sink(Event::Started { id, model: Cow::Borrowed(""), created: None });
        }
    }

    fn add_content(&mut self, event: &Node<'_>, name: &str, said: Option<&Node<'_>>, sink: Sink<'_>) {
        let block = event.count_of("index").unwrap_or(0);
        let Some(content) = said.and_then(|said| said.member("content")).map(only) else { return };
        let thought = content.text_of("thinking");
        let is_thinking = thought.is_some() || content.text_of("type").as_deref() == Some("thinking");
        let kind = if is_thinking { Kind::Thinking(block) } else { Kind::Text(block) };
        let text = thought.or_else(|| content.text_of("text")).unwrap_or_default();
        if name == "content-start" {
            self.begin_open(kind, sink);
        }
        self.add(kind, text, sink);
        if let Some(told) =
            event.member("logprobs").and_then(|item| logprobs::read(std::slice::from_ref(item)))
        {
            sink(Event::Logprobs { choice: 0, logprobs: told });
        }
    }

    /// Adds to the open part, which begins here where it is another.
    fn add(&mut self, kind: Kind, text: Cow<'_, str>, sink: Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let part = match &self.open {
            Some(open) if open.kind == kind => open.part,
            _ => self.begin_open(kind, sink),
        };
        if matches!(kind, Kind::Text(_)) {
            self.length += text.chars().count() as u64;
        }
        sink(Event::Delta { choice: 0, index: part, delta: Delta::Text(text) });
    }

    fn begin_open(&mut self, kind: Kind, sink: Sink<'_>) -> u32 {
        let start = match kind {
            Kind::Text(_) => PartStart::Text,
            Kind::Thinking(_) => PartStart::Reasoning { is_summary: false, id: None },
            Kind::Plan => PartStart::Reasoning { is_summary: true, id: None },
        };
        let part = self.begin(start, sink);
        self.before = self.length;
        self.open = Some(Open { part, kind });
        part
    }

    fn begin(&mut self, start: PartStart<'_>, sink: Sink<'_>) -> u32 {
        self.end_open(sink);
        if !std::mem::replace(&mut self.has_started, true) {
            sink(Event::Started { id: Cow::Borrowed(""), model: Cow::Borrowed(""), created: None });
        }
        let index = self.begun;
        self.begun += 1;
        sink(Event::PartStarted { choice: 0, index, part: start });
        index
    }

    fn end_open(&mut self, sink: Sink<'_>) {
        if let Some(open) = self.open.take() {
            sink(Event::PartEnded { choice: 0, index: open.part });
        }
    }

    fn end_thinking(&mut self, sink: Sink<'_>) {
        if matches!(self.open, Some(Open { kind: Kind::Thinking(_), .. })) {
            self.end_open(sink);
        }
    }

    fn start_call(&mut self, event: &Node<'_>, said: Option<&Node<'_>>, sink: Sink<'_>) {
        let Some(call) = said.and_then(|said| said.member("tool_calls")).map(only) else { return };
        let function = call.member("function");
        let of_function = |name| function.and_then(|function| function.text_of(name));
        let start = PartStart::ToolCall {
            id: call.text_of("id").unwrap_or_default(),
            name: of_function("name").unwrap_or_default(),
            is_custom: false,
            seal: None,
        };
        let part = self.begin(start, sink);
        let index = event.count_of("index").unwrap_or(u64::from(part));
        self.calls.push(Call { index, part, is_empty: true });
        self.add_arguments(part, of_function("arguments"), sink);
    }

    fn add_to_call(&mut self, event: &Node<'_>, said: Option<&Node<'_>>, sink: Sink<'_>) {
        let Some(part) = self.call(event).and_then(|at| self.calls.get(at)).map(|call| call.part) else {
            return;
        };
        let call = said.and_then(|said| said.member("tool_calls")).map(only);
        let told = call.and_then(|call| call.member("function")?.text_of("arguments"));
        self.add_arguments(part, told, sink);
    }

    fn add_arguments(&mut self, part: u32, told: Option<Cow<'_, str>>, sink: Sink<'_>) {
        let Some(text) = told.filter(|text| !text.is_empty()) else { return };
        if let Some(call) = self.calls.iter_mut().find(|call| call.part == part) {
            call.is_empty = false;
        }
        sink(Event::Delta { choice: 0, index: part, delta: Delta::Arguments(text) });
    }

    /// The open call that an event is of: by its number, or the last where there is none.
    fn call(&self, event: &Node<'_>) -> Option<usize> {
        match event.count_of("index") {
            Some(index) => self.calls.iter().position(|call| call.index == index),
            None => self.calls.len().checked_sub(1),
        }
    }

    fn end_call(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        if let Some(position) = self.call(event) {
            let call = self.calls.remove(position);
            finish_call(&call, sink);
        }
    }

    /// A citation of the open text. Of anything else it is told as what only Cohere knows.
    fn cite(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        let told = citations::read(node, self.before);
        let open = self.open.as_ref();
        let part = match open {
            Some(Open { part, kind: Kind::Text(block) })
                if told.is_of_text && told.block.is_none_or(|told| told == *block) =>
            {
                *part
            }
            Some(open) if !told.is_of_text => {
                let delta = Delta::Native(native(node));
                return sink(Event::Delta { choice: 0, index: open.part, delta });
            }
            _ => self.begin_open(Kind::Text(told.block.unwrap_or(0)), sink),
        };
        sink(Event::Delta { choice: 0, index: part, delta: Delta::Citation(told.citation) });
    }

    fn end(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        self.is_over = true;
        self.start(event, sink);
        self.end_open(sink);
        for call in self.calls.drain(..) {
            finish_call(&call, sink);
        }
        let Some(delta) = event.member("delta") else { return sink(Event::Done) };
        if let Some(usage) = delta.member("usage").and_then(words::usage) {
            sink(Event::Usage(usage));
        }
        let reason = delta.text_of("finish_reason");
        if let Some(failure) = failed(delta, reason.as_deref()) {
            return sink(Event::Failed(failure));
        }
        if let Some(reason) = reason {
            sink(Event::Stopped { choice: 0, stop: Stop::plain(words::stop_reason(reason)) });
        }
        sink(Event::Done);
    }
}

/// A call with nothing to say is a call with no arguments.
fn finish_call(call: &Call, sink: Sink<'_>) {
    if call.is_empty {
        let delta = Delta::Arguments(Cow::Borrowed("{}"));
        sink(Event::Delta { choice: 0, index: call.part, delta });
    }
    sink(Event::PartEnded { choice: 0, index: call.part });
}

/// The failure that a last event tells, in words or by its reason.
fn failed<'a>(delta: &Node<'a>, reason: Option<&str>) -> Option<Failure<'a>> {
    let told = delta.text_of("error").filter(|error| !error.is_empty());
    let is_late = reason == Some(words::TIMED_OUT);
    let has_failed = reason.is_some_and(|reason| words::stop_reason(reason.into()) == StopReason::Malformed);
    if told.is_none() && !is_late && !has_failed {
        return None;
    }
    let (kind, message) = if is_late {
        (FailureKind::TimedOut, "the provider gave the answer up, since it took too long")
    } else {
        (FailureKind::Server, "the provider's answer failed")
    };
    let message = told.unwrap_or(Cow::Borrowed(message));
    Some(Failure { kind, message, code: delta.text_of("code"), param: None, request_id: None })
}

/// A delta is one object; what speaks like Cohere may send a list with it.
fn only<'n, 'a>(node: &'n Node<'a>) -> &'n Node<'a> {
    match &node.value {
        Value::List(elements) => elements.first().unwrap_or(node),
        _ => node,
    }
}
