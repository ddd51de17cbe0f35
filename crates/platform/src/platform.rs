use crate::authority::DenialBudget;
use crate::target::ProviderPlace;
use crate::{edge, routes};
use axum::Router;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;
use topdog_domain::catalogue::ModelCatalogue;
use topdog_domain::directory::{Directory, OrgFacts};
use topdog_domain::ports::{
    ApiKeys, CapLedger, ChangeFeed, Clock, Endpoints, Idempotency, MinuteLedger, OrgKeys, Organisations,
    Policies, ProviderKeys, QuotaLedger, RecordReader, Spool, SpoolHandle, Tiers, WrappedKeyCounts,
};
use topdog_domain::provider::ProviderName;
use topdog_domain::{OrgId, Timestamp};
use topdog_egress::Client;
use topdog_vault::{KeyHasher, Vault};

/// What the management API stands on.
pub struct PlatformParts {
    /// What this node knows of all tenants; a change is put into it before it is answered.
    pub directory: Arc<Directory>,
    /// The tier catalogue.
    pub tiers: Arc<dyn Tiers>,
    /// Organisations.
    pub organisations: Arc<dyn Organisations>,
    /// Top Dog API keys.
    pub api_keys: Arc<dyn ApiKeys>,
    /// Provider keys.
    pub provider_keys: Arc<dyn ProviderKeys>,
    /// Organisations' wrapped keys, for telling how a rotation stands.
    pub org_keys: Arc<dyn OrgKeys>,
    /// How many keys are wrapped by what, for the same.
    pub wrapped_key_counts: Arc<dyn WrappedKeyCounts>,
    /// Rung where a rotation has begun, for whoever carries it on.
    pub rotation_begun: Arc<Notify>,
    /// Custom endpoints.
    pub endpoints: Arc<dyn Endpoints>,
    /// Policies.
    pub policies: Arc<dyn Policies>,
    /// Answers to creates.
    pub idempotency: Arc<dyn Idempotency>,
    /// Usage, debug logs, audit.
    pub records: Arc<dyn RecordReader>,
    /// Daily limits.
    pub ledger: Arc<dyn QuotaLedger>,
    /// The ledger of customers' caps.
    pub caps: Arc<dyn CapLedger>,
    /// Limits by the minute.
    pub minutes: Arc<dyn MinuteLedger>,
    /// Where a changed organisation is read again.
    pub change_feed: Arc<dyn ChangeFeed>,
    /// Where audit entries go that belong to no change: denials, uses of a key.
    pub spool: Arc<dyn Spool>,
    /// Seals provider keys.
    pub vault: Vault,
    /// Makes and checks Top Dog API keys.
    pub hasher: Arc<KeyHasher>,
    /// For testing provider keys, and for its policy on base URLs.
    pub egress: Client,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// [`operator_token_hash`](crate::operator_token_hash) of the operator's token.
    pub operator_token_hash: [u8; 32],
    /// Built-in providers and where they are.
    pub providers: Vec<(ProviderName, ProviderPlace)>,
    /// Known models, for saying where a name leads.
    pub catalogue: Arc<ModelCatalogue>,
    /// Is the built-in test provider on?
    pub is_test_provider_enabled: bool,
    /// Where the tiers are explained; goes into every tier refusal.
    pub plans_url: String,
}

/// The management API.
pub struct Platform {
    pub(crate) parts: PlatformParts,
    pub(crate) spool: Box<dyn SpoolHandle>,
    pub(crate) denials: DenialBudget,
    pub(crate) providers: BTreeMap<ProviderName, ProviderPlace>,
}

/// What every handler is given.
pub(crate) type Shared = Arc<Platform>;

impl Platform {
    /// The API on these parts.
    #[must_use]
    pub fn new(mut parts: PlatformParts) -> Self {
        Self {
            spool: parts.spool.handle(),
            providers: std::mem::take(&mut parts.providers).into_iter().collect(),
            parts,
            denials: DenialBudget::default(),
        }
    }

    /// Everything under `/api/v1`. The caller puts a [`ClientAddress`](crate::ClientAddress) into each
    /// request's extensions; without it, keys that are bound to networks are refused.
    pub fn router(self) -> Router {
        let shared = Arc::new(self);
        edge::around(routes::router(), &shared).with_state(shared)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Makes a committed change of an organisation known to this node: its very next request sees it.
    pub(crate) async fn refresh(&self, org: OrgId) {
        self.refresh_or(org, |_| ()).await;
    }

    /// The same, for a change that takes something away: where the organisation can't be read again just now, it
    /// is taken away from what is known.
    pub(crate) async fn refresh_or(&self, org: OrgId, take_away: impl FnOnce(&mut OrgFacts)) {
        let directory = &self.parts.directory;
        if let Err(error) = directory.reload_org(&*self.parts.change_feed, org).await {
            // The change itself is committed, and the change feed brings the rest when the store is back.
            tracing::error!(%org, %error, "a changed organisation can't be read again yet");
            let known = directory.snapshot().org(org).map(|view| view.facts.clone());
            if let Some(mut facts) = known {
                take_away(&mut facts);
                directory.replace_org(org, Some(facts));
            }
        }
        self.parts.vault.forget_org(org);
    }

    /// The same for the tiers, which concern every organisation.
    pub(crate) async fn refresh_all(&self) {
        let parts = &self.parts;
        if let Err(error) = parts.directory.reload_all(&*parts.change_feed, &*parts.tiers).await {
            // As above: it is committed, and must not be told as if it were not.
            tracing::error!(%error, "changed tiers can't be read again yet");
        }
    }
}
