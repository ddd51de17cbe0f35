use anyhow::{Context as _, bail, ensure};
use rustix::fs::{FlockOperation, Mode, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of one node, which no other process has open.
pub(crate) struct DataDir {
    path: PathBuf,
    /// The lock lives as long as the file is open.
    _lock: File,
}

impl DataDir {
    /// Opens the folder, which is made (0700) where it is not there.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        // Also for what libraries make: a database's log must be as private as the database.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        make_private_dir(path)?;
        let lock = lock(path)?;
        make_private_dir(&path.join(RUN))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a running server says how to reach it.
    pub(super) fn run(&self) -> PathBuf {
        self.path.join(RUN)
    }
}

const RUN: &str = "run";

fn make_private_dir(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("the folder {} can't be made", path.display()))?;
    let mode = path.metadata().with_context(|| format!("{} can't be read", path.display()))?.mode();
    ensure!(
        mode & 0o077 == 0,
        "the folder {} is open to other users (mode {:o}); run `chmod 700 {0}` and see who could read it",
        path.display(),
        mode & 0o777
    );
    Ok(())
}

fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join("lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.with_context(|| format!("{} can't be opened", path.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => bail!(
            "another topdog serves from {}; stop it, or name another folder with --data-dir",
            dir.display()
        ),
        Err(error) => Err(error).with_context(|| format!("{} can't be locked", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_folder_is_private_and_taken_once() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new/data");
        let first = DataDir::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        let second = DataDir::open(&path).err().unwrap();
        assert!(second.to_string().starts_with("another topdog serves from "));
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        let refused = DataDir::open(&path).err().unwrap().to_string();
        assert!(refused.contains("mode 750") && refused.contains("chmod 700"), "{refused}");
    }
}
