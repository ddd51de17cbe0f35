use super::buffer::Buffer;
use super::disk::{Disk, SegmentFile};
use super::shared::Shared;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Makes durable what the committer has written, on a thread of its own.
///
/// A disk may take long over a sync, and what is written survives the end of the process without one: so writing
/// goes on meanwhile, and a record is in memory only for a commit window whatever the disk does.
pub(super) struct Syncer {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
    is_busy: bool,
}

/// What is durable once the files are synced.
pub(super) struct Job {
    /// In the order of their writing; the last is the one that is still written.
    pub(super) parts: Vec<Part>,
    /// So many records of these buffers are then committed.
    pub(super) covers: Vec<(Arc<Buffer>, u64)>,
    /// Where to make a spare segment, where there is none.
    pub(super) spare: Option<(u64, PathBuf)>,
}

/// A segment, and how long it is once it is synced.
pub(super) struct Part {
    pub(super) segment: u64,
    pub(super) file: Arc<dyn SegmentFile>,
    pub(super) durable_bytes: u64,
}

/// How a sync went.
pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) result: Result<(), FailedSync>,
    /// The spare segment that the job asked for, where it could be made: the next job asks again.
    pub(super) spare: Option<(u64, Arc<dyn SegmentFile>)>,
}

/// A segment that could not be synced.
pub(super) struct FailedSync {
    pub(super) segment: u64,
    pub(super) source: io::Error,
}

impl Syncer {
    /// Starts the thread; it ends with the syncer.
    pub(super) fn start(shared: Arc<Shared>, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (done, outcomes) = channel();
        thread::Builder::new().name("spool-sync".to_owned()).spawn(move || {
            for job in to_do {
                let result = sync(&job.parts);
                if result.is_ok() {
                    // Here and not by the committer, so that whoever waits is told at once.
                    publish(&shared, &job);
                }
                // After whoever waits was told: nobody waits for this one.
                let spare = make_spare(&*disk, job.spare.as_ref());
                if done.send(Outcome { job, result, spare }).is_err() {
                    return;
                }
                shared.alarm.after_sync();
            }
        })?;
        Ok(Self { jobs, outcomes, is_busy: false })
    }

    /// Is a sync under way, or its outcome not yet taken?
    pub(super) const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Begins a sync. There is one at a time.
    pub(super) fn begin(&mut self, job: Job) {
        // The thread ends only after this sender, so that somebody takes the job.
        self.is_busy = self.jobs.send(job).is_ok();
    }

    /// The outcome of the sync, if it has ended.
    pub(super) fn take(&mut self) -> Option<Outcome> {
        self.outcomes.try_recv().ok().inspect(|_| self.is_busy = false)
    }

    /// The outcome of the sync under way, once it has ended; none where none is.
    pub(super) fn wait(&mut self) -> Option<Outcome> {
        let outcome = if self.is_busy { self.outcomes.recv().ok() } else { None };
        self.is_busy = false;
        outcome
    }
}

fn sync(parts: &[Part]) -> Result<(), FailedSync> {
    parts
        .iter()
        .try_for_each(|part| part.file.sync().map_err(|source| FailedSync { segment: part.segment, source }))
}

fn make_spare(disk: &dyn Disk, wanted: Option<&(u64, PathBuf)>) -> Option<(u64, Arc<dyn SegmentFile>)> {
    let (id, path) = wanted?;
    disk.create(path).ok().map(|file| (*id, file))
}

fn publish(shared: &Shared, job: &Job) {
    shared.table().grow(job.parts.iter().map(|part| (part.segment, part.durable_bytes)));
    for (buffer, number) in &job.covers {
        buffer.set_committed(*number);
    }
    shared.report(false);
}
