//! A stream, written: events named by their type, numbered, each item from its beginning to its end, and
//! all of it once more in the last one.

use super::answer_frame::{Frame, State};
use super::words::{End, failure_code};
use super::write_output::{made_id, put_seal};
use super::write_stream_item::{Call, Message, Open, Thought};
use crate::redact::redact_event;
use crate::sse::Scanner;
use crate::translate::codec::{AnswerContext, StreamWriter};
use crate::translate::json::{Json, Value, parse};
use crate::translate::losses::Losses;
use crate::translate::model::{
    Delta, Event, Failure, Maker, Native, PartStart, Raw, Seal, Spot, Stop, Usage,
};

/// Parts come one at a time (see `Sequencer`). What a client may ask for at the end, it is given then:
/// so everything that was said is kept until then.
#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    model: String,
    created: u64,
    /// What the ids of items are made of.
    request: String,
    has_begun: bool,
    has_refused: bool,
    /// The next event's number.
    sequence: u64,
    open: Open,
    /// The items that are complete, as a list's inside.
    output: String,
    items: u64,
    /// Characters of text so far.
    length: u64,
    /// Bytes of texts so far, all of which are kept.
    kept_bytes: usize,
    stop: Option<Stop<'static>>,
    usage: Option<Usage>,
}

/// Where events are written, one after another.
pub(super) struct Events<'e> {
    sequence: &'e mut u64,
    out: &'e mut Vec<u8>,
}

impl Events<'_> {
    pub(super) fn put(&mut self, name: &str, rest: impl FnOnce(&mut Json)) {
        self.out.extend_from_slice(b"event: ");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\ndata: ");
        let mut json = Json::after(std::mem::take(self.out));
        json.open('{').key("type").string(name).key("sequence_number").count(*self.sequence);
        rest(&mut json);
        json.close('}');
        *self.out = json.into_bytes();
        self.out.extend_from_slice(b"\n\n");
        *self.sequence += 1;
    }
}

/// A JSON value by itself.
pub(super) fn value(put: impl FnOnce(&mut Json)) -> String {
    let mut json = Json::default();
    put(&mut json);
    String::from_utf8(json.into_bytes()).unwrap_or_default()
}

/// Adds a value to a list's inside.
pub(super) fn add(list: &mut String, value: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(value);
}

impl Writer {
    pub(super) fn new(context: &AnswerContext<'_>) -> Self {
        Self {
            id: format!("resp_{}", context.id),
            model: context.model.to_owned(),
            created: context.created,
            request: context.id.to_owned(),
            has_begun: false,
            has_refused: false,
            sequence: 0,
            open: Open::Nothing,
            output: String::new(),
            items: 0,
            length: 0,
            kept_bytes: 0,
            stop: None,
            usage: None,
        }
    }

    fn begin(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        self.response("response.created", State::Running, losses, out);
        self.response("response.in_progress", State::Running, losses, out);
    }

    fn response(&mut self, name: &str, state: State<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let Self { id, model, created, output, usage, sequence, .. } = self;
        let usage = if matches!(state, State::Running) { None } else { *usage };
        let frame = Frame { id, model, created: *created, state, usage };
        Events { sequence, out }.put(name, |json| {
            json.key("response");
            frame.put(json, losses, |json, _| {
                if !output.is_empty() {
                    json.raw(output);
                }
            });
            json.close('}');
        });
    }

    fn start_part(&mut self, part: PartStart<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let goes_on = match (&self.open, &part) {
            (Open::Message(_), PartStart::Text | PartStart::Refusal) => true,
            (Open::Thought(thought), PartStart::Reasoning { is_summary, id }) => {
                thought.goes_on(*is_summary, id.as_deref())
            }
            _ => false,
        };
        if !goes_on {
            self.close(out);
            self.open_item(&part, losses, out);
        }
        let mut events = Events { sequence: &mut self.sequence, out };
        match (&mut self.open, part) {
            (Open::Message(message), PartStart::Text) => message.start(false, self.length, &mut events),
            (Open::Message(message), PartStart::Refusal) => {
                self.has_refused = true;
                message.start(true, self.length, &mut events);
            }
            (Open::Thought(thought), PartStart::Reasoning { is_summary, .. }) => thought.start(is_summary),
            _ => {}
        }
    }

