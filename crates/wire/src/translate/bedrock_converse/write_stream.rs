//! A stream, written.

use super::write_answer::{note_usage, put_metrics, put_stop};
use super::write_parts::{is_citation, put_citation, safe_id};
use super::{failure, redacted, words};
use crate::event_stream::{Decoder, HeaderValue, encode};
use crate::redact::redact_error_body;
use crate::translate::codec::StreamWriter;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Delta, Event, Failure, Maker, PartStart, Seal, SealKind, Spot, Stop, Usage};
use crate::translate::seal;

/// Blocks come one at a time (see `Sequencer`) and are numbered here, since a seal may take a block of its
/// own.
#[derive(Debug, Default)]
pub(super) struct Writer {
    has_begun: bool,
    /// How many blocks have begun.
    begun: u64,
    open: Open,
    has_refused: bool,
    stop: Option<Stop<'static>>,
    usage: Option<Usage>,
}

/// The part that is open.
#[derive(Debug, Default)]
enum Open {
    /// None, or one that is left out.
    #[default]
    Nothing,
    /// Nothing has come of it yet, and its block begins with what comes first.
    Unbegun { is_reasoning: bool },
    /// Its block has begun; a seal of another maker's that must follow it.
    Block { is_reasoning: bool, seal: Option<Seal<'static>> },
}

impl Writer {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            event(out, "messageStart", |json| {
                json.key("role").string("assistant");
            });
        }
    }

    fn start_part(&mut self, part: PartStart<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        self.open = match part {
            PartStart::Text => Open::Unbegun { is_reasoning: false },
            PartStart::Refusal => {
                self.has_refused = true;
                Open::Unbegun { is_reasoning: false }
            }
            PartStart::Reasoning { is_summary: _, id: _ } => Open::Unbegun { is_reasoning: true },
            PartStart::ToolCall { id, name, is_custom, seal } => {
                if is_custom {
                    losses.note(Spot::NOWHERE, "a custom tool's input is sent as a function's arguments");
                }
                self.start_block(out, |json| {
                    json.key("toolUse").open('{').key("toolUseId").string(&safe_id(&id));
                    json.key("name").string(&name).close('}');
                });
                Open::Block { is_reasoning: false, seal: seal.map(Seal::into_owned) }
            }
            PartStart::Native(native) if native.owner == Maker::Bedrock => {
                let index = self.begun;
                self.begun += 1;
                event(out, "contentBlockStart", |json| {
                    json.key("start").raw(native.value.text()).key("contentBlockIndex").count(index);
                });
                Open::Block { is_reasoning: false, seal: None }
            }
            PartStart::Native(_) => {
                losses.note(Spot::NOWHERE, "a part that only its own provider knows is left out");
                Open::Nothing
            }
        };
    }

    fn add(&mut self, delta: Delta<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        if let Delta::Seal(seal) = delta {
            return self.add_seal(seal, out);
        }
        let is_reasoning = match &self.open {
            Open::Nothing => return,
            Open::Block { is_reasoning, .. } => *is_reasoning,
            Open::Unbegun { is_reasoning } => {
                let is_reasoning = *is_reasoning;
                self.open = Open::Block { is_reasoning, seal: None };
                // Texts and reasoning have no event for their beginning.
                self.begun += 1;
                is_reasoning
            }
        };
        match delta {
            Delta::Text(text) if is_reasoning => self.put_reasoning(out, "text", &text),
            Delta::Text(text) => self.put_delta(out, |json| {
                json.key("text").string(&text);
            }),
            Delta::Arguments(text) => self.put_delta(out, |json| {
                json.key("toolUse").open('{').key("input").string(&text).close('}');
            }),
            Delta::Citation(citation) if is_citation(&citation, Spot::NOWHERE, losses) => {
                self.put_delta(out, |json| {
                    json.key("citation");
                    put_citation(json, &citation);
                });
            }
            Delta::Citation(_) => {}
            Delta::Native(native) if native.owner == Maker::Bedrock => {
                let index = self.begun.saturating_sub(1);
                event(out, "contentBlockDelta", |json| {
                    json.key("delta").raw(native.value.text()).key("contentBlockIndex").count(index);
                });
            }
            Delta::Native(_) => {
                losses.note(Spot::NOWHERE, "a piece that only its own provider knows is left out");
            }
            Delta::Seal(_) => {}
        }
    }

    fn add_seal(&mut self, told: Seal<'_>, out: &mut Vec<u8>) {
        match (&mut self.open, told.kind) {
            (Open::Nothing, _) => {}
            (Open::Unbegun { is_reasoning: true }, SealKind::Encrypted) => {
                self.open = Open::Block { is_reasoning: true, seal: None };
                self.begun += 1;
                self.put_reasoning(out, "redactedContent", &redacted::write(&told));
            }
            (Open::Unbegun { is_reasoning: true }, SealKind::Signature) => {
                // Reasoning that is not shown still has a text, an empty one, which its seal signs.
                self.open = Open::Block { is_reasoning: true, seal: None };
                self.begun += 1;
                self.put_reasoning(out, "text", "");
                self.put_reasoning(out, "signature", &seal::write(Maker::Anthropic, &told));
            }
            (Open::Block { is_reasoning: true, seal: None }, SealKind::Signature) => {
                self.put_reasoning(out, "signature", &seal::write(Maker::Anthropic, &told));
            }
            // Of a text or a call, or the encrypted whole behind a summary: a block of its own.
            (Open::Block { seal, .. }, _) => *seal = Some(told.into_owned()),
            (Open::Unbegun { .. }, _) => {
                self.begun += 1;
                self.open = Open::Block { is_reasoning: false, seal: Some(told.into_owned()) };
                self.put_delta(out, |json| {
                    json.key("text").string("");
                });
            }
        }
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        let Open::Block { is_reasoning: _, seal } = std::mem::take(&mut self.open) else { return };
        self.end_block(out);
        if let Some(seal) = seal {
            self.begun += 1;
            self.put_reasoning(out, "redactedContent", &redacted::write_of_last(&seal));
            self.end_block(out);
        }
    }

    fn finish(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        if let Some(stop) = self.stop.take() {
            event(out, "messageStop", |json| put_stop(json, &stop, self.has_refused, losses));
        }
        note_usage(self.usage, losses);
        let usage = self.usage.unwrap_or_default();
        event(out, "metadata", |json| {
            words::put_usage(json, &usage);
            put_metrics(json);
        });
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, told: Event<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        match told {
            // Id, model and time have no place here.
            Event::Started { id: _, model: _, created: _ } => self.begin(out),
            Event::PartStarted { choice: 0, index: _, part } => {
                self.begin(out);
                self.start_part(part, losses, out);
            }
            Event::Delta { choice: 0, index: _, delta } => self.add(delta, losses, out),
            Event::PartEnded { choice: 0, index: _ } => self.end_part(out),
            Event::Stopped { choice: 0, stop } => self.stop = Some(stop.into_owned()),
            Event::PartStarted { .. }
            | Event::Delta { .. }
            | Event::PartEnded { .. }
            | Event::Stopped { .. } => {
                losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
            }
            Event::Logprobs { .. } => losses.note(Spot::NOWHERE, "probabilities of tokens are left out"),
            Event::Usage(usage) => self.usage = Some(usage),
            // Strict clients know the events of the service's model only, and none of them says nothing.
            Event::Ping => {}
            Event::Failed(failure) => put_exception(out, &failure),
            Event::Done => {
                self.begin(out);
                self.finish(losses, out);
            }
        }
    }

    /// The checksums are over what stands there in the end.
    fn redacted(&self, written: Vec<u8>, secret: &[u8]) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(written.len());
        let read = Decoder::default().push(&written, &mut |message| {
            let headers: Vec<_> = message.headers.iter().map(|header| (header.name, header.value)).collect();
            put_message(&mut redacted, &headers, &redact_error_body(message.payload, secret));
        });
        if read.is_ok() { redacted } else { Vec::new() }
    }
}

