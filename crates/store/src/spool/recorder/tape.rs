use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file of the recorder: frames back to back, to the first place where none begins.
///
/// Its memory is kept when it is rewound, as to be given new memory costs a write several times what it does else.
pub(in crate::spool) struct Tape {
    file: File,
    /// Bytes of the frames on it.
    bytes: u64,
    /// Bytes of the file, of which those behind the frames have no meaning.
    room: u64,
    /// The number of the last record on it, by its buffer's counting. Known once nothing is added to it.
    last: u64,
}

/// No frame begins with it.
const END: [u8; 8] = [0; 8];
/// A tape that a burst has grown beyond this gives its memory back.
const KEPT_ROOM: u64 = 1024 * 1024;

impl Tape {
    pub(in crate::spool) const fn new(file: File) -> Self {
        Self { file, bytes: 0, room: 0, last: 0 }
    }

    /// Adds the frame that `bytes` has from `start` on, with one write that waits for nothing; false where there was
    /// no room for it.
    pub(in crate::spool) fn record(&mut self, bytes: &mut Vec<u8>, start: usize) -> bool {
        let end = bytes.len();
        bytes.extend_from_slice(&END);
        let frame = bytes.get(start..).unwrap_or_default();
        let is_whole = self.file.write_at(frame, self.bytes).is_ok_and(|written| written == frame.len());
        bytes.truncate(end);
        if is_whole {
            self.bytes += (end - start) as u64;
            self.room = self.room.max(self.bytes + END.len() as u64);
        } else {
            // A half must not stand before the next; where it can't be cut off, the next is written over it.
            let _ = self.file.set_len(self.bytes);
        }
        is_whole
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

    /// Makes it blank, to be written to again.
    pub(in crate::spool) fn rewind(&mut self) -> io::Result<()> {
        if self.room > KEPT_ROOM {
            return self.erase();
        }
        if self.bytes > 0 {
            self.file.write_all_at(&END, 0)?;
            self.bytes = 0;
        }
        Ok(())
    }

    /// Makes it blank and leaves nothing of what was on it in memory.
    pub(in crate::spool) fn erase(&mut self) -> io::Result<()> {
        if self.room > 0 {
            self.file.set_len(0)?;
            (self.bytes, self.room) = (0, 0);
        }
        Ok(())
    }
}
