use super::buffer::Buffer;
use super::disk::SegmentFile;
use super::shared::Shared;
use std::io;
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

/// What is durable once the file is synced.
pub(super) struct Job {
    pub(super) segment: u64,
    pub(super) file: Arc<dyn SegmentFile>,
    /// How long the segment is then.
    pub(super) durable_bytes: u64,
    /// So many records of these buffers are then committed.
    pub(super) covers: Vec<(Arc<Buffer>, u64)>,
}

/// How a sync went.
pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) result: io::Result<()>,
}

impl Syncer {
    /// Starts the thread; it ends with the syncer.
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (done, outcomes) = channel();
        thread::Builder::new().name("spool-sync".to_owned()).spawn(move || {
            for job in to_do {
                let result = job.file.sync();
                if result.is_ok() {
                    // Here and not by the committer, so that whoever waits is told at once.
                    publish(&shared, &job);
                }
                if done.send(Outcome { job, result }).is_err() {
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

fn publish(shared: &Shared, job: &Job) {
    shared.table().grow(job.segment, job.durable_bytes);
    for (buffer, number) in &job.covers {
        buffer.set_committed(*number);
    }
    shared.report(false);
}
