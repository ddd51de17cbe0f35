use super::PortError;
use crate::audit::AuditDraft;
use crate::tier::Tier;
use async_trait::async_trait;

/// The table `membership_tiers`.
#[async_trait]
pub trait Tiers: Send + Sync {
    /// All tiers, lowest rank first.
    async fn tier_list(&self) -> Result<Vec<Tier>, PortError>;

    /// Makes the tier, or replaces the one of that name; every node hears of it. What was changed is in the entry:
    /// [`Tier::audited`] completes it by what was there.
    async fn tier_put(&self, tier: &Tier, audit: &AuditDraft) -> Result<(), PortError>;
}
