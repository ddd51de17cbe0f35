//! What is learnt from an answer while it passes, and what of it must not pass.

use super::redaction::Beginning;
use crate::guard::StreamGuard;
use crate::settle::Learnt;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use topdog_domain::guardrail::{GuardrailBlock, SideRules, Tally};
use topdog_domain::provider::Operation;
use topdog_vault::OpenedKey;
use topdog_wire::json_array::EventsAsArray;
use topdog_wire::redact::{KeyFinder, Passing};
use topdog_wire::relay::StreamRelay;
use topdog_wire::translate::StreamTranslator;
use topdog_wire::usage::usage_of_answer;

/// Learns from an answer, and keeps the key that it was asked with out of it.
pub(crate) struct Watch {
    kind: Kind,
    /// What the provider was sent, and may repeat.
    key: Option<Arc<OpenedKey>>,
    /// What has come through so far, behind all else that is done to it.
    passing: Passing,
    /// What judges a stream's events; none where no policy has guardrails for answers.
    guard: Option<Box<StreamGuard>>,
    is_text: bool,
}

/// By its kind.
enum Kind {
    /// Server-sent events; translated first, where the provider speaks another dialect: what follows is the caller's. Last
    /// of all they become one array, where the caller wants that.
    Stream {
        relay: Box<StreamRelay>,
        translator: Option<Box<StreamTranslator>>,
        array: Option<Box<EventsAsArray>>,
    },
    /// JSON: kept beside the relay (the same bytes, not copies) until it is whole.
    Json { operation: Operation, kept: Kept, length: usize, beginning: Beginning },
    /// Anything else, such as sound: only counted.
    Opaque(Beginning),
}

/// What is kept of a JSON answer to be read for its usage.
enum Kept {
    /// All that has come.
    Pieces(Vec<Bytes>),
    /// Nothing, since it was too much.
    Nothing,
}

/// Amazon's, `topdog_wire::event_stream`.
const BINARY_STREAM: &[u8] = b"application/vnd.amazon.eventstream";

/// A JSON answer longer than this is relayed, and not read for its usage.
const MOST_JSON_BYTES: usize = 32 * 1024 * 1024;

impl Watch {
    pub(super) fn new(
        operation: Operation,
        content_type: Option<&[u8]>,
        strips_usage: bool,
        translator: Option<StreamTranslator>,
    ) -> Self {
        let essence = content_type.unwrap_or_default().split(|b| *b == b';').next().unwrap_or_default();
        let essence = essence.trim_ascii();
        // Bedrock's streams are binary; what comes out of the translator is not.
        let is_binary_stream = || translator.is_some() && essence.eq_ignore_ascii_case(BINARY_STREAM);
        let kind = if essence.eq_ignore_ascii_case(b"text/event-stream") || is_binary_stream() {
            let relay = Box::new(StreamRelay::new(operation, strips_usage));
            Kind::Stream { relay, translator: translator.map(Box::new), array: None }
        } else if essence.eq_ignore_ascii_case(b"application/json") {
            Kind::Json {
                operation,
                kept: Kept::Pieces(Vec::new()),
                length: 0,
                beginning: Beginning::default(),
            }
        } else {
            Kind::Opaque(Beginning::default())
        };
        // What says nothing of itself may be text.
        let is_json = essence.ends_with(b"json");
        let is_text = is_json || essence.is_empty() || essence.to_ascii_lowercase().starts_with(b"text/");
        Self { kind, key: None, passing: Passing::default(), guard: None, is_text }
    }

    /// Judges a stream by these rules.
    pub(super) fn guarded(self, rules: Option<&Arc<SideRules>>) -> Self {
        let rules = rules.filter(|_| self.is_stream());
        Self { guard: rules.map(|rules| Box::new(StreamGuard::new(rules.clone()))), ..self }
    }

    /// What keeps the rest of a stream back.
    pub(super) fn blocked(&self) -> Option<&GuardrailBlock> {
        self.guard.as_deref()?.blocked()
    }

    /// Can what has come still turn out not to be for the client?
    pub(super) const fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// What guardrails have found in a stream.
    pub(super) fn judged(&self) -> Option<Tally> {
        self.guard.as_deref().map(StreamGuard::tally)
    }

    /// Keeps that key out of what passes.
    pub(super) fn hiding(self, key: Option<Arc<OpenedKey>>) -> Self {
        Self { key, ..self }
    }

    /// Tells a stream as one JSON array.
    pub(super) fn telling_an_array(mut self) -> Self {
        if let Kind::Stream { array, .. } = &mut self.kind {
            *array = Some(Box::default());
        }
        self
    }

