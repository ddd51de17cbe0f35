use super::MemoryStore;
use super::policies::in_force;
use super::store::State;
use crate::OrgId;
use crate::directory::OrgFacts;
use crate::policy::PolicyInForce;
use crate::ports::{Change, ChangeFeed, PortError};
use async_trait::async_trait;

#[async_trait]
impl ChangeFeed for MemoryStore {
    async fn newest_change(&self) -> Result<i64, PortError> {
        Ok(self.state()?.newest_change())
    }

    async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, PortError> {
        Ok(self.state()?.changes().iter().filter(|change| change.seq > seq).cloned().collect())
    }

    async fn load_all(&self) -> Result<Vec<OrgFacts>, PortError> {
        let state = self.state()?;
        Ok(state.organisations.keys().filter_map(|id| facts(&state, *id)).collect())
    }

    async fn load_org(&self, org: OrgId) -> Result<Option<OrgFacts>, PortError> {
        Ok(facts(&*self.state()?, org))
    }
}

fn facts(state: &State, org: OrgId) -> Option<OrgFacts> {
    Some(OrgFacts {
        organisation: state.organisations.get(&org)?.clone(),
        workspaces: state.workspaces.iter().filter(|workspace| workspace.org == org).cloned().collect(),
        api_keys: state
            .api_keys
            .values()
            .filter(|key| key.org == org && key.revoked_at.is_none())
            .cloned()
            .collect(),
        provider_keys: state.provider_keys.values().filter(|key| key.org == org).cloned().collect(),
        endpoints: state.endpoints.values().filter(|endpoint| endpoint.org == org).cloned().collect(),
        policies: in_force(state, org).map(|version| PolicyInForce::stored(&version)).collect(),
    })
}
