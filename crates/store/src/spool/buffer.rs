use super::frame::{self, Kind};
use serde::Serialize;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one handle has appended and the committer has not yet taken.
#[derive(Default)]
pub(super) struct Buffer {
    pending: Mutex<Pending>,
    /// Of the records ever appended here, how many are on the disk.
    committed: AtomicU64,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Records ever appended here.
    appended: u64,
    lost_at: Option<Instant>,
}

/// Nothing can tell which caller lost its record, so for this long after a loss none hears that all is durable:
/// far longer than any caller takes from appending to asking.
const LOSS_IS_REMEMBERED: Duration = Duration::from_secs(10);
/// A buffer that a burst has grown beyond this is given back to the allocator.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// The record could not be kept.
pub(super) struct Lost;

impl Buffer {
    /// Appends a record, where fewer than `limit` bytes are waiting.
    pub(super) fn append<T: Serialize>(&self, kind: Kind, record: &T, limit: usize) -> Result<(), Lost> {
        let mut pending = self.lock();
        let before = pending.bytes.len();
        if before < limit && frame::encode(&mut pending.bytes, kind, record).is_ok() {
            pending.appended += 1;
            return Ok(());
        }
        pending.bytes.truncate(before);
        pending.lost_at = Some(Instant::now());
        Err(Lost)
    }

    /// Moves what is waiting behind `batch`, leaving the empty `spare` in its place so that nobody waits for the
    /// copying; gives the number that is committed once the batch is.
    pub(super) fn take_into(&self, batch: &mut Vec<u8>, spare: &mut Vec<u8>) -> u64 {
        let appended = {
            let mut pending = self.lock();
            mem::swap(&mut pending.bytes, spare);
            pending.appended
        };
        batch.extend_from_slice(spare);
        spare.clear();
        spare.shrink_to(KEPT_CAPACITY);
        appended
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().bytes.len()
    }

    pub(super) fn appended(&self) -> u64 {
        self.lock().appended
    }

    pub(super) fn has_lost_lately(&self) -> bool {
        self.lock().lost_at.is_some_and(|at| at.elapsed() < LOSS_IS_REMEMBERED)
    }

    pub(super) fn set_committed(&self, number: u64) {
        self.committed.store(number, Ordering::Release);
    }

    pub(super) fn is_committed(&self, number: u64) -> bool {
        self.committed.load(Ordering::Acquire) >= number
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
