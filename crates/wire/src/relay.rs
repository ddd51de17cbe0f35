//! A stream on its way from provider to client: sent on as it comes, and learnt from.

use crate::failure_event::Failure;
use crate::json;
use crate::sse::{Event, Scanner};
use crate::stream_facts::{HEAD_OF_LONG, LONG_EVENT, Noted, StreamFacts, TAIL_OF_LONG};
use crate::usage::estimate;
use bytes::Bytes;
use topdog_domain::provider::Operation;
use topdog_domain::usage::TokenUsage;

/// Relays one stream of server-sent events, byte for byte, and remembers what it told.
///
/// With `strip_usage` the usage chunk that the client did not ask for is left out; only then is an
/// unfinished event held back, up to 64 KiB of it, until it is known not to be that chunk.
pub struct StreamRelay {
    operation: Operation,
    strip_usage: bool,
    scanner: Scanner,
    facts: StreamFacts,
    unfinished: Unfinished,
    /// Was the last event dropped, so that an LF that still belongs to it is dropped too?
    drops_line_feed: bool,
}

impl StreamRelay {
    /// A relay at the beginning of a stream.
    #[must_use]
    pub fn new(operation: Operation, strip_usage: bool) -> Self {
        Self {
            operation,
            strip_usage,
            scanner: Scanner::new(),
            facts: StreamFacts::new(operation),
            unfinished: Unfinished::default(),
            drops_line_feed: false,
        }
    }

    /// Takes what the provider sent and gives what goes to the client, in order, as slices of it.
    pub fn feed(&mut self, chunk: Bytes, out: &mut impl FnMut(Bytes)) {
        if self.strip_usage {
            self.feed_stripping(chunk, out);
        } else {
            self.learn(&chunk);
            if !chunk.is_empty() {
                out(chunk);
            }
        }
    }

    /// The stream has ended: what was held back, where it is whole but for its blank line. (A torn
    /// event could only confuse who reads it.)
    pub fn finish(&mut self) -> Option<Bytes> {
        let last = std::mem::take(&mut self.unfinished);
        if last.length == 0 {
            return None;
        }
        let noted = last.note(&mut self.facts);
        let is_due = self.strip_usage && !last.is_let_go && noted == Noted::Other && last.is_whole();
        is_due.then(|| Bytes::from(last.bytes))
    }

    /// The usage that the provider told last; none where it told none.
    #[must_use]
    pub const fn usage(&self) -> Option<TokenUsage> {
        self.facts.usage
    }

