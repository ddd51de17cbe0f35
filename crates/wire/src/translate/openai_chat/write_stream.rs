//! A stream, written.

use super::write_answer::{put_citation, stop_word};
use super::write_message::put_seal;
use super::{details, words};
use crate::translate::codec::{AnswerContext, StreamWriter};
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Delta, Event, Maker, PartStart, Spot, Stop, Usage};
use crate::translate::openai::failure;

#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    model: String,
    created: u64,
    wants_usage: bool,
    usage: Option<Usage>,
    choices: Vec<Choice>,
}

/// One answer.
#[derive(Debug, Default)]
struct Choice {
    number: u32,
    parts: Vec<Part>,
    /// Parts that have a place of their own in the message, so far: all texts are one.
    places: u64,
    calls: u64,
    reasonings: u64,
    /// Characters of text so far.
    text_length: u64,
    has_refused: bool,
}

#[derive(Debug)]
struct Part {
    index: u32,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// And where it begins, in characters.
    Text(u64),
    Refusal,
    Reasoning(Detail),
    /// Its number among the calls, and whether it is a custom tool's.
    Call(u64, bool),
    Skipped,
}

/// A reasoning as it is told.
#[derive(Debug, Clone)]
struct Detail {
    index: u64,
    position: u64,
    is_summary: bool,
    id: Option<String>,
    has_begun: bool,
    has_format: bool,
}

impl Writer {
    pub(super) fn new(context: &AnswerContext<'_>) -> Self {
        Self {
            id: format!("chatcmpl-{}", context.id),
            model: context.model.to_owned(),
            created: context.created,
            wants_usage: context.wants_usage,
            usage: None,
            choices: Vec::new(),
        }
    }

    /// The position of a choice among ours; the first that is heard of it is its role.
    fn choice(&mut self, number: u32, out: &mut Vec<u8>) -> usize {
        if let Some(position) = self.choices.iter().position(|choice| choice.number == number) {
            return position;
        }
        self.choices.push(Choice { number, ..Choice::default() });
        self.chunk(number, out, |json| {
            json.key("role").string("assistant").key("content").string("");
        });
        self.choices.len() - 1
    }

    fn start_part(
        &mut self,
        number: u32,
        index: u32,
        part: PartStart<'_>,
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) {
        let position = self.choice(number, out);
        let Some(choice) = self.choices.get_mut(position) else { return };
        let kind = match part {
            PartStart::Text => {
                let is_first = !choice.parts.iter().any(|part| matches!(part.kind, Kind::Text(_)));
                choice.places += u64::from(is_first);
                Kind::Text(choice.text_length)
            }
            PartStart::Refusal => {
                choice.places += 1;
                choice.has_refused = true;
                Kind::Refusal
            }
            PartStart::Reasoning { is_summary, id } => {
                let detail = Detail {
                    index: choice.reasonings,
                    position: choice.places,
                    is_summary,
                    id: id.map(std::borrow::Cow::into_owned),
                    has_begun: false,
                    has_format: false,
                };
                choice.places += 1;
                choice.reasonings += 1;
                Kind::Reasoning(detail)
            }
            PartStart::ToolCall { id, name, is_custom, seal } => {
                let call = choice.calls;
                choice.calls += 1;
                choice.places += 1;
                choice.parts.push(Part { index, kind: Kind::Call(call, is_custom) });
                let kind = if is_custom { "custom" } else { "function" };
                self.chunk(number, out, |json| {
                    json.key("tool_calls").open('[').open('{').key("index").count(call);
                    json.key("id").string(&id).key("type").string(kind).key(kind).open('{');
                    json.key("name").string(&name);
                    json.key(if is_custom { "input" } else { "arguments" }).string("").close('}');
                    if let Some(seal) = seal.as_ref().filter(|seal| seal.maker == Maker::Gemini) {
                        put_seal(json, &seal.data);
                    }
                    json.close('}').close(']');
                });
                return;
            }
            PartStart::Native(_) => {
                losses.note(Spot::NOWHERE, "a part that only its own provider knows is left out");
                Kind::Skipped
            }
        };
        choice.parts.push(Part { index, kind });
    }

    fn add(&mut self, number: u32, index: u32, delta: Delta<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let position = self.choice(number, out);
        let Some(choice) = self.choices.get_mut(position) else { return };
        let Some(part) = choice.parts.iter_mut().rev().find(|part| part.index == index) else { return };
        match (&mut part.kind, delta) {
            (Kind::Skipped, _) => {}
            (Kind::Text(_), Delta::Text(text)) => {
                choice.text_length += text.chars().count() as u64;
                self.chunk(number, out, |json| {
                    json.key("content").string(&text);
                });
            }
            (Kind::Text(start), Delta::Citation(citation)) if citation.url.is_some() => {
                let span = (*start, choice.text_length);
                self.chunk(number, out, |json| {
                    json.key("annotations").open('[');
                    put_citation(json, &citation, span, losses);
                    json.close(']');
                });
            }
            (Kind::Refusal, Delta::Text(text)) => self.chunk(number, out, |json| {
                json.key("refusal").string(&text);
            }),
            (Kind::Reasoning(detail), delta @ (Delta::Text(_) | Delta::Seal(_))) => {
                let told = detail.clone();
                detail.has_begun = true;
                detail.has_format |= matches!(delta, Delta::Seal(_));
                self.chunk(number, out, |json| told.put(json, &delta));
            }
            (Kind::Call(call, is_custom), Delta::Arguments(text)) => {
                let (call, is_custom) = (*call, *is_custom);
                self.chunk(number, out, |json| {
                    json.key("tool_calls").open('[').open('{').key("index").count(call);
                    json.key(if is_custom { "custom" } else { "function" }).open('{');
                    json.key(if is_custom { "input" } else { "arguments" }).string(&text);
                    json.close('}').close('}').close(']');
                });
            }
            (_, Delta::Citation(_)) => losses.note(Spot::NOWHERE, "only addresses can be cited"),
            (_, Delta::Seal(_)) => losses.note(Spot::NOWHERE, "a seal has no place on a text"),
            (_, Delta::Native(_)) => {
                losses.note(Spot::NOWHERE, "a piece that only its own provider knows is left out");
            }
            (_, Delta::Text(_) | Delta::Arguments(_)) => {}
        }
    }

