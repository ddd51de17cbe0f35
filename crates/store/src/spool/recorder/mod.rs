//! The recorder: where records are from the moment they are appended, in files on a memory file system. A write there
//! waits for no disk and for no other thread, and what is written outlives the process, though not the machine.
//!
//! A handle has two `tape`s. What it appends goes to one of them, until the committer takes what is in memory: then
//! to the other, if that is blank, and a tape is blanked when all on it is on the disk. The next start takes over
//! what a killed process left on its tapes; a part of it may be in the segments too, which changes nothing.
//!
//! On the memory file system: `<place>/topdog-<uid>-<the spool's id>/` (0700) holds `<number>.tape`s (0600) and `home`,
//! the path of the spool that it belongs to.

mod place;
mod tape;

pub use place::RecorderPlace;
pub(super) use tape::Tape;

use super::folder::Folder;
use super::{SpoolError, frame};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use uuid::Uuid;

/// A spool's folder on a memory file system, which no other process has open.
pub(super) struct Recorder {
    path: PathBuf,
    /// Holds the lock for as long as it is open. Everything in the folder is reached by it, as paths may be changed
    /// by whoever else may write to the folder around it.
    dir: OwnedFd,
    /// The tapes from this number on are this process's.
    first: u64,
    next: AtomicU64,
}

impl Recorder {
    /// Opens the folder that belongs to the spool, making it where it is not there; none where none is wanted.
    pub(super) fn open(place: &RecorderPlace, spool: &Folder) -> Result<Option<Self>, SpoolError> {
        let Some(place) = place.find()? else { return Ok(None) };
        let open = || {
            let id = spool.id()?;
            let recorder = match Self::open_of(place, id)? {
                // The spool's folder is a copy, and what is recorded here is the original's.
                Some(recorder) if recorder.is_of_another(spool, id) => None,
                None => {
                    // The name can be seen while a server runs; whoever may write there can take it after its end.
                    tracing::warn!(%id, place = %place.display(), "the recorder's name is taken by somebody else: it gets another");
                    None
                }
                own => own,
            };
            let recorder = match recorder {
                Some(recorder) => recorder,
                None => Self::open_of(place, spool.renew_id()?)?.ok_or_else(laid_by_another)?,
            };
            recorder.lock_for(spool).map(Some)
        };
        open().map_err(|source| SpoolError::io("keep a recorder in", place, source))
    }

    /// None where what has the name is no folder, or somebody else's.
    fn open_of(place: &Path, id: Uuid) -> io::Result<Option<Self>> {
        let owner = rustix::process::geteuid();
        let path = place.join(format!("topdog-{}-{id}", owner.as_raw()));
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_own = |stat: &Stat| {
            stat.st_uid == owner.as_raw() && FileType::from_raw_mode(stat.st_mode) == FileType::Directory
        };
        if !is_own(&rustix::fs::lstat(&path)?) {
            return Ok(None);
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&dir)?;
        let others = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXG | Mode::RWXO);
        if !is_own(&stat) || !others.is_empty() {
            return Err(laid_by_another());
        }
        Ok(Some(Self { path, dir, first: 0, next: AtomicU64::new(0) }))
    }

    /// Does it belong to a spool that is elsewhere, and still there? One that was moved has none where it was.
    fn is_of_another(&self, spool: &Folder, id: Uuid) -> bool {
        let home = self.read(OsStr::new(HOME)).map(|path| PathBuf::from(OsString::from_vec(path)));
        home.is_ok_and(|home| home != spool.path() && Folder::id_at(&home).is_ok_and(|at_home| at_home == id))
    }

    fn lock_for(mut self, spool: &Folder) -> io::Result<Self> {
        // A process that is being killed lets go of the spool's folder a moment before this one.
        let mut attempts = 0..LOCK_ATTEMPTS;
        while let Err(errno) = rustix::fs::flock(&self.dir, FlockOperation::NonBlockingLockExclusive) {
            attempts.next().ok_or(errno)?;
            thread::sleep(BETWEEN_ATTEMPTS);
        }
        let home = self.open_file(OsStr::new(HOME), OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY)?;
        (&home).write_all(spool.path().as_os_str().as_bytes())?;
        self.first = self.tapes()?.last().map_or(0, |(last, _)| last.saturating_add(1));
        self.next = AtomicU64::new(self.first);
        Ok(self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A new handle's tapes, blank.
    pub(super) fn new_tapes(&self) -> io::Result<[Tape; 2]> {
        Ok([self.new_tape()?, self.new_tape()?])
    }

    fn new_tape(&self) -> io::Result<Tape> {
        let name = format!("{:016x}.{TAPE_EXTENSION}", self.next.fetch_add(1, Ordering::Relaxed));
        self.open_file(OsStr::new(&name), OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).map(Tape::new)
    }

    /// Gives what earlier processes have left to `keep`, and deletes it when that has it on the disk.
    pub(super) fn recover(
        &self,
        keep: impl FnOnce(&[u8]) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        let read = || {
            let mut left = self.tapes()?;
            left.retain(|(number, _)| *number < self.first);
            let mut frames = Vec::new();
            for (_, name) in &left {
                let tape = self.read(name)?;
                // Only the last can be torn: its process was killed over it, and nobody was told of it.
                frames.extend_from_slice(tape.get(..frame::intact_len(&tape)).unwrap_or_default());
            }
            Ok((left, frames))
        };
        let (left, frames) =
            read().map_err(|source| SpoolError::io("read the tapes in", &self.path, source))?;
        if !frames.is_empty() {
            keep(&frames)?;
        }
        self.delete(left.iter().map(|(_, name)| name.as_os_str()));
        Ok(())
    }

    /// Deletes this process's tapes, when all on them is on the disk, and the folder if nothing else is in it.
    pub(super) fn close(&self) {
        let Ok(tapes) = self.tapes() else { return };
        let (own, left): (Vec<_>, Vec<_>) = tapes.into_iter().partition(|(number, _)| *number >= self.first);
        self.delete(own.iter().map(|(_, name)| name.as_os_str()));
        if left.is_empty() {
            self.delete([OsStr::new(HOME)]);
            if let Err(error) = rustix::fs::rmdir(&self.path) {
                tracing::warn!(path = %self.path.display(), %error, "the recorder's folder can't be deleted");
            }
        }
    }

    /// What can't be deleted is taken over by the next start, which changes nothing.
    fn delete<'a>(&self, names: impl IntoIterator<Item = &'a OsStr>) {
        for name in names {
            if let Err(error) = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
                tracing::warn!(path = %self.path.join(name).display(), %error, "a tape can't be deleted");
            }
        }
    }

    /// All tapes in the folder, by their numbers.
    fn tapes(&self) -> io::Result<Vec<(u64, OsString)>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.dir)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if let Some(number) = tape_number(Path::new(&name)) {
                found.push((number, name));
            }
        }
        found.sort();
        Ok(found)
    }

    fn read(&self, name: &OsStr) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_file(name, OFlags::RDONLY)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open_file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?))
    }
}

fn laid_by_another() -> io::Error {
    io::Error::other("somebody else has made, or may read, the folder there")
}

const HOME: &str = "home";
const TAPE_EXTENSION: &str = "tape";
const LOCK_ATTEMPTS: u32 = 100;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(10);

fn tape_number(name: &Path) -> Option<u64> {
    if name.extension()? != TAPE_EXTENSION {
        return None;
    }
    u64::from_str_radix(name.file_stem()?.to_str()?, 16).ok()
}
