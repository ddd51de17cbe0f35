use super::PortError;
use crate::Timestamp;
use crate::tier::Tier;
use async_trait::async_trait;

/// The table `membership_tiers`.
#[async_trait]
pub trait Tiers: Send + Sync {
    /// All tiers, lowest rank first.
    async fn tier_list(&self) -> Result<Vec<Tier>, PortError>;

    /// Makes the tier, or replaces the one of that name; every node hears of it.
    async fn tier_put(&self, tier: &Tier, now: Timestamp) -> Result<(), PortError>;
}
