//! A stream on its way from provider to client: sent on as it comes, and learnt from.

use crate::error_body::PublicError;
use crate::failure_event::{Failure, put_error};
use crate::json;
use crate::redact::redact_event;
use crate::sse::{Event, Scanner};
use crate::stream_facts::{LONG_EVENT, Noted, StreamFacts};
use crate::unfinished::Unfinished;
use crate::usage::estimate;
use bytes::{Bytes, BytesMut};
use topdog_domain::provider::Operation;
use topdog_domain::usage::TokenUsage;

/// Relays one stream of server-sent events, byte for byte, and remembers what it told.
///
/// An unfinished event is held back, up to 64 KiB of it, while it may be one that must not go out as it
/// came: with `strip_usage` any, until it is known not to be the usage chunk that the client did not ask
/// for; without, only one that reports a failure, since those may repeat the key that was sent.
pub struct StreamRelay {
    operation: Operation,
    strip_usage: bool,
    scanner: Scanner,
    facts: StreamFacts,
    unfinished: Unfinished,
    /// Was the last event dropped, so that an LF that still belongs to it is dropped too?
    drops_line_feed: bool,
}

/// What becomes of an event that has ended.
enum Fate {
    /// It goes on as it came: first what was held of it, then the rest.
    Passes(Bytes),
    /// This goes on instead of what is left of it.
    Replaced(Bytes),
    Dropped,
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

    /// Takes what the provider sent and gives what goes to the client, in order, as slices of it; but of
    /// an event that reports a failure a copy, if the `secret` that the provider was sent or another key
    /// is in it.
    pub fn feed(&mut self, chunk: Bytes, secret: &[u8], out: &mut impl FnMut(Bytes)) {
        let chunk = self.give_line_feed_to_its_event(chunk, out);
        let mut run = Run { start: 0, end: 0 };
        while let Some(length) = self.scanner.next_end(chunk.get(run.end..).unwrap_or_default()) {
            let event = run.end..run.end + length;
            let fate = self.end(chunk.get(event.clone()).unwrap_or_default(), secret);
            self.drops_line_feed = matches!(fate, Fate::Dropped) && event.end == chunk.len();
            if let Fate::Passes(held) = fate {
                send(held, out);
            } else {
                run.send(&chunk, out);
                run.start = event.end;
                if let Fate::Replaced(instead) = fate {
                    send(instead, out);
                }
            }
            run.end = event.end;
        }
        self.hold(&chunk, run, secret, out);
    }

    /// The stream has ended: what was held back. Where usage is stripped, an event that is not whole but
    /// for its blank line is left out (a torn event could only confuse who reads it).
    pub fn finish(&mut self, secret: &[u8]) -> Option<Bytes> {
        let last = std::mem::take(&mut self.unfinished);
        if last.length() == 0 {
            return None;
        }
        let noted = last.note(&mut self.facts);
        if last.is_withheld() {
            return Some(too_long(self.operation, last.sent()));
        }
        let is_torn = self.strip_usage && (noted == Noted::UsageOnly || !is_whole(last.bytes()));
        let held = last.held();
        if held.is_empty() || is_torn {
            return None;
        }
        let is_failure = noted == Noted::Failure || last.is_suspect();
        let redacted = is_failure.then(|| redact_event(last.bytes(), last.sent(), secret)).flatten();
        Some(redacted.map_or(held, Bytes::from))
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

    /// Is it known what its events are like?
    #[must_use]
    pub const fn is_understood(&self) -> bool {
        self.operation.is_understood()
    }

    /// Does a stream of this kind say when it is complete? Of those that don't, an end is an end.
    #[must_use]
    pub const fn says_when_done(&self) -> bool {
        matches!(
            self.operation,
            Operation::Chat
                | Operation::Completions
                | Operation::Responses
                | Operation::Messages
                | Operation::CohereChat
                | Operation::GenerateContent
        )
    }

    /// Has an error event passed, or a response that failed?
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.facts.has_failed
    }

