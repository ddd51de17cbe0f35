//! How a secret is sealed, opened, rotated and destroyed; plaintext lives only inside its types.
//!
//! Four layers, each an authenticated cipher whose associated data says exactly what is inside and where it
//! belongs, so that nothing stored can be moved, renamed or sent elsewhere:
//!
//! 1. the **root key** ([`RootKeyring`]), outside the database, in versions, wraps
//! 2. an **organisation's key**, in versions, which wraps
//! 3. a **data key**, fresh for each version of each secret, which seals
//! 4. the **secret**: a customer's provider key, or the reference to one.
//!
//! [`Vault`] is all of it behind five verbs: *seal*, *open* ([`Vault::cached`] first, on the hot path), *forget*,
//! *rotate* and *re-wrap*. A provider key that stays in the customer's own store is a [`Reference`], fetched
//! when it is needed. [`KeyHasher`] makes and checks Top Dog API keys with a pepper that the root key wraps.
//!
//! What is deliberately not done here: no audit entry is written (the caller knows who asks and why, and gets
//! an [`Opening`] to record), no environment is read, and nothing falls back to plaintext.

mod aad;
mod api_keys;
mod aws;
mod blob;
mod cache;
mod cipher;
mod envelope;
mod error;
mod flight;
mod google;
mod harden;
mod installation;
mod open;
mod references;
mod root;
mod rotate;
mod seal;
mod secret;
mod shown;
mod token;
mod vault;

pub use api_keys::{IssuedToken, KeyHasher};
pub use aws::{AwsKey, SignedHeader, Signing};
pub use cache::OpenedKey;
pub use cipher::Cipher;
pub use error::{RootFileFault, VaultError};
pub use google::TokenServer;
pub use harden::{HardenError, harden_process};
pub use open::Opening;
pub use references::{BadReference, KvServer, Reference, ReferenceError, References};
pub use root::RootKeyring;
pub use rotate::{RewrapFailure, RewrapProgress};
pub use seal::Slot;
pub use secret::{BadSecret, SecretBytes, SecretText};
pub use shown::Shown;
pub use vault::{Vault, VaultParts};

#[cfg(test)]
mod tests;
