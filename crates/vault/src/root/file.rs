//! The root key's file: nobody's but its owner's, written durably, replaced as one step.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{RootFileFault, VaultError};

/// Larger than any keyring; what is larger is some other file.
const MAX_BYTES: u64 = 256 * 1024;

/// The text of the file, where only its owner has any right to it.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let file = open(path)?;
    read_open(path, &file)
}

/// Writes a new file, mode 0600, whole or not at all; one that is there stays as it is. `nonce` is nobody else's.
pub(super) fn create(path: &Path, text: &str, nonce: u64) -> Result<(), VaultError> {
    let beside = beside(path, &format!(".{nonce:016x}"));
    let make = || -> io::Result<()> {
        write_new(&beside, text)?;
        // Unlike a rename, a link never replaces what is there.
        let linked = fs::hard_link(&beside, path);
        fs::remove_file(&beside)?;
        linked?;
        sync_folder_of(path)
    };
    make().map_err(|error| io_fault(path, &error))
}

/// Replaces the file by what `change` makes of its text; of two at once, one waits for the other.
pub(super) fn replace<T>(
    path: &Path,
    change: impl FnOnce(&str) -> Result<(Zeroizing<String>, T), VaultError>,
) -> Result<T, VaultError> {
    // Where the path is a link, as in mounted secrets, the link must stay one.
    let real = fs::canonicalize(path).map_err(|error| missing_or(path, &error))?;
    let locked = lock(&real)?;
    let (text, made) = change(&read_open(path, &locked)?)?;
    let beside = beside(&real, "");
    let swap = || -> io::Result<()> {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            // One that a kill left behind: nobody but the holder of the lock writes it.
            _ => write_new(&beside, &text)?,
        }
        fs::rename(&beside, &real)?;
        sync_folder_of(&real)
    };
    swap().map_err(|error| io_fault(path, &error))?;
    Ok(made)
}

pub(super) fn fault(path: &Path, fault: RootFileFault) -> VaultError {
    VaultError::RootFile { path: path.to_owned(), fault }
}

fn open(path: &Path) -> Result<File, VaultError> {
    File::open(path).map_err(|error| missing_or(path, &error))
}

fn read_open(path: &Path, file: &File) -> Result<Zeroizing<String>, VaultError> {
    let about = file.metadata().map_err(|error| io_fault(path, &error))?;
    if !about.is_file() {
        return Err(fault(path, RootFileFault::Io(ErrorKind::InvalidInput)));
    }
    let mode = about.mode() & 0o7777;
    if is_open_to_others(mode, about.uid(), rustix::process::geteuid().as_raw()) {
        return Err(fault(path, RootFileFault::OpenToOthers(mode)));
    }
    if about.len() > MAX_BYTES {
        return Err(fault(path, RootFileFault::Io(ErrorKind::FileTooLarge)));
    }
    // Room for all of it at once: a growing buffer would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize + 1));
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| io_fault(path, &error))?;
    Ok(text)
}

/// Has anyone a right to it but its owner, and root? What root hands to a service that is not root is the service's to
/// read by group only: systemd's credentials and Kubernetes' secrets are root's, mode 0440.
const fn is_open_to_others(mode: u32, owner: u32, reader: u32) -> bool {
    const ROOT: u32 = 0;
    let is_handed_over = owner == ROOT && reader != ROOT;
    let forbidden = if is_handed_over { 0o037 } else { 0o077 };
    mode & forbidden != 0
}

/// The file as it is now, locked: a waiter may find that what it waited for has been replaced.
fn lock(path: &Path) -> Result<File, VaultError> {
    loop {
        let file = open(path)?;
        let is_current = || -> io::Result<bool> {
            file.lock()?;
            let (held, there) = (file.metadata()?, fs::metadata(path)?);
            Ok((held.dev(), held.ino()) == (there.dev(), there.ino()))
        };
        if is_current().map_err(|error| io_fault(path, &error))? {
            return Ok(file);
        }
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn beside(path: &Path, mark: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(mark);
    name.push(".new");
    path.with_file_name(name)
}

fn missing_or(path: &Path, error: &io::Error) -> VaultError {
    match error.kind() {
        ErrorKind::NotFound => VaultError::NoRootKey,
        _ => io_fault(path, error),
    }
}

fn io_fault(path: &Path, error: &io::Error) -> VaultError {
    fault(
        path,
        match error.kind() {
            ErrorKind::AlreadyExists => RootFileFault::Exists,
            kind => RootFileFault::Io(kind),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_root_hands_over_may_be_read_by_group() {
        let (root, service, other) = (0, 65_532, 1_000);
        for (owner, reader) in [(root, root), (service, service), (other, service), (service, root)] {
            assert!(is_open_to_others(0o440, owner, reader), "{owner} {reader}");
            assert!(!is_open_to_others(0o400, owner, reader), "{owner} {reader}");
        }
        for mode in [0o440, 0o640, 0o400] {
            assert!(!is_open_to_others(mode, root, service), "{mode:o}");
        }
        for mode in [0o460, 0o450, 0o444, 0o442, 0o441, 0o604] {
            assert!(is_open_to_others(mode, root, service), "{mode:o}");
        }
    }
}