/// The events of one block.
impl Writer {
    fn start_block(&mut self, out: &mut Vec<u8>, start: impl FnOnce(&mut Json)) {
        let index = self.begun;
        self.begun += 1;
        event(out, "contentBlockStart", |json| {
            json.key("start").open('{');
            start(json);
            json.close('}').key("contentBlockIndex").count(index);
        });
    }

    fn put_reasoning(&self, out: &mut Vec<u8>, field: &str, text: &str) {
        self.put_delta(out, |json| {
            json.key("reasoningContent").open('{').key(field).string(text).close('}');
        });
    }

    fn put_delta(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut Json)) {
        let index = self.begun.saturating_sub(1);
        event(out, "contentBlockDelta", |json| {
            json.key("delta").open('{');
            delta(json);
            json.close('}').key("contentBlockIndex").count(index);
        });
    }

    fn end_block(&self, out: &mut Vec<u8>) {
        let index = self.begun.saturating_sub(1);
        event(out, "contentBlockStop", |json| {
            json.key("contentBlockIndex").count(index);
        });
    }
}

fn event(out: &mut Vec<u8>, name: &str, fields: impl FnOnce(&mut Json)) {
    let mut json = Json::default();
    json.open('{');
    fields(&mut json);
    json.close('}');
    let headers = headers(":event-type", name, "event");
    put_message(out, &headers, &json.into_bytes());
}

fn put_exception(out: &mut Vec<u8>, failure: &Failure<'_>) {
    let name = words::stream_failure_word(failure.kind);
    put_message(out, &headers(":exception-type", name, "exception"), &failure::payload(failure));
}

fn headers<'h>(kind: &'h str, name: &'h str, of_message: &'h str) -> [(&'h str, HeaderValue<'h>); 3] {
    [
        (kind, HeaderValue::Text(name)),
        (":content-type", HeaderValue::Text("application/json")),
        (":message-type", HeaderValue::Text(of_message)),
    ]
}

/// A message; where it is beyond what a stream can carry, that, so that nobody takes the rest for all.
fn put_message(out: &mut Vec<u8>, headers: &[(&str, HeaderValue<'_>)], payload: &[u8]) {
    const INSTEAD: &[u8] = br#"{"message":"a part of the answer is too long for an event stream"}"#;
    if encode(headers, payload, out).is_err() {
        let headers = self::headers(":exception-type", "internalServerException", "exception");
        // Both are short.
        let _ = encode(&headers, INSTEAD, out);
    }
}