    /// The code, or else the type, of the failure that passed last: up to 64 letters, digits, `_`, `-` and `.`; none
    /// where it has no such word.
    #[must_use]
    pub fn failure_code(&self) -> Option<&str> {
        self.facts.failure_code.as_deref()
    }

    /// Bytes of model-written text that passed, deltas only.
    #[must_use]
    pub const fn delivered_text_bytes(&self) -> u64 {
        self.facts.text_bytes
    }

    /// Those of them that no usage counts which the provider told so far: it told it before them, and has not
    /// completed its stream.
    #[must_use]
    pub const fn untold_text_bytes(&self) -> u64 {
        self.facts.untold_text_bytes()
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

    /// Learns from the event that ends with these bytes, and decides on it.
    fn end(&mut self, end: &[u8], secret: &[u8]) -> Fate {
        if self.unfinished.length() == 0 {
            let noted = self.facts.note(end);
            return self.decide(noted, end, 0, Bytes::new(), secret);
        }
        let mut unfinished = std::mem::take(&mut self.unfinished);
        let held = unfinished.held();
        unfinished.add(end);
        let noted = unfinished.note(&mut self.facts);
        let is_too_long = noted == Noted::Failure && unfinished.length() > LONG_EVENT;
        let fate = if unfinished.is_withheld() || (is_too_long && !unfinished.is_let_go()) {
            Fate::Replaced(too_long(self.operation, unfinished.sent()))
        } else if unfinished.is_let_go() {
            Fate::Passes(held)
        } else {
            self.decide(noted, unfinished.bytes(), unfinished.sent(), held, secret)
        };
        unfinished.clear();
        self.unfinished = unfinished;
        fate
    }

    fn decide(&self, noted: Noted, event: &[u8], sent: usize, held: Bytes, secret: &[u8]) -> Fate {
        match noted {
            Noted::UsageOnly if self.strip_usage => Fate::Dropped,
            Noted::Failure if event.len() > LONG_EVENT => Fate::Replaced(too_long(self.operation, sent)),
            Noted::Failure => match redact_event(event, sent, secret) {
                Some(redacted) => Fate::Replaced(redacted.into()),
                None => Fate::Passes(held),
            },
            _ => Fate::Passes(held),
        }
    }

    /// Where CR and LF of a blank line come in two pieces, the LF shares the fate of the event before.
    fn give_line_feed_to_its_event(&mut self, mut chunk: Bytes, out: &mut impl FnMut(Bytes)) -> Bytes {
        let is_between = self.unfinished.length() == 0 && self.scanner.is_after_cr();
        if is_between && chunk.first() == Some(&b'\n') {
            let line_feed = chunk.split_to(1);
            self.scanner.next_end(&line_feed);
            if !self.drops_line_feed {
                out(line_feed);
            }
        }
        chunk
    }

    /// Sends the run, and what must not be held back of the unfinished event behind it.
    fn hold(&mut self, chunk: &Bytes, mut run: Run, secret: &[u8], out: &mut impl FnMut(Bytes)) {
        let piece = chunk.get(run.end..).unwrap_or_default();
        if !piece.is_empty() {
            let held = self.unfinished.held();
            self.unfinished.take_piece(piece, self.strip_usage, secret);
            if self.unfinished.is_passing() {
                send(held, out);
                run.end = chunk.len();
            }
        }
        run.send(chunk, out);
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

/// Could a client read it as an event: has it no data, or data that isn't torn?
fn is_whole(event: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(event) else {
        return false;
    };
    let data = Event::read(text).data;
    data.is_none_or(|data| data.trim_ascii() == "[DONE]" || json::document(&data).is_ok())
}

/// What stands for a failure that is too long to be read, of which so many bytes have been sent.
fn too_long(operation: Operation, sent: usize) -> Bytes {
    let error = PublicError {
        message: "the provider's error is too long to be passed on; ask the provider".into(),
        param: None,
        code: "upstream_error".into(),
        details: None,
    };
    let mut event = BytesMut::from(if sent > 0 { "\n\n" } else { "" });
    put_error(&mut event, operation.family(), &error, None);
    event.freeze()
}
