use super::{PortError, SealedSecret};
use crate::audit::AuditDraft;
use crate::tenant::ProviderKey;
use crate::{OrgId, ProviderKeyId};
use async_trait::async_trait;

/// Provider keys (BYOK): what is known of them, with the sealed form of what is not.
#[async_trait]
pub trait ProviderKeys: Send + Sync {
    /// Keeps a new key with what is sealed of it: the key, or the reference to it. [`PortError::Conflict`] where a
    /// key of that name is there for the provider, [`PortError::LimitReached`] where there are
    /// [`PROVIDER_KEYS_AT_MOST`](crate::tenant::PROVIDER_KEYS_AT_MOST), however many are made at once.
    async fn provider_key_create(
        &self,
        key: &ProviderKey,
        sealed: &SealedSecret,
        audit: &AuditDraft,
    ) -> Result<(), PortError>;

    /// A live key of the organisation.
    async fn provider_key_find(
        &self,
        org: OrgId,
        id: ProviderKeyId,
    ) -> Result<Option<ProviderKey>, PortError>;

    /// The organisation's live keys, by id.
    async fn provider_key_list(&self, org: OrgId) -> Result<Vec<ProviderKey>, PortError>;

    /// Keeps the next version: `key` with `version` one higher than stored ([`PortError::Conflict`] else), its
    /// source and origin perhaps others. Versions before the last two are deleted.
    async fn provider_key_rotate(
        &self,
        key: &ProviderKey,
        sealed: &SealedSecret,
        audit: &AuditDraft,
    ) -> Result<(), PortError>;

    /// Deletes a key with all its versions. [`PortError::NotFound`] where it is gone.
    async fn provider_key_delete(
        &self,
        org: OrgId,
        id: ProviderKeyId,
        audit: &AuditDraft,
    ) -> Result<(), PortError>;
}
