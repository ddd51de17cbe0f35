//! The vault as its callers hold it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use topdog_domain::OrgId;
use topdog_domain::ports::{InstallationSecrets, OrgKeys, SealedSecrets, WrappedOrgKey};

use crate::cache::Cache;
use crate::cipher::Cipher;
use crate::envelope::{OrgKey, unwrap_org_key};
use crate::error::VaultError;
use crate::flight::Flights;
use crate::references::References;
use crate::root::RootKeyring;

/// Seals, opens, rotates and destroys; cheap to clone and shared by every thread.
#[derive(Clone)]
pub struct Vault(pub(crate) Arc<Inner>);

/// What a vault is made of.
pub struct VaultParts {
    /// The root key.
    pub root: RootKeyring,
    /// Where organisations' wrapped keys are kept.
    pub org_keys: Arc<dyn OrgKeys>,
    /// Where sealed provider keys are kept.
    pub secrets: Arc<dyn SealedSecrets>,
    /// Where the installation's own wrapped secrets are kept.
    pub installation: Arc<dyn InstallationSecrets>,
    /// How keys that live elsewhere are fetched.
    pub references: References,
    /// How long an opened key is used before it is opened anew; 60 s is a good value.
    pub cache_ttl: Duration,
    /// How much longer it is kept in memory, to be used only where what it comes from can't be asked; an hour is a
    /// good value.
    pub stale_ttl: Duration,
}

pub(crate) struct Inner {
    root: RwLock<Arc<RootKeyring>>,
    pub(crate) cipher: Cipher,
    pub(crate) org_keys: Arc<dyn OrgKeys>,
    pub(crate) secrets: Arc<dyn SealedSecrets>,
    pub(crate) installation: Arc<dyn InstallationSecrets>,
    pub(crate) references: References,
    pub(crate) cache: Cache,
    pub(crate) flights: Flights,
    /// Access tokens, by the keys that they were given for.
    pub(crate) tokens: Cache,
    pub(crate) token_flights: Flights,
    /// How far the search for unfinished rotations has come.
    pub(crate) rotation_cursor: Mutex<Option<OrgId>>,
}

impl Vault {
    /// A vault that seals by AES-256-GCM-SIV.
    #[must_use]
    pub fn new(parts: VaultParts) -> Self {
        Self::with_cipher(parts, Cipher::default())
    }

    /// A vault that seals by this cipher; it opens what any of them sealed.
    #[must_use]
    pub fn with_cipher(parts: VaultParts, cipher: Cipher) -> Self {
        Self(Arc::new(Inner {
            root: RwLock::new(Arc::new(parts.root)),
            cipher,
            org_keys: parts.org_keys,
            secrets: parts.secrets,
            installation: parts.installation,
            references: parts.references,
            cache: Cache::new(parts.cache_ttl, parts.stale_ttl),
            flights: Flights::default(),
            tokens: Cache::new(Duration::ZERO, Duration::ZERO),
            token_flights: Flights::default(),
            rotation_cursor: Mutex::new(None),
        }))
    }

    /// Reads the root key file again, where there is one, for versions that were added.
    ///
    /// # Errors
    /// As [`RootKeyring::read`]; also [`VaultError::UnknownRoot`] where the file now lacks the newest version
    /// in use. The root key in use stays then.
    pub fn reload_root(&self) -> Result<(), VaultError> {
        let present = self.root();
        let path = present.path().ok_or(VaultError::RootNotInFile)?;
        let fresh = RootKeyring::read(path)?;
        fresh.find(present.id(), present.newest_version())?;
        *self.0.root.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    pub(crate) fn root(&self) -> Arc<RootKeyring> {
        Arc::clone(&self.0.root.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does it with the root key; where that lacks a version, once more with the file read again, since another
    /// node may have begun a rotation.
    pub(crate) fn with_root<T>(
        &self,
        action: impl Fn(&RootKeyring) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        match action(&self.root()) {
            Err(unknown @ VaultError::UnknownRoot { .. }) => {
                if self.reload_root().is_err() {
                    return Err(unknown);
                }
                action(&self.root())
            }
            other => other,
        }
    }

    pub(crate) fn unwrap(&self, org: OrgId, row: &WrappedOrgKey) -> Result<OrgKey, VaultError> {
        self.with_root(|root| unwrap_org_key(root, org, row))
    }

    /// The newest version of an organisation's key: always asked of the store, so that nothing is sealed by a
    /// version that another node has replaced.
    pub(crate) async fn newest_org_key(&self, org: OrgId) -> Result<OrgKey, VaultError> {
        let rows = self.0.org_keys.org_key_list(org).await?;
        let newest = rows.iter().max_by_key(|row| row.version).ok_or(VaultError::NoOrgKey)?;
        self.unwrap(org, newest)
    }

    /// A version of an organisation's key.
    pub(crate) async fn org_key(&self, org: OrgId, version: u32) -> Result<OrgKey, VaultError> {
        let rows = self.0.org_keys.org_key_list(org).await?;
        if rows.is_empty() {
            return Err(VaultError::NoOrgKey);
        }
        let row = rows.iter().find(|row| row.version == version);
        self.unwrap(org, row.ok_or(VaultError::UnknownVersion(version))?)
    }
}
