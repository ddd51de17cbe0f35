use super::UtcTime;
use serde::{Deserialize, Serialize};
use topdog_domain::ports::RewrapCount;
use utoipa::ToSchema;

/// How far rotations have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultStatus {
    /// Organisation keys and installation secrets not yet under the present root key version.
    pub under_old_root: u64,
    /// Data keys not yet under the newest version of their organisation's key.
    pub under_old_org_key: u64,
}

impl From<RewrapCount> for VaultStatus {
    fn from(count: RewrapCount) -> Self {
        Self { under_old_root: count.under_old_root, under_old_org_key: count.under_old_org_key }
    }
}

/// How an organisation's key stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrgVaultStatus {
    /// The version that new secrets are sealed under.
    pub version: u32,
    /// When it was made.
    pub created_at: UtcTime,
    /// Older versions, which some secret is still under: a rotation is going on. Empty: there is none.
    pub older_versions: Vec<u32>,
}

/// A rotation that has begun; what it concerns is wrapped anew in the background, while everything goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotation {
    /// The new version of the key.
    pub version: u32,
}
