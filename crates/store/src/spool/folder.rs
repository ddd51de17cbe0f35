use super::SpoolError;
use super::frame;
use super::table::SegmentTable;
use rustix::fs::FlockOperation;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use topdog_domain::RecordId;
use topdog_domain::ports::SpoolPosition;
use uuid::Uuid;

/// The spool's folder, which no other process has open.
pub(super) struct Folder {
    /// Canonical.
    path: PathBuf,
    /// Holds the lock for as long as it is open.
    _lock: File,
}

impl Folder {
    /// Opens the folder, making it where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, SpoolError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
            .map_err(|source| SpoolError::io("make the folder", path, source))?;
        let path = &path.canonicalize().map_err(|source| SpoolError::io("find", path, source))?;
        let lock_path = path.join("lock");
        let lock =
            private_file().open(&lock_path).map_err(|source| SpoolError::io("open", &lock_path, source))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::InUse { dir: path.to_owned() }),
            Err(errno) => Err(SpoolError::io("lock", &lock_path, errno.into())),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What tells this spool from every other, but for copies of it.
    pub(super) fn id(&self) -> io::Result<Uuid> {
        Self::id_at(&self.path).or_else(|_| self.renew_id())
    }

    /// The id of the spool in that folder.
    pub(super) fn id_at(path: &Path) -> io::Result<Uuid> {
        let text = fs::read_to_string(path.join(ID))?;
        text.trim().parse().map_err(io::Error::other)
    }

    /// Gives the spool another id.
    pub(super) fn renew_id(&self) -> io::Result<Uuid> {
        let id = Uuid::now_v7();
        private_file().truncate(true).open(self.path.join(ID))?.write_all(id.to_string().as_bytes())?;
        Ok(id)
    }

    /// Finds out what is in the folder, and cuts off a torn tail.
    pub(super) fn recover(&self) -> Result<SegmentTable, SpoolError> {
        let mut durable = self.segments()?;
        let cursor = self.read_cursor();
        // No more than two were written at the end, and earlier ones were looked at after an earlier end.
        for (&id, len) in durable.iter_mut().rev().filter(|(_, len)| **len > 0).take(2) {
            // What is shipped needs no checking.
            let from = match id.cmp(&cursor.segment) {
                Ordering::Less => *len,
                Ordering::Equal => cursor.offset.min(*len),
                Ordering::Greater => 0,
            };
            *len = self.cut_torn_tail(id, from, *len)?;
        }
        for (id, _) in durable.extract_if(.., |_, len| *len == 0) {
            self.delete_segment(id);
        }
        Ok(SegmentTable::new(durable, cursor))
    }

    /// Where a segment is.
    pub(super) fn segment_path(&self, id: u64) -> PathBuf {
        self.path.join(format!("{id:016x}.{SEGMENT_EXTENSION}"))
    }

    /// Bytes `start..end` of a segment.
    pub(super) fn read_segment(&self, id: u64, start: u64, end: u64) -> Result<Vec<u8>, SpoolError> {
        let path = self.segment_path(id);
        let read = || {
            let len = usize::try_from(end.saturating_sub(start)).map_err(io::Error::other)?;
            let mut bytes = vec![0; len];
            File::open(&path)?.read_exact_at(&mut bytes, start)?;
            Ok(bytes)
        };
        read().map_err(|source| SpoolError::io("read", &path, source))
    }

    /// Deletes a segment; one that can't be deleted is shipped again after the next start, which changes nothing.
    pub(super) fn delete_segment(&self, id: u64) {
        let path = self.segment_path(id);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "a spool segment that is done can't be deleted");
        }
    }

    /// Keeps bytes that can't be shipped where an operator finds them.
    pub(super) fn put_aside(&self, at: SpoolPosition, bytes: &[u8]) -> Result<PathBuf, SpoolError> {
        let path = self.path.join(format!("{:016x}-{:x}.damaged", at.segment, at.offset));
        self.replace(&path, bytes)?;
        Ok(path)
    }

    /// Keeps a record that the database refuses where an operator finds it.
    pub(super) fn set_aside<T: Serialize>(&self, id: RecordId, record: &T) -> Result<PathBuf, SpoolError> {
        let path = self.path.join(format!("{id}.refused"));
        let json = serde_json::to_vec(record).map_err(|e| SpoolError::io("write", &path, e.into()))?;
        self.replace(&path, &json)?;
        Ok(path)
    }

    /// Remembers on the disk how far is shipped. Where a power cut takes that back, some is shipped again, which
    /// changes nothing: worth no sync, for which the committer's own would wait.
    pub(super) fn write_cursor(&self, cursor: SpoolPosition) -> Result<(), SpoolError> {
        let path = self.path.join(CURSOR);
        let write = || {
            let json = serde_json::to_string(&cursor)?;
            // Always as long, so that nothing is left of the one before.
            private_file().open(&path)?.write_all_at(format!("{json:<CURSOR_BYTES$}").as_bytes(), 0)
        };
        write().map_err(|source| SpoolError::io("write", &path, source))
    }

    /// A cursor that can't be read counts as none: everything is shipped again, and found to be there already.
    fn read_cursor(&self) -> SpoolPosition {
        let bytes = fs::read(self.path.join(CURSOR)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    fn segments(&self) -> Result<BTreeMap<u64, u64>, SpoolError> {
        let read = || {
            let mut found = BTreeMap::new();
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if let Some(id) = segment_id(&entry.path()) {
                    found.insert(id, entry.metadata()?.len());
                }
            }
            Ok(found)
        };
        read().map_err(|source| SpoolError::io("list", &self.path, source))
    }

    fn cut_torn_tail(&self, id: u64, from: u64, len: u64) -> Result<u64, SpoolError> {
        let bytes = self.read_segment(id, from, len)?;
        let mut intact = 0;
        while let Some(found) = bytes.get(intact..).and_then(frame::find) {
            let begins = intact + found;
            if found > 0 {
                tracing::error!(segment = id, offset = from + intact as u64, bytes = found, "spool damaged");
            }
            intact = begins + bytes.get(begins..).map_or(0, frame::intact_len);
        }
        let kept = from + intact as u64;
        if kept < len {
            tracing::warn!(
                segment = id,
                kept_bytes = kept,
                cut_bytes = len - kept,
                "spool ended in a torn record, which was never acknowledged; it is cut off"
            );
            let path = self.segment_path(id);
            let cut = || {
                let file = OpenOptions::new().write(true).open(&path)?;
                file.set_len(kept)?;
                file.sync_all()
            };
            cut().map_err(|source| SpoolError::io("cut the torn tail of", &path, source))?;
        }
        Ok(kept)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), SpoolError> {
        let fresh = path.with_extension("new");
        let write = || {
            let mut file = private_file().truncate(true).open(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| SpoolError::io("write", path, source))
    }
}

const SEGMENT_EXTENSION: &str = "seg";
const ID: &str = "id";
const CURSOR: &str = "cursor";
const CURSOR_BYTES: usize = 80;

fn segment_id(path: &Path) -> Option<u64> {
    if path.extension()? != SEGMENT_EXTENSION {
        return None;
    }
    u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok()
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}
