use super::MemoryStore;
use super::store::State;
use crate::audit::AuditDraft;
use crate::ports::{
    DataKeyCount, InstallationSecrets, OrgKeys, PortError, RewrapCount, SealedSecret, SealedSecrets,
    WrappedKeyCount, WrappedKeyCounts, WrappedOrgKey, WrappedRoot,
};
use crate::{OrgId, ProviderKeyId};
use async_trait::async_trait;
use std::collections::BTreeMap;

#[async_trait]
impl OrgKeys for MemoryStore {
    async fn org_key_add(&self, key: &WrappedOrgKey, audit: Option<&AuditDraft>) -> Result<(), PortError> {
        let mut state = self.state()?;
        state.organisation(key.org)?;
        let place = (key.org, key.version);
        if state.org_keys.contains_key(&place) {
            return Err(PortError::Conflict("that version of the organisation's key is there"));
        }
        state.org_keys.insert(place, key.clone());
        if let Some(audit) = audit {
            state.append_audit(audit);
        }
        Ok(())
    }

    async fn org_key_list(&self, org: OrgId) -> Result<Vec<WrappedOrgKey>, PortError> {
        Ok(self.state()?.org_keys.values().rev().filter(|key| key.org == org).cloned().collect())
    }

    async fn org_key_list_stale(
        &self,
        root_id: &str,
        root_version: u32,
        limit: u32,
    ) -> Result<Vec<WrappedOrgKey>, PortError> {
        let state = self.state()?;
        let stale = state.org_keys.values().filter(|key| !is_under(key, root_id, root_version));
        Ok(stale.take(limit as usize).cloned().collect())
    }

    async fn org_key_rewrap(&self, old: &WrappedOrgKey, new: &WrappedOrgKey) -> Result<bool, PortError> {
        let mut state = self.state()?;
        match state.org_keys.get_mut(&(old.org, old.version)) {
            Some(there) if is_under(there, &old.root_id, old.root_version) => {
                *there = new.clone();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn org_key_prune(&self, org: OrgId, version: u32) -> Result<u64, PortError> {
        let State { org_keys, secrets, .. } = &mut *self.state()?;
        let count = org_keys.len();
        org_keys.retain(|(of, at), _| {
            *of != org || *at >= version || secrets.values().any(|s| s.org == org && s.org_key_version == *at)
        });
        Ok((count - org_keys.len()) as u64)
    }

    async fn org_key_list_superseded(
        &self,
        after: Option<OrgId>,
        limit: u32,
    ) -> Result<Vec<OrgId>, PortError> {
        let state = self.state()?;
        let mut versions = BTreeMap::new();
        for (org, _) in state.org_keys.keys().filter(|(org, _)| after.is_none_or(|after| *org > after)) {
            *versions.entry(*org).or_insert(0) += 1;
        }
        Ok(versions
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|(org, _)| org)
            .take(limit as usize)
            .collect())
    }

    async fn rewrap_pending(&self, root_id: &str, root_version: u32) -> Result<RewrapCount, PortError> {
        let state = self.state()?;
        let org_keys = state.org_keys.values().filter(|key| !is_under(key, root_id, root_version)).count();
        let installation = state
            .installation_secrets
            .values()
            .filter(|secret| secret.root_id != root_id || secret.root_version != root_version)
            .count();
        let data_keys =
            state.secrets.values().filter(|s| state.newest_org_key(s.org) != Some(s.org_key_version));
        Ok(RewrapCount {
            under_old_root: (org_keys + installation) as u64,
            under_old_org_key: data_keys.count() as u64,
        })
    }
}

#[async_trait]
impl WrappedKeyCounts for MemoryStore {
    async fn wrapped_key_count(&self) -> Result<WrappedKeyCount, PortError> {
        let state = self.state()?;
        Ok(WrappedKeyCount {
            under_root: (state.org_keys.len() + state.installation_secrets.len()) as u64,
            under_org_keys: state.secrets.len() as u64,
        })
    }

    async fn data_key_count(&self, org: OrgId) -> Result<DataKeyCount, PortError> {
        let state = self.state()?;
        let newest = state.newest_org_key(org);
        let (under_newest, under_older): (Vec<_>, Vec<_>) = state
            .secrets
            .values()
            .filter(|secret| secret.org == org)
            .partition(|secret| Some(secret.org_key_version) == newest);
        Ok(DataKeyCount { under_newest: under_newest.len() as u64, under_older: under_older.len() as u64 })
    }
}

impl State {
    fn newest_org_key(&self, org: OrgId) -> Option<u32> {
        self.org_keys.range((org, 0)..=(org, u32::MAX)).next_back().map(|((_, version), _)| *version)
    }
}

fn is_under(key: &WrappedOrgKey, root_id: &str, root_version: u32) -> bool {
    key.root_id == root_id && key.root_version == root_version
}

#[async_trait]
impl SealedSecrets for MemoryStore {
    async fn secret_find(&self, key: ProviderKeyId, version: u32) -> Result<Option<SealedSecret>, PortError> {
        Ok(self.state()?.secrets.get(&(key, version)).cloned())
    }

    async fn secret_list_stale(
        &self,
        org: OrgId,
        org_key_version: u32,
        limit: u32,
    ) -> Result<Vec<SealedSecret>, PortError> {
        let state = self.state()?;
        let stale = state.secrets.values().filter(|s| s.org == org && s.org_key_version != org_key_version);
        Ok(stale.take(limit as usize).cloned().collect())
    }

    async fn secret_rewrap(&self, old: &SealedSecret, new: &SealedSecret) -> Result<bool, PortError> {
        let mut state = self.state()?;
        match state.secrets.get_mut(&(old.provider_key, old.version)) {
            Some(there) if there.org_key_version == old.org_key_version => {
                *there = new.clone();
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

#[async_trait]
impl InstallationSecrets for MemoryStore {
    async fn root_wrapped_list(&self, name: &str) -> Result<Vec<WrappedRoot>, PortError> {
        let state = self.state()?;
        Ok(state.installation_secrets.values().rev().filter(|secret| secret.name == name).cloned().collect())
    }

    async fn root_wrapped_add(&self, wrapped: &WrappedRoot) -> Result<(), PortError> {
        let mut state = self.state()?;
        let place = (wrapped.name.clone(), wrapped.version);
        if state.installation_secrets.contains_key(&place) {
            return Err(PortError::Conflict("that version of the installation secret is there"));
        }
        state.installation_secrets.insert(place, wrapped.clone());
        Ok(())
    }

    async fn root_wrapped_put(&self, wrapped: &WrappedRoot) -> Result<(), PortError> {
        let place = (wrapped.name.clone(), wrapped.version);
        self.state()?.installation_secrets.insert(place, wrapped.clone());
        Ok(())
    }
}
