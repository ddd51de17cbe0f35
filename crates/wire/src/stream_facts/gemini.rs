//! What the chunks of Gemini's streams tell: each is an answer of its own with what has been added, and none is called the
//! last (ai.google.dev, "Generating content"). Complete is a stream whose every answer has said why it ended.

use super::{StreamFacts, bytes_of_text, last_object_behind, values_behind, word};
use crate::json::{Kind, Value, document};
use memchr::memmem::Finder;

/// The answers of a stream, by number, and which of them have ended.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    known: Vec<(u64, bool)>,
    /// The prompt was blocked: there will be no answer.
    is_blocked: bool,
}

/// No request asks for more answers; of any beyond, the stream is not known to be complete.
const MOST_CANDIDATES: usize = 1024;

impl Candidates {
    fn note(&mut self, number: u64, has_ended: bool) {
        if let Some((_, ended)) = self.known.iter_mut().find(|(known, _)| *known == number) {
            *ended |= has_ended;
        } else if self.known.len() < MOST_CANDIDATES {
            self.known.push((number, has_ended));
        }
    }

    fn is_complete(&self) -> bool {
        self.is_blocked || (!self.known.is_empty() && self.known.iter().all(|(_, ended)| *ended))
    }
}

impl StreamFacts {
    pub(super) fn note_chunk(&mut self, data: &str) {
        let Ok(chunk) = document(data) else { return };
        if let Some(candidates) = chunk.member("candidates") {
            // A fault can't come: the value has been walked once to be here.
            let _ = candidates.each_element(|candidate| self.note_candidate(candidate));
        }
        let blocked = chunk.member("promptFeedback").and_then(|feedback| feedback.member("blockReason"));
        self.candidates.is_blocked |= blocked.is_some_and(is_reason);
        if let Some(usage) = chunk.member("usageMetadata") {
            self.note_usage(usage.raw);
        }
        self.is_done = self.candidates.is_complete();
    }

    fn note_candidate(&mut self, candidate: Value<'_>) {
        let number = candidate.member("index").and_then(|index| index.raw.parse().ok()).unwrap_or(0);
        let has_ended = candidate.member("finishReason").is_some_and(is_reason);
        self.candidates.note(number, has_ended);
        let parts = candidate.member("content").and_then(|content| content.member("parts"));
        self.text_bytes += parts.map_or(0, |parts| bytes_of_text(&parts));
    }

    /// A chunk of which only the end is read: a picture, say. Usage and the reason of its end stand behind that.
    pub(super) fn note_long_chunk(&mut self, tail: &str) {
        let has_ended = values_behind(&Finder::new("\"finishReason\""), tail).any(is_reason);
        self.candidates.note(0, has_ended);
        if let Some(usage) = last_object_behind(&Finder::new("\"usageMetadata\""), tail) {
            self.note_usage(usage.raw);
        }
        self.is_done = self.candidates.is_complete();
    }
}

fn is_reason(value: Value<'_>) -> bool {
    value.string_body().is_some_and(|reason| !reason.is_empty() && !reason.ends_with("_UNSPECIFIED"))
}

/// What a failure calls itself: the reason of its details, or else its status.
pub(super) fn code_of(event: Value<'_>) -> Option<String> {
    let error = event.member("error").filter(|error| error.kind == Kind::Object)?;
    let mut reason = None;
    if let Some(details) = error.member("details") {
        let _ = details.each_element(|detail| reason = reason.take().or_else(|| word(detail, "reason")));
    }
    reason.or_else(|| word(error, "status"))
}
