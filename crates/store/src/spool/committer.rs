use super::SpoolError;
use super::buffer::Buffer;
use super::disk::{Disk, SegmentFile};
use super::shared::Shared;
use super::syncer::{FailedSync, Job, Outcome, Part, Syncer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The only writer: takes what all handles have appended and writes it together; the syncer makes it durable.
pub(super) struct Committer {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    syncer: Syncer,
    /// Those that are not durable to their ends, and the one being written, which is the last: two at most.
    segments: Vec<Segment>,
    /// What is written after those: made ahead, as making a file may wait for the disk, and a write must not.
    spare: Option<Segment>,
    /// What is taken from the buffers and not yet durable.
    batch: Vec<u8>,
    /// So much of the batch is written.
    written: usize,
    /// So much of the batch is durable once the sync under way has ended.
    syncing: usize,
    /// What is committed once the written part of the batch is, but for what the sync under way covers: so many
    /// records of these buffers.
    covers: Vec<(Arc<Buffer>, u64)>,
    /// The same of the part that is not yet written: a sync must not promise it.
    unwritten: Vec<(Arc<Buffer>, u64)>,
    swap: Vec<u8>,
    /// Does someone wait?
    is_hurried: bool,
    failures: u32,
}

struct Segment {
    id: u64,
    file: Arc<dyn SegmentFile>,
    written_bytes: u64,
    durable_bytes: u64,
}

impl Segment {
    const fn new(id: u64, file: Arc<dyn SegmentFile>) -> Self {
        Self { id, file, written_bytes: 0, durable_bytes: 0 }
    }

    const fn is_durable(&self) -> bool {
        self.durable_bytes == self.written_bytes
    }
}

/// A batch that a burst has grown beyond this is given back to the allocator.
const KEPT_CAPACITY: usize = 4 * 1024 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const MAX_DOUBLINGS: u32 = 5;

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, disk: Arc<dyn Disk>, syncer: Syncer) -> Self {
        let mut committer = Self {
            shared,
            disk,
            syncer,
            segments: Vec::new(),
            spare: None,
            batch: Vec::new(),
            written: 0,
            syncing: 0,
            covers: Vec::new(),
            unwritten: Vec::new(),
            swap: Vec::new(),
            is_hurried: false,
            failures: 0,
        };
        // Where it can't be, the first commit tries again and tells.
        committer.spare = committer.make_segment().ok();
        committer
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
            let number = buffer.take_into(&mut self.batch, &mut self.swap);
            if self.batch.len() > before {
                self.unwritten.push((buffer, number));
            }
        }
    }

    /// Sleeps until something is appended, then gives others the time to join it.
    fn rest(&mut self) {
        self.shared.buffers().iter().for_each(|buffer| buffer.erase_tapes());
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
        let mut segment = self.take_segment()?;
        let new = self.batch.get(self.written..).unwrap_or_default();
        let written = segment.file.append(new);
        let path = self.shared.folder.segment_path(segment.id);
        segment.written_bytes += written.as_ref().map_or(0, |()| new.len() as u64);
        self.segments.push(segment);
        match written {
            Ok(()) => {
                self.written = self.batch.len();
                self.covers.append(&mut self.unwritten);
                Ok(())
            }
            Err(source) => {
                // What was written whole before may still become durable.
                let synced = self.syncer.wait().map_or(Ok(()), |outcome| self.take_over(outcome));
                self.abandon();
                synced.and(Err(SpoolError::io("write", &path, source)))
            }
        }
    }

    /// The one to write to: behind one that has grown comes the spare. While there is none, or the one before is not
    /// durable either, that one grows further, as a write must not wait.
    fn take_segment(&mut self) -> Result<Segment, SpoolError> {
        let max_bytes = self.shared.options.segment_bytes;
        let is_grown = |segment: &Segment| segment.written_bytes >= max_bytes;
        let is_next = self.segments.len() < 2 && self.segments.last().is_none_or(is_grown);
        let next = if is_next { self.spare.take() } else { None };
        match next.or_else(|| self.segments.pop()) {
            Some(segment) => Ok(segment),
            None => self.make_segment(),
        }
    }

    fn make_segment(&self) -> Result<Segment, SpoolError> {
        let (id, path) = self.next_path();
        let file = self.disk.create(&path).map_err(|source| SpoolError::io("make", &path, source))?;
        Ok(Segment::new(id, file))
    }

    fn next_path(&self) -> (u64, PathBuf) {
        let id = self.shared.table().take_id();
        (id, self.shared.folder.segment_path(id))
    }

    /// Has everything that is written synced, where no sync is under way.
    fn begin_sync(&mut self) {
        if self.written == 0 || self.syncer.is_busy() {
            return;
        }
        self.syncing = self.written;
        let undurable = self.segments.iter().filter(|segment| !segment.is_durable());
        self.syncer.begin(Job {
            parts: undurable
                .map(|segment| Part {
                    segment: segment.id,
                    file: segment.file.clone(),
                    durable_bytes: segment.written_bytes,
                })
                .collect(),
            covers: std::mem::take(&mut self.covers),
            spare: self.spare.is_none().then(|| self.next_path()),
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
        let Outcome { job, result, spare } = outcome;
        if let Some((id, file)) = spare {
            self.spare = Some(Segment::new(id, file));
        }
        match result {
            Ok(()) => {
                self.note_durable(&job.parts);
                self.batch.drain(..self.syncing);
                self.batch.shrink_to(KEPT_CAPACITY);
                self.written -= self.syncing;
                self.syncing = 0;
                self.recovered();
                Ok(())
            }
            Err(FailedSync { segment, source }) => {
                let path = self.shared.folder.segment_path(segment);
                self.covers.splice(..0, job.covers);
                self.syncing = 0;
                self.abandon();
                Err(SpoolError::io("sync", &path, source))
            }
        }
    }

    fn note_durable(&mut self, parts: &[Part]) {
        for segment in &mut self.segments {
            if let Some(part) = parts.iter().find(|part| part.segment == segment.id) {
                segment.durable_bytes = part.durable_bytes;
            }
        }
        let active = self.segments.pop();
        self.segments.retain(|segment| !segment.is_durable());
        self.segments.extend(active);
    }

    /// After a failed write or sync nobody knows what of it reached the disk, and a second sync may claim that
    /// all did: the segments end with what was durable before, and the batch goes to another one.
    fn abandon(&mut self) {
        self.written = 0;
        self.unwritten.splice(..0, self.covers.drain(..));
        for segment in self.seal() {
            if segment.durable_bytes == 0 {
                self.shared.folder.delete_segment(segment.id);
            } else if let Err(error) = segment.file.truncate(segment.durable_bytes) {
                // What is left behind the durable part is shipped after the next start, where it is intact.
                tracing::warn!(segment = segment.id, %error, "a failed spool write can't be cut off");
            }
        }
    }

    /// Nothing is added to these segments any more.
    fn seal(&mut self) -> Vec<Segment> {
        self.shared.table().seal();
        std::mem::take(&mut self.segments)
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
        if let Some(spare) = &self.spare {
            self.shared.folder.delete_segment(spare.id);
        }
        let waiting: usize = self.shared.buffers().iter().map(|buffer| buffer.len()).sum();
        let left = self.batch.len() + waiting;
        if left == 0
            && let Some(recorder) = &self.shared.recorder
        {
            recorder.close();
        }
        self.shared.set_closed(left);
    }
}
