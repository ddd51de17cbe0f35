//! A file of the server's machine, read at each use.

use std::fs::{File, OpenOptions, metadata, read_link};
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::{ReferenceError, trimmed};
use crate::secret::{SecretBytes, SecretText};

/// The most bytes that a referenced file may have.
const MAX_BYTES: u64 = 16 * 1024;
/// How long a file may take: it may lie on a network.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The file's text, where it lies in none of those places.
pub(super) async fn fetch(path: &Path, private: &[PathBuf]) -> Result<SecretText, ReferenceError> {
    let unreadable = || ReferenceError::Unreadable(path.to_owned());
    let (owned, places) = (path.to_owned(), private.to_vec());
    let reading = tokio::task::spawn_blocking(move || read(&owned, &places));
    let joined = tokio::time::timeout(TIMEOUT, reading).await.map_err(|_| unreadable())?;
    joined.map_err(|_| unreadable())?
}

fn read(path: &Path, private: &[PathBuf]) -> Result<SecretText, ReferenceError> {
    let unreadable = || ReferenceError::Unreadable(path.to_owned());
    let refused = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => ReferenceError::NoFile(path.to_owned()),
        _ => unreadable(),
    };
    // Asked before opening, which for a device may do something.
    if !metadata(path).map_err(refused)?.is_file() {
        return Err(unreadable());
    }
    let file = open(path).map_err(refused)?;
    let about = file.metadata().map_err(refused)?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(unreadable());
    }
    if is_in(&file, private).map_err(|_| unreadable())? {
        return Err(ReferenceError::Private(path.to_owned()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(refused)?;
    let text = SecretBytes::new(std::mem::take(&mut *bytes)).into_text();
    Ok(trimmed(text.ok_or_else(unreadable)?.expose()))
}

/// Without waiting for a pipe's writer.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Is the open file one of the places, or in one? Asked of the file that is open, not of its name, so that neither
/// a link nor another mount nor a swap in between leads past it.
fn is_in(file: &File, places: &[PathBuf]) -> std::io::Result<bool> {
    let real = read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    for place in places {
        let Some(place) = identity(place)? else { continue };
        for part in real.ancestors() {
            if identity(part)? == Some(place) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What a path leads to, by device and inode; none where nothing is there.
fn identity(path: &Path) -> std::io::Result<Option<(u64, u64)>> {
    match metadata(path) {
        Ok(about) => Ok(Some((about.dev(), about.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
