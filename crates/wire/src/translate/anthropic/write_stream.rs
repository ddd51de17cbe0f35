//! A stream, written.

use super::write_answer::{note_stop, note_usage, refused};
use super::write_parts::{native_of, safe_id};
use super::{failure, words};
use crate::translate::codec::{AnswerContext, StreamWriter};
use crate::translate::frames::put_event;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Delta, Event, Maker, PartStart, Seal, SealKind, Spot, Stop, Usage};
use crate::translate::seal;

/// Blocks come one at a time (see `Sequencer`) and are numbered here, since a seal may take a block of its
/// own.
#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    model: String,
    has_begun: bool,
    /// How many blocks have begun.
    begun: u64,
    open: Open,
    is_in_thinking: bool,
    has_refused: bool,
    stop: Option<Stop<'static>>,
    usage: Option<Usage>,
}

/// The part that is open.
#[derive(Debug)]
enum Open {
    Nothing,
    /// Its block has begun; a seal of another maker's that must follow it.
    Block(Option<Seal<'static>>),
    /// Reasoning of which nothing has come yet: what comes first tells which block it is.
    Reasoning,
    /// It is left out.
    Skipped,
}

impl Writer {
    pub(super) fn new(context: &AnswerContext<'_>) -> Self {
        Self {
            id: format!("msg_{}", context.id),
            model: context.model.to_owned(),
            has_begun: false,
            begun: 0,
            open: Open::Nothing,
            is_in_thinking: false,
            has_refused: false,
            stop: None,
            usage: None,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let usage = self.usage.unwrap_or_default();
        put_event(out, "message_start", |json| {
            json.key("message").open('{').key("id").string(&self.id).key("type").string("message");
            json.key("role").string("assistant").key("model").string(&self.model);
            json.key("content").open('[').close(']');
            words::put_stop(json, None);
            json.key("usage");
            words::put_usage(json, &usage);
            json.close('}');
        });
    }

    fn start_part(&mut self, part: PartStart<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        self.open = Open::Block(None);
        match part {
            PartStart::Text => self.start_block(out, |json| {
                json.key("type").string("text").key("text").string("");
            }),
            PartStart::Refusal => {
                self.has_refused = true;
                self.start_block(out, |json| {
                    json.key("type").string("text").key("text").string("");
                });
            }
            PartStart::Reasoning { is_summary: _, id: _ } => self.open = Open::Reasoning,
            PartStart::ToolCall { id, name, is_custom, seal } => {
                if is_custom {
                    losses.note(Spot::NOWHERE, "a custom tool's input is sent as a function's arguments");
                }
                self.open = Open::Block(seal.map(Seal::into_owned));
                self.start_block(out, |json| {
                    json.key("type").string("tool_use").key("id").string(&safe_id(&id));
                    json.key("name").string(&name).key("input").open('{').close('}');
                });
            }
            PartStart::Native(native) if native.owner == Maker::Anthropic => {
                let index = self.begun;
                self.begun += 1;
                put_event(out, "content_block_start", |json| {
                    json.key("index").count(index).key("content_block").raw(native.value.text());
                });
            }
            PartStart::Native(_) => {
                losses.note(Spot::NOWHERE, "a part that only its own provider knows is left out");
                self.open = Open::Skipped;
            }
        }
    }

    fn add(&mut self, delta: Delta<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        match (&mut self.open, delta) {
            (Open::Skipped | Open::Nothing, _) => {}
            (Open::Reasoning, Delta::Seal(seal)) if seal.kind == SealKind::Encrypted => {
                self.open = Open::Block(None);
                self.start_block(out, |json| {
                    json.key("type").string("redacted_thinking");
                    json.key("data").string(&seal::write(Maker::Anthropic, &seal));
                });
            }
            (Open::Reasoning, delta) => {
                self.start_thinking(out);
                self.add(delta, losses, out);
            }
            (Open::Block(last), Delta::Seal(seal)) => match seal.kind {
                SealKind::Signature if last.is_none() && self.is_thinking() => {
                    self.piece(out, "signature_delta", "signature", &seal::write(Maker::Anthropic, &seal));
                }
                // Of a text or a call, or the encrypted whole behind a summary: a block of its own.
                _ => self.open = Open::Block(Some(seal.into_owned())),
            },
            (Open::Block(_), Delta::Text(text)) => {
                let (kind, field) =
                    if self.is_thinking() { ("thinking_delta", "thinking") } else { ("text_delta", "text") };
                self.piece(out, kind, field, &text);
            }
            (Open::Block(_), Delta::Arguments(text)) => {
                self.piece(out, "input_json_delta", "partial_json", &text);
            }
            (Open::Block(_), Delta::Citation(citation)) => match native_of(&citation) {
                Some(native) => self.delta(out, |json| {
                    json.key("type").string("citations_delta");
                    json.key("citation").raw(native.value.text());
                }),
                None => losses.note(Spot::NOWHERE, "a citation of another maker is left out"),
            },
            (Open::Block(_), Delta::Native(native)) if native.owner == Maker::Anthropic => {
                let index = self.begun.saturating_sub(1);
                put_event(out, "content_block_delta", |json| {
                    json.key("index").count(index).key("delta").raw(native.value.text());
                });
            }
            (Open::Block(_), Delta::Native(_)) => {
                losses.note(Spot::NOWHERE, "a piece that only its own provider knows is left out");
            }
        }
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            // Reasoning of which nothing was told has no block.
            Open::Nothing | Open::Reasoning | Open::Skipped => {}
            Open::Block(seal) => {
                self.end_block(out);
                if let Some(seal) = seal {
                    self.start_block(out, |json| {
                        json.key("type").string("redacted_thinking");
                        json.key("data").string(&seal::write_of_last(&seal));
                    });
                    self.end_block(out);
                }
            }
        }
    }

