use super::frame::{self, Record};
use super::recorder::Tape;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one handle has appended and the committer has not yet taken.
pub(super) struct Buffer {
    pending: Mutex<Pending>,
    /// The tape that nothing is added to just now. Only the committer looks at it.
    resting: Mutex<Option<Tape>>,
    /// Of the records ever appended here, how many are on the disk.
    committed: AtomicU64,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Has on it what is in `bytes`, at least.
    tape: Option<Tape>,
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

/// Where a record is kept until it is committed.
pub(super) enum Kept {
    /// In memory and on a tape: the end of the process does not take it.
    Recorded,
    /// In memory only.
    InMemory,
}

impl Buffer {
    /// An empty one, whose records go to these tapes too.
    pub(super) fn new(tapes: Option<[Tape; 2]>) -> Self {
        let (tape, resting) = tapes.map_or((None, None), |[tape, resting]| (Some(tape), Some(resting)));
        Self {
            pending: Mutex::new(Pending { tape, ..Pending::default() }),
            resting: Mutex::new(resting),
            committed: AtomicU64::new(0),
        }
    }

    /// Appends a record, where fewer than `limit` bytes are waiting.
    pub(super) fn append<T: Record>(&self, record: &T, limit: usize) -> Result<Kept, Lost> {
        let mut pending = self.lock();
        let before = pending.bytes.len();
        if before < limit && frame::encode(&mut pending.bytes, record).is_ok() {
            pending.appended += 1;
            return Ok(pending.record_from(before));
        }
        pending.bytes.truncate(before);
        pending.lost_at = Some(Instant::now());
        Err(Lost)
    }

    /// Moves what is waiting behind `batch`, leaving the empty `spare` in its place so that nobody waits for the
    /// copying; gives the number that is committed once the batch is.
    pub(super) fn take_into(&self, batch: &mut Vec<u8>, spare: &mut Vec<u8>) -> u64 {
        let mut resting = self.lock_resting();
        self.make_blank(&mut resting, Tape::rewind);
        let appended = {
            let mut pending = self.lock();
            mem::swap(&mut pending.bytes, spare);
            pending.change_tapes(&mut resting);
            pending.appended
        };
        batch.extend_from_slice(spare);
        spare.clear();
        spare.shrink_to(KEPT_CAPACITY);
        appended
    }

    /// Leaves nothing on the tapes of what is committed; with nothing waiting, nothing at all.
    pub(super) fn erase_tapes(&self) {
        self.make_blank(&mut self.lock_resting(), Tape::erase);
        if let Some(tape) = self.lock().tape.as_mut().filter(|tape| tape.is_blank()) {
            warn_unless_ok(tape.erase());
        }
    }

    /// The tape, where all on it is committed.
    fn make_blank(&self, resting: &mut Option<Tape>, how: fn(&mut Tape) -> io::Result<()>) {
        if let Some(tape) = resting.as_mut().filter(|tape| self.is_committed(tape.last())) {
            warn_unless_ok(how(tape));
        }
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

    fn lock_resting(&self) -> MutexGuard<'_, Option<Tape>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// Records the frame that begins there.
    fn record_from(&mut self, start: usize) -> Kept {
        let is_recorded = self.tape.as_mut().is_some_and(|tape| tape.record(&mut self.bytes, start));
        if is_recorded { Kept::Recorded } else { Kept::InMemory }
    }

    /// Goes on on the other tape, once that is blank.
    fn change_tapes(&mut self, resting: &mut Option<Tape>) {
        if let (Some(full), Some(blank)) = (&mut self.tape, resting)
            && blank.is_blank()
        {
            full.set_last(self.appended);
            mem::swap(full, blank);
        }
    }
}

fn warn_unless_ok(erased: io::Result<()>) {
    if let Err(error) = erased {
        tracing::warn!(%error, "a tape of the recorder can't be erased, it grows until it can");
    }
}