    /// Has the stream said that it is complete: `[DONE]`, or the terminal event of a family that has
    /// one? An upstream that ends before that has died.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.facts.is_done
    }

    /// Has an error event passed, or a response that failed?
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.facts.has_failed
    }

    /// Bytes of model-written text that passed, deltas only.
    #[must_use]
    pub const fn delivered_text_bytes(&self) -> u64 {
        self.facts.text_bytes
    }

    /// An estimate of the output tokens that passed, for streams that told no usage.
    #[must_use]
    pub const fn estimated_output(&self) -> u64 {
        estimate(self.facts.text_bytes)
    }

    /// The number that the next event of a Responses stream has.
    #[must_use]
    pub fn next_sequence_number(&self) -> u64 {
        self.facts.sequence_number.map_or(0, |last| last.saturating_add(1))
    }

    /// What tells the client that this stream has died, in its family's own way.
    #[must_use]
    pub fn failure_event(&self, code: &str, message: &str, request_id: &str) -> Bytes {
        Failure {
            operation: self.operation,
            code,
            message,
            request_id,
            response_id: self.facts.response_id.as_deref(),
            sequence_number: self.next_sequence_number(),
        }
        .event()
    }

    fn learn(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(length) = self.scanner.next_end(rest) {
            let (event, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.note_end(event);
            rest = after;
        }
        self.unfinished.add(rest);
    }

    /// Learns from the event that ends with these bytes.
    fn note_end(&mut self, end: &[u8]) -> Noted {
        if self.unfinished.length == 0 {
            return self.facts.note(end);
        }
        self.unfinished.add(end);
        let noted = self.unfinished.note(&mut self.facts);
        self.unfinished.clear();
        noted
    }

    fn feed_stripping(&mut self, chunk: Bytes, out: &mut impl FnMut(Bytes)) {
        let chunk = self.give_line_feed_to_its_event(chunk, out);
        let mut run = Run { start: 0, end: 0 };
        while let Some(length) = self.scanner.next_end(chunk.get(run.end..).unwrap_or_default()) {
            let event = run.end..run.end + length;
            let held = self.unfinished.held();
            match self.note_end(chunk.get(event.clone()).unwrap_or_default()) {
                Noted::UsageOnly => {
                    run.send(&chunk, out);
                    run.start = event.end;
                    self.drops_line_feed = event.end == chunk.len();
                }
                Noted::Other => {
                    send(held, out);
                    self.drops_line_feed = false;
                }
            }
            run.end = event.end;
        }
        self.hold(&chunk, run, out);
    }

    /// Where CR and LF of a blank line come in two pieces, the LF shares the fate of the event before.
    fn give_line_feed_to_its_event(&mut self, mut chunk: Bytes, out: &mut impl FnMut(Bytes)) -> Bytes {
        let is_between = self.unfinished.length == 0 && self.scanner.is_after_cr();
        if is_between && chunk.first() == Some(&b'\n') {
            let line_feed = chunk.split_to(1);
            self.scanner.next_end(&line_feed);
            if !self.drops_line_feed {
                out(line_feed);
            }
        }
        chunk
    }

    /// Sends the run, and holds back the unfinished event behind it, or lets it go where it is long.
    fn hold(&mut self, chunk: &Bytes, mut run: Run, out: &mut impl FnMut(Bytes)) {
        let unfinished = chunk.get(run.end..).unwrap_or_default();
        if self.unfinished.length + unfinished.len() > LONG_EVENT {
            send(self.unfinished.held(), out);
            self.unfinished.is_let_go = true;
            run.end = chunk.len();
        }
        run.send(chunk, out);
        self.unfinished.add(unfinished);
    }
}

/// A stretch of one chunk that goes to the client as one piece.
struct Run {
    start: usize,
    end: usize,
}

impl Run {
    fn send(&self, chunk: &Bytes, out: &mut impl FnMut(Bytes)) {
        send(chunk.slice(self.start..self.end), out);
    }
}

fn send(bytes: Bytes, out: &mut impl FnMut(Bytes)) {
    if !bytes.is_empty() {
        out(bytes);
    }
}

/// A copy of the event whose end has not come yet; of a long one, only its beginning and end.
#[derive(Default)]
struct Unfinished {
    bytes: Vec<u8>,
    /// Of the event so far, which is more than `bytes` holds where it is long.
    length: usize,
    /// Have its bytes been sent to the client already?
    is_let_go: bool,
}

impl Unfinished {
    fn add(&mut self, piece: &[u8]) {
        self.length += piece.len();
        self.bytes.extend_from_slice(piece);
        if self.length > LONG_EVENT && self.bytes.len() > HEAD_OF_LONG + 2 * TAIL_OF_LONG {
            self.bytes.drain(HEAD_OF_LONG..self.bytes.len() - TAIL_OF_LONG);
            self.bytes.shrink_to(LONG_EVENT);
        }
    }

    /// What the client still waits for.
    fn held(&self) -> Bytes {
        if self.is_let_go { Bytes::new() } else { Bytes::copy_from_slice(&self.bytes) }
    }

    fn note(&self, facts: &mut StreamFacts) -> Noted {
        if self.length <= LONG_EVENT {
            return facts.note(&self.bytes);
        }
        let head = self.bytes.get(..HEAD_OF_LONG).unwrap_or_default();
        let tail = self.bytes.get(self.bytes.len().saturating_sub(TAIL_OF_LONG)..).unwrap_or_default();
        facts.note_long(head, tail, self.length);
        Noted::Other
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
        self.is_let_go = false;
    }

    /// Could a client read it as an event: has it no data, or data that isn't torn?
    fn is_whole(&self) -> bool {
        let Ok(text) = std::str::from_utf8(&self.bytes) else {
            return false;
        };
        let data = Event::read(text).data;
        data.is_none_or(|data| data.trim_ascii() == "[DONE]" || json::document(&data).is_ok())
    }
}
