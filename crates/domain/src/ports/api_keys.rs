use super::{Page, PageWish, PortError};
use crate::api_key::{ApiKey, KeySecret};
use crate::audit::AuditDraft;
use crate::tier::Limit;
use crate::{ApiKeyId, OrgId, Timestamp};
use async_trait::async_trait;

/// A new secret for a key, and how long its present ones go on working.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// The new secret.
    pub secret: KeySecret,
    /// When the present secrets stop working.
    pub old_until: Timestamp,
}

/// Top Dog API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Makes a key, where fewer live keys than `limit` are there: counted and inserted as one, whatever else
    /// happens at the same time. [`PortError::LimitReached`] else; [`PortError::Conflict`] where a live key of
    /// that name is there.
    async fn api_key_create(&self, key: &ApiKey, limit: Limit, audit: &AuditDraft) -> Result<(), PortError>;

    /// A key of the organisation, revoked ones too.
    async fn api_key_find(&self, org: OrgId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError>;

    /// The organisation's keys, by id, revoked ones too.
    async fn api_key_list(&self, org: OrgId, page: &PageWish) -> Result<Page<ApiKey>, PortError>;

    /// Gives a live key a new secret; the present ones end at `old_until` or earlier. At most one old secret
    /// lives on: an older one is dropped. [`PortError::NotFound`] where the key is gone or revoked.
    async fn api_key_rotate(
        &self,
        org: OrgId,
        id: ApiKeyId,
        new: &NewSecret,
        audit: &AuditDraft,
    ) -> Result<ApiKey, PortError>;

    /// Revokes a live key with all its secrets. [`PortError::NotFound`] where it is gone or revoked.
    async fn api_key_revoke(&self, org: OrgId, id: ApiKeyId, audit: &AuditDraft) -> Result<(), PortError>;
}
