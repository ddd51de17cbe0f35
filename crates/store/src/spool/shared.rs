use super::alarm::Alarm;
use super::buffer::Buffer;
use super::folder::Folder;
use super::recorder::Recorder;
use super::table::SegmentTable;
use super::{SpoolError, SpoolOptions};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What handles, committer and reader have in common.
pub(super) struct Shared {
    pub(super) folder: Folder,
    pub(super) recorder: Option<Recorder>,
    pub(super) options: SpoolOptions,
    pub(super) alarm: Alarm,
    table: Mutex<SegmentTable>,
    buffers: Mutex<Vec<Arc<Buffer>>>,
    /// How many bytes each buffer may hold.
    buffer_limit: AtomicUsize,
    is_failing: AtomicBool,
    is_closing: AtomicBool,
    is_closed: AtomicBool,
    /// Changes when a batch is committed, when one fails, and when the committer ends.
    progress: watch::Sender<()>,
    lost_records: AtomicU64,
    unrecorded_records: AtomicU64,
    refused_records: AtomicU64,
    /// What the committer had to leave when it ended.
    left_bytes: AtomicUsize,
}

impl Shared {
    pub(super) fn new(
        folder: Folder,
        recorder: Option<Recorder>,
        table: SegmentTable,
        options: SpoolOptions,
    ) -> Self {
        Self {
            folder,
            recorder,
            alarm: Alarm::default(),
            table: Mutex::new(table),
            buffers: Mutex::default(),
            buffer_limit: AtomicUsize::new(options.max_buffer_bytes),
            options,
            is_failing: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            progress: watch::Sender::new(()),
            lost_records: AtomicU64::new(0),
            unrecorded_records: AtomicU64::new(0),
            refused_records: AtomicU64::new(0),
            left_bytes: AtomicUsize::new(0),
        }
    }

    /// A buffer of its own for a new handle.
    pub(super) fn add_buffer(&self) -> Arc<Buffer> {
        let tapes = self.recorder.as_ref().and_then(|recorder| {
            let warn = |error: &io::Error| tracing::warn!(%error, "the recorder has no room for tapes");
            recorder.new_tapes().inspect_err(warn).ok()
        });
        let buffer = Arc::new(Buffer::new(tapes));
        let mut buffers = self.lock_buffers();
        buffers.push(buffer.clone());
        self.share_out(buffers.len());
        buffer
    }

    pub(super) fn buffers(&self) -> Vec<Arc<Buffer>> {
        self.lock_buffers().clone()
    }

    /// Forgets the empty buffers of handles that are gone.
    pub(super) fn forget_dropped(&self) {
        let mut buffers = self.lock_buffers();
        buffers.retain(|buffer| Arc::strong_count(buffer) > 1 || !buffer.is_empty());
        self.share_out(buffers.len());
    }

    /// Half of the memory is for the batch that is being committed, the other half for what comes meanwhile.
    fn share_out(&self, buffers: usize) {
        let limit = self.options.max_buffer_bytes / 2 / buffers.max(1);
        self.buffer_limit.store(limit.max(1), Ordering::Relaxed);
    }

    pub(super) fn buffer_limit(&self) -> usize {
        self.buffer_limit.load(Ordering::Relaxed)
    }

    pub(super) fn table(&self) -> MutexGuard<'_, SegmentTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_healthy(&self) -> bool {
        !self.is_failing.load(Ordering::Acquire) && !self.is_closed()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Acquire)
    }

    /// Tells everyone how the last commit went.
    pub(super) fn report(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Release);
        self.progress.send_replace(());
    }

    /// Counts a lost record; true for the first.
    pub(super) fn count_lost(&self) -> bool {
        self.lost_records.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// Counts a record that is in memory only until it is committed.
    pub(super) fn count_unrecorded(&self) {
        let is_first = self.unrecorded_records.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first && let Some(recorder) = &self.recorder {
            let path = recorder.path().display();
            tracing::warn!(%path, "the recorder has no room: records wait for the disk in memory only");
        }
    }

    pub(super) fn unrecorded_records(&self) -> u64 {
        self.unrecorded_records.load(Ordering::Relaxed)
    }

    pub(super) fn lost_records(&self) -> u64 {
        self.lost_records.load(Ordering::Relaxed)
    }

    pub(super) fn count_refused(&self) {
        self.refused_records.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused_records(&self) -> u64 {
        self.refused_records.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.alarm.hurry();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// The committer has ended and could not write `left_bytes`.
    pub(super) fn set_closed(&self, left_bytes: usize) {
        self.left_bytes.store(left_bytes, Ordering::Release);
        self.is_closed.store(true, Ordering::Release);
        self.progress.send_replace(());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(super) fn uncommitted_bytes(&self) -> usize {
        self.left_bytes.load(Ordering::Acquire)
    }

    pub(super) async fn wait_closed(&self) {
        let mut progress = self.progress.subscribe();
        while !self.is_closed() && progress.changed().await.is_ok() {}
    }

    /// Waits until everything appended to the buffer so far is on the disk.
    pub(super) async fn wait_durable(&self, buffer: &Buffer) -> Result<(), SpoolError> {
        let number = buffer.appended();
        let mut progress = self.progress.subscribe();
        let mut has_hurried = false;
        loop {
            if buffer.has_lost_lately() {
                return Err(SpoolError::Lost);
            }
            if buffer.is_committed(number) {
                return Ok(());
            }
            if self.is_closed() {
                return Err(SpoolError::Closed);
            }
            if self.is_failing() {
                return Err(SpoolError::Failing);
            }
            if !has_hurried {
                self.alarm.hurry();
                has_hurried = true;
            }
            progress.changed().await.map_err(|_| SpoolError::Closed)?;
        }
    }

    fn lock_buffers(&self) -> MutexGuard<'_, Vec<Arc<Buffer>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
