use super::PortError;
use crate::audit::AuditDraft;
use crate::provider::ProviderName;
use crate::{OrgId, ProviderKeyId, Timestamp};
use async_trait::async_trait;

/// A version of an organisation's key, wrapped by a version of a root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedOrgKey {
    /// Whose.
    pub org: OrgId,
    /// Which version, from 1.
    pub version: u32,
    /// Which root key wraps it.
    pub root_id: String,
    /// Which version of that root key.
    pub root_version: u32,
    /// Which authenticated cipher: the vault's stored name for it.
    pub alg: String,
    /// Nonce and ciphertext.
    pub wrapped: Vec<u8>,
    /// When the version was made.
    pub created_at: Timestamp,
}

/// A version of a provider key, sealed by a data key of its own, which the organisation's key wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Whose.
    pub org: OrgId,
    /// Which provider key.
    pub provider_key: ProviderKeyId,
    /// Which version of it.
    pub version: u32,
    /// For which provider.
    pub provider: ProviderName,
    /// For which origin.
    pub origin: String,
    /// Which version of the organisation's key wraps the data key.
    pub org_key_version: u32,
    /// Which authenticated cipher.
    pub alg: String,
    /// The data key: nonce and ciphertext.
    pub wrapped_data_key: Vec<u8>,
    /// The secret: nonce and ciphertext.
    pub ciphertext: Vec<u8>,
}

/// Something the root key wraps for the whole installation, such as a pepper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedRoot {
    /// What it is: `api-key-pepper`.
    pub name: String,
    /// Which version, from 1.
    pub version: u32,
    /// Which root key wraps it.
    pub root_id: String,
    /// Which version of that root key.
    pub root_version: u32,
    /// Which authenticated cipher.
    pub alg: String,
    /// Nonce and ciphertext.
    pub wrapped: Vec<u8>,
}

/// How much a rotation has still before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RewrapCount {
    /// Organisation keys and installation secrets not yet under the present root key version.
    pub under_old_root: u64,
    /// Data keys not yet under the newest version of their organisation's key.
    pub under_old_org_key: u64,
}

/// Organisations' keys, wrapped. The adapter never sees a key in the clear.
#[async_trait]
pub trait OrgKeys: Send + Sync {
    /// Keeps a new version of an organisation's key. [`PortError::Conflict`] where that version is there. Its entry is
    /// that of the rotation which it begins; the first version belongs to the organisation's making.
    async fn org_key_add(&self, key: &WrappedOrgKey, audit: Option<&AuditDraft>) -> Result<(), PortError>;

    /// All versions of an organisation's key, newest first; none where it has none or was destroyed.
    async fn org_key_list(&self, org: OrgId) -> Result<Vec<WrappedOrgKey>, PortError>;

    /// Organisation keys not under that root key version, at most `limit`.
    async fn org_key_list_stale(
        &self,
        root_id: &str,
        root_version: u32,
        limit: u32,
    ) -> Result<Vec<WrappedOrgKey>, PortError>;

    /// Replaces the wrapping of one version, where it is still under the root key version of `old`
    /// (compare and set); false where it is not.
    async fn org_key_rewrap(&self, old: &WrappedOrgKey, new: &WrappedOrgKey) -> Result<bool, PortError>;

    /// Deletes versions of an organisation's key below `version` that no sealed secret uses any more; how many.
    async fn org_key_prune(&self, org: OrgId, version: u32) -> Result<u64, PortError>;

    /// Organisations with more than one version of their key, by id, from behind `after`, at most `limit`:
    /// where a rotation is under way or its old versions are not pruned yet.
    async fn org_key_list_superseded(
        &self,
        after: Option<OrgId>,
        limit: u32,
    ) -> Result<Vec<OrgId>, PortError>;

    /// What rotations have still before them.
    async fn rewrap_pending(&self, root_id: &str, root_version: u32) -> Result<RewrapCount, PortError>;
}

/// Provider keys, sealed. They come in with [`ProviderKeys`](super::ProviderKeys), which keeps the two together.
#[async_trait]
pub trait SealedSecrets: Send + Sync {
    /// A version of a secret.
    async fn secret_find(&self, key: ProviderKeyId, version: u32) -> Result<Option<SealedSecret>, PortError>;

    /// Secrets of an organisation whose data key is wrapped by another version than this, at most `limit`.
    async fn secret_list_stale(
        &self,
        org: OrgId,
        org_key_version: u32,
        limit: u32,
    ) -> Result<Vec<SealedSecret>, PortError>;

    /// Replaces the wrapping of a data key, where it is still under the version of `old` (compare and set);
    /// false where it is not.
    async fn secret_rewrap(&self, old: &SealedSecret, new: &SealedSecret) -> Result<bool, PortError>;
}

/// Secrets of the installation itself, wrapped by the root key.
#[async_trait]
pub trait InstallationSecrets: Send + Sync {
    /// Installation secrets of that name, newest first.
    async fn root_wrapped_list(&self, name: &str) -> Result<Vec<WrappedRoot>, PortError>;

    /// Keeps a new installation secret. [`PortError::Conflict`] where that version is there: of many nodes that
    /// start at once, one makes it.
    async fn root_wrapped_add(&self, wrapped: &WrappedRoot) -> Result<(), PortError>;

    /// Keeps a version of an installation secret, replacing the wrapping of one that is there.
    async fn root_wrapped_put(&self, wrapped: &WrappedRoot) -> Result<(), PortError>;
}
