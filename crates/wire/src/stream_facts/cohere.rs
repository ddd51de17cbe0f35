//! What the events of Cohere's streams tell: text in three of them, and in the last one the usage and how it went
//! (docs.cohere.com, "Chat API: streaming").

use super::StreamFacts;
use crate::json::{Kind, document};

/// The name of the event that ends a stream, well or not.
pub(super) const LAST_EVENT: &str = "message-end";

impl StreamFacts {
    /// Learns from an event of that name. Does it say that the answer failed?
    pub(super) fn note_cohere_event(&mut self, name: &str, data: &str) -> bool {
        if tells_text(name) {
            self.note_text(data);
        }
        if name != LAST_EVENT {
            return false;
        }
        let Some(delta) = document(data).ok().and_then(|event| event.member("delta")) else { return false };
        if let Some(usage) = delta.member("usage").filter(|usage| usage.kind == Kind::Object) {
            self.note_usage(usage.raw);
        }
        let reason = delta.member("finish_reason").and_then(|reason| reason.string_body());
        let has_failed = matches!(reason, Some("ERROR" | "TIMEOUT"))
            || delta
                .member("error")
                .and_then(|error| error.string_body())
                .is_some_and(|error| !error.is_empty());
        self.has_failed |= has_failed;
        has_failed
    }
}

/// Does an event of that name tell what the model wrote?
pub(super) fn tells_text(name: &str) -> bool {
    matches!(name, "content-delta" | "tool-plan-delta" | "tool-call-delta")
}
