use super::SpoolError;
use super::buffer::Buffer;
use super::disk::{Disk, SegmentFile};
use super::shared::Shared;
use std::sync::Arc;
use std::time::Duration;

/// The only writer: takes what all handles have appended and makes it durable together.
pub(super) struct Committer {
    shared: Arc<Shared>,
    disk: Box<dyn Disk>,
    segment: Option<Segment>,
    batch: Vec<u8>,
    /// What is committed once the batch is: so many records of these buffers.
    covers: Vec<(Arc<Buffer>, u64)>,
    spare: Vec<u8>,
    failures: u32,
}

struct Segment {
    id: u64,
    file: Box<dyn SegmentFile>,
    durable_bytes: u64,
}

/// A batch that a burst has grown beyond this is given back to the allocator.
const KEPT_CAPACITY: usize = 4 * 1024 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const MAX_DOUBLINGS: u32 = 5;

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, disk: Box<dyn Disk>) -> Self {
        Self {
            shared,
            disk,
            segment: None,
            batch: Vec::new(),
            covers: Vec::new(),
            spare: Vec::new(),
            failures: 0,
        }
    }

    /// Commits until the spool is closed and everything appended is written, or the last try failed.
    pub(super) fn run(mut self) {
        loop {
            // Before gathering, so that what was appended before closing is gathered after.
            let is_last = self.shared.is_closing();
            self.gather();
            if self.batch.is_empty() {
                if is_last {
                    break;
                }
                self.rest();
                continue;
            }
            match self.commit() {
                Ok(()) => self.succeeded(),
                Err(error) => {
                    self.failed(&error);
                    if is_last {
                        break;
                    }
                }
            }
        }
        self.end();
    }

    fn gather(&mut self) {
        if !self.batch.is_empty() {
            // The one before has failed and is tried again as it is.
            return;
        }
        for buffer in self.shared.buffers() {
            let before = self.batch.len();
            let number = buffer.take_into(&mut self.batch, &mut self.spare);
            if self.batch.len() > before {
                self.covers.push((buffer, number));
            }
        }
    }

    /// Sleeps until something is appended, then gives others the time to join it.
    fn rest(&self) {
        self.shared.forget_dropped();
        let shared = &self.shared;
        shared
            .alarm
            .sleep(|| shared.is_closing() || shared.buffers().iter().any(|buffer| !buffer.is_empty()));
        self.pause(shared.options.commit_window);
    }

    fn commit(&mut self) -> Result<(), SpoolError> {
        let added = self.batch.len() as u64;
        let max_bytes = self.shared.options.max_disk_bytes;
        if self.shared.table().total_bytes().saturating_add(added) > max_bytes {
            // Only what is not written any more can be deleted once it is shipped.
            self.seal();
            return Err(SpoolError::Full { max_bytes });
        }
        let mut segment = self.open_segment()?;
        let written = segment.file.append(&self.batch).and_then(|()| segment.file.sync());
        match written {
            Ok(()) => {
                segment.durable_bytes += added;
                self.shared.table().grow(segment.id, segment.durable_bytes);
                self.segment = Some(segment);
                Ok(())
            }
            Err(source) => {
                let path = self.shared.folder.segment_path(segment.id);
                self.abandon(segment);
                Err(SpoolError::io("write", &path, source))
            }
        }
    }

    fn open_segment(&mut self) -> Result<Segment, SpoolError> {
        match self.segment.take() {
            Some(segment) if segment.durable_bytes < self.shared.options.segment_bytes => Ok(segment),
            _ => {
                self.seal();
                let id = self.shared.table().take_id();
                let path = self.shared.folder.segment_path(id);
                let file = self.disk.create(&path).map_err(|source| SpoolError::io("make", &path, source))?;
                Ok(Segment { id, file, durable_bytes: 0 })
            }
        }
    }

    /// After a failed write or sync nobody knows what of it reached the disk, and a second sync may claim that
    /// all did: the segment ends with what was durable before, and the batch goes to another one.
    fn abandon(&mut self, mut segment: Segment) {
        self.seal();
        if segment.durable_bytes == 0 {
            drop(segment.file);
            self.shared.folder.delete_segment(segment.id);
        } else if let Err(error) = segment.file.truncate(segment.durable_bytes) {
            // What is left behind the durable part is shipped after the next start, where it is intact.
            tracing::warn!(segment = segment.id, %error, "a failed spool write can't be cut off");
        }
    }

    fn seal(&mut self) {
        self.segment = None;
        self.shared.table().seal();
    }

    fn succeeded(&mut self) {
        for (buffer, number) in self.covers.drain(..) {
            buffer.set_committed(number);
        }
        self.batch.clear();
        self.batch.shrink_to(KEPT_CAPACITY);
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "the spool can be written again");
            self.failures = 0;
        }
        self.shared.report(false);
        self.pause(self.shared.options.commit_window);
    }

    fn failed(&mut self, error: &SpoolError) {
        if self.failures == 0 {
            tracing::error!(%error, bytes = self.batch.len(), "the spool can't be written, records wait in memory");
        }
        let doublings = self.failures.min(MAX_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        self.shared.report(true);
        self.pause(FIRST_RETRY * (1 << doublings));
    }

    /// Whoever closes after this look hurries the alarm.
    fn pause(&self, duration: Duration) {
        if !self.shared.is_closing() {
            self.shared.alarm.pause(duration);
        }
    }

    fn end(self) {
        let waiting: usize = self.shared.buffers().iter().map(|buffer| buffer.len()).sum();
        self.shared.set_closed(self.batch.len() + waiting);
    }
}
