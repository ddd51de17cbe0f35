use super::away;
use crate::api_key::ApiKey;
use crate::audit::{AuditDraft, AuditEntry, ChainHash};
use crate::policy::PolicyScope;
use crate::ports::{Change, PolicyVersion, PortError, SealedSecret, WrappedOrgKey, WrappedRoot};
use crate::provider::ProviderName;
use crate::tenant::{Endpoint, Member, Organisation, ProviderKey, Workspace};
use crate::tier::{Tier, TierName};
use crate::usage::RequestRecord;
use crate::{ApiKeyId, OrgId, ProviderKeyId, RecordId, Timestamp};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The database in memory: all its ports but the quota ledger's.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    is_away: AtomicBool,
}

/// One lock for everything: whatever is done under it is a transaction.
#[derive(Default)]
pub(super) struct State {
    pub(super) tiers: BTreeMap<TierName, Tier>,
    pub(super) organisations: BTreeMap<OrgId, Organisation>,
    pub(super) destroyed: HashSet<OrgId>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) members: Vec<Member>,
    pub(super) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    pub(super) provider_keys: BTreeMap<ProviderKeyId, ProviderKey>,
    pub(super) secrets: BTreeMap<(ProviderKeyId, u32), SealedSecret>,
    pub(super) endpoints: BTreeMap<(OrgId, ProviderName), Endpoint>,
    pub(super) policies: BTreeMap<(OrgId, PolicyScope), Vec<PolicyVersion>>,
    pub(super) org_keys: BTreeMap<(OrgId, u32), WrappedOrgKey>,
    pub(super) installation_secrets: BTreeMap<(String, u32), WrappedRoot>,
    pub(super) usage: BTreeMap<RecordId, RequestRecord>,
    pub(super) debug_logs: BTreeMap<RecordId, RequestRecord>,
    pub(super) idempotency: BTreeMap<(String, String), Claim>,
    chains: BTreeMap<OrgId, Vec<AuditEntry>>,
    audited: HashSet<RecordId>,
    changes: Vec<Change>,
}

/// A request with an idempotency key.
pub(super) struct Claim {
    pub(super) at: Timestamp,
    pub(super) fingerprint: [u8; 32],
    pub(super) answer: Option<(u16, Vec<u8>)>,
}

impl MemoryStore {
    /// A database with the standard tiers and nothing else.
    #[must_use]
    pub fn new() -> Self {
        let store = Self::default();
        {
            let mut state = store.lock();
            state.tiers =
                Tier::standard_catalogue().into_iter().map(|tier| (tier.name.clone(), tier)).collect();
        }
        store
    }

    /// Makes every call fail, or work again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>, PortError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(away());
        }
        Ok(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What every administrative change ends with.
    pub(super) fn changed(&mut self, org: OrgId, audit: &AuditDraft) {
        self.append_audit(audit);
        self.announce(Some(org));
    }

    pub(super) fn announce(&mut self, org: Option<OrgId>) {
        let seq = self.newest_change().saturating_add(1);
        self.changes.push(Change { seq, org });
    }

    pub(super) fn newest_change(&self) -> i64 {
        self.changes.last().map_or(0, |change| change.seq)
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Deletes those debug logs, and from the usage what only they know; how many.
    pub(super) fn delete_debug_logs(&mut self, is_over: impl Fn(&RequestRecord) -> bool) -> u64 {
        let over: Vec<RecordId> =
            self.debug_logs.extract_if(.., |_, log| is_over(log)).map(|(id, _)| id).collect();
        for id in &over {
            if let Some(usage) = self.usage.get_mut(id) {
                usage.client_ip = "".into();
                usage.first_byte_us = None;
                (usage.total_us, usage.overhead_us, usage.bytes_in, usage.bytes_out) = (0, 0, 0, 0);
                (usage.error_code, usage.guardrails) = (None, None);
            }
        }
        over.len() as u64
    }

    /// Appends to the chain, unless the draft's id is there.
    pub(super) fn append_audit(&mut self, draft: &AuditDraft) {
        if self.audited.insert(draft.id) {
            let (seq, hash) = self.audit_head(draft.org);
            let entry = AuditEntry::append(seq, hash, draft);
            self.chains.entry(draft.org).or_default().push(entry);
        }
    }

    pub(super) fn audit_head(&self, org: OrgId) -> (u64, ChainHash) {
        self.chain(org).last().map_or((0, ChainHash::GENESIS), |entry| (entry.seq, entry.hash))
    }

    pub(super) fn chain(&self, org: OrgId) -> &[AuditEntry] {
        self.chains.get(&org).map_or(&[], Vec::as_slice)
    }

    /// Whose chains there are.
    pub(super) fn chains(&self) -> impl Iterator<Item = OrgId> {
        self.chains.keys().copied()
    }

    /// The organisation; [`PortError::NotFound`] where it is gone.
    pub(super) fn organisation(&mut self, id: OrgId) -> Result<&mut Organisation, PortError> {
        self.organisations.get_mut(&id).ok_or(PortError::NotFound)
    }
}
