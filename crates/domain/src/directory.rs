//! What a node knows of all tenants: an immutable snapshot behind an atomic pointer, so that finding a
//! caller is a look-up without a lock, and a change is there for the very next request.

use crate::api_key::{ApiKey, KeySecret, PublicId, beyond};
use crate::entitlement::Feature;
use crate::occupancy::{InUse, Occupancy};
use crate::policy::effective::OrgPolicies;
use crate::policy::{Caching, CapInForce, EffectivePolicy, PolicyInForce};
use crate::ports::{ChangeFeed, PortError, Tiers};
use crate::quota::{Meter, OrgMeters};
use crate::response_cache::ResponseCache;
use crate::routing::Health;
use crate::tenant::{Endpoint, Organisation, ProviderKey, Workspace};
use crate::tier::{Limit, Tier, TierCatalogue};
use crate::{ApiKeyId, OrgId, ProviderKeyId, Refusal, Timestamp};
use arc_swap::{ArcSwap, Guard};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Everything stored about an organisation that the path of a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgFacts {
    /// Itself.
    pub organisation: Organisation,
    /// Its workspaces.
    pub workspaces: Vec<Workspace>,
    /// Its live API keys, with their live secrets.
    pub api_keys: Vec<ApiKey>,
    /// Its live provider keys.
    pub provider_keys: Vec<ProviderKey>,
    /// Its custom endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Its policies in force, for itself, workspaces and keys.
    pub policies: Vec<PolicyInForce>,
}

/// An organisation as the path of a request sees it.
pub struct OrgView {
    /// What is stored.
    pub facts: OrgFacts,
    /// Its tier, resolved.
    pub tier: Arc<Tier>,
    /// Its meters: the same through all changes.
    pub meters: Arc<OrgMeters>,
    /// What it takes of this node: the same through all changes.
    pub occupancy: Arc<Occupancy>,
    /// How its places fare, as far as this node has seen: the same through all changes.
    pub health: Arc<Health>,
    /// Answers that are kept for it: the same through all changes.
    pub cache: Arc<ResponseCache>,
    /// Keys beyond the number that the tier allows: few tenants have any.
    keys_over_limit: HashSet<ApiKeyId>,
    policies: OrgPolicies,
}

/// A known key with the organisation it belongs to.
#[derive(Clone)]
pub struct Caller {
    /// The organisation.
    pub org: Arc<OrgView>,
    /// The key.
    pub key: Arc<ApiKey>,
    /// The secret that was looked up.
    pub secret: Arc<KeySecret>,
    /// Counts against the key's own limit, where it has one.
    pub key_meter: Option<Arc<Meter>>,
    /// The policies that hold for the key; none where there are none.
    pub policy: Option<Arc<EffectivePolicy>>,
    /// The caps of those policies; none where there are none.
    pub caps: Option<Arc<[CapInForce]>>,
    /// What those policies let be given again; none where nothing, or where the tier has no policies.
    pub caching: Option<Arc<Caching>>,
}

/// One state of the directory.
#[derive(Clone, Default)]
pub struct Snapshot {
    callers: HashMap<PublicId, Arc<Caller>>,
    orgs: HashMap<OrgId, Arc<OrgView>>,
}

impl Snapshot {
    /// The caller whose key has that public id.
    #[must_use]
    pub fn caller(&self, public_id: &PublicId) -> Option<&Caller> {
        self.shared_caller(public_id).map(Arc::as_ref)
    }

    /// The same, to be kept for as long as a request runs.
    #[must_use]
    pub fn shared_caller(&self, public_id: &PublicId) -> Option<&Arc<Caller>> {
        self.callers.get(public_id)
    }

    /// The organisation of that id.
    #[must_use]
    pub fn org(&self, id: OrgId) -> Option<&Arc<OrgView>> {
        self.orgs.get(&id)
    }

    /// All organisations.
    pub fn orgs(&self) -> impl Iterator<Item = &Arc<OrgView>> {
        self.orgs.values()
    }

