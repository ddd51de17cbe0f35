//! The spool: a node's own durable queue of records on their way to the database.
//!
//! A record goes by this way: a thread's [`handle`](FileSpool::handle) serialises it into the thread's own
//! `buffer`; the `committer`, the only thread that writes, takes all buffers every commit window and adds them
//! to the present segment with one write, which survives the end of the process, and has the `syncer` make it
//! durable by `fdatasync`, which survives the machine's; the [`reader`](FileSpool::reader) hands durable
//! records to the shipper and deletes the segments that are shipped.
//!
//! No write waits for the disk: syncs go on behind it, the next segment is made ahead, and one that has grown is
//! left while its end is not yet durable. On a machine whose disk or processors are overloaded the kernel may still
//! hold up a write or the committer's thread, by tens of milliseconds as measured: the window is then that much
//! longer for whoever has not asked for [`durable`](topdog_domain::ports::SpoolHandle::durable).
//!
//! On the disk: `<dir>/<16 hexadecimal digits>.seg` hold `frame`s back to back, `<dir>/cursor` says how far
//! they are shipped, `<dir>/lock` keeps a second process out. Every start begins a new segment, so a torn tail
//! is never written behind; an empty one is the one made ahead. Beside them lie the `.damaged` parts of segments,
//! and the `.refused` records that the database would not take: for an operator, nothing here reads them.

mod alarm;
mod buffer;
mod committer;
mod disk;
mod error;
mod folder;
mod frame;
mod handle;
mod options;
mod reader;
mod shared;
mod syncer;
mod table;
#[cfg(test)]
mod tests;

pub use error::SpoolError;
pub use options::SpoolOptions;
pub use reader::SpoolReader;

use committer::Committer;
use disk::{Disk, FileDisk};
use folder::Folder;
use handle::FileSpoolHandle;
use shared::Shared;
use std::path::Path;
use std::sync::Arc;
use syncer::Syncer;
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
        let table = folder.recover()?;
        let shared = Arc::new(Shared::new(folder, table, options));
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
