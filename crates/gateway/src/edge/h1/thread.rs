//! What the connections of a thread share, so that one that waits holds nearly nothing.

use std::cell::{Cell, RefCell};
use std::time::{Duration, UNIX_EPOCH};
use topdog_domain::Timestamp;

/// The buffers of a thread, and what it need not make anew for every answer.
pub(crate) struct Thread {
    /// What is read lands here first.
    pub(super) incoming: RefCell<Box<[u8]>>,
    /// What is written is put together here.
    spare: Cell<Vec<u8>>,
    /// The second that it is, and the same as a date.
    date: RefCell<(i64, String)>,
}

impl Thread {
    pub(crate) fn new() -> Self {
        Self {
            incoming: RefCell::new(vec![0; READ].into_boxed_slice()),
            spare: Cell::default(),
            date: RefCell::new((i64::MIN, String::new())),
        }
    }

    /// An empty buffer to write into; it is to be given back.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.spare.take()
    }

    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        let spare = self.spare.take();
        // A connection that had to give up on its buffer has left a small one.
        if buffer.capacity() < spare.capacity() {
            self.spare.set(spare);
        } else if buffer.capacity() <= LARGEST_KEPT {
            buffer.clear();
            self.spare.set(buffer);
        }
    }

    /// Writes the field that tells the date of an answer (RFC 9110, 6.6.1).
    pub(super) fn write_date(&self, now: Timestamp, out: &mut Vec<u8>) {
        let second = now.micros().div_euclid(1_000_000);
        let mut date = self.date.borrow_mut();
        if date.0 != second {
            let since_epoch = Duration::from_secs(u64::try_from(second).unwrap_or_default());
            *date = (second, httpdate::fmt_http_date(UNIX_EPOCH + since_epoch));
        }
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date.1.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// The most that is read at once, bytes.
pub(super) const READ: usize = 64 * 1024;
const LARGEST_KEPT: usize = 128 * 1024;