    fn stop(&mut self, number: u32, stop: &Stop<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let position = self.choice(number, out);
        let has_refused = self.choices.get(position).is_some_and(|choice| choice.has_refused);
        if let Some(words) = stop.explanation.as_deref().filter(|_| !has_refused) {
            self.chunk(number, out, |json| {
                json.key("refusal").string(words);
            });
        }
        let word = stop_word(stop, losses);
        self.frame(out, |json| {
            json.open('{').key("index").count(u64::from(number)).key("delta").open('{').close('}');
            json.key("logprobs").null().key("finish_reason").string(word).close('}');
        });
    }

    fn chunk(&self, number: u32, out: &mut Vec<u8>, delta: impl FnOnce(&mut Json)) {
        self.frame(out, |json| {
            json.open('{').key("index").count(u64::from(number)).key("delta").open('{');
            delta(json);
            json.close('}').key("logprobs").null().key("finish_reason").null().close('}');
        });
    }

    /// A chunk of these choices; its usage is null, as is usual where it will be told at the end.
    fn frame(&self, out: &mut Vec<u8>, choices: impl FnOnce(&mut Json)) {
        self.put(out, |json| {
            json.key("choices").open('[');
            choices(json);
            json.close(']');
            if self.wants_usage {
                json.key("usage").null();
            }
        });
    }

    fn put(&self, out: &mut Vec<u8>, rest: impl FnOnce(&mut Json)) {
        out.extend_from_slice(b"data: ");
        let mut json = Json::after(std::mem::take(out));
        json.open('{').key("id").string(&self.id).key("object").string("chat.completion.chunk");
        json.key("created").count(self.created).key("model").string(&self.model);
        rest(&mut json);
        json.close('}');
        *out = json.into_bytes();
        out.extend_from_slice(b"\n\n");
    }

    fn finish(&self, out: &mut Vec<u8>) {
        if let Some(usage) = self.usage.filter(|_| self.wants_usage) {
            self.put(out, |json| {
                json.key("choices").open('[').close(']').key("usage");
                words::put_usage(json, &usage);
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Detail {
    /// What is told once comes with the first piece: clients join the texts of all pieces of an index.
    fn put(&self, json: &mut Json, delta: &Delta<'_>) {
        let (text, seal) = match delta {
            Delta::Text(text) => (Some(text.as_ref()), None),
            Delta::Seal(seal) => (None, Some(seal)),
            _ => (None, None),
        };
        if let Some(text) = text {
            json.key("reasoning").string(text);
        }
        json.key("reasoning_details").open('[').open('{');
        // A seal that follows text belongs to it, whatever its kind.
        let kind = details::kind(self.is_summary, seal.filter(|_| !self.has_begun).map(|seal| seal.kind));
        json.key("type").string(kind);
        if let Some(text) = text {
            json.key(if self.is_summary { "summary" } else { "text" }).string(text);
        }
        if let Some(seal) = seal {
            json.key(details::field(seal.kind)).string(&seal.data);
            if let Some(format) = details::format(seal.maker).filter(|_| !self.has_format) {
                json.key("format").string(format);
            }
        }
        if let Some(id) = self.id.as_ref().filter(|_| !self.has_begun) {
            json.key("id").string(id);
        }
        json.key("index").count(self.index);
        if !self.has_begun {
            json.key("position").count(self.position);
        }
        json.close('}').close(']');
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        match event {
            Event::Started { id, model, created } => {
                if !id.is_empty() {
                    self.id = id.into_owned();
                }
                if !model.is_empty() {
                    self.model = model.into_owned();
                }
                self.created = created.unwrap_or(self.created);
                self.choice(0, out);
            }
            Event::PartStarted { choice, index, part } => self.start_part(choice, index, part, losses, out),
            Event::Delta { choice, index, delta } => self.add(choice, index, delta, losses, out),
            Event::PartEnded { .. } => {}
            Event::Logprobs { choice, logprobs } => {
                self.choice(choice, out);
                self.frame(out, |json| {
                    json.open('{').key("index").count(u64::from(choice)).key("delta").open('{').close('}');
                    json.key("logprobs").raw(logprobs.text()).key("finish_reason").null().close('}');
                });
            }
            Event::Stopped { choice, stop } => self.stop(choice, &stop, losses, out),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Failed(told) => {
                out.extend_from_slice(b"data: ");
                let mut json = Json::after(std::mem::take(out));
                failure::put(&mut json, &told);
                *out = json.into_bytes();
                out.extend_from_slice(b"\n\n");
            }
            Event::Done => self.finish(out),
        }
    }
}
