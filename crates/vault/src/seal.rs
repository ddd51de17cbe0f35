//! Sealing: an organisation's first key, and each version of each of its provider keys.

use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{PortError, SealedSecret};
use topdog_domain::provider::ProviderName;
use topdog_domain::tenant::ProviderKey;
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};

use crate::aad::Content;
use crate::cipher::Key;
use crate::envelope::{OrgKey, seal_secret, wrap_org_key};
use crate::error::VaultError;
use crate::references::Reference;
use crate::secret::SecretText;
use crate::vault::Vault;

/// The one place that a sealed secret belongs to; it opens in no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Whose.
    pub org: OrgId,
    /// Which provider key.
    pub provider_key: ProviderKeyId,
    /// Which version of it.
    pub version: u32,
    /// For which provider.
    pub provider: ProviderName,
    /// The only origin that it may be sent to.
    pub origin: String,
}

impl Slot {
    pub(crate) fn of_row(row: &SealedSecret) -> Self {
        Self {
            org: row.org,
            provider_key: row.provider_key,
            version: row.version,
            provider: row.provider.clone(),
            origin: row.origin.clone(),
        }
    }
}

/// The slot of the key's newest version.
impl From<&ProviderKey> for Slot {
    fn from(key: &ProviderKey) -> Self {
        Self {
            org: key.org,
            provider_key: key.id,
            version: key.version,
            provider: key.provider.clone(),
            origin: key.origin.clone(),
        }
    }
}

impl Vault {
    /// Makes an organisation's first key, where it has none; only for a new organisation: one that was destroyed
    /// must not get another.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn create_org_key(&self, org: OrgId, now: Timestamp) -> Result<(), VaultError> {
        if !self.0.org_keys.org_key_list(org).await?.is_empty() {
            return Ok(());
        }
        self.add_org_key(org, 1, now, None).await.map(|_was_added| ())
    }

    /// Seals a provider key for its slot; the caller stores it.
    ///
    /// # Errors
    /// [`VaultError::BadSecret`] where it could not be a header's value; [`VaultError::NoOrgKey`].
    pub async fn seal(
        &self,
        slot: &Slot,
        plaintext: &SecretText,
        _now: Timestamp,
    ) -> Result<SealedSecret, VaultError> {
        plaintext.check_as_key()?;
        let org_key = self.newest_org_key(slot.org).await?;
        seal_secret(self.0.cipher, &org_key, slot, Content::Key, plaintext.expose())
    }

    /// Seals where a provider key is for its slot; the caller stores it. It is no secret: sealed, it can be neither
    /// changed nor moved to another key, and so never names what its organisation was not given.
    ///
    /// # Errors
    /// [`VaultError::NoOrgKey`] or [`VaultError::Store`].
    pub async fn seal_reference(
        &self,
        slot: &Slot,
        reference: &Reference,
    ) -> Result<SealedSecret, VaultError> {
        let org_key = self.newest_org_key(slot.org).await?;
        seal_secret(self.0.cipher, &org_key, slot, Content::Reference, &reference.to_string())
    }

    /// Keeps a new version of an organisation's key; false where somebody else was faster.
    pub(crate) async fn add_org_key(
        &self,
        org: OrgId,
        version: u32,
        now: Timestamp,
        audit: Option<&AuditDraft>,
    ) -> Result<bool, VaultError> {
        let key = Key::generate()?;
        let wrapped = wrap_org_key(&self.root(), self.0.cipher, org, &OrgKey { version, key }, now)?;
        match self.0.org_keys.org_key_add(&wrapped, audit).await {
            Ok(()) => Ok(true),
            Err(PortError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
