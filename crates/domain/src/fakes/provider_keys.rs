use super::MemoryStore;
use super::store::State;
use crate::audit::AuditDraft;
use crate::ports::{PortError, ProviderKeys, SealedSecret};
use crate::tenant::{PROVIDER_KEYS_AT_MOST, ProviderKey};
use crate::{OrgId, ProviderKeyId};
use async_trait::async_trait;

#[async_trait]
impl ProviderKeys for MemoryStore {
    async fn provider_key_create(
        &self,
        key: &ProviderKey,
        sealed: &SealedSecret,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut state = self.state()?;
        state.organisation(key.org)?;
        let is_same = |there: &ProviderKey| {
            there.org == key.org && there.provider == key.provider && there.name == key.name
        };
        if state.provider_keys.values().any(is_same) {
            return Err(PortError::Conflict("a key of that name is there for the provider"));
        }
        let used = state.provider_keys.values().filter(|there| there.org == key.org).count() as u64;
        if used >= PROVIDER_KEYS_AT_MOST {
            return Err(PortError::LimitReached { used });
        }
        keep(&mut state, key, sealed)?;
        state.changed(key.org, audit);
        Ok(())
    }

    async fn provider_key_find(
        &self,
        org: OrgId,
        id: ProviderKeyId,
    ) -> Result<Option<ProviderKey>, PortError> {
        Ok(self.state()?.provider_keys.get(&id).filter(|key| key.org == org).cloned())
    }

    async fn provider_key_list(&self, org: OrgId) -> Result<Vec<ProviderKey>, PortError> {
        Ok(self.state()?.provider_keys.values().filter(|key| key.org == org).cloned().collect())
    }

    async fn provider_key_rotate(
        &self,
        key: &ProviderKey,
        sealed: &SealedSecret,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut state = self.state()?;
        let there = state.provider_keys.get(&key.id).filter(|there| there.org == key.org);
        let there = there.ok_or(PortError::NotFound)?;
        if there.version.checked_add(1) != Some(key.version) {
            return Err(PortError::Conflict("the key was rotated meanwhile"));
        }
        keep(&mut state, key, sealed)?;
        let oldest = key.version.saturating_sub(1);
        state.secrets.retain(|(id, version), _| *id != key.id || *version >= oldest);
        state.changed(key.org, audit);
        Ok(())
    }

    async fn provider_key_delete(
        &self,
        org: OrgId,
        id: ProviderKeyId,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut state = self.state()?;
        if state.provider_keys.get(&id).is_none_or(|key| key.org != org) {
            return Err(PortError::NotFound);
        }
        state.provider_keys.remove(&id);
        state.secrets.retain(|(key, _), _| *key != id);
        state.changed(org, audit);
        Ok(())
    }
}

fn keep(state: &mut State, key: &ProviderKey, sealed: &SealedSecret) -> Result<(), PortError> {
    // As in the database: nothing may be sealed under a version that is pruned already.
    if !state.org_keys.contains_key(&(sealed.org, sealed.org_key_version)) {
        return Err(PortError::Conflict("the organisation's key was rotated meanwhile"));
    }
    state.secrets.insert((sealed.provider_key, sealed.version), sealed.clone());
    state.provider_keys.insert(key.id, key.clone());
    Ok(())
}
