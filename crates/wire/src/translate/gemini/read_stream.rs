//! A stream, read: each object is an answer of its own with what has been added.

use super::frames::Chunks;
use super::read_answer::block_of;
use super::read_parts::{is_bare, is_summary, native};
use super::{failure, logprobs, seal, sources, words};
use crate::translate::codec::{Sink, StreamReader};
use crate::translate::json::{Node, Value, parse};
use crate::translate::model::{Delta, Event, Failure, Maker, PartStart, Seal, SealKind, Stop, Usage};
use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Reader {
    chunks: Chunks,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    has_started: bool,
    usage: Option<Usage>,
    candidates: Vec<Candidate>,
    is_blocked: bool,
}

/// One answer.
#[derive(Debug, Default)]
struct Candidate {
    number: u32,
    /// How many parts have begun.
    begun: u32,
    open: Option<Open>,
    /// All its text, for what cites it.
    told: String,
    has_calls: bool,
    has_stopped: bool,
}

/// A text that goes on from object to object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    index: u32,
    is_thought: bool,
}

impl StreamReader for Reader {
    fn push(&mut self, piece: &[u8], sink: Sink<'_>) {
        let state = &mut self.state;
        self.chunks.push(piece, &mut |data| state.read(data, sink));
    }

    fn held_bytes(&self) -> usize {
        self.chunks.held_bytes()
    }

    fn finish(&mut self, sink: Sink<'_>) {
        let state = &mut self.state;
        let is_whole = self.chunks.finish(&mut |data| state.read(data, sink));
        // The dialect has no last word: that each answer has told why it ended is as much as it says.
        if is_whole && state.is_complete() {
            sink(Event::Done);
        }
    }
}

impl State {
    fn read(&mut self, data: &str, sink: Sink<'_>) {
        let Ok(chunk) = parse(data) else { return sink(Event::Failed(Failure::unreadable_stream())) };
        if let Some(failure) = failure::read_node(None, &chunk) {
            return sink(Event::Failed(failure));
        }
        if !std::mem::replace(&mut self.has_started, true) {
            sink(Event::Started {
                id: chunk.text_of("responseId").unwrap_or_default(),
                model: chunk.text_of("modelVersion").unwrap_or_default(),
                created: None,
            });
        }
        if let Some(Value::List(candidates)) = chunk.member("candidates").map(|all| &all.value) {
            for candidate in candidates {
                self.candidate(candidate).read(candidate, sink);
            }
        }
        if let Some(stop) = chunk.member("promptFeedback").and_then(block_of) {
            self.is_blocked = true;
            sink(Event::Stopped { choice: 0, stop });
        }
        // Each tells all that was used so far, the last one counts.
        let usage = chunk.member("usageMetadata").and_then(words::usage);
        if let Some(usage) = usage.filter(|usage| Some(usage) != self.usage.as_ref()) {
            self.usage = Some(usage);
            sink(Event::Usage(usage));
        }
    }

