use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the committer needs of a file system; tests bring one that fails.
pub(super) trait Disk: Send + Sync {
    /// Makes a new file (0600); it is there after a crash once it is synced.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;
}

/// A segment that is being written.
pub(super) trait SegmentFile: Send + Sync {
    /// Writes behind what is there.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything written is on the disk, and the file is in its folder there.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file off.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// The real one.
pub(super) struct FileDisk;

impl Disk for FileDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let file = create_private(path)?;
        let dir = path.parent().map(Path::to_owned);
        Ok(Arc::new(NewFile { file, dir, is_listed: AtomicBool::new(false) }))
    }
}

struct NewFile {
    file: File,
    dir: Option<PathBuf>,
    /// Is its folder synced since it was made? Only with the first sync, as that can take a fifth of a second, for
    /// which no write may wait.
    is_listed: AtomicBool,
}

impl SegmentFile for NewFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if let Some(dir) = &self.dir
            && !self.is_listed.load(Ordering::Relaxed)
        {
            File::open(dir)?.sync_all()?;
            self.is_listed.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

/// A new file, for its owner only, whatever the umask; written from its end on.
fn create_private(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)?)
}