    fn open_item(&mut self, part: &PartStart<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let (index, request) = (self.items, &self.request);
        let mut events = Events { sequence: &mut self.sequence, out };
        self.open = match part {
            PartStart::Text | PartStart::Refusal => {
                Open::Message(Message::begin(index, format!("msg_{request}_{index}"), &mut events))
            }
            PartStart::Reasoning { is_summary: _, id } => {
                let own = id.as_deref().map(str::to_owned);
                Open::Thought(Thought::begin(index, own, made_id(request, index), &mut events))
            }
            PartStart::ToolCall { .. } => match Call::begin(index, request, part, &mut events) {
                Some(call) => Open::Call(call),
                None => Open::Nothing,
            },
            PartStart::Native(native) => {
                self.native(native, losses, out);
                Open::Nothing
            }
        };
    }

    /// A native item is whole when it comes.
    fn native(&mut self, native: &Native<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let Native { owner, name: _, value: item, at: _ } = native;
        if *owner != Maker::OpenAiResponses {
            return losses.note(Spot::NOWHERE, "a part that only its own provider knows is left out");
        }
        let item = value(|json| {
            json.raw(item.text());
        });
        self.whole_item(&item, out);
    }

    fn whole_item(&mut self, item: &str, out: &mut Vec<u8>) {
        let index = self.items;
        let mut events = Events { sequence: &mut self.sequence, out };
        for name in ["response.output_item.added", "response.output_item.done"] {
            events.put(name, |json| {
                json.key("output_index").count(index).key("item").raw(item);
            });
        }
        add(&mut self.output, item);
        self.items += 1;
    }

    fn add(&mut self, delta: Delta<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let mut events = Events { sequence: &mut self.sequence, out };
        match (&mut self.open, delta) {
            (Open::Message(message), Delta::Text(text)) => {
                if !message.is_refusal() {
                    self.length += text.chars().count() as u64;
                }
                message.add(&text, &mut events);
            }
            (Open::Message(message), Delta::Citation(citation)) => {
                message.cite(&citation, losses, &mut events);
            }
            (Open::Message(message), Delta::Seal(seal)) => gain(&mut message.seal, seal),
            (Open::Thought(thought), Delta::Text(text)) => thought.add(&text, &mut events),
            (Open::Thought(thought), Delta::Seal(seal)) => gain(&mut thought.seal, seal),
            (Open::Call(call), Delta::Arguments(text)) => call.add(&text, &mut events),
            (Open::Call(call), Delta::Seal(seal)) => gain(&mut call.seal, seal),
            (Open::Nothing, _) | (_, Delta::Text(_) | Delta::Arguments(_)) => {}
            (_, Delta::Citation(_)) => losses.note(Spot::NOWHERE, "only a text can have citations"),
            (_, Delta::Native(_)) => {
                losses.note(Spot::NOWHERE, "a piece that only its own provider knows is left out");
            }
        }
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        let mut events = Events { sequence: &mut self.sequence, out };
        let is_over = match &mut self.open {
            Open::Nothing => false,
            Open::Message(message) => {
                message.end(&mut events);
                message.seal.is_some()
            }
            Open::Thought(thought) => {
                thought.end(&mut events);
                thought.seal.is_some()
            }
            Open::Call(_) => true,
        };
        if is_over {
            self.close(out);
        }
    }