    fn candidate(&mut self, node: &Node<'_>) -> &mut Candidate {
        let number = node.count_of("index").and_then(|index| index.try_into().ok()).unwrap_or(0);
        let position = self.candidates.iter().position(|candidate| candidate.number == number);
        let position = position.unwrap_or_else(|| {
            self.candidates.push(Candidate { number, ..Candidate::default() });
            self.candidates.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found at that position, or just put there")]
        &mut self.candidates[position]
    }

    fn is_complete(&self) -> bool {
        let has_all = self.candidates.iter().all(|candidate| candidate.has_stopped);
        self.is_blocked || (has_all && !self.candidates.is_empty())
    }
}

impl Candidate {
    fn read(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        let parts = node.member("content").and_then(|content| content.member("parts"));
        if let Some(Value::List(parts)) = parts.map(|parts| &parts.value) {
            for part in parts {
                self.read_part(part, sink);
            }
        }
        if let Some(logprobs) = node.member("logprobsResult").and_then(logprobs::read) {
            sink(Event::Logprobs { choice: self.number, logprobs });
        }
        self.read_sources(node, sink);
        let Some(reason) = node.text_of("finishReason") else { return };
        let Some(reason) = words::stop_reason(reason, self.has_calls) else { return };
        self.end_open(sink);
        if !std::mem::replace(&mut self.has_stopped, true) {
            let explanation = node.text_of("finishMessage");
            sink(Event::Stopped { choice: self.number, stop: Stop { reason, explanation } });
        }
    }

    fn read_part(&mut self, part: &Node<'_>, sink: Sink<'_>) {
        let signature = part.text_of("thoughtSignature").filter(|signature| !signature.is_empty());
        let is_thought = part.member("thought").is_some_and(|node| matches!(node.value, Value::Bool(true)));
        if let Some(call) = part.member("functionCall") {
            return self.read_call(call, signature, sink);
        }
        let is_text = part.member("text").is_some() || is_bare(part);
        if !is_text {
            let index = self.begin(PartStart::Native(native(part)), sink);
            return self.end(index, sink);
        }
        let text = part.text_of("text").unwrap_or_default();
        if is_thought {
            self.read_thought(text, signature, sink);
        } else {
            self.read_text(text, signature, sink);
        }
    }

    fn read_text(&mut self, text: Cow<'_, str>, signature: Option<Cow<'_, str>>, sink: Sink<'_>) {
        if !text.is_empty() {
            let index = self.continued(false, || PartStart::Text, sink);
            self.told.push_str(&text);
            self.send(index, Delta::Text(text), sink);
        }
        let Some(seal) = signature.and_then(|text| seal::read(text, SealKind::Encrypted)) else { return };
        let is_own = seal.maker == Maker::Gemini;
        match self.open {
            // Another maker's seal of the text itself.
            Some(Open { index, is_thought: false }) if !is_own => self.send(index, Delta::Seal(seal), sink),
            _ => {
                let start = PartStart::Reasoning { is_summary: false, id: None };
                let index = self.begin(start, sink);
                self.send(index, Delta::Seal(seal), sink);
                self.end(index, sink);
            }
        }
    }

    fn read_thought(&mut self, text: Cow<'_, str>, signature: Option<Cow<'_, str>>, sink: Sink<'_>) {
        let seal = signature.and_then(|text| seal::read(text, SealKind::Signature));
        if text.is_empty() && seal.is_none() {
            return;
        }
        let is_summary = is_summary(&text, seal.as_ref());
        let index = self.continued(true, || PartStart::Reasoning { is_summary, id: None }, sink);
        if !text.is_empty() {
            self.send(index, Delta::Text(text), sink);
        }
        if let Some(seal) = seal {
            // What is signed is whole.
            self.send(index, Delta::Seal(seal), sink);
            self.end_open(sink);
        }
    }

    fn read_call(&mut self, call: &Node<'_>, signature: Option<Cow<'_, str>>, sink: Sink<'_>) {
        self.has_calls = true;
        let seal: Option<Seal<'_>> = signature.and_then(|text| seal::read(text, SealKind::Signature));
        let start = PartStart::ToolCall {
            id: call.text_of("id").unwrap_or_default(),
            name: call.text_of("name").unwrap_or_default(),
            is_custom: false,
            seal,
        };
        let index = self.begin(start, sink);
        let arguments = call.member("args").map_or("{}", |arguments| arguments.raw);
        self.send(index, Delta::Arguments(arguments.into()), sink);
        self.end(index, sink);
    }

    fn read_sources(&mut self, node: &Node<'_>, sink: Sink<'_>) {
        let Some(Open { index, is_thought: false }) = self.open else { return };
        let choice = self.number;
        let mut each = |citation| sink(Event::Delta { choice, index, delta: Delta::Citation(citation) });
        if let Some(citations) = node.member("citationMetadata") {
            sources::cited(citations, &self.told, &mut each);
        }
        if let Some(grounding) = node.member("groundingMetadata") {
            sources::grounded(grounding, &self.told, &mut each);
        }
    }

    /// The open text, if it is of this kind; else a new one.
    fn continued<'a>(
        &mut self,
        is_thought: bool,
        start: impl FnOnce() -> PartStart<'a>,
        sink: Sink<'_>,
    ) -> u32 {
        if let Some(open) = self.open.filter(|open| open.is_thought == is_thought) {
            return open.index;
        }
        let index = self.begin(start(), sink);
        self.open = Some(Open { index, is_thought });
        index
    }

    fn begin(&mut self, part: PartStart<'_>, sink: Sink<'_>) -> u32 {
        self.end_open(sink);
        let index = self.begun;
        self.begun += 1;
        sink(Event::PartStarted { choice: self.number, index, part });
        index
    }

    fn send(&self, index: u32, delta: Delta<'_>, sink: Sink<'_>) {
        sink(Event::Delta { choice: self.number, index, delta });
    }

    fn end(&self, index: u32, sink: Sink<'_>) {
        sink(Event::PartEnded { choice: self.number, index });
    }

    fn end_open(&mut self, sink: Sink<'_>) {
        if let Some(Open { index, .. }) = self.open.take() {
            self.end(index, sink);
        }
    }
}
