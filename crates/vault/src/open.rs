//! Opening: from memory, from the store, or from where the customer keeps the key.

use std::sync::Arc;
use std::time::Duration;

use topdog_domain::ports::PortError;
use topdog_domain::tenant::{KeySource, ProviderKey};
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};

use crate::aad::Content;
use crate::cache::OpenedKey;
use crate::envelope::open_secret;
use crate::error::VaultError;
use crate::references::{Reference, ReferenceError};
use crate::seal::Slot;
use crate::secret::SecretText;
use crate::vault::Vault;

/// Where an opened key came from, for the audit log: every use is recorded, and every opening too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// From memory: no new opening.
    Cached,
    /// From memory, though its time is up: what it comes from can't be asked.
    Lapsed,
    /// From the sealed store.
    FromStore,
    /// By its reference, from where it lives.
    Fetched,
}

impl Opening {
    /// What records call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Lapsed => "lapsed",
            Self::FromStore => "from_store",
            Self::Fetched => "fetched",
        }
    }
}

/// How long an opening may take; a database whose machine is gone never answers.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Vault {
    /// The newest version of a provider key, where it is in memory: the hot path, which never waits.
    ///
    /// One whose time is up is among them while what it comes from can't be asked; now and then a caller gets none
    /// all the same, whose [`Vault::open`] tries again.
    #[must_use]
    pub fn cached(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        self.0.cache.find(key, now)
    }

    /// The newest version of a provider key, and where it came from. Many who ask for the same key at the same
    /// time open it once. Where its source can't be asked, one that is still in memory serves, though its time is up
    /// ([`Opening::Lapsed`]); where its source says no, it does not.
    ///
    /// # Errors
    /// [`VaultError::Tampered`] where anything stored was changed or moved, also where the key's origin is no
    /// longer the one it was sealed for; [`VaultError::NoOrgKey`] where the organisation was destroyed;
    /// [`VaultError::Reference`] where it lives elsewhere and can't be fetched.
    pub async fn open(
        &self,
        key: &ProviderKey,
        now: Timestamp,
    ) -> Result<(Arc<OpenedKey>, Opening), VaultError> {
        if let Some(opened) = self.0.cache.find_fresh(key, now) {
            return Ok((opened, Opening::Cached));
        }
        let opening = Box::pin(self.open_afresh(key, now));
        let (outcome, has_led) = self.0.flights.join((key.id, key.version), key.org, opening).await;
        let (opened, opening) = match outcome {
            Ok(opened) => opened,
            Err(error) if error.is_unreachable() => {
                let Some(lapsed) = self.carry_on(key, now) else { return Err(error) };
                tracing::warn!(provider_key = %key.id, %error, "a key can't be opened anew, its last opening serves");
                return Ok((lapsed, Opening::Lapsed));
            }
            Err(error) => {
                self.0.cache.drop_lapsed(key, now);
                return Err(error);
            }
        };
        if !opened.fits(key) {
            return Err(VaultError::Tampered { what: "secret's place" });
        }
        Ok((opened, if has_led { opening } else { Opening::Cached }))
    }

    /// What is in memory of a key though its time is up; none where nothing is, or for too long.
    #[must_use]
    pub fn lapsed(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        self.0.cache.find_lapsed(key, now)
    }

    /// The same, for who has waited long enough for [`Vault::open`]: others need not wait for a while.
    #[must_use]
    pub fn carry_on(&self, key: &ProviderKey, now: Timestamp) -> Option<Arc<OpenedKey>> {
        let lapsed = self.lapsed(key, now)?;
        lapsed.cut_off(now);
        Some(lapsed)
    }

    /// Can a key be fetched by that reference now, by this server? Nothing of it is kept.
    ///
    /// # Errors
    /// [`VaultError::Reference`] where it can't; [`VaultError::BadSecret`] where what is there can't be a key.
    pub async fn check_reference(&self, reference: &Reference) -> Result<(), VaultError> {
        self.fetch(reference).await.map(drop)
    }

    /// Drops all plaintext of an organisation from memory, at once.
    pub fn forget_org(&self, org: OrgId) {
        self.forget(|there, _| there == org);
    }

    /// Drops all plaintext of a provider key from memory, at once.
    pub fn forget_key(&self, key: ProviderKeyId) {
        self.forget(|_, there| there == key);
    }

    /// Drops what may not be used any more, whether or not it can be opened anew; to be called now and then.
    pub fn forget_expired(&self, now: Timestamp) {
        self.0.cache.forget_expired(now);
        self.0.tokens.forget_expired(now);
    }

    fn forget(&self, is_meant: impl Fn(OrgId, ProviderKeyId) -> bool) {
        self.0.flights.forget(&is_meant);
        self.0.cache.forget(&is_meant);
        self.0.token_flights.forget(&is_meant);
        self.0.tokens.forget(is_meant);
    }

    async fn open_afresh(
        &self,
        key: &ProviderKey,
        now: Timestamp,
    ) -> Result<(Arc<OpenedKey>, Opening), VaultError> {
        let began = self.0.cache.begin_read();
        let slot = Slot::from(key);
        let (secret, opening) = tokio::time::timeout(TIMEOUT, self.read(&slot, &key.source))
            .await
            .map_err(|_| PortError::Unavailable("no answer within 10 s".into()))??;
        Ok((self.0.cache.keep(slot, secret, began, now), opening))
    }

    async fn read(&self, slot: &Slot, source: &KeySource) -> Result<(SecretText, Opening), VaultError> {
        Ok(match source {
            KeySource::Sealed => (self.open_sealed(slot, Content::Key).await?, Opening::FromStore),
            KeySource::Reference(text) => {
                let reference = self.verified(slot, text).await?;
                (self.fetch(&reference).await?, Opening::Fetched)
            }
        })
    }

    /// The reference, where it is the one that was sealed for the slot: a row that was changed, moved or made up is
    /// not followed.
    async fn verified(&self, slot: &Slot, text: &str) -> Result<Reference, VaultError> {
        const CHANGED: VaultError = VaultError::Tampered { what: "reference" };
        match self.open_sealed(slot, Content::Reference).await {
            Ok(sealed) if sealed.expose() == text => {
                text.parse().map_err(|bad| ReferenceError::Bad(bad).into())
            }
            Ok(_) | Err(VaultError::NoSecret) => Err(CHANGED),
            Err(error) => Err(error),
        }
    }

    async fn fetch(&self, reference: &Reference) -> Result<SecretText, VaultError> {
        Ok(self.0.references.fetch(reference).await?.into_key()?)
    }

    async fn open_sealed(&self, slot: &Slot, content: Content) -> Result<SecretText, VaultError> {
        match self.open_stored(slot, content).await {
            // The row may have been re-wrapped between reading it and reading the key that it names.
            Err(VaultError::Tampered { .. } | VaultError::UnknownVersion(_)) => {
                self.open_stored(slot, content).await
            }
            other => other,
        }
    }

    async fn open_stored(&self, slot: &Slot, content: Content) -> Result<SecretText, VaultError> {
        let row = self.0.secrets.secret_find(slot.provider_key, slot.version).await?;
        // Asked even where the row is gone too: that the organisation was destroyed is the better answer.
        let Some(row) = row else {
            let is_destroyed = self.0.org_keys.org_key_list(slot.org).await?.is_empty();
            return Err(if is_destroyed { VaultError::NoOrgKey } else { VaultError::NoSecret });
        };
        let org_key = self.org_key(slot.org, row.org_key_version).await?;
        open_secret(&org_key, slot, content, &row)
    }
}
