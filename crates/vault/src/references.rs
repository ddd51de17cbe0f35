//! Keys that live elsewhere: how they are named, and how they are fetched when they are needed.
//!
//! All three kinds are read with the operator's own authority (environment, files, one token for the operator's
//! KV server), so only the operator may make one, whichever organisation it is for: a customer who could would
//! read everybody's.

mod kv;

use std::collections::HashMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use topdog_egress::EgressError;
use zeroize::Zeroizing;

use crate::secret::{SecretBytes, SecretText};

pub use kv::KvServer;

/// The most bytes that a referenced file may have.
const MAX_FILE_BYTES: u64 = 16 * 1024;
/// How long a file may take: it may lie on a network.
const FILE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a key lives: `env:NAME`, `file:/PATH` or `vault:MOUNT/PATH#FIELD`.
///
/// ```
/// use topdog_vault::Reference;
/// let reference: Reference = "vault:secret/acme/openai#key".parse()?;
/// assert_eq!(reference.to_string(), "vault:secret/acme/openai#key");
/// assert!("file:/etc/../root/key".parse::<Reference>().is_err());
/// # Ok::<(), topdog_vault::BadReference>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A variable of the server's environment.
    Env {
        /// Its name: letters, digits and `_`, not beginning with a digit.
        name: String,
    },
    /// A file of the server's machine, read at each use.
    File {
        /// Where, from the root.
        path: PathBuf,
    },
    /// A field of a secret in a KV version 2 engine of HashiCorp Vault or OpenBao.
    Kv {
        /// The engine's mount.
        mount: String,
        /// The secret's path in it.
        path: String,
        /// Which field of it.
        field: String,
    },
}

/// The text names no place that a key can live in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference is env:NAME, file:/PATH or vault:MOUNT/PATH#FIELD, without `..` and control characters")]
pub struct BadReference;

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        if text.len() > 1024 || text.chars().any(char::is_control) {
            return Err(BadReference);
        }
        match text.split_once(':').ok_or(BadReference)? {
            ("env", name) if is_variable(name) => Ok(Self::Env { name: name.to_owned() }),
            ("file", path) if is_plain_absolute(path) => Ok(Self::File { path: path.into() }),
            ("vault", place) => parse_kv(place).ok_or(BadReference),
            _ => Err(BadReference),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { name } => write!(f, "env:{name}"),
            Self::File { path } => write!(f, "file:{}", path.display()),
            Self::Kv { mount, path, field } => write!(f, "vault:{mount}/{path}#{field}"),
        }
    }
}

/// Fetches keys by their references.
#[derive(Default)]
pub struct References {
    env: HashMap<String, SecretText>,
    kv: Option<KvServer>,
}

impl References {
    /// Nothing can be fetched but files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With these variables for `env:`; the binary has read them.
    #[must_use]
    pub fn with_env(mut self, variables: impl IntoIterator<Item = (String, SecretText)>) -> Self {
        self.env.extend(variables);
        self
    }

    /// With that server for `vault:`.
    #[must_use]
    pub fn with_kv(mut self, server: KvServer) -> Self {
        self.kv = Some(server);
        self
    }

    /// Fetches what the reference names, without spaces and line ends around it.
    ///
    /// # Errors
    /// Where it is not there, or can't be asked for.
    pub async fn fetch(&self, reference: &Reference) -> Result<SecretText, ReferenceError> {
        match reference {
            Reference::Env { name } => {
                let value = self.env.get(name).ok_or(ReferenceError::NotFound)?;
                Ok(trimmed(value.expose()))
            }
            Reference::File { path } => tokio::time::timeout(FILE_TIMEOUT, read_file(path))
                .await
                .map_err(|_| ReferenceError::Unreadable)?,
            Reference::Kv { mount, path, field } => {
                let server = self.kv.as_ref().ok_or(ReferenceError::NoKvServer)?;
                let value = Box::pin(server.fetch(mount, path, field)).await?;
                Ok(trimmed(value.expose()))
            }
        }
    }
}

/// Why a referenced key could not be fetched. Says nothing of what was found instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The text is no reference.
    #[error(transparent)]
    Bad(#[from] BadReference),
    /// Nothing is there.
    #[error("the reference names nothing that is there; set the variable, file or field that it names")]
    NotFound,
    /// The file is there and can't be read, or is no small text file.
    #[error("the referenced file can't be read; check that it is a small text file and who may read it")]
    Unreadable,
    /// No KV server is configured.
    #[error("no vault server is configured; set its address and token")]
    NoKvServer,
    /// The KV server's answer is no; its token may lack the right.
    #[error("the vault server refused; check that its token may read that path")]
    Denied,
    /// The KV server failed, or answered something that is no KV version 2 answer.
    #[error("the vault server did not answer as a kv version 2 engine does; check its address and the mount")]
    Unusable,
    /// The KV server could not be reached.
    #[error("the vault server could not be asked: {0}")]
    Unreachable(#[source] EgressError),
}

impl ReferenceError {
    /// May the same fetch succeed a little later?
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unusable | Self::Unreachable(_))
    }
}

async fn read_file(path: &Path) -> Result<SecretText, ReferenceError> {
    let error_of = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => ReferenceError::NotFound,
        _ => ReferenceError::Unreadable,
    };
    // Asked before opening: opening a pipe would wait for its writer.
    let about = tokio::fs::metadata(path).await.map_err(error_of)?;
    if !about.is_file() || about.len() > MAX_FILE_BYTES {
        return Err(ReferenceError::Unreadable);
    }
    let file = tokio::fs::File::open(path).await.map_err(error_of)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES as usize + 1));
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).await.map_err(error_of)?;
    let text = SecretBytes::new(std::mem::take(&mut *bytes)).into_text();
    Ok(trimmed(text.ok_or(ReferenceError::Unreadable)?.expose()))
}

fn trimmed(text: &str) -> SecretText {
    SecretText::new(text.trim().to_owned())
}

fn is_variable(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&name.len())
        && name.bytes().all(good)
        && !name.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

fn is_plain_absolute(text: &str) -> bool {
    let path = Path::new(text);
    // Written as it is read: `//`, `/./` and a final slash are other spellings of another text.
    let is_canonical = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    let has_climb = path.components().any(|part| part == Component::ParentDir);
    path.is_absolute() && path.file_name().is_some() && is_canonical && !has_climb
}

fn parse_kv(place: &str) -> Option<Reference> {
    let (at, field) = place.split_once('#')?;
    let (mount, path) = at.split_once('/')?;
    let is_good = is_segment(mount) && is_segment(field) && path.split('/').all(is_segment);
    is_good.then(|| Reference::Kv { mount: mount.to_owned(), path: path.to_owned(), field: field.to_owned() })
}

/// Only characters that mean themselves in a URL's path, so that nothing can be smuggled through an encoding.
fn is_segment(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(good) && text != "." && text != ".."
}

#[cfg(test)]
mod tests;