    /// Is what goes to the caller an array that is made of a stream?
    pub(super) const fn tells_an_array(&self) -> bool {
        matches!(self.kind, Kind::Stream { array: Some(_), .. })
    }

    /// Is it JSON, which can be held until it is whole?
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.kind, Kind::Json { .. })
    }

    /// Is it text that is not a stream, to be judged when it is whole? What else there is, such as sound, no guardrail
    /// can read.
    pub(super) const fn can_be_judged_whole(&self) -> bool {
        self.is_text && !self.is_stream()
    }

    /// Is what is sent on exactly as long as what came?
    pub(super) const fn keeps_length(&self) -> bool {
        !self.is_stream()
    }

    pub(super) const fn is_translated_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream { translator: Some(_), .. })
    }

    /// Is it a stream of which it is known what its last event is like?
    pub(super) const fn knows_its_end(&self) -> bool {
        matches!(&self.kind, Kind::Stream { relay, .. } if relay.is_understood())
    }

    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream { .. })
    }

    /// Takes a piece of the answer; what is to be sent on goes to `out`.
    pub(super) fn feed(&mut self, piece: Bytes, out: &mut VecDeque<Bytes>) {
        let secret = secret(&self.key);
        let (passing, guard) = (&mut self.passing, &mut self.guard);
        match &mut self.kind {
            Kind::Stream { relay, translator, array } => {
                let mut pass = |bytes| passing.feed(bytes, secret, &mut |bytes| tell(array, bytes, out));
                let piece = translated(translator, piece, secret);
                relay.feed(piece, secret, &mut |bytes| judged(guard, bytes, &mut pass));
            }
            Kind::Json { kept, length, beginning, .. } => {
                *length += piece.len();
                match kept {
                    Kept::Pieces(pieces) if *length <= MOST_JSON_BYTES => pieces.push(piece.clone()),
                    _ => *kept = Kept::Nothing,
                }
                if let Some(bytes) = beginning.take(piece) {
                    passing.feed(bytes, secret, &mut |bytes| out.push_back(bytes));
                }
            }
            Kind::Opaque(beginning) => {
                if let Some(bytes) = beginning.take(piece) {
                    passing.feed(bytes, secret, &mut |bytes| out.push_back(bytes));
                }
            }
        }
    }

    /// The answer has ended; what was held back goes to `out`. False where its end is not a proper one.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Bytes>) -> bool {
        let secret = secret(&self.key);
        let (passing, guard) = (&mut self.passing, &mut self.guard);
        let mut told_as_array = &mut None;
        let (last, is_whole) = match &mut self.kind {
            Kind::Stream { relay, translator, array } => {
                told_as_array = array;
                if let Some(translator) = translator {
                    let mut told = Vec::new();
                    translator.end(secret, &mut told);
                    let mut pass =
                        |bytes| passing.feed(bytes, secret, &mut |bytes| tell(told_as_array, bytes, out));
                    relay.feed(told.into(), secret, &mut |bytes| judged(guard, bytes, &mut pass));
                }
                let last = relay.finish(secret);
                (last, relay.is_done() || relay.has_failed() || !relay.says_when_done())
            }
            Kind::Json { beginning, .. } | Kind::Opaque(beginning) => match beginning.finish(secret) {
                Ok(held) => (held, true),
                Err(_) => (None, false),
            },
        };
        let mut pass = |bytes| passing.feed(bytes, secret, &mut |bytes| tell(told_as_array, bytes, out));
        if let Some(bytes) = last {
            judged(guard, bytes, &mut pass);
        }
        if let Some(guard) = guard {
            guard.finish(&mut pass);
        }
        if let Some(bytes) = self.passing.finish() {
            tell(told_as_array, bytes, out);
        }
        // One that has died, or is kept back, gets another end.
        let is_kept_back = self.guard.as_deref().is_some_and(|guard| guard.blocked().is_some());
        if let Some(array) = told_as_array
            && is_whole
            && !is_kept_back
        {
            array.finish(&mut |bytes| out.push_back(bytes));
        }
        is_whole
    }

    /// Has a stream said that it is complete?
    pub(super) fn is_done(&self) -> bool {
        matches!(&self.kind, Kind::Stream { relay, .. } if relay.is_done())
    }

    /// Has the provider reported a failure inside the stream?
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.kind, Kind::Stream { relay, .. } if relay.has_failed())
    }

    /// What the provider calls the failure that it reported inside the stream; a word of ours where it says none, or
    /// where its word may hold a key.
    pub(super) fn failure_code(&self) -> Cow<'static, str> {
        let code = match &self.kind {
            Kind::Stream { relay, .. } => relay.failure_code(),
            _ => None,
        };
        let is_harmless = |code: &&str| !KeyFinder::new(secret(&self.key)).is_in(code.as_bytes());
        code.filter(is_harmless)
            .map_or(Cow::Borrowed("upstream_error_in_stream"), |code| code.to_owned().into())
    }

    /// How many bytes are kept of the answer beside what has been sent on.
    pub(super) fn kept_bytes(&self) -> usize {
        let of_guard = self.guard.as_deref().map_or(0, StreamGuard::held_bytes);
        let of_kind = match &self.kind {
            Kind::Stream { translator, array, .. } => {
                translator.as_ref().map_or(0, |translator| translator.held_bytes())
                    + array.as_ref().map_or(0, |array| array.held_bytes())
            }
            Kind::Json { kept: Kept::Pieces(_), length, .. } => *length,
            _ => 0,
        };
        of_kind + of_guard
    }

    /// Keeps nothing of the answer any more: its usage will not be known. False where it can't go on so.
    #[must_use]
    pub(super) fn keep_nothing(&mut self) -> bool {
        match &mut self.kind {
            Kind::Json { kept, .. } => {
                *kept = Kept::Nothing;
                true
            }
            _ => false,
        }
    }

    /// What the answer has told by now. Nothing is kept after it.
    pub(super) fn learnt(&mut self) -> Learnt {
        match &mut self.kind {
            Kind::Stream { relay, translator, .. } => {
                let (tokens, untold_text_bytes) = match translator {
                    None => (relay.usage(), relay.untold_text_bytes()),
                    Some(translator) => (translator.usage(), translator.untold_text_bytes()),
                };
                Learnt { tokens, text_bytes: relay.delivered_text_bytes(), untold_text_bytes }
            }
            Kind::Json { operation, kept, length, .. } => {
                let usage = match std::mem::replace(kept, Kept::Nothing) {
                    Kept::Pieces(pieces) => match pieces.as_slice() {
                        [whole] => usage_of_answer(*operation, whole),
                        pieces => usage_of_answer(*operation, &pieces.concat()),
                    },
                    Kept::Nothing => None,
                };
                Learnt::of_whole(usage, text_bytes(*operation, *length))
            }
            Kind::Opaque(_) => Learnt::of_whole(None, 0),
        }
    }

    /// What tells the client of a stream that it has died; none where there is no such thing.
    pub(super) fn failure_event(&self, code: &str, message: &str, request_id: &str) -> Option<Bytes> {
        match &self.kind {
            Kind::Stream { relay, array, .. } => {
                let event = relay.failure_event(code, message, request_id);
                match array {
                    None => Some(event),
                    Some(array) => array.failed(&event),
                }
            }
            _ => None,
        }
    }
}

