use super::PortError;
use crate::quota::{Lease, MeterKey};
use crate::time::Window;
use crate::{OrgId, Timestamp};
use async_trait::async_trait;

/// How much of a cap has been granted in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapUse {
    /// The meter's resource.
    pub resource: String,
    /// Its window's first instant.
    pub start: Timestamp,
    /// Units granted: used, or leased to a node.
    pub granted: u64,
}

/// The ledger of customers' caps, shared by all nodes. Requests wait for it, so it answers within seconds or fails.
#[async_trait]
pub trait CapLedger: Send + Sync {
    /// Grants [`cap_block`](crate::cap_meter::cap_block) units to a node that needs `need` more: atomically
    /// `granted += n`, never past `limit`, whatever other nodes do at the same time. Grants 0 where so many are not left.
    async fn cap_lease(
        &self,
        meter: &MeterKey,
        window: Window,
        limit: u64,
        need: u64,
    ) -> Result<Lease, PortError>;

    /// Counts what has been used beyond what was granted, past any limit.
    async fn cap_charge(&self, meter: &MeterKey, window: Window, units: u64) -> Result<(), PortError>;

    /// Takes back units of a lease that were not used; never below 0.
    async fn cap_give_back(&self, meter: &MeterKey, window: Window, units: u64) -> Result<(), PortError>;

    /// What has been granted to an organisation in the windows that are not over.
    async fn cap_granted(&self, org: OrgId, now: Timestamp) -> Result<Vec<CapUse>, PortError>;

    /// Forgets windows that have been over for an hour.
    async fn cap_prune(&self, now: Timestamp) -> Result<u64, PortError>;
}
