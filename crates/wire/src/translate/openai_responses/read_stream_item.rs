//! The items of a stream as they come: which of their parts have begun, under which number, and what of
//! them was told already, since everything is told several times.

use super::items::MADE_REASONING_ID;
use super::read_answer::as_chat_tells;
use super::read_parts::{citation, native};
use crate::translate::codec::Sink;
use crate::translate::json::{Node, Value};
use crate::translate::model::{Delta, Event, Maker, PartStart, SealKind};
use crate::translate::seal::{self, Found};
use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Items {
    /// How many parts have begun.
    begun: u32,
    open: Vec<Open>,
    /// Items of which a part has begun, and such that are over.
    seen: Vec<u64>,
    over: Vec<u64>,
    has_calls: bool,
    /// Characters of text so far.
    length: u64,
}

/// Which part of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Text(u64),
    Refusal(u64),
    Summary(u64),
    Thought(u64),
    /// The only one of a call; is it a custom tool's?
    Call(bool),
}

impl Slot {
    const fn is_reasoning(self) -> bool {
        matches!(self, Self::Summary(_) | Self::Thought(_))
    }
}

#[derive(Debug)]
struct Open {
    output: u64,
    slot: Slot,
    index: u32,
    is_empty: bool,
    /// The characters of text that were said before it.
    start: u64,
}

impl Items {
    pub(super) const fn has_calls(&self) -> bool {
        self.has_calls
    }

    /// An item begins. Calls tell who is called; others are known by their parts.
    pub(super) fn add(&mut self, output: u64, item: Option<&Node<'_>>, sink: Sink<'_>) {
        if let Some(item) = item
            && is_call(item)
            && self.find_call(output).is_none()
        {
            self.begin_call(output, item, sink);
        }
    }

    /// An item is over, and told whole: what of it wasn't told before is given now.
    pub(super) fn finish(&mut self, output: u64, item: Option<&Node<'_>>, sink: Sink<'_>) {
        let Some(item) = item.filter(|_| !self.over.contains(&output)) else { return };
        match item.text_of("type").as_deref() {
            Some("function_call" | "custom_tool_call") => self.finish_call(output, item, sink),
            Some("message") => {
                if !self.seen.contains(&output) {
                    self.give_message(output, item, sink);
                }
            }
            Some("reasoning") => self.finish_reasoning(output, item, sink),
            _ => {
                let part = PartStart::Native(native(item));
                let index = self.number(part, sink);
                sink(Event::PartEnded { choice: 0, index });
            }
        }
        self.end_of(output, sink);
        self.over.push(output);
    }

    fn finish_call(&mut self, output: u64, item: &Node<'_>, sink: Sink<'_>) {
        if self.find_call(output).is_none() {
            self.begin_call(output, item, sink);
        }
        self.add_arguments(output, item, "arguments", true, sink);
        self.add_arguments(output, item, "input", true, sink);
        // A call with nothing to say is a call with no arguments.
        if let Some(Open { index, is_empty: true, slot: Slot::Call(false), .. }) = self.find_call(output) {
            let delta = Delta::Arguments(Cow::Borrowed("{}"));
            sink(Event::Delta { choice: 0, index: *index, delta });
        }
    }

    fn give_message(&mut self, output: u64, item: &Node<'_>, sink: Sink<'_>) {
        for (number, part) in list(item, "content").iter().enumerate() {
            let number = number as u64;
            match part.text_of("type").as_deref() {
                Some("output_text") => {
                    self.add_text(output, Slot::Text(number), part, "text", sink);
                    self.add_logprobs(part, sink);
                    for annotation in list(part, "annotations") {
                        self.cite_told(output, number, annotation, sink);
                    }
                }
                Some("refusal") => self.add_text(output, Slot::Refusal(number), part, "refusal", sink),
                _ => {}
            }
        }
    }

    fn finish_reasoning(&mut self, output: u64, item: &Node<'_>, sink: Sink<'_>) {
        if !self.seen.contains(&output) {
            for (number, part) in list(item, "summary").iter().enumerate() {
                self.give_stretch(output, Slot::Summary(number as u64), item, part, sink);
            }
            for (number, part) in list(item, "content").iter().enumerate() {
                self.give_stretch(output, Slot::Thought(number as u64), item, part, sink);
            }
        }
        let Some(sealed) = item.text_of("encrypted_content").filter(|sealed| !sealed.is_empty()) else {
            return;
        };
        let open = self.open.iter().rev().find(|open| open.output == output && open.slot.is_reasoning());
        let index = match open {
            Some(open) => open.index,
            None => {
                self.begin(output, Slot::Thought(0), item, sink);
                self.begun.saturating_sub(1)
            }
        };
        let (Found::Own(seal) | Found::OfLast(seal)) = seal::read(Maker::OpenAi, sealed, SealKind::Encrypted);
        sink(Event::Delta { choice: 0, index, delta: Delta::Seal(seal) });
    }

    fn give_stretch(&mut self, output: u64, slot: Slot, item: &Node<'_>, part: &Node<'_>, sink: Sink<'_>) {
        self.begin(output, slot, item, sink);
        self.add_text(output, slot, part, "text", sink);
    }

    fn begin_call(&mut self, output: u64, item: &Node<'_>, sink: Sink<'_>) {
        let is_custom = item.text_of("type").as_deref() == Some("custom_tool_call");
        self.has_calls = true;
        let part = PartStart::ToolCall {
            id: item.text_of("call_id").or_else(|| item.text_of("id")).unwrap_or_default(),
            name: item.text_of("name").unwrap_or_default(),
            is_custom,
            seal: None,
        };
        self.open_slot(output, Slot::Call(is_custom), part, sink);
    }

