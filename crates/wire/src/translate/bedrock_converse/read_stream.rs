//! A stream, read: messages named by their headers, each with JSON in its payload.
//!
//! `messageStop` tells why an answer stopped and is not the end: `metadata` with the usage comes after it.
//! Texts and reasoning have no `contentBlockStart`; they begin with their first piece.

use super::failure::read_exception;
use super::read_parts::{citation, native, signed};
use super::{redacted, words};
use crate::event_stream::{Damage, Decoder, Message};
use crate::translate::codec::{Sink, StreamReader};
use crate::translate::json::{Node, Value, parse};
use crate::translate::model::{Delta, Event, Failure, PartStart, Stop};
use crate::translate::seal::Found;
use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Reader {
    decoder: Decoder,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<Block>,
    has_stopped: bool,
    has_usage: bool,
    /// Nothing is read any more: it has failed, or it is done.
    is_over: bool,
}

/// A block that has begun.
#[derive(Debug)]
struct Block {
    index: u32,
    /// Is it a call of which no piece has come yet?
    is_bare_call: bool,
    /// What has come of a reasoning that is withheld: the base64 of each piece stands for itself.
    withheld: Option<String>,
}

impl StreamReader for Reader {
    fn push(&mut self, piece: &[u8], sink: Sink<'_>) {
        let state = &mut self.state;
        let read = self.decoder.push(piece, &mut |message| state.read(&message, sink));
        self.end_if_damaged(read, sink);
    }

    fn held_bytes(&self) -> usize {
        self.decoder.held_bytes()
    }

    fn finish(&mut self, sink: Sink<'_>) {
        self.end_if_damaged(self.decoder.finish(), sink);
        let state = &mut self.state;
        if state.has_stopped && !state.is_over {
            // It said why it stopped and closed the stream; only the usage was never told.
            state.is_over = true;
            sink(Event::Done);
        }
    }
}

impl Reader {
    fn end_if_damaged(&mut self, read: Result<(), Damage>, sink: Sink<'_>) {
        if read.is_err() {
            self.state.fail(Failure::unreadable_stream(), sink);
        }
    }
}

impl State {
    fn read(&mut self, message: &Message<'_>, sink: Sink<'_>) {
        if self.is_over {
            return;
        }
        let Ok(payload) = std::str::from_utf8(message.payload) else {
            return self.fail(Failure::unreadable_stream(), sink);
        };
        match message.text(":message-type") {
            Some("event") => self.read_event(message.text(":event-type"), payload, sink),
            Some("exception") => {
                let name = message.text(":exception-type").unwrap_or_default();
                self.fail(read_exception(name, payload), sink);
            }
            // What went wrong before the service itself could say it.
            Some("error") => {
                let name = message.text(":error-code").unwrap_or_default();
                let told = message.text(":error-message").unwrap_or(payload);
                self.fail(read_exception(name, told), sink);
            }
            _ => self.fail(Failure::unreadable_stream(), sink),
        }
    }

    fn read_event(&mut self, name: Option<&str>, payload: &str, sink: Sink<'_>) {
        let known = matches!(
            name,
            Some(
                "messageStart"
                    | "contentBlockStart"
                    | "contentBlockDelta"
                    | "contentBlockStop"
                    | "messageStop"
                    | "metadata"
            )
        );
        if !known {
            // New kinds of events may come at any time, and are no fault.
            return;
        }
        let read = match parse(payload) {
            Ok(event) => self.take(name.unwrap_or_default(), &event, sink),
            Err(_) => None,
        };
        if read.is_none() {
            self.fail(Failure::unreadable_stream(), sink);
        }
    }

    /// Takes an event up; none where it lacks what it must have.
    fn take(&mut self, name: &str, event: &Node<'_>, sink: Sink<'_>) -> Option<()> {
        match name {
            "messageStart" => sink(Event::Started { id: "".into(), model: "".into(), created: None }),
            "contentBlockStart" => self.start(index_of(event)?, event.member("start")?, sink),
            "contentBlockDelta" => self.add(index_of(event)?, event.member("delta")?, sink)?,
            "contentBlockStop" => self.end(index_of(event)?, sink),
            "messageStop" => {
                while let Some(block) = self.open.first() {
                    self.end(block.index, sink);
                }
                let more = event.member(words::MORE_OF_ANSWER);
                let stop_text = more.and_then(|more| more.text_of(words::STOP_TEXT));
                let reason = words::stop_reason(event.text_of("stopReason")?, stop_text);
                self.has_stopped = true;
                sink(Event::Stopped { choice: 0, stop: Stop::plain(reason) });
            }
            _ => {
                let usage = words::usage(event.member("usage")?);
                self.has_usage = true;
                sink(Event::Usage(usage));
            }
        }
        if self.has_stopped && self.has_usage {
            self.is_over = true;
            sink(Event::Done);
        }
        Some(())
    }

