use super::failure::Failure;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file of one's own, mode 0600, that waits for a secret. It is opened before the key is made, so that no
/// key is made whose secret can't be kept.
#[derive(Debug)]
pub(crate) struct SecretFile {
    path: PathBuf,
    file: File,
    is_ours: bool,
    is_filled: bool,
}

impl SecretFile {
    /// Makes the file, or takes an empty one that is there.
    ///
    /// # Errors
    /// Where it holds something already, or can't be made.
    pub(crate) fn reserve(path: &Path) -> Result<Self, Failure> {
        match OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file, is_ours: true, is_filled: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::take_empty(path),
            Err(error) => Err(cannot(path, "can't be made", &error)),
        }
    }

    fn take_empty(path: &Path) -> Result<Self, Failure> {
        // Not followed: who may write the folder could else have the secret written to a file of his choice.
        let found = std::fs::symlink_metadata(path).map_err(|error| cannot(path, "can't be read", &error))?;
        if !found.is_file() || found.len() > 0 {
            return Err(Failure::usage(format!(
                "{} is there already and is not overwritten; move it away or name another file",
                path.display()
            )));
        }
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(|error| cannot(path, "can't be written to", &error))?;
        file.set_permissions(PermissionsExt::from_mode(OWNER_ONLY))
            .map_err(|error| cannot(path, "can't be made private", &error))?;
        Ok(Self { path: path.to_owned(), file, is_ours: false, is_filled: false })
    }

    /// Writes the secret and waits for the disk.
    pub(crate) fn fill(mut self, secret: &str) -> Result<(), Failure> {
        let written = writeln!(self.file, "{secret}").and_then(|()| self.file.sync_all());
        self.is_filled = true;
        written.map_err(|error| {
            let lost = "could not be written, so the new key's secret is lost (rotate the key)";
            cannot(&self.path, lost, &error)
        })
    }
}

/// An empty file that nothing was written to is not left lying about.
impl Drop for SecretFile {
    fn drop(&mut self) {
        if self.is_ours && !self.is_filled {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn cannot(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} {what}: {error}", path.display()))
}

const OWNER_ONLY: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    #[test]
    fn the_secret_is_its_owners_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ci.key");
        SecretFile::reserve(&path).expect("reserved").fill("td_live_x").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "td_live_x\n");
        assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ci.key");
        std::fs::write(&path, "mine").expect("written");
        assert_eq!(SecretFile::reserve(&path).map(drop).map_err(|f| f.exit()), Err(Exit::Usage));
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "mine");
    }

    #[test]
    fn an_empty_file_is_taken_and_made_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ci.key");
        std::fs::write(&path, "").expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("mode");
        SecretFile::reserve(&path).expect("reserved").fill("s").expect("written");
        assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::fs::write(&target, "").expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        assert!(SecretFile::reserve(&link).is_err());
    }

    #[test]
    fn a_reservation_that_came_to_nothing_leaves_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ci.key");
        drop(SecretFile::reserve(&path).expect("reserved"));
        assert!(!path.exists());
    }
}
