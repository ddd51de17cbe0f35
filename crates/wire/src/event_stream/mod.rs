//! Amazon's binary event stream, `application/vnd.amazon.eventstream`, which AWS uses in place of
//! server-sent events.
//!
//! A message is, big-endian: its whole length (4 bytes), the length of its headers (4), the CRC-32 of those
//! eight bytes (4), headers, payload, and the CRC-32 of all that stands before it (4). A header is a name
//! (1 byte of length), the kind of its value (1) and the value. (Amazon Lex V2 developer guide, "Event
//! stream encoding".) Both checksums are checked: a stream that was damaged on its way is never taken for a
//! sound one.

mod decode;
mod encode;
mod header;
#[cfg(test)]
mod tests;

pub use decode::Decoder;
pub use encode::{TooLong, encode};
pub use header::{Header, HeaderValue};

/// The bytes before the headers: two lengths and their checksum.
const PRELUDE: usize = 12;

/// The bytes of a message that are neither headers nor payload.
const OVERHEAD: usize = PRELUDE + 4;

/// The longest headers and the longest payload, as Amazon's own clients take them.
const MOST_HEADERS: usize = 128 << 10;
const MOST_PAYLOAD: usize = 24 << 20;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its headers, each name once.
    pub headers: Vec<Header<'a>>,
    /// What it carries; of events and exceptions, JSON.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The text of the named header; none where it is missing or no text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|header| header.name == name).and_then(|header| match header.value {
            HeaderValue::Text(text) => Some(text),
            _ => None,
        })
    }
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The lengths are not those that were sent.
    #[error("the checksum of a message's lengths is wrong")]
    PreludeChecksum,
    /// The headers or the payload are not those that were sent.
    #[error("the checksum of a message is wrong")]
    Checksum,
    /// The lengths contradict each other, or are beyond what is allowed.
    #[error("a message's lengths are impossible")]
    Length,
    /// A header can't be read.
    #[error("a message's header can't be read")]
    Header,
    /// The stream ended within a message.
    #[error("the stream ended within a message")]
    Torn,
}
