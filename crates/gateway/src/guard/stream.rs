//! A stream's events on their way through guardrails: each is held until what it says is decided, and goes on as it came
//! where nothing of it is redacted.
//!
//! What a model says at one place (a choice's content, a tool's arguments) is one text, however it is cut into events. An
//! event waits for as much text behind its own as the longest match may need, and for the events before it; so the order
//! stays, and a client is behind its model by some words.

use super::judge::{Pace, at_once, each_text};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use topdog_domain::guardrail::{GuardrailBlock, Scan, SideRules, Tally};
use topdog_wire::sse::{Event, Scanner};
use topdog_wire::texts::{Flow, Text, rewritten, texts};

/// A place at which so many events have said nothing says no more, as far as is waited for it.
const SILENT_EVENTS: u64 = 64;
/// Bytes that wait at the most: then the first event goes on by what is known of it.
const MOST_WAITING: usize = 1024 * 1024;
/// What a place takes of memory beside its text.
const BYTES_OF_PLACE: usize = 512;

pub(crate) struct StreamGuard {
    rules: Arc<SideRules>,
    scanner: Scanner,
    /// The event whose end has not come.
    unfinished: Vec<u8>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// The text of each place, and those that are ended and not taken yet.
    flows: HashMap<FlowId, FlowText>,
    /// How often each place has ended.
    ends: HashMap<u64, u32>,
    events: u64,
    tally: Tally,
    blocked: Option<GuardrailBlock>,
}

/// A place in a stream's events, and which of the texts there.
type FlowId = (u64, u32);

struct FlowText {
    scan: Scan,
    /// Bytes that it has got, and that have been taken of it.
    fed: usize,
    taken: usize,
    last_event: u64,
    has_ended: bool,
}

/// An event that is not sent on yet.
struct Waiting {
    event: Bytes,
    /// Its data, where anything of it may be changed.
    data: Option<String>,
    pieces: Vec<Piece>,
    /// What has been changed of its other texts.
    changes: Vec<(Range<usize>, String)>,
}

/// What an event adds to a flow.
struct Piece {
    span: Range<usize>,
    text: String,
    flow: FlowId,
    /// Where it ends in the flow.
    end: usize,
}

impl StreamGuard {
    pub(crate) fn new(rules: Arc<SideRules>) -> Self {
        Self {
            rules,
            scanner: Scanner::new(),
            unfinished: Vec::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            flows: HashMap::new(),
            ends: HashMap::new(),
            events: 0,
            tally: Tally::default(),
            blocked: None,
        }
    }

    /// Takes a piece of the stream, cut anywhere; what may go on goes to `out`.
    pub(crate) fn feed(&mut self, piece: &[u8], out: &mut impl FnMut(Bytes)) {
        let mut at = 0;
        while let Some(length) = self.scanner.next_end(piece.get(at..).unwrap_or_default()) {
            let mut event = std::mem::take(&mut self.unfinished);
            event.extend_from_slice(piece.get(at..at + length).unwrap_or_default());
            at += length;
            self.take_event(event);
            self.release(out);
            if self.blocked.is_some() {
                return;
            }
        }
        self.unfinished.extend_from_slice(piece.get(at..).unwrap_or_default());
    }

    /// The stream has ended: what waits may go on, as far as it may at all.
    pub(crate) fn finish(&mut self, out: &mut impl FnMut(Bytes)) {
        let last = std::mem::take(&mut self.unfinished);
        if !last.is_empty() {
            self.take_event(last);
        }
        self.end_flows(|_| true);
        self.release(out);
    }

    /// What keeps the rest of the stream back.
    pub(crate) const fn blocked(&self) -> Option<&GuardrailBlock> {
        self.blocked.as_ref()
    }

