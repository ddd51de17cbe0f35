//! Who may do what, as types: a handler that takes an [`Operator`] or an [`OrgCaller`] can't be reached by
//! anyone else, and what it can reach is the organisation that the value holds.

mod charge;
mod denial;
mod permission;
mod trail;

use crate::authenticate::{Principal, authenticate};
use crate::edge::{ClientAddress, RequestTag};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use crate::table::RouteId;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;
use topdog_domain::api_key::ApiKey;
use topdog_domain::audit::Actor;
use topdog_domain::directory::{Caller, OrgView};
use topdog_domain::entitlement::{Feature, Resource};
use topdog_domain::quota::{Exhausted, MeterKey, NotTaken};
use topdog_domain::refusal::TierRefusal;
use topdog_domain::tier::{Limit, Tier};
use topdog_domain::{OrgId, Refusal, WorkspaceId};

pub(crate) use charge::Charge;
pub(crate) use denial::DenialBudget;
pub(crate) use permission::{
    ManageApiKeys, ManageProviderKeys, Permission, ReadApiKeys, ReadAudit, ReadOrg, ReadPolicies,
    ReadProviderKeys, ReadUsage, WriteOrg, WritePolicies,
};
pub(crate) use trail::Trail;

/// The operator, who may do everything.
pub(crate) struct Operator {
    /// What its changes are recorded with.
    pub(crate) trail: Trail,
}

/// The operator, who means that organisation.
pub(crate) struct OrgOperator {
    /// The organisation, as it was when the request came.
    pub(crate) org: Arc<OrgView>,
    /// What changes are recorded with.
    pub(crate) trail: Trail,
}

/// Someone who may read what is the same for all organisations: a key that may read its own, or the operator.
pub(crate) struct CatalogueReader;

/// Someone who may read an audit chain: a key with the scope in a tier that shows it, or the operator, also where
/// the organisation was destroyed: its chain stays.
pub(crate) struct ChainReader {
    /// Whose chain.
    pub(crate) org: OrgId,
    /// Is the organisation there just now?
    pub(crate) is_known: bool,
}

/// Someone who may do `P` in one organisation: a key of its own with the scope, or the operator.
pub(crate) struct OrgCaller<P> {
    /// The organisation, as it was when the request came.
    pub(crate) org: Arc<OrgView>,
    /// The key that calls; none where it is the operator.
    pub(crate) key: Option<Arc<ApiKey>>,
    /// What changes are recorded with.
    pub(crate) trail: Trail,
    permission: PhantomData<P>,
}

impl<P> OrgCaller<P> {
    /// The organisation's id.
    pub(crate) fn org_id(&self) -> OrgId {
        self.org.facts.organisation.id
    }

    /// The organisation's tier.
    pub(crate) fn tier(&self) -> &Tier {
        &self.org.tier
    }

    /// The feature, which the tier must have, whoever asks.
    pub(crate) fn require_feature(&self, platform: &Platform, feature: Feature) -> Result<(), Problem> {
        let tiers = platform.parts.directory.tiers();
        tiers.require(self.tier(), feature).map_err(Problem::from)
    }

    /// What belongs to that workspace, or with none to the whole organisation, must be the key's to change.
    pub(crate) fn require_reach(
        &self,
        platform: &Platform,
        workspace: Option<WorkspaceId>,
        target: impl fmt::Display,
    ) -> Result<(), Problem> {
        if self.key.as_ref().is_none_or(|key| key.acts_in(workspace)) {
            return Ok(());
        }
        platform
            .deny(self.trail.draft(self.org_id(), target).with("reason", Problem::OutsideWorkspace.code()));
        Err(Problem::OutsideWorkspace)
    }

    /// What only the operator may do to the organisation.
    pub(crate) fn require_operator(&self, what: &'static str) -> Result<(), Problem> {
        match self.key {
            None => Ok(()),
            Some(_) => Err(Problem::OperatorOnly(what)),
        }
    }
}

impl FromRequestParts<Shared> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Problem> {
        let arrival = Arrival::of(parts, platform);
        match authenticate(platform, &parts.headers, arrival.ip, arrival.trail.at)? {
            Principal::Operator => Ok(Self { trail: arrival.trail }),
            Principal::Key(caller) => {
                let trail = arrival.trail.of_actor(Actor::ApiKey(caller.key.id.to_string()));
                let org = caller.org.facts.organisation.id;
                platform.deny(trail.draft(org, "installation").with("reason", "operator_only"));
                Err(Problem::OperatorOnly("do this"))
            }
        }
    }
}

impl FromRequestParts<Shared> for OrgOperator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Problem> {
        let Operator { trail } = Operator::from_request_parts(parts, platform).await?;
        let org = named_org(platform, &org_param(parts).await?)?;
        Ok(Self { org, trail })
    }
}

impl FromRequestParts<Shared> for CatalogueReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Problem> {
        let arrival = Arrival::of(parts, platform);
        match authenticate(platform, &parts.headers, arrival.ip, arrival.trail.at)? {
            Principal::Operator => Ok(Self),
            Principal::Key(caller) => {
                admit::<ReadOrg>(platform, &caller, OWN, &arrival.trail, &arrival.charge).await?;
                Ok(Self)
            }
        }
    }
}

