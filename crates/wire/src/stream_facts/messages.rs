//! What the events of Anthropic's streams tell: usage in two of them, text in one.

use super::StreamFacts;
use crate::json::{Kind, document};

impl StreamFacts {
    /// Learns from an event of that name, apart from whether it is the last or a failure.
    pub(super) fn note_message_event(&mut self, name: &str, data: &str) {
        match name {
            "content_block_delta" => self.note_text(data),
            _ if tells_usage(name) && self.needles.usage.find(data.as_bytes()).is_some() => {
                self.note_usage_of_message(data);
            }
            // `ping`, the ends of blocks, and whatever kinds there will be.
            _ => {}
        }
    }

    /// `message_start` has it in its message, `message_delta` outermost. A tool's input may hold the word, too.
    fn note_usage_of_message(&mut self, data: &str) {
        let Ok(event) = document(data) else { return };
        let of_event = event.member("usage").filter(|usage| usage.kind == Kind::Object);
        let of_message = || event.member("message")?.member("usage");
        if let Some(usage) = of_event.or_else(of_message) {
            self.note_usage(usage.raw);
        }
    }
}

/// Does an event of that name tell the usage?
pub(super) fn tells_usage(name: &str) -> bool {
    matches!(name, "message_start" | "message_delta")
}
