//! Keys that live elsewhere: how they are named, and how they are fetched when they are needed.
//!
//! All three kinds are read with the operator's own authority (environment, files, one token for the operator's
//! KV server), so only the operator may make one, whichever organisation it is for: a customer who could would
//! read everybody's.

mod file;
mod kv;

use std::collections::HashMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use topdog_egress::EgressError;

use crate::google::TokenServer;
use crate::secret::SecretText;

pub use kv::KvServer;

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
    tokens: Option<TokenServer>,
    private: Vec<PathBuf>,
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

    /// With that server for access tokens.
    #[must_use]
    pub fn with_token_server(mut self, server: TokenServer) -> Self {
        self.tokens = Some(server);
        self
    }

    pub(crate) fn token_server(&self) -> Result<&TokenServer, ReferenceError> {
        self.tokens.as_ref().ok_or(ReferenceError::NoTokenServer)
    }

    /// Without these folders and files, which hold Top Dog's own secrets: none of them is ever fetched, by
    /// whatever path, and sent to a provider as a key.
    #[must_use]
    pub fn without(mut self, places: impl IntoIterator<Item = PathBuf>) -> Self {
        self.private.extend(places);
        self
    }

    /// Fetches what the reference names, without spaces and line ends around it.
    ///
    /// # Errors
    /// Where it is not there, or can't be asked for.
    pub async fn fetch(&self, reference: &Reference) -> Result<SecretText, ReferenceError> {
        match reference {
            Reference::Env { name } => {
                let value = self.env.get(name).ok_or_else(|| ReferenceError::NoVariable(name.clone()))?;
                Ok(trimmed(value.expose()))
            }
            Reference::File { path } => file::fetch(path, &self.private).await,
            Reference::Kv { mount, path, field } => {
                let server = self.kv.as_ref().ok_or(ReferenceError::NoKvServer)?;
                let value = Box::pin(server.fetch(mount, path, field)).await?;
                Ok(trimmed(value.expose()))
            }
        }
    }
}

/// Why a referenced key could not be fetched. Says nothing of what was found instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The text is no reference.
    #[error(transparent)]
    Bad(#[from] BadReference),
    /// The server's environment had no such variable when it started.
    #[error(
        "the server's own environment has no variable {0}; set it where `topdog serve` runs and start that again"
    )]
    NoVariable(String),
    /// The server's machine has no such file.
    #[error("the server's machine has no file {}; put it there", .0.display())]
    NoFile(PathBuf),
    /// The file is there and can't be read, or is no small text file.
    #[error("the server can't read {}; check that it is a small text file, and who may read it", .0.display())]
    Unreadable(PathBuf),
    /// The file holds, or may hold, a secret of Top Dog's own.
    #[error("{} is Top Dog's own, and what is there is never sent anywhere; keep the key elsewhere", .0.display())]
    Private(PathBuf),
    /// The KV server has no such secret, or no such field in it.
    #[error("the vault server has no such secret or field; put it there, or correct the reference")]
    NoField,
    /// No KV server is configured.
    #[error("no vault server is configured; set vault.hashicorp.address and its token")]
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
    /// No server for access tokens is configured.
    #[error("no server for access tokens is configured; set vault.google_token_url")]
    NoTokenServer,
    /// It gives no token for that account.
    #[error("the token server refused the service account; check that its key is live")]
    TokenRefused,
    /// It failed, or answered something that is no token.
    #[error("the token server did not answer with a token; try again, or check vault.google_token_url")]
    TokenUnusable,
    /// It could not be reached.
    #[error("the token server could not be asked: {0}")]
    TokenUnreachable(#[source] EgressError),
}

impl ReferenceError {
    /// May the same fetch succeed a little later?
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unusable | Self::Unreachable(_) | Self::TokenUnusable | Self::TokenUnreachable(_)
        )
    }
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
