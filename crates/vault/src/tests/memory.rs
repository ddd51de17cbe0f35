//! The vault's ports in memory, with a fuse: a call that fails, as if the process had been killed there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{
    InstallationSecrets, OrgKeys, PortError, RewrapCount, SealedSecret, SealedSecrets, WrappedOrgKey,
    WrappedRoot,
};
use topdog_domain::{OrgId, ProviderKeyId};

#[derive(Default)]
pub(super) struct MemoryStore(Mutex<Tables>);

#[derive(Default)]
pub(super) struct Tables {
    pub(super) org_keys: BTreeMap<(OrgId, u32), WrappedOrgKey>,
    pub(super) secrets: BTreeMap<(ProviderKeyId, u32), SealedSecret>,
    pub(super) installation: BTreeMap<(String, u32), WrappedRoot>,
    /// Calls so far.
    pub(super) calls: u64,
    /// At which call to fail, and whether the call still acts.
    pub(super) fuse: Option<(u64, Blows)>,
    /// Never answers.
    pub(super) is_silent: bool,
}

/// How a call fails.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Blows {
    /// Killed before the store acted.
    Before,
    /// Killed before the store's answer came.
    After,
}

impl MemoryStore {
    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap()
    }

    pub(super) fn keep(&self, sealed: SealedSecret) {
        self.tables().secrets.insert((sealed.provider_key, sealed.version), sealed);
    }

    /// As the adapter does where an organisation is destroyed.
    pub(super) fn shred(&self, org: OrgId) {
        let mut tables = self.tables();
        tables.org_keys.retain(|(there, _), _| *there != org);
    }

    pub(super) fn org_key_versions(&self, org: OrgId) -> Vec<u32> {
        let tables = self.tables();
        tables.org_keys.keys().filter(|(there, _)| *there == org).map(|(_, version)| *version).collect()
    }

    async fn call<T>(&self, act: impl FnOnce(&mut Tables) -> Result<T, PortError>) -> Result<T, PortError> {
        // Lets other tasks in between any two calls.
        tokio::task::yield_now().await;
        if self.tables().is_silent {
            std::future::pending::<()>().await;
        }
        let mut tables = self.tables();
        tables.calls += 1;
        let blown = || PortError::Unavailable("the fuse has blown".into());
        match tables.fuse {
            Some((at, Blows::Before)) if tables.calls >= at => Err(blown()),
            Some((at, Blows::After)) if tables.calls > at => Err(blown()),
            Some((at, Blows::After)) if tables.calls == at => {
                act(&mut tables)?;
                Err(blown())
            }
            _ => act(&mut tables),
        }
    }
}

#[async_trait]
impl OrgKeys for MemoryStore {
    async fn org_key_add(&self, key: &WrappedOrgKey, _: Option<&AuditDraft>) -> Result<(), PortError> {
        self.call(|tables| {
            if tables.org_keys.contains_key(&(key.org, key.version)) {
                return Err(PortError::Conflict("that version is there"));
            }
            tables.org_keys.insert((key.org, key.version), key.clone());
            Ok(())
        })
        .await
    }

    async fn org_key_list(&self, org: OrgId) -> Result<Vec<WrappedOrgKey>, PortError> {
        self.call(|tables| {
            let rows = tables.org_keys.iter().filter(|((there, _), _)| *there == org);
            Ok(rows.map(|(_, row)| row.clone()).rev().collect())
        })
        .await
    }

    async fn org_key_list_stale(
        &self,
        root_id: &str,
        root_version: u32,
        limit: u32,
    ) -> Result<Vec<WrappedOrgKey>, PortError> {
        self.call(|tables| {
            let is_stale =
                |row: &&WrappedOrgKey| (row.root_id.as_str(), row.root_version) != (root_id, root_version);
            let rows = tables.org_keys.values().filter(is_stale);
            Ok(rows.take(limit as usize).cloned().collect())
        })
        .await
    }

    async fn org_key_rewrap(&self, old: &WrappedOrgKey, new: &WrappedOrgKey) -> Result<bool, PortError> {
        self.call(|tables| {
            let Some(row) = tables.org_keys.get_mut(&(old.org, old.version)) else {
                return Ok(false);
            };
            let is_there = (&row.root_id, row.root_version) == (&old.root_id, old.root_version);
            if is_there {
                *row = new.clone();
            }
            Ok(is_there)
        })
        .await
    }

