use super::PortError;
use crate::OrgId;
use async_trait::async_trait;

/// How many keys of the installation are wrapped, whatever by: with
/// [`rewrap_pending`](super::OrgKeys::rewrap_pending), how far rotations have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrappedKeyCount {
    /// Organisation keys, in all versions, and installation secrets: what the root key wraps.
    pub under_root: u64,
    /// Data keys of all organisations: what their keys wrap.
    pub under_org_keys: u64,
}

/// How many data keys of an organisation its key wraps: how far its rotation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataKeyCount {
    /// By the newest version, which is where a rotation leads to.
    pub under_newest: u64,
    /// By older versions, to be wrapped anew. 0: no rotation is under way.
    pub under_older: u64,
}

/// Counts of wrapped keys, for people to see how far rotations have come.
#[async_trait]
pub trait WrappedKeyCounts: Send + Sync {
    /// Those of the whole installation.
    async fn wrapped_key_count(&self) -> Result<WrappedKeyCount, PortError>;

    /// Those of an organisation; none at all where it is gone.
    async fn data_key_count(&self, org: OrgId) -> Result<DataKeyCount, PortError>;
}