    /// Ends the open item, and gives what seals it an item of its own.
    fn close(&mut self, out: &mut Vec<u8>) {
        let mut events = Events { sequence: &mut self.sequence, out };
        let (item, seal) = match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => return,
            Open::Message(message) => message.finish(&mut events),
            Open::Thought(thought) => (thought.finish(&mut events), None),
            Open::Call(call) => call.finish(&mut events),
        };
        add(&mut self.output, &item);
        self.items += 1;
        if let Some(seal) = seal {
            let id = made_id(&self.request, self.items);
            self.whole_item(&value(|json| put_seal(json, &seal, &id)), out);
        }
    }

    fn add_logprobs(&mut self, logprobs: &Raw<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        let told = parse(logprobs.text()).ok();
        let tokens = match told.as_ref().and_then(|told| told.member("content")).map(|told| &told.value) {
            Some(Value::List(tokens)) => tokens.as_slice(),
            _ => &[],
        };
        let tokens: Vec<&str> = tokens.iter().map(|token| token.raw).collect();
        match &mut self.open {
            Open::Message(message) if message.has_text() => {
                message.add_logprobs(&tokens.join(","), &mut Events { sequence: &mut self.sequence, out });
            }
            _ if tokens.is_empty() => {}
            _ => losses.note(Spot::NOWHERE, "probabilities of tokens are told of a text only"),
        }
    }

    fn finish(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        let mut stop = self.stop.take();
        let words = stop.as_mut().and_then(|stop| stop.explanation.take());
        if let Some(words) = words.filter(|_| !self.has_refused) {
            self.start_part(PartStart::Refusal, losses, out);
            self.add(Delta::Text(words), losses, out);
            self.end_part(out);
        }
        self.close(out);
        let end = End::of(stop.as_ref(), losses);
        let name = match end {
            End::Completed => "response.completed",
            End::Incomplete(_) => "response.incomplete",
        };
        self.response(name, State::Ended(end), losses, out);
    }

    /// What had come of the answer before stands in its own events; the last one tells the failure.
    fn fail(&mut self, failure: &Failure<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        // A field at fault is named in the message anyway; who failed keeps its id in the journal.
        let Failure { kind, message, code, param: _, request_id: _ } = failure;
        let code = code.as_deref().unwrap_or(failure_code(*kind));
        self.output.clear();
        self.response("response.failed", State::Failed { code, message }, losses, out);
    }
}

/// A seal's data may come in pieces.
fn gain(slot: &mut Option<Seal<'static>>, seal: Seal<'_>) {
    match slot {
        Some(known) => known.data.to_mut().push_str(&seal.data),
        None => *slot = Some(seal.into_owned()),
    }
}

impl StreamWriter for Writer {
    fn held_bytes(&self) -> usize {
        self.kept_bytes
    }

    fn write(&mut self, event: Event<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
        self.kept_bytes += event.text_bytes();
        match event {
            Event::Started { id, model, created } => {
                if !id.is_empty() {
                    self.id = id.into_owned();
                }
                if !model.is_empty() {
                    self.model = model.into_owned();
                }
                self.created = created.unwrap_or(self.created);
                self.begin(losses, out);
            }
            Event::PartStarted { choice: 0, part, .. } => {
                self.begin(losses, out);
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
            | Event::Stopped { .. } => {
                losses.note(Spot::NOWHERE, "there is room for one answer; the others are left out");
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Failed(failure) => {
                self.begin(losses, out);
                self.fail(&failure, losses, out);
            }
            Event::Done => {
                self.begin(losses, out);
                self.finish(losses, out);
            }
        }
    }
    /// A failure may come with the beginning that it has to follow: each event is looked at by itself.
    fn redacted(&self, written: Vec<u8>, secret: &[u8]) -> Vec<u8> {
        let mut scanner = Scanner::new();
        let mut redacted = Vec::with_capacity(written.len());
        let mut rest = written.as_slice();
        while let Some(length) = scanner.next_end(rest) {
            let (event, after) = rest.split_at(length);
            redacted.extend(redact_event(event, 0, secret).unwrap_or_else(|| event.to_vec()));
            rest = after;
        }
        redacted.extend_from_slice(rest);
        redacted
    }
}
