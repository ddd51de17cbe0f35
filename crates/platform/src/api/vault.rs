use super::UtcTime;
use serde::{Deserialize, Serialize};
use topdog_domain::ports::{RewrapCount, WrappedKeyCount};
use utoipa::ToSchema;

/// How far rotations have come: what is pending, and what is done. 0 pending of both kinds: none is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultStatus {
    /// Pending: organisation keys and installation secrets not yet under the present root key version.
    pub under_old_root: u64,
    /// Done: those that are.
    pub under_present_root: u64,
    /// Pending: data keys not yet under the newest version of their organisation's key.
    pub under_old_org_key: u64,
    /// Done: those that are.
    pub under_newest_org_key: u64,
}

impl VaultStatus {
    /// The status, where so many of all are pending.
    pub(crate) const fn new(pending: RewrapCount, all: WrappedKeyCount) -> Self {
        Self {
            under_old_root: pending.under_old_root,
            under_present_root: all.under_root.saturating_sub(pending.under_old_root),
            under_old_org_key: pending.under_old_org_key,
            under_newest_org_key: all.under_org_keys.saturating_sub(pending.under_old_org_key),
        }
    }
}

/// How an organisation's key stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrgVaultStatus {
    /// The version that new secrets are sealed under.
    pub version: u32,
    /// When it was made.
    pub created_at: UtcTime,
    /// Data keys that a rotation has still to wrap by this version. 0: none is under way.
    pub pending: u64,
    /// Data keys that are wrapped by it.
    pub done: u64,
    /// Older versions that are kept: while anything is pending, and for about a day after the newest was made, since
    /// answers to creates that are sealed under them live that long.
    pub older_versions: Vec<u32>,
}

/// A rotation that has begun; what it concerns is wrapped anew in the background, while everything goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotation {
    /// The new version of the key.
    pub version: u32,
}
