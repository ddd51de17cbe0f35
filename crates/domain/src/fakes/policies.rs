use super::MemoryStore;
use super::pages::page;
use super::store::State;
use crate::OrgId;
use crate::audit::AuditDraft;
use crate::policy::PolicyScope;
use crate::ports::{NewPolicy, Page, PageWish, Policies, PolicyVersion, PortError, VERSIONS_KEPT};
use async_trait::async_trait;

#[async_trait]
impl Policies for MemoryStore {
    async fn policy_put(&self, new: &NewPolicy, audit: &AuditDraft) -> Result<PolicyVersion, PortError> {
        let mut state = self.state()?;
        state.organisation(new.org)?;
        let others = in_force(&state, new.org).filter(|there| there.scope != new.scope).count();
        let versions = state.policies.entry((new.org, new.scope)).or_default();
        let newest = versions.last();
        let in_force = newest.filter(|there| there.document.is_some()).map_or(0, |there| there.version);
        if new.document.is_none() && in_force == 0 {
            return Err(PortError::NotFound);
        }
        if new.expected.is_some_and(|expected| expected != in_force) {
            return Err(PortError::Conflict("another version is in force"));
        }
        if new.document.is_some() && others >= new.most as usize {
            return Err(PortError::LimitReached { used: others as u64 });
        }
        let version = PolicyVersion {
            scope: new.scope,
            version: newest.map_or(0, |there| there.version) + 1,
            document: new.document.clone(),
            author: new.author.clone(),
            created_at: new.at,
        };
        versions.push(version.clone());
        versions.retain(|there| there.version + VERSIONS_KEPT > version.version);
        state.changed(new.org, &audit.clone().with("version", version.version));
        Ok(version)
    }

    async fn policy_list(&self, org: OrgId) -> Result<Vec<PolicyVersion>, PortError> {
        Ok(in_force(&*self.state()?, org).collect())
    }

    async fn policy_find(&self, org: OrgId, scope: PolicyScope) -> Result<Option<PolicyVersion>, PortError> {
        Ok(in_force(&*self.state()?, org).find(|version| version.scope == scope))
    }

    async fn policy_version(
        &self,
        org: OrgId,
        scope: PolicyScope,
        version: u32,
    ) -> Result<Option<PolicyVersion>, PortError> {
        let state = self.state()?;
        let mut versions = state.policies.get(&(org, scope)).into_iter().flatten();
        Ok(versions.find(|there| there.version == version).cloned())
    }

    async fn policy_history(
        &self,
        org: OrgId,
        scope: PolicyScope,
        wish: &PageWish,
    ) -> Result<Page<PolicyVersion>, PortError> {
        let state = self.state()?;
        let versions = state.policies.get(&(org, scope)).into_iter().flatten().rev();
        page(versions.map(|there| (there.version, there.clone())), wish, |version, after| version < after)
    }
}

/// The policies in force, by scope as it is written.
pub(super) fn in_force(state: &State, org: OrgId) -> impl Iterator<Item = PolicyVersion> {
    let of_org = state.policies.iter().filter(|((of, _), _)| *of == org);
    let newest = of_org.filter_map(|(_, versions)| versions.last());
    let mut in_force: Vec<_> = newest.filter(|version| version.document.is_some()).cloned().collect();
    in_force.sort_by_key(|version| version.scope.to_string());
    in_force.into_iter()
}
