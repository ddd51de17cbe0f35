//! Server-sent events: in pieces, put together and handed on one by one; and written.

use super::json::Json;
use super::memory_to_translate;
use crate::sse::{Event, Scanner};

/// The longest event that is held. An answer's longest event is a few images; what is longer is no event.
const MOST: usize = 64 << 20;

/// Collects a stream's events. Whole ones are read where they are, only torn ones are copied, and no byte
/// is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    scanner: Scanner,
    torn: Vec<u8>,
    /// What reading it will take of memory, so far.
    reading_takes: usize,
    has_overflown: bool,
}

impl Frames {
    /// Gives each event that ends in this piece: its name, and its data.
    pub(crate) fn push(&mut self, piece: &[u8], each: &mut dyn FnMut(Option<&str>, &str)) {
        let mut rest = piece;
        while let Some(length) = self.scanner.next_end(rest) {
            let (event, after) = rest.split_at(length);
            if self.torn.is_empty() {
                give(event, each);
            } else {
                self.torn.extend_from_slice(event);
                give(&self.torn, each);
                self.torn.clear();
                self.reading_takes = 0;
            }
            rest = after;
        }
        if self.torn.len() + rest.len() > MOST {
            self.has_overflown = true;
            self.torn = Vec::new();
            self.reading_takes = 0;
        } else if !rest.is_empty() {
            self.torn.extend_from_slice(rest);
            self.reading_takes += memory_to_translate(rest);
        }
    }

    /// What the event whose end has not come takes of memory, bytes, when it is read at the latest.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.reading_takes
    }

    /// The stream has ended: what had no blank line behind it.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(Option<&str>, &str)) {
        let last = std::mem::take(&mut self.torn);
        if !self.has_overflown {
            give(&last, each);
        }
    }
}

fn give(event: &[u8], each: &mut dyn FnMut(Option<&str>, &str)) {
    let text = String::from_utf8_lossy(event);
    let event = Event::read(&text);
    if let Some(data) = event.data {
        each(event.name, &data);
    }
}

/// Writes one event that has a name: its data is an object of that type and of what `rest` writes.
pub(crate) fn put_event(out: &mut Vec<u8>, name: &str, rest: impl FnOnce(&mut Json)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut json = Json::after(std::mem::take(out));
    json.open('{').key("type").string(name);
    rest(&mut json);
    json.close('}');
    *out = json.into_bytes();
    out.extend_from_slice(b"\n\n");
}