/// A piece in the caller's dialect.
fn translated(translator: &mut Option<Box<StreamTranslator>>, piece: Bytes, secret: &[u8]) -> Bytes {
    let Some(translator) = translator else { return piece };
    let mut told = Vec::new();
    translator.push(&piece, secret, &mut told);
    told.into()
}

/// Sends a piece of a stream on, in the form that its caller wants.
fn tell(array: &mut Option<Box<EventsAsArray>>, bytes: Bytes, out: &mut VecDeque<Bytes>) {
    match array {
        None => out.push_back(bytes),
        Some(array) => array.push(&bytes, &mut |bytes| out.push_back(bytes)),
    }
}

/// What a whole JSON answer tells.
pub(super) fn learnt_of_whole(operation: Operation, answer: &[u8]) -> Learnt {
    Learnt::of_whole(usage_of_answer(operation, answer), text_bytes(operation, answer.len()))
}

pub(super) fn text_bytes(operation: Operation, length: usize) -> u64 {
    if operation.answers_with_text() { length as u64 } else { 0 }
}

/// Gives what guardrails let pass.
fn judged(guard: &mut Option<Box<StreamGuard>>, bytes: Bytes, pass: &mut impl FnMut(Bytes)) {
    match guard {
        None => pass(bytes),
        Some(guard) => guard.feed(&bytes, pass),
    }
}

fn secret(key: &Option<Arc<OpenedKey>>) -> &[u8] {
    key.as_deref().map(OpenedKey::expose).unwrap_or_default().as_bytes()
}