    /// Begins a part, unless it has. `told` is the event or the item, for the item's id.
    pub(super) fn begin(&mut self, output: u64, slot: Slot, told: &Node<'_>, sink: Sink<'_>) {
        if self.find(output, slot).is_some() {
            return;
        }
        let id = || told.text_of("item_id").or_else(|| told.text_of("id"));
        let own_id = || id().filter(|id| !id.starts_with(MADE_REASONING_ID));
        let part = match slot {
            Slot::Text(_) => PartStart::Text,
            Slot::Refusal(_) => PartStart::Refusal,
            Slot::Summary(_) => PartStart::Reasoning { is_summary: true, id: own_id() },
            Slot::Thought(_) => PartStart::Reasoning { is_summary: false, id: own_id() },
            Slot::Call(_) => return,
        };
        // The last stretch stays open, since the item's seal will be on it.
        self.end_of(output, sink);
        self.open_slot(output, slot, part, sink);
    }

    fn open_slot(&mut self, output: u64, slot: Slot, part: PartStart<'_>, sink: Sink<'_>) {
        let index = self.number(part, sink);
        self.open.push(Open { output, slot, index, is_empty: true, start: self.length });
        self.seen.push(output);
    }

    fn number(&mut self, part: PartStart<'_>, sink: Sink<'_>) -> u32 {
        let index = self.begun;
        self.begun += 1;
        sink(Event::PartStarted { choice: 0, index, part });
        index
    }

    /// Adds what the event's field says.
    pub(super) fn add_text(
        &mut self,
        output: u64,
        slot: Slot,
        event: &Node<'_>,
        field: &str,
        sink: Sink<'_>,
    ) {
        if self.over.contains(&output) {
            return;
        }
        let Some(text) = event.text_of(field).filter(|text| !text.is_empty()) else { return };
        self.begin(output, slot, event, sink);
        let Some(open) = self.open.iter_mut().find(|open| open.output == output && open.slot == slot) else {
            return;
        };
        open.is_empty = false;
        let index = open.index;
        if matches!(slot, Slot::Text(_)) {
            self.length += text.chars().count() as u64;
        }
        sink(Event::Delta { choice: 0, index, delta: Delta::Text(text) });
    }

    /// A part told whole: it is added where none of it was told in pieces.
    pub(super) fn complete(
        &mut self,
        output: u64,
        slot: Slot,
        event: &Node<'_>,
        field: &str,
        sink: Sink<'_>,
    ) {
        if self.find(output, slot).is_some_and(|open| open.is_empty) || !self.seen.contains(&output) {
            self.add_text(output, slot, event, field, sink);
        }
    }

    pub(super) fn add_arguments(
        &mut self,
        output: u64,
        event: &Node<'_>,
        field: &str,
        is_whole: bool,
        sink: Sink<'_>,
    ) {
        let is_call = |open: &&mut Open| open.output == output && matches!(open.slot, Slot::Call(_));
        let Some(open) = self.open.iter_mut().find(is_call) else { return };
        if is_whole && !open.is_empty {
            return;
        }
        let Some(text) = event.text_of(field).filter(|text| !text.is_empty()) else { return };
        open.is_empty = false;
        sink(Event::Delta { choice: 0, index: open.index, delta: Delta::Arguments(text) });
    }

    pub(super) fn add_logprobs(&self, event: &Node<'_>, sink: Sink<'_>) {
        let tokens: Vec<&str> = list(event, "logprobs").iter().map(|token| token.raw).collect();
        if let Some(logprobs) = as_chat_tells(&tokens).filter(|_| !tokens.is_empty()) {
            sink(Event::Logprobs { choice: 0, logprobs });
        }
    }

    pub(super) fn cite(&mut self, output: u64, content: u64, event: &Node<'_>, sink: Sink<'_>) {
        if let Some(annotation) = event.member("annotation") {
            self.begin(output, Slot::Text(content), event, sink);
            self.cite_told(output, content, annotation, sink);
        }
    }

    fn cite_told(&self, output: u64, content: u64, annotation: &Node<'_>, sink: Sink<'_>) {
        if let Some(open) = self.find(output, Slot::Text(content)) {
            let delta = Delta::Citation(citation(annotation, open.start));
            sink(Event::Delta { choice: 0, index: open.index, delta });
        }
    }

    pub(super) fn end(&mut self, output: u64, slot: Slot, sink: Sink<'_>) {
        self.end_where(|open| open.output == output && open.slot == slot, sink);
    }

    fn end_of(&mut self, output: u64, sink: Sink<'_>) {
        self.end_where(|open| open.output == output, sink);
    }

    pub(super) fn end_all(&mut self, sink: Sink<'_>) {
        self.end_where(|_| true, sink);
    }

    fn end_where(&mut self, is_over: impl Fn(&Open) -> bool, sink: Sink<'_>) {
        self.open.retain(|open| {
            let is_over = is_over(open);
            if is_over {
                sink(Event::PartEnded { choice: 0, index: open.index });
            }
            !is_over
        });
    }

    fn find(&self, output: u64, slot: Slot) -> Option<&Open> {
        self.open.iter().find(|open| open.output == output && open.slot == slot)
    }

    fn find_call(&self, output: u64) -> Option<&Open> {
        self.open.iter().find(|open| open.output == output && matches!(open.slot, Slot::Call(_)))
    }
}

fn is_call(item: &Node<'_>) -> bool {
    matches!(item.text_of("type").as_deref(), Some("function_call" | "custom_tool_call"))
}

fn list<'n, 'a>(node: &'n Node<'a>, name: &str) -> &'n [Node<'a>] {
    match node.member(name).map(|list| &list.value) {
        Some(Value::List(elements)) => elements,
        _ => &[],
    }
}
