use super::MemoryStore;
use super::pages::page;
use crate::OrgId;
use crate::audit::AuditDraft;
use crate::ports::{NewOrganisation, OrganisationChange, Organisations, Page, PageWish, PortError};
use crate::tenant::{Organisation, Workspace};
use async_trait::async_trait;

#[async_trait]
impl Organisations for MemoryStore {
    async fn organisation_create(&self, new: &NewOrganisation, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        let organisation = new.organisation.clone();
        if state.organisations.values().any(|there| there.name == organisation.name) {
            return Err(PortError::Conflict("an organisation of that name is there"));
        }
        let id = organisation.id;
        state.organisations.insert(id, organisation);
        state.members.push(new.owner.clone());
        state.workspaces.push(new.workspace.clone());
        state.changed(id, audit);
        Ok(())
    }

    async fn organisation_find(&self, id: OrgId) -> Result<Option<Organisation>, PortError> {
        Ok(self.state()?.organisations.get(&id).cloned())
    }

    async fn organisation_find_by_name(&self, name: &str) -> Result<Option<Organisation>, PortError> {
        Ok(self.state()?.organisations.values().find(|there| there.name == name).cloned())
    }

    async fn organisation_list(&self, wish: &PageWish) -> Result<Page<Organisation>, PortError> {
        let state = self.state()?;
        let rows = state.organisations.iter().map(|(id, row)| (*id, row.clone()));
        page(rows, wish, |id, after| id > after)
    }

    async fn organisation_change(
        &self,
        id: OrgId,
        change: &OrganisationChange,
        audit: &AuditDraft,
    ) -> Result<Organisation, PortError> {
        let mut state = self.state()?;
        let organisation = state.organisation(id)?;
        if let Some(tier) = &change.tier {
            organisation.tier = tier.clone();
        }
        if let Some(segment) = change.data_segment {
            organisation.data_segment = segment;
        }
        let new = organisation.clone();
        state.changed(id, audit);
        Ok(new)
    }

    async fn organisation_destroy(&self, id: OrgId, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        state.organisations.remove(&id).ok_or(PortError::NotFound)?;
        state.destroyed.insert(id);
        state.delete_debug_logs(|record| record.org == id);
        state.org_keys.retain(|(org, _), _| *org != id);
        state.secrets.retain(|_, secret| secret.org != id);
        state.provider_keys.retain(|_, key| key.org != id);
        state.endpoints.retain(|(org, _), _| *org != id);
        state.policies.retain(|(org, _), _| *org != id);
        state.workspaces.retain(|workspace| workspace.org != id);
        state.members.retain(|member| member.org != id);
        for key in state.api_keys.values_mut().filter(|key| key.org == id) {
            key.revoked_at = key.revoked_at.or(Some(audit.at));
            key.secrets.clear();
        }
        state.changed(id, audit);
        Ok(())
    }

    async fn workspace_list(&self, id: OrgId) -> Result<Vec<Workspace>, PortError> {
        Ok(self.state()?.workspaces.iter().filter(|workspace| workspace.org == id).cloned().collect())
    }
}