impl<P: Permission> FromRequestParts<Shared> for OrgCaller<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Problem> {
        let arrival = Arrival::of(parts, platform);
        let principal = authenticate(platform, &parts.headers, arrival.ip, arrival.trail.at)?;
        let named = org_param(parts).await?;
        match principal {
            Principal::Operator => Ok(Self {
                org: named_org(platform, &named)?,
                key: None,
                trail: arrival.trail,
                permission: PhantomData,
            }),
            Principal::Key(caller) => {
                let trail = arrival.trail.of_actor(Actor::ApiKey(caller.key.id.to_string()));
                admit::<P>(platform, &caller, &named, &trail, &arrival.charge).await?;
                Ok(Self { org: caller.org, key: Some(caller.key), trail, permission: PhantomData })
            }
        }
    }
}

impl FromRequestParts<Shared> for ChainReader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, platform: &Shared) -> Result<Self, Problem> {
        let caller = OrgCaller::<ReadAudit>::from_request_parts(parts, platform).await;
        match caller {
            Ok(caller) => {
                if caller.key.is_some() {
                    caller.require_feature(platform, Feature::AuditLogs)?;
                }
                Ok(Self { org: caller.org_id(), is_known: true })
            }
            Err(problem @ Problem::NotFound(_)) => {
                let arrival = Arrival::of(parts, platform);
                let principal = authenticate(platform, &parts.headers, arrival.ip, arrival.trail.at)?;
                match (principal, org_param(parts).await?.parse()) {
                    (Principal::Operator, Ok(org)) => Ok(Self { org, is_known: false }),
                    _ => Err(problem),
                }
            }
            Err(problem) => Err(problem),
        }
    }
}

/// What is known of a request before anyone is known.
struct Arrival {
    ip: Option<IpAddr>,
    trail: Trail,
    charge: Charge,
}

impl Arrival {
    fn of(parts: &Parts, platform: &Platform) -> Self {
        let ip = parts.extensions.get::<ClientAddress>().map(|address| address.0);
        let tag = parts.extensions.get::<RequestTag>();
        let route = parts.extensions.get::<RouteId>().map_or("unknown", |route| route.0);
        Self {
            ip,
            trail: Trail::new(platform.now(), route, ip, tag),
            charge: parts.extensions.get::<Charge>().cloned().unwrap_or_default(),
        }
    }
}

/// How a key may name its own organisation.
pub(crate) const OWN: &str = "current";

/// The organisation that the operator names by id or by name.
fn named_org(platform: &Platform, named: &str) -> Result<Arc<OrgView>, Problem> {
    let snapshot = platform.parts.directory.snapshot();
    let found = match named.parse::<OrgId>() {
        Ok(id) => snapshot.org(id),
        Err(_) => snapshot.orgs().find(|org| org.facts.organisation.name == named),
    };
    found.cloned().ok_or(Problem::NotFound("organisation"))
}

/// What a key must pass, in this order: the day's API calls, its own organisation, its scope, the minute's
/// key-management calls. From the first on it counts; where a tier refuses, the edge gives the charge back.
async fn admit<P: Permission>(
    platform: &Platform,
    caller: &Caller,
    named: &str,
    trail: &Trail,
    charge: &Charge,
) -> Result<(), Problem> {
    let org = &caller.org;
    let organisation = &org.facts.organisation;
    let limit = org.tier.api_calls_per_day;
    let taken = org.meters.api_calls.take(limit, &*platform.parts.ledger, trail.at).await;
    let unit = taken.map_err(|why| not_taken(platform, &org.tier, Resource::ApiCallsPerDay, why))?;
    charge.hold((org.clone(), unit));
    let deny = |reason: &str, target: &str| {
        if P::IS_KEY_MANAGEMENT {
            platform.deny(trail.draft(organisation.id, target).with("reason", reason));
        }
    };
    let is_own = named == OWN || named == organisation.name || named.parse() == Ok(organisation.id);
    if !is_own {
        deny("other_organisation", "organisation");
        return Err(Problem::NotFound("organisation"));
    }
    if !caller.key.has(P::SCOPE) {
        deny("scope_missing", P::SCOPE.name());
        return Err(Refusal::ScopeMissing(P::SCOPE).into());
    }
    if P::IS_KEY_MANAGEMENT
        && let Limit::Of(limit) = org.tier.key_management_calls_per_minute
    {
        let resource = Resource::KeyManagementCallsPerMinute;
        let meter = MeterKey::of(organisation.id, resource);
        let taken = platform.parts.minutes.minute_take(&meter, limit, trail.at).await;
        taken.map_err(|why| not_taken(platform, &org.tier, resource, why))?;
    }
    Ok(())
}

fn not_taken(platform: &Platform, tier: &Tier, resource: Resource, why: NotTaken) -> Problem {
    match why {
        NotTaken::Exhausted(spent) => exhausted(platform, tier, resource, spent),
        NotTaken::Unavailable(error) => {
            tracing::error!(%error, "the ledger can't be asked");
            Refusal::LedgerUnavailable.into()
        }
    }
}

/// The refusal of a limit that is reached, with the tier that has more of it.
fn exhausted(platform: &Platform, tier: &Tier, resource: Resource, spent: Exhausted) -> Problem {
    let tiers = platform.parts.directory.tiers();
    let lifted_by = tiers.lifting(tier, |tier| tier.limit(resource).allows_one_more(spent.limit));
    let refusal = TierRefusal {
        limit: resource.name().into(),
        tier: tier.name.clone(),
        allowed: Limit::Of(spent.limit),
        used: Some(spent.used),
        resets_at: Some(spent.resets_at),
        lifted_by,
    };
    Refusal::tier(refusal).into()
}

async fn org_param(parts: &mut Parts) -> Result<String, Problem> {
    let params =
        RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Problem::NotFound("organisation"))?;
    params
        .iter()
        .find(|(name, _)| *name == "org")
        .map(|(_, value)| value.to_owned())
        .ok_or(Problem::NotFound("organisation"))
}
