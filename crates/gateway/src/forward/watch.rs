//! What is learnt from an answer while it passes, and what of it must not pass.

use super::redaction::Beginning;
use crate::settle::Learnt;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use topdog_domain::provider::Operation;
use topdog_vault::OpenedKey;
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
}

/// By its kind.
enum Kind {
    /// Server-sent events; translated first, where the provider speaks another dialect: what follows is the caller's.
    Stream { relay: Box<StreamRelay>, translator: Option<Box<StreamTranslator>> },
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
        let kind = if essence.eq_ignore_ascii_case(b"text/event-stream") {
            let relay = Box::new(StreamRelay::new(operation, strips_usage));
            Kind::Stream { relay, translator: translator.map(Box::new) }
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
        Self { kind, key: None, passing: Passing::default() }
    }

    /// Keeps that key out of what passes.
    pub(super) fn hiding(self, key: Option<Arc<OpenedKey>>) -> Self {
        Self { key, ..self }
    }

    /// Is it JSON, which can be held until it is whole?
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.kind, Kind::Json { .. })
    }

    /// Is what is sent on exactly as long as what came?
    pub(super) const fn keeps_length(&self) -> bool {
        !self.is_stream()
    }

    pub(super) const fn is_translated_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream { translator: Some(_), .. })
    }

    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream { .. })
    }

    /// Takes a piece of the answer; what is to be sent on goes to `out`.
    pub(super) fn feed(&mut self, piece: Bytes, out: &mut VecDeque<Bytes>) {
        let secret = secret(&self.key);
        let mut pass = |bytes| self.passing.feed(bytes, secret, &mut |bytes| out.push_back(bytes));
        match &mut self.kind {
            Kind::Stream { relay, translator: None } => relay.feed(piece, secret, &mut pass),
            Kind::Stream { relay, translator: Some(translator) } => {
                let mut told = Vec::new();
                translator.push(&piece, secret, &mut told);
                relay.feed(told.into(), secret, &mut pass);
            }
            Kind::Json { kept, length, beginning, .. } => {
                *length += piece.len();
                match kept {
                    Kept::Pieces(pieces) if *length <= MOST_JSON_BYTES => pieces.push(piece.clone()),
                    _ => *kept = Kept::Nothing,
                }
                if let Some(bytes) = beginning.take(piece) {
                    pass(bytes);
                }
            }
            Kind::Opaque(beginning) => {
                if let Some(bytes) = beginning.take(piece) {
                    pass(bytes);
                }
            }
        }
    }

    /// The answer has ended; what was held back goes to `out`. False where its end is not a proper one.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Bytes>) -> bool {
        let secret = secret(&self.key);
        let (last, is_whole) = match &mut self.kind {
            Kind::Stream { relay, translator } => {
                if let Some(translator) = translator {
                    let mut told = Vec::new();
                    translator.end(secret, &mut told);
                    let mut pass =
                        |bytes| self.passing.feed(bytes, secret, &mut |bytes| out.push_back(bytes));
                    relay.feed(told.into(), secret, &mut pass);
                }
                let last = relay.finish(secret);
                (last, relay.is_done() || relay.has_failed() || !relay.says_when_done())
            }
            Kind::Json { beginning, .. } | Kind::Opaque(beginning) => match beginning.finish(secret) {
                Ok(held) => (held, true),
                Err(_) => (None, false),
            },
        };
        if let Some(bytes) = last {
            self.passing.feed(bytes, secret, &mut |bytes| out.push_back(bytes));
        }
        out.extend(self.passing.finish());
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
        match &self.kind {
            Kind::Stream { translator: Some(translator), .. } => translator.held_bytes(),
            Kind::Json { kept: Kept::Pieces(_), length, .. } => *length,
            _ => 0,
        }
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
            Kind::Stream { relay, translator } => {
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
            Kind::Stream { relay, .. } => Some(relay.failure_event(code, message, request_id)),
            _ => None,
        }
    }
}

/// What a whole JSON answer tells.
pub(super) fn learnt_of_whole(operation: Operation, answer: &[u8]) -> Learnt {
    Learnt::of_whole(usage_of_answer(operation, answer), text_bytes(operation, answer.len()))
}

pub(super) fn text_bytes(operation: Operation, length: usize) -> u64 {
    if is_of_text(operation) { length as u64 } else { 0 }
}

/// Does a model answer with text?
const fn is_of_text(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Chat
            | Operation::Completions
            | Operation::Responses
            | Operation::Messages
            | Operation::CohereChat
    )
}

fn secret(key: &Option<Arc<OpenedKey>>) -> &[u8] {
    key.as_deref().map(OpenedKey::expose).unwrap_or_default().as_bytes()
}