    async fn org_key_prune(&self, org: OrgId, version: u32) -> Result<u64, PortError> {
        self.call(|tables| {
            let before = tables.org_keys.len();
            let Tables { org_keys, secrets, .. } = tables;
            org_keys.retain(|(there, old), _| {
                let is_used = secrets.values().any(|row| row.org == org && row.org_key_version == *old);
                *there != org || *old >= version || is_used
            });
            Ok((before - org_keys.len()) as u64)
        })
        .await
    }

    async fn org_key_list_superseded(
        &self,
        after: Option<OrgId>,
        limit: u32,
    ) -> Result<Vec<OrgId>, PortError> {
        self.call(|tables| {
            let mut counts = BTreeMap::<OrgId, u32>::new();
            for (org, _) in tables.org_keys.keys() {
                *counts.entry(*org).or_default() += 1;
            }
            let orgs = counts.into_iter().filter(|(org, count)| *count > 1 && Some(*org) > after);
            Ok(orgs.map(|(org, _)| org).take(limit as usize).collect())
        })
        .await
    }

    async fn rewrap_pending(&self, root_id: &str, root_version: u32) -> Result<RewrapCount, PortError> {
        self.call(|tables| {
            let present = (root_id, root_version);
            let keys = tables.org_keys.values().map(|row| (row.root_id.as_str(), row.root_version));
            let others = tables.installation.values().map(|row| (row.root_id.as_str(), row.root_version));
            let is_stale = |row: &&SealedSecret| {
                let versions = tables.org_keys.keys().filter(|(org, _)| *org == row.org);
                versions.map(|(_, version)| *version).max() != Some(row.org_key_version)
            };
            Ok(RewrapCount {
                under_old_root: keys.chain(others).filter(|name| *name != present).count() as u64,
                under_old_org_key: tables.secrets.values().filter(is_stale).count() as u64,
            })
        })
        .await
    }
}

#[async_trait]
impl SealedSecrets for MemoryStore {
    async fn secret_find(&self, key: ProviderKeyId, version: u32) -> Result<Option<SealedSecret>, PortError> {
        self.call(|tables| Ok(tables.secrets.get(&(key, version)).cloned())).await
    }

    async fn secret_list_stale(
        &self,
        org: OrgId,
        org_key_version: u32,
        limit: u32,
    ) -> Result<Vec<SealedSecret>, PortError> {
        self.call(|tables| {
            let is_stale = |row: &&SealedSecret| row.org == org && row.org_key_version != org_key_version;
            let rows = tables.secrets.values().filter(is_stale);
            Ok(rows.take(limit as usize).cloned().collect())
        })
        .await
    }

    async fn secret_rewrap(&self, old: &SealedSecret, new: &SealedSecret) -> Result<bool, PortError> {
        self.call(|tables| {
            let Some(row) = tables.secrets.get_mut(&(old.provider_key, old.version)) else {
                return Ok(false);
            };
            let is_there = row.org_key_version == old.org_key_version;
            if is_there {
                *row = new.clone();
            }
            Ok(is_there)
        })
        .await
    }
}

#[async_trait]
impl InstallationSecrets for MemoryStore {
    async fn root_wrapped_list(&self, name: &str) -> Result<Vec<WrappedRoot>, PortError> {
        self.call(|tables| {
            let rows = tables.installation.iter().filter(|((there, _), _)| there == name);
            Ok(rows.map(|(_, row)| row.clone()).rev().collect())
        })
        .await
    }

    async fn root_wrapped_add(&self, wrapped: &WrappedRoot) -> Result<(), PortError> {
        self.call(|tables| {
            let place = (wrapped.name.clone(), wrapped.version);
            if tables.installation.contains_key(&place) {
                return Err(PortError::Conflict("that version is there"));
            }
            tables.installation.insert(place, wrapped.clone());
            Ok(())
        })
        .await
    }

    async fn root_wrapped_put(&self, wrapped: &WrappedRoot) -> Result<(), PortError> {
        self.call(|tables| {
            let place = (wrapped.name.clone(), wrapped.version);
            tables.installation.insert(place, wrapped.clone());
            Ok(())
        })
        .await
    }
}
