use crate::spool::SpoolError;
use rustix::fs::{Access, access, statfs};
use std::io;
use std::path::{Path, PathBuf};

/// In which folder a spool's recorder is: one on a memory file system, as a write there waits for no disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RecorderPlace {
    /// In `/dev/shm`, where that is one.
    #[default]
    Auto,
    /// In this one.
    In(PathBuf),
    /// In none: the spool has no recorder.
    Off,
}

impl RecorderPlace {
    /// The folder, none where no recorder is wanted. Changes nothing.
    ///
    /// # Errors
    /// Where it is not on a memory file system, or can't be written to.
    pub fn find(&self) -> Result<Option<&Path>, SpoolError> {
        let dir = match self {
            Self::Auto => Path::new(SHARED_MEMORY),
            Self::In(dir) => dir,
            Self::Off => return Ok(None),
        };
        match check(dir) {
            Ok(()) => Ok(Some(dir)),
            Err(source) => Err(SpoolError::io("keep a recorder in", dir, source)),
        }
    }
}

const SHARED_MEMORY: &str = "/dev/shm";

fn check(dir: &Path) -> io::Result<()> {
    // The width of a file system's number is not the same everywhere.
    let kind = i128::from(statfs(dir)?.f_type);
    if kind != TMPFS && kind != RAMFS {
        return Err(io::Error::other("it is not on a memory file system (tmpfs)"));
    }
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// `TMPFS_MAGIC` of Linux' `magic.h`.
const TMPFS: i128 = 0x0102_1994;
/// `RAMFS_MAGIC` of the same.
const RAMFS: i128 = 0x8584_58f6;
