//! The spool: a node's own durable queue of records on their way to the database.
//!
//! A record goes by this way: a thread's [`handle`](FileSpool::handle) serialises it into the thread's own
//! `buffer` and writes it to the `recorder`, where it survives the end of the process; the `committer`, the only
//! thread that writes to the disk, takes all buffers every commit window and adds them to the present segment with
//! one write, and has the `syncer` make it durable by `fdatasync`, which survives the machine's end; the
//! [`reader`](FileSpool::reader) hands durable records to the shipper and deletes the segments that are shipped.
//!
//! No write waits for the disk: syncs go on behind it, the next segment is made ahead, and one that has grown is
//! left while its end is not yet durable. On a machine whose disk or processors are overloaded the kernel may still
//! hold up a write or the committer's thread, by 100 ms as measured: meanwhile the recorder has what they have not.
//!
//! On the disk: `<dir>/<16 hexadecimal digits>.seg` hold `frame`s back to back, `<dir>/cursor` says how far
//! they are shipped, `<dir>/id` which recorder is its own, `<dir>/lock` keeps a second process out. Every start
//! begins a new segment, so a torn tail is never written behind; an empty one is the one made ahead. Beside them lie
//! the `.damaged` parts of segments, and the `.refused` records that the database would not take: for an operator,
//! nothing here reads them.

mod alarm;
mod buffer;
mod committer;
mod disk;
mod error;
pub(crate) mod fields;
mod folder;
mod frame;
mod handle;
mod options;
mod reader;
mod recorder;
mod shared;
mod syncer;
mod table;
#[cfg(test)]
mod tests;

pub use error::SpoolError;
pub use options::SpoolOptions;
pub use reader::SpoolReader;
pub use recorder::RecorderPlace;

use committer::Committer;
use disk::{Disk, FileDisk};
use folder::Folder;
use handle::FileSpoolHandle;
use recorder::Recorder;
use shared::Shared;
use std::path::Path;
use std::sync::Arc;
use syncer::Syncer;
use table::SegmentTable;
use topdog_domain::ports::{Spool, SpoolHandle};

/// A spool in a folder of the local file system.
///
/// Dropping it stops the committer without waiting for it; [`FileSpool::close`] waits.
pub struct FileSpool {
    shared: Arc<Shared>,
    reader: SpoolReader,
}

impl FileSpool {
    /// Opens the spool in `dir`, which is made (0700) where it is not there, and starts its committer thread.
    /// A torn tail that a crash left is cut off; everything intact is kept.
    ///
    /// # Errors
    /// Where another process has the spool open, the options contradict each other, or the folder can't be read
    /// and written.
    pub fn open(dir: &Path, options: SpoolOptions) -> Result<Arc<Self>, SpoolError> {
        options.check()?;
        Self::open_on(dir, options, Arc::new(FileDisk))
    }

    fn open_on(dir: &Path, options: SpoolOptions, disk: Arc<dyn Disk>) -> Result<Arc<Self>, SpoolError> {
        let folder = Folder::open(dir)?;
        let mut table = folder.recover()?;
        let recorder = Recorder::open(&options.recorder, &folder).unwrap_or_else(|error| {
            tracing::warn!(%error, "the spool has no recorder: what a kill of the process finds in memory is lost");
            None
        });
        if let Some(recorder) = &recorder
            && let Err(error) = take_over(recorder, &folder, &mut table, &*disk)
        {
            tracing::error!(%error, "what the last process has recorded waits for the next start");
        }
        let shared = Arc::new(Shared::new(folder, recorder, table, options));
        let cant_start = |source| SpoolError::io("start the committer of", dir, source);
        let syncer = Syncer::start(shared.clone(), disk.clone()).map_err(cant_start)?;
        let committer = Committer::new(shared.clone(), disk, syncer);
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || committer.run())
            .map_err(cant_start)?;
        shared.alarm.set_sleeper(thread.thread().clone());
        Ok(Arc::new(Self { reader: SpoolReader::new(shared.clone()), shared }))
    }

    /// The end that the shipper takes from.
    #[must_use]
    pub fn reader(&self) -> SpoolReader {
        self.reader.clone()
    }

    /// Records that were dropped because the buffers were full while the disk could not be written, or because
    /// they came after [`FileSpool::close`]. Since the start.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.shared.lost_records()
    }

    /// Records that the recorder did not take, for want of room or because there is none: until they were committed
    /// they were in memory only. Since the start.
    #[must_use]
    pub fn unrecorded_records(&self) -> u64 {
        self.shared.unrecorded_records()
    }

    /// The recorder's folder; none where the spool has no recorder.
    #[must_use]
    pub fn recorder_dir(&self) -> Option<&Path> {
        self.shared.recorder.as_ref().map(Recorder::path)
    }

    /// Records that the database refused for good, each of which is in a file `<record id>.refused` in the spool's
    /// folder. Since the start.
    #[must_use]
    pub fn refused_records(&self) -> u64 {
        self.shared.refused_records()
    }

    /// Waits until everything appended so far, by whichever handle, is on the disk.
    ///
    /// # Errors
    /// At once, where records can't be written just now, or the spool is closed.
    pub async fn drain(&self) -> Result<(), SpoolError> {
        for buffer in self.shared.buffers() {
            self.shared.wait_durable(&buffer).await?;
        }
        Ok(())
    }

    /// Commits everything appended so far and stops the committer. What is appended later is lost and counted.
    ///
    /// # Errors
    /// Where the last commit failed: what was still in memory is lost.
    pub async fn close(&self) -> Result<(), SpoolError> {
        self.shared.close();
        self.shared.wait_closed().await;
        match self.shared.uncommitted_bytes() {
            0 => Ok(()),
            bytes => Err(SpoolError::ClosedWithout { bytes }),
        }
    }
}

impl Spool for FileSpool {
    fn handle(&self) -> Box<dyn SpoolHandle> {
        Box::new(FileSpoolHandle::new(self.shared.clone()))
    }

    fn is_healthy(&self) -> bool {
        self.shared.is_healthy()
    }

    fn lag_bytes(&self) -> u64 {
        self.shared.table().lag_bytes()
    }
}

impl Drop for FileSpool {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Puts what a killed process has recorded into a segment of its own.
fn take_over(
    recorder: &Recorder,
    folder: &Folder,
    table: &mut SegmentTable,
    disk: &dyn Disk,
) -> Result<(), SpoolError> {
    recorder.recover(|frames| {
        let (id, bytes) = (table.take_id(), frames.len() as u64);
        let path = folder.segment_path(id);
        let write = || {
            let file = disk.create(&path)?;
            let kept = file.append(frames).and_then(|()| file.sync());
            kept.inspect_err(|_| folder.delete_segment(id))
        };
        write().map_err(|source| SpoolError::io("write", &path, source))?;
        table.grow([(id, bytes)].into_iter());
        table.seal();
        tracing::info!(bytes, "the last process was killed; what it has recorded is taken over");
        Ok(())
    })
}
