//! Why the vault refuses.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use topdog_domain::ports::PortError;

use crate::references::ReferenceError;
use crate::secret::BadSecret;

/// Why something could not be sealed, opened or rotated. None of these holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// There is no root key, and without one nothing is kept.
    #[error("no root key; give a root key file or generate one, and keep a copy outside this machine")]
    NoRootKey,
    /// The root key file can't be used.
    #[error("root key file {}: {fault}", path.display())]
    RootFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: RootFileFault,
    },
    /// The root key was given as a value, so it can't be rotated from here.
    #[error("the root key is not in a file; add a version where it is kept, then restart")]
    RootNotInFile,
    /// What is stored was sealed under another root key, or under a version that this node does not have.
    #[error("sealed under root key {id} v{version}, which this node does not have; bring that version back")]
    UnknownRoot {
        /// Which root key.
        id: String,
        /// Which version of it.
        version: u32,
    },
    /// Authentication failed: what is stored was changed or moved. Never answered by a wrong key.
    #[error(
        "stored {what} was changed or moved; restore it from a backup, or replace the key and look who could write there"
    )]
    Tampered {
        /// Which layer or field.
        what: &'static str,
    },
    /// What is stored names a version of the organisation's key that is not there.
    #[error("sealed under version {0} of the organisation's key, which is not there; replace the secret")]
    UnknownVersion(u32),
    /// What is stored names a cipher that this build does not have.
    #[error("sealed by a cipher that this build does not have; use the build that sealed it")]
    UnknownCipher,
    /// The organisation has no key: it was never made, or it was destroyed and what it sealed with it.
    #[error("the organisation has no key; it was destroyed, or never made")]
    NoOrgKey,
    /// That version of the secret is not stored.
    #[error("no such version of the secret is stored; read the key again")]
    NoSecret,
    /// What was given can't be a provider key.
    #[error(transparent)]
    BadSecret(#[from] BadSecret),
    /// The key lives elsewhere, and could not be fetched from there.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The store could not be asked.
    #[error("vault store: {0}")]
    Store(#[source] Arc<PortError>),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes; try again")]
    NoRandomness,
    /// The cryptographic library refused a key or an input of ours.
    #[error("the cryptographic library refused to work; check that this build fits this machine")]
    CipherFailed,
}

impl VaultError {
    /// Is this a sign that somebody changed what is stored? It belongs into the audit log then.
    #[must_use]
    pub const fn is_tampering(&self) -> bool {
        matches!(self, Self::Tampered { .. } | Self::UnknownCipher | Self::UnknownVersion(_))
    }

    /// Could what holds the secret not be asked at all? It has not said no, then.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Store(error) => matches!(**error, PortError::Unavailable(_)),
            Self::Reference(error) => error.is_transient(),
            _ => false,
        }
    }

    /// May the same call succeed a little later?
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Store(_) | Self::NoRandomness => true,
            Self::Reference(error) => error.is_transient(),
            _ => false,
        }
    }
}

impl From<PortError> for VaultError {
    fn from(error: PortError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// What is wrong with a root key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootFileFault {
    /// It can't be read or written.
    Io(std::io::ErrorKind),
    /// More than its owner may read or write it; these are its permission bits.
    OpenToOthers(u32),
    /// A line of it can't be understood; lines count from 1.
    Malformed(usize),
    /// It is there already, and is never overwritten.
    Exists,
}

impl fmt::Display for RootFileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "{kind}; check the path and its permissions"),
            Self::OpenToOthers(mode) => write!(f, "mode {mode:04o} lets others in; run chmod 600 on it"),
            Self::Malformed(line) => write!(
                f,
                "line {line} is not `id NAME` or `vN BASE64` with 32 bytes and versions rising; restore it"
            ),
            Self::Exists => f.write_str("is there already; it is never overwritten, move it away first"),
        }
    }
}
