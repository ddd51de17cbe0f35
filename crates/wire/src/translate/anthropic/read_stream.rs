//! A stream, read: named events, each with its `type` in its data too.

use super::read_parts::{citation, native};
use super::{failure, words};
use crate::translate::codec::{Sink, StreamReader};
use crate::translate::frames::Frames;
use crate::translate::json::{Node, parse};
use crate::translate::model::{Delta, Event, Failure, FailureKind, Maker, PartStart, SealKind, Stop, Usage};
use crate::translate::seal::{self, Found};
use crate::usage::AnthropicUsage;
use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Reader {
    frames: Frames,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    told: AnthropicUsage,
    /// The open block, if it is a call: its number, its input as it began, and whether any piece came.
    call: Option<Call>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    input: String,
    has_pieces: bool,
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
        let Ok(event) = parse(data) else { return sink(torn()) };
        let told = event.text_of("type");
        match told.as_deref().or(name).unwrap_or_default() {
            "message_start" => self.start(&event, sink),
            "content_block_start" => self.start_block(&event, sink),
            "content_block_delta" => self.add(&event, sink),
            "content_block_stop" => self.end_block(&event, sink),
            "message_delta" => self.note_end(&event, sink),
            "message_stop" => sink(Event::Done),
            "ping" => sink(Event::Ping),
            "error" => sink(Event::Failed(failure::read_node(None, &event).unwrap_or_else(unnamed))),
            // New kinds of events may come at any time and are to be passed over, says the manual.
            _ => {}
        }
    }

    fn start(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let Some(message) = event.member("message") else { return sink(torn()) };
        sink(Event::Started {
            id: message.text_of("id").unwrap_or_default(),
            model: message.text_of("model").unwrap_or_default(),
            created: None,
        });
        self.take_usage(message, sink);
    }

    fn start_block(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let (Some(index), Some(block)) = (index_of(event), event.member("content_block")) else {
            return sink(torn());
        };
        let kind = block.text_of("type").unwrap_or_default();
        let part = match kind.as_ref() {
            "text" => PartStart::Text,
            "thinking" | "redacted_thinking" => PartStart::Reasoning { is_summary: false, id: None },
            "tool_use" => {
                let input = block.member("input").map_or("{}", |input| input.raw);
                self.call = Some(Call { index, input: input.to_owned(), has_pieces: false });
                PartStart::ToolCall {
                    id: block.text_of("id").unwrap_or_default(),
                    name: block.text_of("name").unwrap_or_default(),
                    is_custom: false,
                    seal: None,
                }
            }
            _ => PartStart::Native(native(block)),
        };
        sink(Event::PartStarted { choice: 0, index, part });
        let begun = block.text_of("text").or_else(|| block.text_of("thinking"));
        if let Some(text) = begun.filter(|text| !text.is_empty() && kind != "tool_use") {
            sink(Event::Delta { choice: 0, index, delta: Delta::Text(text) });
        }
        if let Some(data) = block.text_of("data").filter(|_| kind == "redacted_thinking") {
            add_seal(index, data, SealKind::Encrypted, sink);
        }
    }

    fn add(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let (Some(index), Some(delta)) = (index_of(event), event.member("delta")) else {
            return sink(torn());
        };
        let kind = delta.text_of("type").unwrap_or_default();
        let text = |name| delta.text_of(name).unwrap_or_default();
        let delta = match kind.as_ref() {
            "text_delta" => Delta::Text(text("text")),
            "thinking_delta" => Delta::Text(text("thinking")),
            "signature_delta" => {
                return add_seal(index, text("signature"), SealKind::Signature, sink);
            }
            "input_json_delta" => {
                let piece = text("partial_json");
                if let Some(call) = self.call.as_mut().filter(|call| call.index == index) {
                    call.has_pieces |= !piece.is_empty();
                }
                Delta::Arguments(piece)
            }
            "citations_delta" => match delta.member("citation") {
                Some(told) => Delta::Citation(citation(told)),
                None => return sink(torn()),
            },
            _ => Delta::Native(native(delta)),
        };
        let is_empty = matches!(&delta, Delta::Text(text) | Delta::Arguments(text) if text.is_empty());
        if !is_empty {
            sink(Event::Delta { choice: 0, index, delta });
        }
    }

    fn end_block(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        let Some(index) = index_of(event) else { return sink(torn()) };
        if let Some(call) = self.call.take_if(|call| call.index == index)
            && !call.has_pieces
        {
            // A call without arguments has no pieces at all; some compatible providers send all at once.
            sink(Event::Delta { choice: 0, index, delta: Delta::Arguments(call.input.into()) });
        }
        sink(Event::PartEnded { choice: 0, index });
    }

    fn note_end(&mut self, event: &Node<'_>, sink: Sink<'_>) {
        self.take_usage(event, sink);
        let Some(delta) = event.member("delta") else { return };
        let Some(reason) = delta.text_of("stop_reason") else { return };
        let reason = words::stop_reason(reason, delta.text_of("stop_sequence"));
        let explanation = delta.member("stop_details").and_then(|details| details.text_of("explanation"));
        sink(Event::Stopped { choice: 0, stop: Stop { reason, explanation } });
    }

    fn take_usage(&mut self, holder: &Node<'_>, sink: Sink<'_>) {
        let told = holder.member("usage").and_then(|usage| self.told.add(usage.raw));
        if told.is_some() {
            sink(Event::Usage(Usage { tokens: self.told.tokens(), ..Usage::default() }));
        }
    }
}

fn add_seal(index: u32, data: Cow<'_, str>, kind: SealKind, sink: Sink<'_>) {
    if data.is_empty() {
        return;
    }
    let (Found::Own(seal) | Found::OfLast(seal)) = seal::read(Maker::Anthropic, data, kind);
    sink(Event::Delta { choice: 0, index, delta: Delta::Seal(seal) });
}

fn index_of(event: &Node<'_>) -> Option<u32> {
    event.count_of("index")?.try_into().ok()
}

fn unnamed<'a>() -> Failure<'a> {
    Failure {
        kind: FailureKind::Server,
        message: "the provider's stream failed".into(),
        code: None,
        param: None,
        request_id: None,
    }
}

fn torn() -> Event<'static> {
    Event::Failed(Failure::unreadable_stream())
}
