use super::PortError;
use crate::OrgId;
use crate::directory::OrgFacts;
use async_trait::async_trait;

/// What changed: enough to know what to read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place in the feed.
    pub seq: i64,
    /// The organisation, or none: the tiers.
    pub org: Option<OrgId>,
}

/// How a node learns what all tenants are and what changes.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The place of the newest change.
    async fn newest_change(&self) -> Result<i64, PortError>;

    /// Changes behind that place, in order.
    async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, PortError>;

    /// All organisations. Read [`ChangeFeed::newest_change`] first: what changes meanwhile is then seen again.
    async fn load_all(&self) -> Result<Vec<OrgFacts>, PortError>;

    /// One organisation; none where it is gone.
    async fn load_org(&self, org: OrgId) -> Result<Option<OrgFacts>, PortError>;
}