    fn start(&mut self, index: u32, start: &Node<'_>, sink: Sink<'_>) {
        if let Some(call) = start.member("toolUse").filter(|call| call.member("type").is_none()) {
            let part = PartStart::ToolCall {
                id: call.text_of("toolUseId").unwrap_or_default(),
                name: call.text_of("name").unwrap_or_default(),
                is_custom: false,
                seal: None,
            };
            self.begin(index, part, sink);
        } else if matches!(&start.value, Value::Object(members) if !members.is_empty()) {
            self.begin(index, PartStart::Native(native(start)), sink);
        }
    }

    fn begin(&mut self, index: u32, part: PartStart<'_>, sink: Sink<'_>) {
        self.end(index, sink);
        let is_bare_call = matches!(part, PartStart::ToolCall { .. });
        self.open.push(Block { index, is_bare_call, withheld: None });
        sink(Event::PartStarted { choice: 0, index, part });
    }

    fn add(&mut self, index: u32, delta: &Node<'_>, sink: Sink<'_>) -> Option<()> {
        let (part, piece) = read_delta(delta)?;
        if !self.open.iter().any(|block| block.index == index) {
            // A piece of a call that never began belongs to nothing.
            self.begin(index, part?, sink);
        }
        let block = self.open.iter_mut().find(|block| block.index == index)?;
        let delta = match piece {
            Piece::Delta(delta) => delta,
            Piece::Withheld(more) => {
                block.withheld = Some(redacted::joined(block.withheld.take(), &more));
                return Some(());
            }
        };
        let is_empty = matches!(&delta, Delta::Text(text) | Delta::Arguments(text) if text.is_empty());
        if !is_empty {
            block.is_bare_call = false;
            sink(Event::Delta { choice: 0, index, delta });
        }
        Some(())
    }

    fn end(&mut self, index: u32, sink: Sink<'_>) {
        let Some(at) = self.open.iter().position(|block| block.index == index) else { return };
        let block = self.open.remove(at);
        if block.is_bare_call {
            // A function that takes nothing is called with nothing; that is an object without members.
            sink(Event::Delta { choice: 0, index, delta: Delta::Arguments("{}".into()) });
        }
        if let Some(content) = block.withheld {
            sink(Event::Delta { choice: 0, index, delta: seal(redacted::read(content.into())) });
        }
        sink(Event::PartEnded { choice: 0, index });
    }

    fn fail(&mut self, failure: Failure<'_>, sink: Sink<'_>) {
        if !std::mem::replace(&mut self.is_over, true) {
            sink(Event::Failed(failure));
        }
    }
}

/// What is added to a block.
enum Piece<'a> {
    Delta(Delta<'a>),
    Withheld(Cow<'a, str>),
}

/// A piece, and the part that begins with it where none has; none of that for pieces of what must begin by
/// itself.
fn read_delta<'a>(delta: &Node<'a>) -> Option<(Option<PartStart<'a>>, Piece<'a>)> {
    let Value::Object(members) = &delta.value else { return None };
    let (name, value) = members.first()?;
    let reasoning = PartStart::Reasoning { is_summary: false, id: None };
    let (part, delta) = match name.as_ref() {
        "text" => (Some(PartStart::Text), Delta::Text(value.text()?)),
        "citation" => (Some(PartStart::Text), Delta::Citation(citation(value))),
        "toolUse" => (None, Delta::Arguments(value.text_of("input").unwrap_or_default())),
        "reasoningContent" => {
            let Value::Object(members) = &value.value else { return None };
            let (name, value) = members.first()?;
            let text = value.text()?;
            let delta = match name.as_ref() {
                "redactedContent" => return Some((Some(reasoning), Piece::Withheld(text))),
                "text" => Delta::Text(text),
                "signature" if text.is_empty() => Delta::Text(text),
                "signature" => seal(signed(text)),
                _ => Delta::Native(native(delta)),
            };
            (Some(reasoning), delta)
        }
        _ => (Some(PartStart::Native(native(delta))), Delta::Native(native(delta))),
    };
    Some((part, Piece::Delta(delta)))
}

fn seal(found: Found<'_>) -> Delta<'_> {
    let (Found::Own(seal) | Found::OfLast(seal)) = found;
    Delta::Seal(seal)
}

fn index_of(event: &Node<'_>) -> Option<u32> {
    event.count_of("contentBlockIndex")?.try_into().ok()
}
