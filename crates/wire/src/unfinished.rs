//! The event of a stream whose end has not come yet.

use crate::error_shape::{ErrorShape, event_shape, is_failure};
use crate::stream_facts::{HEAD_OF_LONG, LONG_EVENT, Noted, StreamFacts, TAIL_OF_LONG};
use bytes::Bytes;

/// A copy of it; of a long one, only its beginning and end.
#[derive(Default)]
pub(crate) struct Unfinished {
    bytes: Vec<u8>,
    /// Of the event so far, which is more than `bytes` holds where it is long.
    length: usize,
    /// How many of its bytes have gone to the client.
    sent: usize,
    way: Way,
}

/// How it goes on to the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Way {
    /// As it comes.
    #[default]
    Passing,
    /// When it is whole.
    Held,
    /// Held, since it seems to report a failure, which may repeat a key.
    Suspect,
    /// It was held until it was too long, and goes on as it comes.
    LetGo,
    /// It is a failure too long to be read: nothing of it goes on.
    Withheld,
}

/// How much of the secret's beginning makes an event suspect.
const BEGINNING_OF_SECRET: usize = 6;
const ERROR: &[u8] = b"\"error\"";

impl Unfinished {
    /// Takes a piece that has come, and decides whether it goes on now.
    pub(crate) fn take_piece(&mut self, piece: &[u8], holds_all: bool, secret: &[u8]) {
        if holds_all && self.way == Way::Passing {
            self.way = Way::Held;
        }
        // What was suspect is judged anew, as a whole.
        let since = if self.way == Way::Suspect { 0 } else { self.length };
        self.add(piece);
        if self.length <= LONG_EVENT {
            if !holds_all {
                self.way = if self.is_suspicious(since, secret) { Way::Suspect } else { Way::Passing };
            }
        } else if !matches!(self.way, Way::Withheld | Way::LetGo) {
            let is_failure = event_shape(self.head()) == ErrorShape::Error;
            self.way = if is_failure { Way::Withheld } else { Way::LetGo };
        }
        if self.is_passing() {
            self.sent = self.length;
        }
    }

    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.length += piece.len();
        self.bytes.extend_from_slice(piece);
        if self.length > LONG_EVENT && self.bytes.len() > HEAD_OF_LONG + 2 * TAIL_OF_LONG {
            self.bytes.drain(HEAD_OF_LONG..self.bytes.len() - TAIL_OF_LONG);
            self.bytes.shrink_to(LONG_EVENT);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    pub(crate) const fn sent(&self) -> usize {
        self.sent
    }

    /// Does it go on as it comes?
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self.way, Way::Passing | Way::LetGo)
    }

    pub(crate) const fn is_suspect(&self) -> bool {
        matches!(self.way, Way::Suspect)
    }

    pub(crate) const fn is_let_go(&self) -> bool {
        matches!(self.way, Way::LetGo)
    }

    pub(crate) const fn is_withheld(&self) -> bool {
        matches!(self.way, Way::Withheld)
    }

    /// What the client still waits for.
    pub(crate) fn held(&self) -> Bytes {
        if self.is_passing() || self.is_withheld() {
            return Bytes::new();
        }
        Bytes::copy_from_slice(self.bytes.get(self.sent..).unwrap_or_default())
    }

    pub(crate) fn note(&self, facts: &mut StreamFacts) -> Noted {
        if self.length <= LONG_EVENT {
            return facts.note(&self.bytes);
        }
        let tail = self.bytes.get(self.bytes.len().saturating_sub(TAIL_OF_LONG)..).unwrap_or_default();
        facts.note_long(self.head(), tail, self.length)
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
        self.sent = 0;
        self.way = Way::Passing;
    }

    fn head(&self) -> &[u8] {
        self.bytes.get(..self.bytes.len().min(HEAD_OF_LONG)).unwrap_or_default()
    }

    /// May this be a failure? Judged closely only where a word that has come since then asks for it.
    fn is_suspicious(&self, since: usize, secret: &[u8]) -> bool {
        let recent = self.bytes.get(since.saturating_sub(ERROR.len())..).unwrap_or_default();
        let has = |word| memchr::memmem::find(recent, word).is_some();
        secret.get(..BEGINNING_OF_SECRET).is_some_and(has)
            || self.may_be_named_failure()
            || (has(ERROR) && (event_shape(&self.bytes) != ErrorShape::Answer || self.is_last_of_cohere()))
    }

    /// Is it the event in which Cohere tells how an answer ended? What went wrong stands deeper in it than elsewhere.
    fn is_last_of_cohere(&self) -> bool {
        memchr::memmem::find(&self.bytes, b"message-end").is_some()
    }

    /// Is the name that it begins with a failure's, or still to be read?
    fn may_be_named_failure(&self) -> bool {
        let Some(line) = self.bytes.strip_prefix(b"event:") else { return false };
        let Some(end) = memchr::memchr2(b'\n', b'\r', line) else { return true };
        let name = line.get(..end).and_then(|name| std::str::from_utf8(name).ok());
        name.is_none_or(|name| is_failure(name.trim()))
    }
}
