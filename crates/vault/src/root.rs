//! The root key: outside the database, in versions, the newest for wrapping and the older ones for opening.
//!
//! Its text form, in a file (mode 0600) or a value, is
//! ```text
//! # comments and empty lines are passed over
//! id root-4be1c09d
//! v1 base64 of 32 bytes
//! v2 base64 of 32 bytes
//! ```
//! or, for development, the base64 of 32 bytes alone. The id tells one installation's root key from another's,
//! so that a mistaken file is named as such and not taken for tampering.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::aad::RootName;
use crate::cipher::Key;
use crate::error::{RootFileFault, VaultError};

/// The name of a root key whose text gives none.
const DEFAULT_ID: &str = "root";

/// A root key with all its versions.
///
/// It can't be shown:
/// ```compile_fail
/// fn show(root: topdog_vault::RootKeyring) { println!("{root:?}"); }
/// ```
pub struct RootKeyring {
    id: String,
    older: BTreeMap<u32, Key>,
    newest: (u32, Key),
    path: Option<PathBuf>,
}

impl RootKeyring {
    /// Reads a root key file.
    ///
    /// # Errors
    /// [`VaultError::NoRootKey`] where the file is not there or holds none; [`VaultError::RootFile`] where it is
    /// malformed, or others than its owner have any right to it (where it is root's and this is another user: more than
    /// to read it by group).
    pub fn read(path: &Path) -> Result<Self, VaultError> {
        let text = file::read(path)?;
        let mut root = Self::parse_lines(&text).map_err(|fault| fault.at(path))?;
        root.path = Some(path.to_owned());
        Ok(root)
    }

    /// Reads a root key from a value, such as that of an environment variable in development.
    ///
    /// # Errors
    /// [`VaultError::NoRootKey`] where it is empty; [`VaultError::RootFile`] where it is malformed.
    pub fn from_text(text: &str) -> Result<Self, VaultError> {
        let text = text.trim();
        if let Some(key) = decode(text) {
            return Ok(Self::of(DEFAULT_ID.to_owned(), key));
        }
        Self::parse_lines(text).map_err(|fault| fault.at(Path::new("(given as a value)")))
    }

    /// Makes a root key and keeps it in a new file, mode 0600, durably.
    ///
    /// # Errors
    /// [`VaultError::RootFile`] where the file is there already or can't be written.
    pub fn generate(path: &Path) -> Result<Self, VaultError> {
        let mut nonce = [0_u8; 8];
        rand::fill(&mut nonce).map_err(|_| VaultError::NoRandomness)?;
        let nonce = u64::from_be_bytes(nonce);
        let mut root = Self::of(format!("root-{:08x}", nonce >> 32), Key::generate()?);
        file::create(path, &root.to_text(), nonce)?;
        root.path = Some(path.to_owned());
        Ok(root)
    }

    /// Adds a version to the file, durably and as one step, and gives its number. Nothing uses it until it is
    /// read again: bring the file to every node first.
    ///
    /// # Errors
    /// [`VaultError::RootFile`] or [`VaultError::NoRootKey`].
    pub fn add_version(path: &Path) -> Result<u32, VaultError> {
        file::replace(path, |text| {
            let mut root = Self::parse_lines(text).map_err(|fault| fault.at(path))?;
            let full = ParseFault::Malformed(text.lines().count());
            let version = root.newest.0.checked_add(1).ok_or_else(|| full.at(path))?;
            root.push(version, Key::generate()?);
            Ok((root.to_text(), version))
        })
    }

    /// Which root key this is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The version that new things are wrapped by.
    #[must_use]
    pub const fn newest_version(&self) -> u32 {
        self.newest.0
    }

    /// The file that it was read from, if it was.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn newest(&self) -> (RootName<'_>, &Key) {
        let (version, key) = &self.newest;
        let name = RootName { id: &self.id, version: *version };
        (name, key)
    }

    /// The key of a stored root id and version.
    pub(crate) fn find(&self, id: &str, version: u32) -> Result<&Key, VaultError> {
        let key = match version {
            _ if id != self.id => None,
            newest if newest == self.newest.0 => Some(&self.newest.1),
            older => self.older.get(&older),
        };
        key.ok_or_else(|| VaultError::UnknownRoot { id: id.to_owned(), version })
    }

    fn of(id: String, key: Key) -> Self {
        Self { id, older: BTreeMap::new(), newest: (1, key), path: None }
    }

    fn push(&mut self, version: u32, key: Key) {
        let (old_version, old_key) = std::mem::replace(&mut self.newest, (version, key));
        self.older.insert(old_version, old_key);
    }

    fn parse_lines(text: &str) -> Result<Self, ParseFault> {
        let mut id = None;
        let mut root: Option<Self> = None;
        for (index, line) in text.lines().enumerate() {
            let malformed = ParseFault::Malformed(index + 1);
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(' ').ok_or(malformed)?;
            if word == "id" {
                let is_good = is_id(rest) && id.is_none() && root.is_none();
                id = Some(is_good.then(|| rest.to_owned()).ok_or(malformed)?);
                continue;
            }
            let version = parse_version(word).ok_or(malformed)?;
            let key = decode(rest.trim()).ok_or(malformed)?;
            match &mut root {
                None => {
                    let id = id.clone().unwrap_or_else(|| DEFAULT_ID.to_owned());
                    let mut first = Self::of(id, key);
                    first.newest.0 = version;
                    root = Some(first);
                }
                Some(root) if version > root.newest.0 => root.push(version, key),
                Some(_) => return Err(malformed),
            }
        }
        root.ok_or(ParseFault::Empty)
    }

    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        text.push_str("# Top Dog root key. Whoever has this and the database has every secret in it;\n");
        text.push_str("# whoever loses it has none. Keep a copy in a secret store.\n");
        text.push_str("id ");
        text.push_str(&self.id);
        text.push('\n');
        let newest = (&self.newest.0, &self.newest.1);
        for (version, key) in self.older.iter().chain([newest]) {
            let encoded = Zeroizing::new(STANDARD.encode(key.expose()));
            text.push('v');
            text.push_str(&version.to_string());
            text.push(' ');
            text.push_str(&encoded);
            text.push('\n');
        }
        text
    }
}

#[derive(Clone, Copy)]
enum ParseFault {
    Empty,
    Malformed(usize),
}

impl ParseFault {
    fn at(self, path: &Path) -> VaultError {
        match self {
            Self::Empty => VaultError::NoRootKey,
            Self::Malformed(line) => file::fault(path, RootFileFault::Malformed(line)),
        }
    }
}

fn is_id(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

fn parse_version(word: &str) -> Option<u32> {
    let digits = word.strip_prefix('v')?;
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    is_plain.then(|| digits.parse().ok()).flatten()
}

fn decode(text: &str) -> Option<Key> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    Key::from_slice(&bytes)
}

#[cfg(test)]
mod tests;
