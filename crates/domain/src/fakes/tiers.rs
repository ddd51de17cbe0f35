use super::MemoryStore;
use crate::audit::AuditDraft;
use crate::ports::{PortError, Tiers};
use crate::tier::Tier;
use async_trait::async_trait;

#[async_trait]
impl Tiers for MemoryStore {
    async fn tier_list(&self) -> Result<Vec<Tier>, PortError> {
        let mut tiers: Vec<Tier> = self.state()?.tiers.values().cloned().collect();
        tiers.sort_by_key(|tier| tier.rank);
        Ok(tiers)
    }

    async fn tier_put(&self, tier: &Tier, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        let was = state.tiers.insert(tier.name.clone(), tier.clone());
        state.append_audit(&tier.audited(was.as_ref(), audit));
        state.announce(None);
        Ok(())
    }
}
