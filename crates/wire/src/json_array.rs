//! A stream of events as one JSON array, which is how Gemini streams where nobody asks for events (`alt=sse`).
//!
//! Providers are always asked for events, so that there is one way to read a stream, to keep keys out of it and to tell
//! that it died; what goes to a caller who wants an array is put into one here, last of all.

use crate::json;
use crate::translate::frames::Frames;
use bytes::Bytes;

/// Makes elements of events, each as soon as it is whole. An event that is not is never begun, so that the array stays
/// one, however the stream ends.
#[derive(Debug, Default)]
pub struct EventsAsArray {
    frames: Frames,
    has_begun: bool,
    is_closed: bool,
}

impl EventsAsArray {
    /// Takes a piece of the stream, cut anywhere.
    pub fn push(&mut self, piece: &[u8], out: &mut impl FnMut(Bytes)) {
        let mut elements = Vec::new();
        let has_begun = &mut self.has_begun;
        self.frames.push(piece, &mut |_, data| put(&mut elements, has_begun, data));
        if !elements.is_empty() {
            out(elements.into());
        }
    }

    /// The stream has ended as it should: what has no blank line behind it, and the array's end.
    pub fn finish(&mut self, out: &mut impl FnMut(Bytes)) {
        let mut elements = Vec::new();
        let has_begun = &mut self.has_begun;
        self.frames.finish(&mut |_, data| put(&mut elements, has_begun, data));
        elements.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
        self.is_closed = true;
        out(elements.into());
    }

    /// The last element of a stream that died, which is what this event says, and the array's end; none where it has ended.
    #[must_use]
    pub fn failed(&self, event: &[u8]) -> Option<Bytes> {
        if self.is_closed {
            return None;
        }
        let (mut last, mut has_begun) = (Vec::new(), self.has_begun);
        Frames::default().push(event, &mut |_, data| put(&mut last, &mut has_begun, data));
        last.extend_from_slice(b"]");
        Some(last.into())
    }

    /// What the event whose end has not come takes of memory, bytes.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.frames.held_bytes()
    }
}

fn put(out: &mut Vec<u8>, has_begun: &mut bool, data: &str) {
    // What is no JSON would take all that has come with it.
    if json::document(data).is_err() {
        return;
    }
    out.extend_from_slice(if std::mem::replace(has_begun, true) { b",\r\n" } else { b"[" });
    out.extend_from_slice(data.as_bytes());
}
