use anyhow::{Context as _, ensure};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes a file that only its owner can read, durably. It must not be there yet.
pub(super) fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}

/// Puts a private file in the place of the one that is there, as one step.
pub(super) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    if new.exists() {
        std::fs::remove_file(&new).with_context(|| format!("{} can't be removed", new.display()))?;
    }
    create(&new, text)?;
    std::fs::rename(&new, path).with_context(|| format!("{} can't be written", path.display()))
}

/// The content of a private file, without white space at its ends; none where it is not there.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let cant_read = || format!("{} can't be read", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cant_read),
    };
    let mode = path.metadata().with_context(cant_read)?.mode();
    ensure!(
        mode & 0o077 == 0,
        "{} is open to other users (mode {:o}); delete it, so that a new one is made at the next start",
        path.display(),
        mode & 0o777
    );
    Ok(Some(text.trim().to_owned()))
}
