use super::PortError;
use crate::quota::{Lease, MeterKey};
use crate::{OrgId, UtcDay};
use async_trait::async_trait;

/// How much of a meter has been granted in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterUse {
    /// The meter's resource.
    pub resource: String,
    /// Units granted: used, or leased to a node.
    pub granted: u64,
}

/// The ledger of daily limits, shared by all nodes. Requests wait for it, so it answers within seconds or fails.
#[async_trait]
pub trait QuotaLedger: Send + Sync {
    /// Grants what brings the `held` units of the node that asks to at most
    /// [`lease_size`](crate::quota::lease_size): atomically `granted += n`, never past `limit`, whatever other nodes
    /// do at the same time. Grants 0 where the limit is reached, or where the node holds as much already.
    async fn lease(&self, meter: &MeterKey, day: UtcDay, limit: u64, held: u64) -> Result<Lease, PortError>;

    /// Takes back units of a lease that were not used; never below 0.
    async fn give_back(&self, meter: &MeterKey, day: UtcDay, units: u64) -> Result<(), PortError>;

    /// Asks every other node to give back what it has leased of the organisation's limits and not used: one of them is
    /// exhausted here. Nothing is promised; where there is but one node, there is nobody to ask.
    async fn recall(&self, org: OrgId) -> Result<(), PortError> {
        let _ = org;
        Ok(())
    }

    /// What has been granted to an organisation in a window.
    async fn granted(&self, org: OrgId, day: UtcDay) -> Result<Vec<MeterUse>, PortError>;
}