    fn finish(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        let stop = self.stop.take();
        let stop = stop.map(|stop| if self.has_refused { refused(stop) } else { stop });
        note_stop(stop.as_ref(), losses);
        let usage = self.usage.unwrap_or_default();
        note_usage(self.usage, losses);
        put_event(out, "message_delta", |json| {
            json.key("delta").open('{');
            words::put_stop(json, stop.as_ref());
            json.close('}').key("usage");
            words::put_usage(json, &usage);
        });
        put_event(out, "message_stop", |_| {});
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        match event {
            Event::Started { id, model, created: _ } => {
                if !id.is_empty() {
                    self.id = id.into_owned();
                }
                if !model.is_empty() {
                    self.model = model.into_owned();
                }
                self.begin(out);
            }
            Event::PartStarted { choice: 0, part, .. } => {
                self.begin(out);
                self.start_part(part, losses, out);
            }
            Event::Delta { choice: 0, delta, .. } => self.add(delta, losses, out),
            Event::PartEnded { choice: 0, .. } => self.end_part(out),
            Event::Stopped { choice: 0, stop } => self.stop = Some(stop.into_owned()),
            Event::PartStarted { .. }
            | Event::Delta { .. }
            | Event::PartEnded { .. }
            | Event::Stopped { .. } => {
                losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
            }
            Event::Logprobs { .. } => losses.note(Spot::NOWHERE, "probabilities of tokens are left out"),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Ping => put_event(out, "ping", |_| {}),
            Event::Failed(told) => {
                out.extend_from_slice(b"event: error\ndata: ");
                let mut json = Json::after(std::mem::take(out));
                failure::put(&mut json, &told);
                *out = json.into_bytes();
                out.extend_from_slice(b"\n\n");
            }
            Event::Done => {
                self.begin(out);
                self.finish(losses, out);
            }
        }
    }
}

/// The frames of one block.
impl Writer {
    fn is_thinking(&self) -> bool {
        self.is_in_thinking
    }

    fn start_thinking(&mut self, out: &mut Vec<u8>) {
        self.open = Open::Block(None);
        self.start_block(out, |json| {
            json.key("type").string("thinking").key("thinking").string("").key("signature").string("");
        });
        self.is_in_thinking = true;
    }

    fn start_block(&mut self, out: &mut Vec<u8>, block: impl FnOnce(&mut Json)) {
        self.is_in_thinking = false;
        let index = self.begun;
        self.begun += 1;
        put_event(out, "content_block_start", |json| {
            json.key("index").count(index).key("content_block").open('{');
            block(json);
            json.close('}');
        });
    }

    fn piece(&self, out: &mut Vec<u8>, kind: &str, field: &str, text: &str) {
        self.delta(out, |json| {
            json.key("type").string(kind).key(field).string(text);
        });
    }

    fn delta(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut Json)) {
        let index = self.begun.saturating_sub(1);
        put_event(out, "content_block_delta", |json| {
            json.key("index").count(index).key("delta").open('{');
            delta(json);
            json.close('}');
        });
    }

    fn end_block(&self, out: &mut Vec<u8>) {
        let index = self.begun.saturating_sub(1);
        put_event(out, "content_block_stop", |json| {
            json.key("index").count(index);
        });
    }
}