    fn remove(&mut self, org: OrgId) {
        if let Some(view) = self.orgs.remove(&org) {
            for secret in view.facts.api_keys.iter().flat_map(|key| &key.secrets) {
                self.callers.remove(&secret.public_id);
            }
        }
    }

    fn insert(&mut self, view: Arc<OrgView>) {
        for key in &view.facts.api_keys {
            let shared = Arc::new(key.clone());
            let is_limited = key.llm_requests_per_day != Limit::Unlimited;
            let key_meter = is_limited.then(|| view.meters.of_key(key.id));
            let policy = view.policies.of_key(key);
            let caps = policy.as_deref().and_then(|policy| CapInForce::of(policy, &view.meters.caps));
            let has_policies = view.tier.has(Feature::ByokPolicies);
            let caching =
                policy.as_deref().filter(|_| has_policies).and_then(|policy| Caching::of(policy, key));
            let caching = caching.map(Arc::new);
            for secret in &key.secrets {
                let secret_shared = Arc::new(secret.clone());
                let caller = Caller {
                    org: view.clone(),
                    key: shared.clone(),
                    secret: secret_shared,
                    key_meter: key_meter.clone(),
                    policy: policy.clone(),
                    caps: caps.clone(),
                    caching: caching.clone(),
                };
                self.callers.insert(secret.public_id, Arc::new(caller));
            }
        }
        self.orgs.insert(view.facts.organisation.id, view);
    }
}

/// The directory of a node.
pub struct Directory {
    snapshot: ArcSwap<Snapshot>,
    tiers: ArcSwap<TierCatalogue>,
    /// Bytes of answers that are kept for all organisations.
    kept_bytes: Arc<InUse>,
    /// Changes are made one at a time; readers never wait for it.
    change: Mutex<()>,
    /// Reading again and replacing are one step, so that an older reading never replaces a newer one.
    reload: tokio::sync::Mutex<()>,
    /// Until when it passes for the present state, microseconds.
    current_until: AtomicI64,
}

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new(tiers: TierCatalogue) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(Snapshot::default()),
            tiers: ArcSwap::from_pointee(tiers),
            kept_bytes: Arc::default(),
            change: Mutex::new(()),
            reload: tokio::sync::Mutex::new(()),
            current_until: AtomicI64::new(i64::MAX),
        }
    }

    /// May what is known still pass for what is so? Always, where nobody has ever said until when. Requests that must
    /// not be served by what was revoked meanwhile ask this.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        now.micros() <= self.current_until.load(Ordering::Acquire)
    }

    /// All changes are in it: until then it passes for the present state, whatever happens.
    pub fn confirm_until(&self, until: Timestamp) {
        self.current_until.store(until.micros(), Ordering::Release);
    }

    /// It passes for the present state no longer, whatever the clock says.
    pub fn doubt(&self) {
        self.current_until.store(i64::MIN, Ordering::Release);
    }

    /// The present state.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The tiers.
    pub fn tiers(&self) -> Guard<Arc<TierCatalogue>> {
        self.tiers.load()
    }

    /// Reads one organisation again, and replaces what is known of it. Whoever follows changes calls this: what it
    /// finds is at least as new as the change that made it look, and stays so.
    ///
    /// # Errors
    /// Where it can't be read; what is known stays.
    pub async fn reload_org(&self, feed: &dyn ChangeFeed, id: OrgId) -> Result<(), PortError> {
        let _turn = self.reload.lock().await;
        let facts = feed.load_org(id).await?;
        self.replace_org(id, facts);
        Ok(())
    }

    /// Reads everything again, and replaces everything known: at the start, and where a tier has changed.
    ///
    /// # Errors
    /// Where it can't be read; what is known stays.
    pub async fn reload_all(&self, feed: &dyn ChangeFeed, tiers: &dyn Tiers) -> Result<(), PortError> {
        let _turn = self.reload.lock().await;
        let catalogue = TierCatalogue::new(tiers.tier_list().await?);
        self.replace_all(catalogue, feed.load_all().await?);
        Ok(())
    }

    /// Replaces everything known.
    pub fn replace_all(&self, tiers: TierCatalogue, orgs: Vec<OrgFacts>) {
        let _turn = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.snapshot.load_full();
        let mut new = Snapshot::default();
        for facts in orgs {
            if let Some(view) = view(&old, &tiers, &self.kept_bytes, facts) {
                new.insert(view);
            }
        }
        self.tiers.store(Arc::new(tiers));
        self.snapshot.store(Arc::new(new));
    }

    /// Replaces what is known of one organisation; `None`: it is gone.
    pub fn replace_org(&self, id: OrgId, facts: Option<OrgFacts>) {
        let _turn = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.snapshot.load_full();
        let mut new = Snapshot::clone(&old);
        new.remove(id);
        if let Some(view) = facts.and_then(|facts| view(&old, &self.tiers.load(), &self.kept_bytes, facts)) {
            new.insert(view);
        }
        self.snapshot.store(Arc::new(new));
    }
}

