//! A stream, written: each step an object of its own, in events or in one JSON array.

use super::write_answer::{note_usage, put_citations, put_stop};
use super::write_parts::{put_reasoning, put_text, put_tool_call};
use super::{failure, logprobs, words};
use crate::redact::{redact_error_body, redact_event};
use crate::translate::codec::{AnswerContext, StreamWriter};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{
    Arguments, Citation, Delta, Event, Maker, PartStart, Raw, Reasoning, Seal, Spot, Stop, Text, ToolCall,
    Usage,
};
use std::borrow::Cow;

#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    model: String,
    /// Is the stream one JSON array, and not events?
    is_array: bool,
    has_begun: bool,
    usage: Option<Usage>,
    candidates: Vec<Candidate>,
}

/// One answer.
#[derive(Debug, Default)]
struct Candidate {
    number: u32,
    parts: Vec<Part>,
    /// All its text, for what cites it.
    told: String,
    citations: Vec<Citation<'static>>,
    has_refused: bool,
    stop: Option<Stop<'static>>,
}

#[derive(Debug)]
struct Part {
    index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// And where it begins, in characters.
    Text(u64),
    Refusal,
    Reasoning,
    /// Calls are told whole.
    Call(ToolCall<'static>, String),
    Skipped,
}

/// What is told at once.
enum Piece<'a> {
    Text(Text<'a>),
    Reasoning(Reasoning<'a>),
    Call(ToolCall<'a>),
    Native(Raw<'a>),
}

impl Writer {
    pub(super) fn new(context: &AnswerContext<'_>) -> Self {
        Self {
            id: context.id.to_owned(),
            model: context.model.to_owned(),
            is_array: context.is_json_array,
            has_begun: false,
            usage: None,
            candidates: Vec::new(),
        }
    }

    fn candidate(&mut self, number: u32) -> &mut Candidate {
        let position = self.candidates.iter().position(|candidate| candidate.number == number);
        let position = position.unwrap_or_else(|| {
            self.candidates.push(Candidate { number, ..Candidate::default() });
            self.candidates.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found at that position, or just put there")]
        &mut self.candidates[position]
    }

    fn start_part(
        &mut self,
        number: u32,
        index: u32,
        part: PartStart<'_>,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) {
        let candidate = self.candidate(number);
        let kind = match part {
            PartStart::Text => Kind::Text(candidate.told.chars().count() as u64),
            PartStart::Refusal => {
                candidate.has_refused = true;
                Kind::Refusal
            }
            PartStart::Reasoning { is_summary: _, id: _ } => Kind::Reasoning,
            PartStart::ToolCall { id, name, is_custom, seal } => {
                // What custom tools get is free text until all of it is there.
                let free = || Arguments::Free(Cow::Borrowed(""));
                let arguments = if is_custom { free() } else { Arguments::of_text(Cow::Borrowed("")) };
                let call = ToolCall {
                    id: Cow::Owned(id.into_owned()),
                    name: Cow::Owned(name.into_owned()),
                    arguments,
                    seal: seal.map(Seal::into_owned),
                    cache: None,
                    at: Spot::NOWHERE,
                };
                Kind::Call(call, String::new())
            }
            PartStart::Native(native) => {
                if native.owner == Maker::Gemini {
                    self.piece(number, Piece::Native(native.value), losses, out);
                } else {
                    losses.note(Spot::NOWHERE, "a part that only its own provider knows is left out");
                }
                Kind::Skipped
            }
        };
        self.candidate(number).parts.push(Part { index, kind });
    }

    fn add(&mut self, number: u32, index: u32, delta: Delta<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let candidate = self.candidate(number);
        let Candidate { parts, told, citations, .. } = candidate;
        let Some(part) = parts.iter_mut().rev().find(|part| part.index == index) else { return };
        let piece = match (&mut part.kind, delta) {
            (Kind::Text(_), Delta::Text(text)) => {
                told.push_str(&text);
                Piece::Text(Text::plain(text, Spot::NOWHERE))
            }
            (Kind::Refusal, Delta::Text(text)) => Piece::Text(Text::plain(text, Spot::NOWHERE)),
            (Kind::Text(_), Delta::Seal(seal)) => {
                Piece::Text(Text { seal: Some(seal), ..Text::plain(Cow::Borrowed(""), Spot::NOWHERE) })
            }
            (Kind::Reasoning, Delta::Text(text)) => Piece::Reasoning(reasoning(text, None)),
            (Kind::Reasoning, Delta::Seal(seal)) => {
                Piece::Reasoning(reasoning(Cow::Borrowed(""), Some(seal)))
            }
            (Kind::Call(_, arguments), Delta::Arguments(text)) => return arguments.push_str(&text),
            (Kind::Call(call, _), Delta::Seal(seal)) => {
                call.seal = Some(seal.into_owned());
                return;
            }
            (Kind::Text(start), Delta::Citation(citation)) => {
                let mut citation = citation.into_owned();
                citation.span = citation.span.or(Some((*start, told.chars().count() as u64)));
                return citations.push(citation);
            }
            (Kind::Skipped, _) => return,
            (_, Delta::Native(native)) if native.owner == Maker::Gemini => Piece::Native(native.value),
            (_, Delta::Native(_)) => {
                return losses.note(Spot::NOWHERE, "a piece that only its own provider knows is left out");
            }
            (_, Delta::Citation(_)) => return losses.note(Spot::NOWHERE, "only a text can cite"),
            (Kind::Refusal, Delta::Seal(_)) => {
                return losses.note(Spot::NOWHERE, "a seal has no place on a refusal");
            }
            (_, Delta::Text(_) | Delta::Arguments(_)) => return,
        };
        self.piece(number, piece, losses, out);
    }

    fn end_part(&mut self, number: u32, index: u32, losses: &mut Losses, out: &mut Vec<u8>) {
        let parts = &mut self.candidate(number).parts;
        let Some(position) = parts.iter().position(|part| part.index == index) else { return };
        if let Kind::Call(mut call, told) = parts.swap_remove(position).kind {
            call.arguments = match call.arguments {
                Arguments::Free(_) => Arguments::Free(told.into()),
                Arguments::Object(_) | Arguments::Broken(_) => Arguments::of_text(told.into()),
            };
            self.piece(number, Piece::Call(call), losses, out);
        }
    }

    /// An object with one part of one answer.
    fn piece(&mut self, number: u32, piece: Piece<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        self.chunk(out, |json| {
            json.key("candidates").open('[').open('{').key("content").open('{').key("parts").open('[');
            match piece {
                Piece::Text(text) => put_text(json, text, losses),
                Piece::Reasoning(reasoning) => put_reasoning(json, &reasoning),
                Piece::Call(call) => put_tool_call(json, call, false, losses),
                Piece::Native(value) => {
                    json.raw(value.text());
                }
            }
            json.close(']').key("role").string("model").close('}');
            json.key("index").count(number.into()).close('}').close(']');
        });
    }

    /// The last object: why each answer ended, what it cites, and what all used.
    fn finish(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        let candidates = std::mem::take(&mut self.candidates);
        if let Some(usage) = &self.usage {
            note_usage(usage, losses);
        }
        self.chunk(out, |json| {
            json.key("candidates").open('[');
            for Candidate { number, parts: _, told, citations, has_refused, stop } in candidates {
                json.open('{').key("content").open('{').key("parts").open('[');
                json.open('{').key("text").string("").close('}').close(']');
                json.key("role").string("model").close('}');
                if let Some(stop) = &stop {
                    put_stop(json, stop, has_refused, losses);
                }
                json.key("index").count(number.into());
                put_citations(json, &citations, &told, losses);
                json.close('}');
            }
            json.close(']');
        });
        if self.is_array {
            out.extend_from_slice(b"]");
        }
    }

    /// An object with what every one tells beside what is new.
    fn chunk(&mut self, out: &mut Vec<u8>, new: impl FnOnce(&mut Json)) {
        self.begin_frame(out);
        let mut json = Json::after(std::mem::take(out));
        json.open('{');
        new(&mut json);
        if let Some(usage) = &self.usage {
            json.key("usageMetadata");
            words::put_usage(&mut json, usage);
        }
        json.key("modelVersion").string(&self.model).key("responseId").string(&self.id).close('}');
        *out = json.into_bytes();
        self.end_frame(out);
    }

    fn begin_frame(&mut self, out: &mut Vec<u8>) {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let start: &[u8] = match (self.is_array, is_first) {
            (false, _) => b"data: ",
            (true, true) => b"[",
            (true, false) => b",\r\n",
        };
        out.extend_from_slice(start);
    }

    fn end_frame(&self, out: &mut Vec<u8>) {
        let end: &[u8] = if self.is_array { b"\n" } else { b"\r\n\r\n" };
        out.extend_from_slice(end);
    }
}

const fn reasoning<'a>(text: Cow<'a, str>, seal: Option<Seal<'a>>) -> Reasoning<'a> {
    Reasoning { text, is_summary: false, seal, id: None, at: Spot::NOWHERE }
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
            }
            Event::PartStarted { choice, index, part } => self.start_part(choice, index, part, losses, out),
            Event::Delta { choice, index, delta } => self.add(choice, index, delta, losses, out),
            Event::PartEnded { choice, index } => self.end_part(choice, index, losses, out),
            Event::Logprobs { choice, logprobs } => {
                let mut is_told = false;
                self.chunk(out, |json| {
                    json.key("candidates").open('[').open('{').key("index").count(choice.into());
                    is_told = logprobs::put(json, &logprobs);
                    json.close('}').close(']');
                });
                if !is_told {
                    losses.note(Spot::NOWHERE, "probabilities of tokens are left out");
                }
            }
            Event::Stopped { choice, stop } => self.candidate(choice).stop = Some(stop.into_owned()),
            Event::Usage(usage) => self.usage = Some(usage),
            // A comment is taken for data by Google's Python SDK; a blank line by none.
            Event::Ping => out.extend_from_slice(b"\r\n"),
            Event::Failed(told) => {
                self.begin_frame(out);
                let mut json = Json::after(std::mem::take(out));
                failure::put(&mut json, &told);
                *out = json.into_bytes();
                self.end_frame(out);
                if self.is_array {
                    out.extend_from_slice(b"]");
                }
            }
            Event::Done => self.finish(losses, out),
        }
    }

    fn redacted(&self, written: Vec<u8>, secret: &[u8]) -> Vec<u8> {
        if !self.is_array {
            return redact_event(&written, 0, secret).unwrap_or(written);
        }
        // The object alone is JSON.
        let start = written.iter().position(|byte| *byte == b'{').unwrap_or(0);
        let end = written.iter().rposition(|byte| *byte == b'}').map_or(start, |last| last + 1);
        let (Some(before), Some(object), Some(behind)) =
            (written.get(..start), written.get(start..end), written.get(end..))
        else {
            return Vec::new();
        };
        [before, redact_error_body(object, secret).as_ref(), behind].concat()
    }
}