    /// What was found, of what has ended and what has not.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        for flow in self.flows.values() {
            tally.extend(flow.scan.tally());
        }
        tally
    }

    /// Bytes that are kept.
    pub(crate) fn held_bytes(&self) -> usize {
        self.unfinished.len() + 2 * self.waiting_bytes + self.flows.len() * BYTES_OF_PLACE
    }

    fn take_event(&mut self, event: Vec<u8>) {
        self.events += 1;
        if self.blocked.is_some() {
            return;
        }
        let event = Bytes::from(event);
        let text = String::from_utf8_lossy(&event);
        let mut waiting =
            Waiting { event: event.clone(), data: None, pieces: Vec::new(), changes: Vec::new() };
        let read = Event::read(&text);
        match read.data {
            None => {}
            Some(data) if data.trim_ascii() == "[DONE]" => self.end_flows(|_| true),
            Some(data) if self.take_data(&data, &mut waiting) => {}
            Some(_) => return,
        }
        self.waiting_bytes += waiting.event.len();
        self.waiting.push_back(waiting);
        if self.events.is_multiple_of(SILENT_EVENTS / 4) {
            let now = self.events;
            self.end_flows(|flow| flow.last_event + SILENT_EVENTS < now);
        }
    }

    /// False where the event itself is kept back.
    fn take_data(&mut self, data: &str, waiting: &mut Waiting) -> bool {
        let found = match texts(data, true) {
            Ok(found) => found,
            // What is no JSON is one text.
            Err(_) => vec![Text { span: 0..data.len(), text: Cow::Borrowed(data), flow: Flow::Alone }],
        };
        let judging = each_text(&self.rules, &found, &mut self.tally, Pace::AtOnce, 0);
        let changed = match at_once(judging) {
            Some(Ok(changed)) => changed,
            Some(Err(block)) => {
                self.block(block);
                return false;
            }
            None => return false,
        };
        for (text, changed) in found.into_iter().zip(changed) {
            match (text.flow, changed) {
                (Flow::Stream(place), _) => self.take_piece(place, text, waiting),
                (_, Some(changed)) => waiting.changes.push((text.span, changed)),
                (_, None) => {}
            }
        }
        if !waiting.pieces.is_empty() || !waiting.changes.is_empty() {
            waiting.data = Some(data.to_owned());
        }
        true
    }

    fn take_piece(&mut self, place: u64, text: Text<'_>, waiting: &mut Waiting) {
        let id = (place, self.ends.get(&place).copied().unwrap_or_default());
        let flow = self.flows.entry(id).or_insert_with(|| FlowText {
            scan: Scan::new(&self.rules),
            fed: 0,
            taken: 0,
            last_event: 0,
            has_ended: false,
        });
        flow.scan.feed(&text.text);
        flow.fed += text.text.len();
        flow.last_event = self.events;
        let blocked = flow.scan.blocked().cloned();
        waiting.pieces.push(Piece { span: text.span, text: text.text.into_owned(), flow: id, end: flow.fed });
        if let Some(block) = blocked {
            self.block(block);
        }
    }

    /// Those flows say no more: all of them is decided.
    fn end_flows(&mut self, which: impl Fn(&FlowText) -> bool) {
        let mut blocked = None;
        for ((place, _), flow) in &mut self.flows {
            if !flow.has_ended && which(flow) {
                flow.has_ended = true;
                flow.scan.finish();
                *self.ends.entry(*place).or_default() += 1;
                blocked = blocked.or(flow.scan.blocked().cloned());
            }
        }
        if let Some(block) = blocked {
            self.block(block);
        }
        let tally = &mut self.tally;
        self.flows.retain(|_, flow| {
            let is_over = flow.has_ended && flow.taken == flow.fed;
            if is_over {
                tally.extend(flow.scan.tally());
            }
            !is_over
        });
    }

    fn block(&mut self, block: GuardrailBlock) {
        self.blocked.get_or_insert(block);
    }

    /// Sends on the events whose texts are decided, in order; where a text is kept back, those before it.
    fn release(&mut self, out: &mut impl FnMut(Bytes)) {
        while let Some(first) = self.waiting.front() {
            let waits_for = first.pieces.iter().find(|piece| {
                self.flows.get(&piece.flow).is_some_and(|flow| flow.scan.allowed() < piece.end)
            });
            let Some(piece) = waits_for else {
                let Some(first) = self.waiting.pop_front() else { return };
                self.waiting_bytes -= first.event.len();
                out(self.redacted(first));
                continue;
            };
            if self.blocked.is_some() {
                self.waiting.clear();
                self.waiting_bytes = 0;
            } else if self.waiting_bytes > MOST_WAITING {
                let id = piece.flow;
                self.end_one(id);
            } else {
                return;
            }
        }
    }

    fn end_one(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get_mut(&id)
            && !flow.has_ended
        {
            flow.has_ended = true;
            flow.scan.finish();
            *self.ends.entry(id.0).or_default() += 1;
            if let Some(block) = flow.scan.blocked().cloned() {
                self.block(block);
            }
        }
    }

    /// The event as it goes on.
    fn redacted(&mut self, waiting: Waiting) -> Bytes {
        let Waiting { event, data, pieces, mut changes } = waiting;
        for piece in pieces {
            let Some(flow) = self.flows.get_mut(&piece.flow) else { continue };
            flow.taken = piece.end;
            if let Cow::Owned(changed) = flow.scan.take(&piece.text) {
                changes.push((piece.span, changed));
            }
        }
        let Some(data) = data.filter(|_| !changes.is_empty()) else { return event };
        changes.sort_by_key(|(span, _)| span.start);
        let is_document = !(matches!(changes.as_slice(), [(span, _)] if *span == (0..data.len())));
        let changed = if is_document {
            rewritten(&data, changes.iter().map(|(span, text)| (span.clone(), text.as_str())))
        } else {
            changes.into_iter().map(|(_, text)| text).collect()
        };
        with_data(&event, &changed)
    }
}

/// The event with other data: its other fields as they were.
fn with_data(event: &[u8], data: &str) -> Bytes {
    let text = String::from_utf8_lossy(event);
    let mut written = String::with_capacity(event.len() + 16);
    for line in text.split(['\r', '\n']) {
        let field = line.split(':').next().unwrap_or_default();
        if !line.is_empty() && field != "data" {
            written.push_str(line);
            written.push('\n');
        }
    }
    for line in data.split(['\r', '\n']) {
        written.push_str("data: ");
        written.push_str(line);
        written.push('\n');
    }
    written.push('\n');
    written.into()
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