/// The view of an organisation; its meters, its occupancy, its places' health and its cache are those it had. None where
/// its tier is not in the catalogue: who has no tier has no entitlements.
fn view(
    old: &Snapshot,
    tiers: &TierCatalogue,
    kept_bytes: &Arc<InUse>,
    facts: OrgFacts,
) -> Option<Arc<OrgView>> {
    let id = facts.organisation.id;
    let tier = tiers.find(&facts.organisation.tier)?.clone();
    let (meters, occupancy, health, cache) = old.org(id).map_or_else(
        || {
            let cache = Arc::new(ResponseCache::new(kept_bytes.clone()));
            (Arc::new(OrgMeters::new(id)), Arc::default(), Arc::default(), cache)
        },
        |view| (view.meters.clone(), view.occupancy.clone(), view.health.clone(), view.cache.clone()),
    );
    let keys_over_limit = beyond(tier.api_keys_limit, &facts.api_keys);
    let policies = OrgPolicies::new(&facts.policies);
    Some(Arc::new(OrgView { facts, tier, meters, occupancy, health, cache, keys_over_limit, policies }))
}

impl Caller {
    /// The key is among as many as the tier allows. More can be there since the organisation came to a lower tier.
    ///
    /// # Errors
    /// [`Refusal::KeyOverLimit`] where it is one too many.
    pub fn require_place(&self, tiers: &TierCatalogue) -> Result<(), Refusal> {
        if !self.org.is_over_limit(self.key.id) {
            return Ok(());
        }
        Err(tiers.key_over_limit(&self.org.tier, self.org.facts.api_keys.len() as u64))
    }
}

impl OrgView {
    /// Is that key one more than the tier allows?
    #[must_use]
    pub fn is_over_limit(&self, key: ApiKeyId) -> bool {
        self.keys_over_limit.contains(&key)
    }

    /// The policies that hold for the key; none where there are none.
    #[must_use]
    pub fn policy_of(&self, key: &ApiKey) -> Option<Arc<EffectivePolicy>> {
        self.policies.of_key(key)
    }

    /// Has the key a policy of its own?
    #[must_use]
    pub fn has_own_policy(&self, key: &ApiKey) -> bool {
        self.policies.has_own(key)
    }

    /// The newest live key for a provider; where there are several, the one made last.
    #[must_use]
    pub fn provider_key(&self, provider: &str) -> Option<&ProviderKey> {
        self.facts
            .provider_keys
            .iter()
            .filter(|k| k.provider.as_str() == provider)
            .max_by_key(|k| (k.created_at, k.id))
    }

    /// The provider key of that id.
    #[must_use]
    pub fn provider_key_by_id(&self, id: ProviderKeyId) -> Option<&ProviderKey> {
        self.facts.provider_keys.iter().find(|k| k.id == id)
    }

    /// The custom endpoint of that name.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Option<&Endpoint> {
        self.facts.endpoints.iter().find(|e| e.name.as_str() == name)
    }
}
