use super::MemoryStore;
use crate::OrgId;
use crate::audit::AuditDraft;
use crate::ports::{Endpoints, PortError};
use crate::provider::ProviderName;
use crate::tenant::{ENDPOINTS_AT_MOST, Endpoint};
use async_trait::async_trait;

#[async_trait]
impl Endpoints for MemoryStore {
    async fn endpoint_create(&self, endpoint: &Endpoint, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        state.organisation(endpoint.org)?;
        let place = (endpoint.org, endpoint.name.clone());
        if state.endpoints.contains_key(&place) {
            return Err(PortError::Conflict("an endpoint of that name is there"));
        }
        let used = state.endpoints.keys().filter(|(org, _)| *org == endpoint.org).count() as u64;
        if used >= ENDPOINTS_AT_MOST {
            return Err(PortError::LimitReached { used });
        }
        state.endpoints.insert(place, endpoint.clone());
        state.changed(endpoint.org, audit);
        Ok(())
    }

    async fn endpoint_replace(&self, endpoint: &Endpoint, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        let place = (endpoint.org, endpoint.name.clone());
        *state.endpoints.get_mut(&place).ok_or(PortError::NotFound)? = endpoint.clone();
        state.changed(endpoint.org, audit);
        Ok(())
    }

    async fn endpoint_list(&self, org: OrgId) -> Result<Vec<Endpoint>, PortError> {
        Ok(self.state()?.endpoints.values().filter(|endpoint| endpoint.org == org).cloned().collect())
    }

    async fn endpoint_delete(
        &self,
        org: OrgId,
        name: &ProviderName,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut state = self.state()?;
        state.endpoints.remove(&(org, name.clone())).ok_or(PortError::NotFound)?;
        state.changed(org, audit);
        Ok(())
    }
}
