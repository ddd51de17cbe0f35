use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// What the committer needs of a file system; tests bring one that fails.
pub(super) trait Disk: Send {
    /// Makes a new file (0600), so that it is there after a crash.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
}

/// A segment that is being written.
pub(super) trait SegmentFile: Send {
    /// Writes behind what is there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything written is on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file off.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// The real one.
pub(super) struct FileDisk;

impl Disk for FileDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        let file = create_private(path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(Box::new(file))
    }
}

impl SegmentFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// A new file, for its owner only, whatever the umask; written from its end on.
fn create_private(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map(File::from)?)
}
