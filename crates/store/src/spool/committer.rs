use super::SpoolError;
use super::buffer::Buffer;
use super::disk::{Disk, SegmentFile};
use super::shared::Shared;
use super::syncer::{Job, Outcome, Syncer};
use std::sync::Arc;
use std::time::Duration;

/// The only writer: takes what all handles have appended and writes it together; the syncer makes it durable.
pub(super) struct Committer {
    shared: Arc<Shared>,
    disk: Box<dyn Disk>,
    syncer: Syncer,
    segment: Option<Segment>,
    /// What is taken from the buffers and not yet durable.
    batch: Vec<u8>,
    /// So much of the batch is written.
    written: usize,
    /// So much of the batch is durable once the sync under way has ended.
    syncing: usize,
    /// What is committed once the batch is, but for what the sync under way covers: so many records of these buffers.
    covers: Vec<(Arc<Buffer>, u64)>,
    spare: Vec<u8>,
    /// Does someone wait?
    is_hurried: bool,
    failures: u32,
}

struct Segment {
    id: u64,
    file: Arc<dyn SegmentFile>,
    durable_bytes: u64,
}

/// A batch that a burst has grown beyond this is given back to the allocator.
const KEPT_CAPACITY: usize = 4 * 1024 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const MAX_DOUBLINGS: u32 = 5;

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, disk: Box<dyn Disk>, syncer: Syncer) -> Self {
        Self {
            shared,
            disk,
            syncer,
            segment: None,
            batch: Vec::new(),
            written: 0,
            syncing: 0,
            covers: Vec::new(),
            spare: Vec::new(),
            is_hurried: false,
            failures: 0,
        }
    }

    /// Commits until the spool is closed and everything appended is durable, or the last try failed.
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
            match self.commit(is_last) {
                Ok(()) => self.pause(self.shared.options.commit_window),
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
        // A batch that has failed is tried again as it is; one that grows while the disk is slow must not take
        // more than its half of the memory.
        let has_failed = self.failures > 0 && !self.batch.is_empty();
        if has_failed || self.batch.len() >= self.shared.options.max_buffer_bytes / 2 {
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
    fn rest(&mut self) {
        self.shared.forget_dropped();
        let shared = &self.shared;
        shared
            .alarm
            .sleep(|| shared.is_closing() || shared.buffers().iter().any(|buffer| !buffer.is_empty()));
        self.pause(self.shared.options.commit_window);
    }

    /// Writes what is new and has it synced. A sync under way is not waited for, but where this is the last time.
    fn commit(&mut self, is_last: bool) -> Result<(), SpoolError> {
        self.take_outcome()?;
        if self.written < self.batch.len() {
            self.write()?;
        }
        if self.syncer.is_busy() && self.is_hurried {
            self.shared.alarm.hurry_after_sync();
            // It may have ended just before it could know.
            self.take_outcome()?;
        }
        self.begin_sync();
        if is_last { self.finish() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), SpoolError> {
        let max_bytes = self.shared.options.max_disk_bytes;
        let is_full =
            |it: &Self| it.shared.table().total_bytes().saturating_add(it.batch.len() as u64) > max_bytes;
        if is_full(self) {
            self.finish()?;
        }
        if is_full(self) {
            // Only what is not written any more can be deleted once it is shipped.
            self.seal();
            return Err(SpoolError::Full { max_bytes });
        }
        let segment = self.open_segment()?;
        let new = self.batch.get(self.written..).unwrap_or_default();
        let written = segment.file.append(new);
        match written {
            Ok(()) => {
                self.segment = Some(segment);
                self.written = self.batch.len();
                Ok(())
            }
            Err(source) => {
                let path = self.shared.folder.segment_path(segment.id);
                self.segment = Some(segment);
                // What was written whole before may still become durable.
                let synced = self.syncer.wait().map_or(Ok(()), |outcome| self.take_over(outcome));
                self.abandon();
                synced.and(Err(SpoolError::io("write", &path, source)))
            }
        }
    }

    fn open_segment(&mut self) -> Result<Segment, SpoolError> {
        let max_bytes = self.shared.options.segment_bytes;
        let is_grown =
            |segment: &Segment, written: usize| segment.durable_bytes + written as u64 >= max_bytes;
        if self.segment.as_ref().is_some_and(|segment| is_grown(segment, self.written)) {
            self.finish()?;
        }
        match self.segment.take() {
            Some(segment) if !is_grown(&segment, self.written) => Ok(segment),
            _ => {
                self.seal();
                let id = self.shared.table().take_id();
                let path = self.shared.folder.segment_path(id);
                let file = self.disk.create(&path).map_err(|source| SpoolError::io("make", &path, source))?;
                Ok(Segment { id, file, durable_bytes: 0 })
            }
        }
    }

    /// Has everything that is written synced, where no sync is under way.
    fn begin_sync(&mut self) {
        let Some(segment) = &self.segment else { return };
        if self.written == 0 || self.syncer.is_busy() {
            return;
        }
        self.syncing = self.written;
        self.syncer.begin(Job {
            segment: segment.id,
            file: segment.file.clone(),
            durable_bytes: segment.durable_bytes + self.written as u64,
            covers: std::mem::take(&mut self.covers),
        });
    }

    /// Waits until everything that is written is durable.
    fn finish(&mut self) -> Result<(), SpoolError> {
        while self.written > 0 {
            self.begin_sync();
            match self.syncer.wait() {
                Some(outcome) => self.take_over(outcome)?,
                None => break,
            }
        }
        Ok(())
    }

    fn take_outcome(&mut self) -> Result<(), SpoolError> {
        self.syncer.take().map_or(Ok(()), |outcome| self.take_over(outcome))
    }

    fn take_over(&mut self, outcome: Outcome) -> Result<(), SpoolError> {
        let Outcome { job, result } = outcome;
        match result {
            Ok(()) => {
                if let Some(segment) = &mut self.segment {
                    segment.durable_bytes = job.durable_bytes;
                }
                self.batch.drain(..self.syncing);
                self.batch.shrink_to(KEPT_CAPACITY);
                self.written -= self.syncing;
                self.syncing = 0;
                self.recovered();
                Ok(())
            }
            Err(source) => {
                let path = self.shared.folder.segment_path(job.segment);
                self.covers.splice(..0, job.covers);
                self.syncing = 0;
                self.abandon();
                Err(SpoolError::io("sync", &path, source))
            }
        }
    }

    /// After a failed write or sync nobody knows what of it reached the disk, and a second sync may claim that
    /// all did: the segment ends with what was durable before, and the batch goes to another one.
    fn abandon(&mut self) {
        let segment = self.segment.take();
        self.seal();
        self.written = 0;
        let Some(segment) = segment else { return };
        if segment.durable_bytes == 0 {
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

    fn recovered(&mut self) {
        if self.failures > 0 {
            tracing::info!(failures = self.failures, "the spool can be written again");
            self.failures = 0;
        }
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
    fn pause(&mut self, duration: Duration) {
        self.is_hurried = self.shared.is_closing() || self.shared.alarm.pause(duration);
    }

    fn end(self) {
        let waiting: usize = self.shared.buffers().iter().map(|buffer| buffer.len()).sum();
        self.shared.set_closed(self.batch.len() + waiting);
    }
}
