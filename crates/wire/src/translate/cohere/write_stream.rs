//! A stream, written.

use super::citations::{self, Cited};
use super::write_answer::{note_other_answers, note_refusal, note_usage, stop_word};
use super::{failure, logprobs, words};
use crate::translate::codec::{AnswerContext, StreamWriter};
use crate::translate::frames::put_event;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Citation, Delta, Event, PartStart, Raw, Spot, Stop, Usage};

/// Parts come one at a time (see `Sequencer`) and are numbered here: content blocks, calls and citations
/// each for themselves.
#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    has_begun: bool,
    blocks: u64,
    calls: u64,
    citations: u64,
    open: Open,
    has_plan: bool,
    /// Characters of text in blocks before the open one.
    before: u64,
    stop: Option<Stop<'static>>,
    usage: Option<Usage>,
}

/// The part that is open.
#[derive(Debug)]
enum Open {
    Nothing,
    /// A text, and what of it has come: citations quote it.
    Text(String),
    /// Reasoning, whose block begins with its first words: where it is withheld, there are none.
    Thinking {
        has_begun: bool,
    },
    /// A summary of reasoning.
    Plan,
    Call,
}

impl Writer {
    pub(super) fn new(context: &AnswerContext<'_>) -> Self {
        Self {
            id: context.id.to_owned(),
            has_begun: false,
            blocks: 0,
            calls: 0,
            citations: 0,
            open: Open::Nothing,
            has_plan: false,
            before: 0,
            stop: None,
            usage: None,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        put_event(out, "message-start", |json| {
            json.key("id").string(&self.id);
            message(json, |json| {
                json.key("role").string("assistant").key("content").open('[').close(']');
                json.key("tool_plan").string("").key("tool_calls").open('[').close(']');
                json.key("citations").open('[').close(']');
            });
        });
    }

    fn start_part(&mut self, part: PartStart<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        self.open = match part {
            PartStart::Text => self.start_text(out),
            PartStart::Refusal => {
                note_refusal(losses);
                self.start_text(out)
            }
            PartStart::Reasoning { is_summary: false, id: _ } => Open::Thinking { has_begun: false },
            PartStart::Reasoning { is_summary: true, id: _ } => {
                if std::mem::replace(&mut self.has_plan, true) {
                    losses.note(Spot::NOWHERE, "there is one plan, to which this is added");
                    plan(out, "\n\n");
                }
                Open::Plan
            }
            PartStart::ToolCall { id, name, is_custom, seal } => {
                if is_custom {
                    losses.note(Spot::NOWHERE, "a custom tool's input is sent as a function's arguments");
                }
                if seal.is_some() {
                    losses.note(Spot::NOWHERE, "a seal has no place on a call");
                }
                put_event(out, "tool-call-start", |json| {
                    json.key("index").count(self.calls);
                    message(json, |json| {
                        json.key("tool_calls").open('{').key("id").string(&id);
                        json.key("type").string("function").key("function").open('{');
                        json.key("name").string(&name).key("arguments").string("").close('}').close('}');
                    });
                });
                Open::Call
            }
            PartStart::Native(_) => {
                losses.note(Spot::NOWHERE, "a part that only its own provider knows is left out");
                Open::Nothing
            }
        };
    }

    fn start_text(&self, out: &mut Vec<u8>) -> Open {
        self.start_block("text", out);
        Open::Text(String::new())
    }

    fn start_block(&self, kind: &str, out: &mut Vec<u8>) {
        put_event(out, "content-start", |json| {
            json.key("index").count(self.blocks);
            message(json, |json| {
                json.key("content").open('{').key("type").string(kind).key(kind).string("").close('}');
            });
        });
    }

    fn add(&mut self, delta: Delta<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        match (&mut self.open, delta) {
            (Open::Nothing, _) => {}
            (Open::Text(so_far), Delta::Text(text)) => {
                so_far.push_str(&text);
                self.add_to_block("text", &text, None, out);
            }
            (Open::Text(_), Delta::Citation(citation)) => self.cite(&citation, losses, out),
            (Open::Thinking { has_begun }, Delta::Text(text)) => {
                if !std::mem::replace(has_begun, true) {
                    self.start_block("thinking", out);
                }
                self.add_to_block("thinking", &text, None, out);
            }
            (Open::Plan, Delta::Text(text)) => plan(out, &text),
            (Open::Call, Delta::Arguments(text)) => put_event(out, "tool-call-delta", |json| {
                json.key("index").count(self.calls);
                message(json, |json| {
                    json.key("tool_calls").open('{').key("function").open('{');
                    json.key("arguments").string(&text).close('}').close('}');
                });
            }),
            (_, Delta::Seal(_)) => losses.note(Spot::NOWHERE, "reasoning has no seal here"),
            (_, Delta::Citation(_)) => losses.note(Spot::NOWHERE, "only texts rest on citations"),
            (_, Delta::Native(_)) => {
                losses.note(Spot::NOWHERE, "a piece that only its own provider knows is left out");
            }
            (_, Delta::Text(_) | Delta::Arguments(_)) => {}
        }
    }

    fn add_to_block(&self, kind: &str, text: &str, item: Option<&logprobs::Item<'_>>, out: &mut Vec<u8>) {
        put_event(out, "content-delta", |json| {
            json.key("index").count(self.blocks);
            message(json, |json| {
                json.key("content").open('{').key(kind).string(text).close('}');
            });
            if let Some(item) = item {
                json.key("logprobs");
                item.put(json);
            }
        });
    }

    fn cite(&mut self, citation: &Citation<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let Open::Text(text) = &self.open else { return };
        let of = Cited { text, block: self.blocks, before: self.before };
        put_event(out, "citation-start", |json| {
            json.key("index").count(self.citations);
            message(json, |json| {
                json.key("citations");
                citations::put(json, citation, &of, losses);
            });
        });
        put_event(out, "citation-end", |json| {
            json.key("index").count(self.citations);
        });
        self.citations += 1;
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing | Open::Plan | Open::Thinking { has_begun: false } => {}
            Open::Text(text) => {
                self.before += text.chars().count() as u64;
                self.end_block(out);
            }
            Open::Thinking { has_begun: true } => self.end_block(out),
            Open::Call => {
                put_event(out, "tool-call-end", |json| {
                    json.key("index").count(self.calls);
                });
                self.calls += 1;
            }
        }
    }

