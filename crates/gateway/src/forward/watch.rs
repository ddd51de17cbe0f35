//! What is learnt from an answer while it passes, and what of it must not pass.

use super::redaction::Beginning;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use topdog_domain::provider::Operation;
use topdog_domain::usage::TokenUsage;
use topdog_vault::OpenedKey;
use topdog_wire::relay::StreamRelay;
use topdog_wire::usage::usage_of_answer;

/// Learns from an answer, and keeps the key that it was asked with out of its errors.
pub(crate) struct Watch {
    kind: Kind,
    /// What the provider was sent, and may repeat.
    key: Option<Arc<OpenedKey>>,
}

/// By its kind.
enum Kind {
    /// Server-sent events.
    Stream(Box<StreamRelay>, Operation),
    /// JSON: kept beside the relay (the same bytes, not copies) until it is whole.
    Json { operation: Operation, pieces: Vec<Bytes>, length: usize, beginning: Beginning },
    /// Anything else, such as sound: only counted.
    Opaque(Beginning),
}

/// A JSON answer longer than this is relayed, and not read for its usage.
const MOST_JSON_BYTES: usize = 32 * 1024 * 1024;

impl Watch {
    pub(super) fn new(operation: Operation, content_type: Option<&[u8]>, strips_usage: bool) -> Self {
        let essence = content_type.unwrap_or_default().split(|b| *b == b';').next().unwrap_or_default();
        let essence = essence.trim_ascii();
        let kind = if essence.eq_ignore_ascii_case(b"text/event-stream") {
            Kind::Stream(Box::new(StreamRelay::new(operation, strips_usage)), operation)
        } else if essence.eq_ignore_ascii_case(b"application/json") {
            Kind::Json { operation, pieces: Vec::new(), length: 0, beginning: Beginning::default() }
        } else {
            Kind::Opaque(Beginning::default())
        };
        Self { kind, key: None }
    }

    /// Keeps that key out of what passes.
    pub(super) fn hiding(self, key: Option<Arc<OpenedKey>>) -> Self {
        Self { key, ..self }
    }

    /// Is what is sent on exactly as long as what came?
    pub(super) const fn keeps_length(&self) -> bool {
        !matches!(self.kind, Kind::Stream(..))
    }

    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream(..))
    }

    /// Takes a piece of the answer; what is to be sent on goes to `out`.
    pub(super) fn feed(&mut self, piece: Bytes, out: &mut VecDeque<Bytes>) {
        match &mut self.kind {
            Kind::Stream(relay, _) => relay.feed(piece, secret(&self.key), &mut |bytes| out.push_back(bytes)),
            Kind::Json { pieces, length, beginning, .. } => {
                *length += piece.len();
                if *length <= MOST_JSON_BYTES {
                    pieces.push(piece.clone());
                } else {
                    pieces.clear();
                }
                out.extend(beginning.take(piece));
            }
            Kind::Opaque(beginning) => out.extend(beginning.take(piece)),
        }
    }

    /// The answer has ended; what was held back goes to `out`. False where its end is not a proper one.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Bytes>) -> bool {
        let secret = secret(&self.key);
        match &mut self.kind {
            Kind::Stream(relay, operation) => {
                out.extend(relay.finish(secret));
                let says_done =
                    matches!(operation, Operation::Chat | Operation::Completions | Operation::Responses);
                relay.is_done() || relay.has_failed() || !says_done
            }
            Kind::Json { beginning, .. } | Kind::Opaque(beginning) => match beginning.finish(secret) {
                Ok(held) => {
                    out.extend(held);
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// Has a stream said that it is complete?
    pub(super) fn is_done(&self) -> bool {
        matches!(&self.kind, Kind::Stream(relay, _) if relay.is_done())
    }

    /// Has the provider reported a failure inside the stream?
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.kind, Kind::Stream(relay, _) if relay.has_failed())
    }

    /// The tokens that the provider told, and how many bytes of model-written text passed.
    pub(super) fn learnt(&self) -> (Option<TokenUsage>, u64) {
        match &self.kind {
            Kind::Stream(relay, _) => (relay.usage(), relay.delivered_text_bytes()),
            Kind::Json { operation, pieces, length, .. } => {
                let usage = match pieces.as_slice() {
                    [whole] => usage_of_answer(*operation, whole),
                    pieces => usage_of_answer(*operation, &pieces.concat()),
                };
                let is_text =
                    matches!(operation, Operation::Chat | Operation::Completions | Operation::Responses);
                (usage, if is_text { *length as u64 } else { 0 })
            }
            Kind::Opaque(_) => (None, 0),
        }
    }

    /// What tells the client of a stream that it has died; none where there is no such thing.
    pub(super) fn failure_event(&self, code: &str, message: &str, request_id: &str) -> Option<Bytes> {
        match &self.kind {
            Kind::Stream(relay, _) => Some(relay.failure_event(code, message, request_id)),
            _ => None,
        }
    }
}

fn secret(key: &Option<Arc<OpenedKey>>) -> &[u8] {
    key.as_deref().map(OpenedKey::expose).unwrap_or_default().as_bytes()
}
