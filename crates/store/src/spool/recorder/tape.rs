use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file of the recorder, with frames back to back.
pub(in crate::spool) struct Tape {
    file: File,
    bytes: u64,
    /// The number of the last record on it, by its buffer's counting. Known once nothing is added to it.
    last: u64,
}

impl Tape {
    pub(in crate::spool) const fn new(file: File) -> Self {
        Self { file, bytes: 0, last: 0 }
    }

    /// Adds a frame, with one write that waits for nothing; false where there was no room for it.
    pub(in crate::spool) fn record(&mut self, frame: &[u8]) -> bool {
        let written = self.file.write_at(frame, self.bytes);
        if written.is_ok_and(|written| written == frame.len()) {
            self.bytes += frame.len() as u64;
            return true;
        }
        // A half must not stand before the next; where it can't be cut off, the next is written over it.
        let _ = self.file.set_len(self.bytes);
        false
    }

    pub(in crate::spool) const fn set_last(&mut self, last: u64) {
        self.last = last;
    }

    pub(in crate::spool) const fn last(&self) -> u64 {
        self.last
    }

    pub(in crate::spool) const fn is_blank(&self) -> bool {
        self.bytes == 0
    }

    /// Takes everything off it.
    pub(in crate::spool) fn erase(&mut self) -> io::Result<()> {
        if self.bytes > 0 {
            self.file.set_len(0)?;
            self.bytes = 0;
        }
        Ok(())
    }
}