    fn end_block(&mut self, out: &mut Vec<u8>) {
        put_event(out, "content-end", |json| {
            json.key("index").count(self.blocks);
        });
        self.blocks += 1;
    }

    /// Probabilities come with a piece of text here; these are of pieces that have been sent.
    fn add_logprobs(&self, told: &Raw<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Text(_)) {
            return losses.note(Spot::NOWHERE, "probabilities of tokens that are no text are left out");
        }
        logprobs::write(told, losses, |item| self.add_to_block("text", "", Some(item), out));
    }

    fn finish(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        let stop = self.stop.take();
        let usage = self.usage;
        put_event(out, "message-end", |json| {
            json.key("id").string(&self.id).key("delta").open('{');
            if let Some(stop) = &stop {
                if let Some(explanation) = &stop.explanation {
                    json.key("error").string(explanation);
                }
                json.key("finish_reason").string(stop_word(stop, losses));
            }
            if let Some(usage) = &usage {
                note_usage(usage, losses);
                json.key("usage");
                words::put_usage(json, usage);
            }
            json.close('}');
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        match event {
            Event::Started { id, model: _, created: _ } => {
                if !id.is_empty() {
                    self.id = id.into_owned();
                }
                self.begin(out);
            }
            Event::PartStarted { choice: 0, part, .. } => {
                self.begin(out);
                self.start_part(part, losses, out);
            }
            Event::Delta { choice: 0, delta, .. } => self.add(delta, losses, out),
            Event::PartEnded { choice: 0, .. } => self.end_part(out),
            Event::Logprobs { choice: 0, logprobs } => self.add_logprobs(&logprobs, losses, out),
            Event::Stopped { choice: 0, stop } => self.stop = Some(stop.into_owned()),
            Event::PartStarted { .. }
            | Event::Delta { .. }
            | Event::PartEnded { .. }
            | Event::Logprobs { .. }
            | Event::Stopped { .. } => note_other_answers(losses),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Failed(told) => {
                out.extend_from_slice(b"event: message-end\ndata: ");
                let mut json = Json::after(std::mem::take(out));
                failure::put_last_event(&mut json, &told);
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

fn plan(out: &mut Vec<u8>, text: &str) {
    put_event(out, "tool-plan-delta", |json| {
        message(json, |json| {
            json.key("tool_plan").string(text);
        });
    });
}

/// A delta of the message.
fn message(json: &mut Json, fields: impl FnOnce(&mut Json)) {
    json.key("delta").open('{').key("message").open('{');
    fields(json);
    json.close('}').close('}');
}
