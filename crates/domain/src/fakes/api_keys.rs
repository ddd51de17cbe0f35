use super::MemoryStore;
use super::pages::page;
use super::store::State;
use crate::api_key::ApiKey;
use crate::audit::AuditDraft;
use crate::ports::{ApiKeys, NewSecret, Page, PageWish, PortError};
use crate::tier::Limit;
use crate::{ApiKeyId, OrgId};
use async_trait::async_trait;

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn api_key_create(&self, key: &ApiKey, limit: Limit, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        state.organisation(key.org)?;
        let live = state.api_keys.values().filter(|there| there.org == key.org && there.revoked_at.is_none());
        let (mut used, mut is_name_taken) = (0, false);
        for there in live {
            used += 1;
            is_name_taken |= there.name == key.name;
        }
        if is_name_taken {
            return Err(PortError::Conflict("a live key of that name is there"));
        }
        if !limit.allows_one_more(used) {
            return Err(PortError::LimitReached { used });
        }
        state.api_keys.insert(key.id, key.clone());
        state.changed(key.org, audit);
        Ok(())
    }

    async fn api_key_find(&self, org: OrgId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError> {
        Ok(self.state()?.api_keys.get(&id).filter(|key| key.org == org).cloned())
    }

    async fn api_key_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<ApiKey>, PortError> {
        let state = self.state()?;
        let of_org = state.api_keys.iter().filter(|(_, key)| key.org == org);
        page(of_org.map(|(id, key)| (*id, key.clone())), wish, |id, after| id > after)
    }

    async fn api_key_rotate(
        &self,
        org: OrgId,
        id: ApiKeyId,
        new: &NewSecret,
        audit: &AuditDraft,
    ) -> Result<ApiKey, PortError> {
        let mut state = self.state()?;
        let key = live(&mut state, org, id)?;
        key.secrets.truncate(1);
        for old in &mut key.secrets {
            old.not_after = Some(old.not_after.map_or(new.old_until, |end| end.min(new.old_until)));
        }
        key.secrets.insert(0, new.secret.clone());
        let rotated = key.clone();
        state.changed(org, audit);
        Ok(rotated)
    }

    async fn api_key_revoke(&self, org: OrgId, id: ApiKeyId, audit: &AuditDraft) -> Result<(), PortError> {
        let mut state = self.state()?;
        let key = live(&mut state, org, id)?;
        key.revoked_at = Some(audit.at);
        key.secrets.clear();
        state.changed(org, audit);
        Ok(())
    }
}

fn live(state: &mut State, org: OrgId, id: ApiKeyId) -> Result<&mut ApiKey, PortError> {
    let key = state.api_keys.get_mut(&id).filter(|key| key.org == org && key.revoked_at.is_none());
    key.ok_or(PortError::NotFound)
}
