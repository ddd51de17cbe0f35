use crate::api::{List, Page, Policy, PutPolicy, RollBackPolicy};
use crate::authority::{OrgCaller, ReadPolicies, WritePolicies};
use crate::body::{Answer, Done};
use crate::checks::bad_field;
use crate::idempotency::{Create, Created, Keep};
use crate::pages::page;
use crate::params::{ExpectedVersion, Named, PageParams, VersionNumber};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use crate::target::is_known;
use axum::extract::State;
use topdog_domain::directory::OrgView;
use topdog_domain::entitlement::Feature;
use topdog_domain::policy::{self, BadPolicy, Cap, CapUnit, PolicyInForce, PolicyScope};
use topdog_domain::ports::{NewPolicy, PolicyVersion, PortError};
use topdog_domain::provider::ProviderName;

/// What a 404 calls one.
const WHAT: &str = "policy";
/// Every node keeps all of them in memory, so that nobody may have any number.
const MOST: u32 = 100;

pub(super) async fn list(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadPolicies>,
) -> Result<Answer<List<Policy>>, Problem> {
    let rows = platform.parts.policies.policy_list(caller.org_id()).await?;
    Ok(Answer(List { data: rows.into_iter().map(|row| shown(&platform, &caller.org, row)).collect() }))
}

pub(super) async fn show(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadPolicies>,
    Named(scope): Named<PolicyScope>,
) -> Result<Answer<Policy>, Problem> {
    let found = platform.parts.policies.policy_find(caller.org_id(), scope).await?;
    Ok(Answer(shown(&platform, &caller.org, found.ok_or(Problem::NotFound(WHAT))?)))
}

pub(super) async fn history(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadPolicies>,
    Named(scope): Named<PolicyScope>,
    PageParams { wish, .. }: PageParams<VersionNumber>,
) -> Result<Answer<Page<Policy>>, Problem> {
    let rows = platform.parts.policies.policy_history(caller.org_id(), scope, &wish).await?;
    if rows.rows.is_empty() && wish.after.is_none() {
        return Err(Problem::NotFound(WHAT));
    }
    Ok(Answer(page(rows, Policy::from)))
}

pub(super) async fn put(
    State(platform): State<Shared>,
    caller: OrgCaller<WritePolicies>,
    Named(scope): Named<PolicyScope>,
    input: Create<PutPolicy>,
) -> Result<Created<Policy>, Problem> {
    let make = |wish: PutPolicy| {
        let (platform, caller) = (&*platform, &caller);
        async move {
            caller.require_feature(platform, Feature::ByokPolicies)?;
            require_owner(platform, caller, scope)?;
            let policy = policy::Policy::check(wish.document).map_err(bad)?;
            require_quotas(platform, caller, scope, &policy)?;
            put_in_force(platform, caller, scope, wish.expected_version, &policy).await
        }
    };
    input.once(&platform, &caller.trail, Keep::Plain, make).await
}

pub(super) async fn roll_back(
    State(platform): State<Shared>,
    caller: OrgCaller<WritePolicies>,
    Named(scope): Named<PolicyScope>,
    input: Create<RollBackPolicy>,
) -> Result<Created<Policy>, Problem> {
    let make = |wish: RollBackPolicy| {
        let (platform, caller) = (&*platform, &caller);
        async move {
            caller.require_feature(platform, Feature::ByokPolicies)?;
            require_owner(platform, caller, scope)?;
            let policies = &platform.parts.policies;
            let version = policies.policy_version(caller.org_id(), scope, wish.to_version).await?;
            let version = version.ok_or(Problem::NotFound("version"))?;
            let text = version.document.ok_or_else(|| {
                bad_field(
                    "to_version",
                    "with that version the policy was deleted; delete it, or go back further",
                )
            })?;
            let policy = policy::Policy::stored(&text).ok_or_else(|| {
                bad_field("to_version", "this version of Top Dog does not understand it; choose another")
            })?;
            require_quotas(platform, caller, scope, &policy)?;
            put_in_force(platform, caller, scope, wish.expected_version, &policy).await
        }
    };
    input.once(&platform, &caller.trail, Keep::Plain, make).await
}

pub(super) async fn delete(
    State(platform): State<Shared>,
    caller: OrgCaller<WritePolicies>,
    Named(scope): Named<PolicyScope>,
    ExpectedVersion(expected): ExpectedVersion,
) -> Result<Done, Problem> {
    require_place(&platform, &caller, scope)?;
    change(&platform, &caller, scope, expected, None).await?;
    platform.refresh(caller.org_id()).await;
    Ok(Done)
}

async fn put_in_force(
    platform: &Platform,
    caller: &OrgCaller<WritePolicies>,
    scope: PolicyScope,
    expected: u32,
    policy: &policy::Policy,
) -> Result<Policy, Problem> {
    let document = serde_json::to_string(policy.document()).map_err(|_| topdog_domain::Refusal::Internal)?;
    let version = change(platform, caller, scope, Some(expected), Some(document)).await?;
    let in_force = PolicyInForce::stored(&version);
    // What it denies is denied from here on, also where the store is away again already.
    let put = |policies: &mut Vec<PolicyInForce>| {
        policies.retain(|there| there.scope != scope);
        policies.push(in_force);
    };
    platform.refresh_or(caller.org_id(), |facts| put(&mut facts.policies)).await;
    Ok(shown(platform, &caller.org, version))
}

async fn change(
    platform: &Platform,
    caller: &OrgCaller<WritePolicies>,
    scope: PolicyScope,
    expected: Option<u32>,
    document: Option<String>,
) -> Result<PolicyVersion, Problem> {
    let new = NewPolicy {
        org: caller.org_id(),
        scope,
        document,
        expected,
        most: MOST,
        author: caller.trail.caller(),
        at: caller.trail.at,
    };
    let audit = caller.trail.draft(new.org, scope);
    let changed = platform.parts.policies.policy_put(&new, &audit).await;
    changed.map_err(|error| match error {
        PortError::NotFound => Problem::NotFound(WHAT),
        PortError::LimitReached { .. } => Problem::Full(format!("{MOST} policies")),
        PortError::Conflict(_) => {
            Problem::Conflict("another version of the policy is in force than the one expected".to_owned())
        }
        other => other.into(),
    })
}

/// Bounds on what a key or a workspace may use are a feature of their own; bounds on money come with policies.
fn require_quotas(
    platform: &Platform,
    caller: &OrgCaller<WritePolicies>,
    scope: PolicyScope,
    policy: &policy::Policy,
) -> Result<(), Problem> {
    let is_quota = |cap: &Cap| cap.unit != CapUnit::Nanodollars;
    if scope == PolicyScope::Organisation || !policy.caps().iter().any(is_quota) {
        return Ok(());
    }
    caller.require_feature(platform, Feature::ResourceQuotas)
}

/// The workspace or the live key that a policy is to be for must be there.
fn require_owner(
    platform: &Platform,
    caller: &OrgCaller<WritePolicies>,
    scope: PolicyScope,
) -> Result<(), Problem> {
    let facts = &caller.org.facts;
    let is_there = match scope {
        PolicyScope::Organisation => true,
        PolicyScope::Workspace(id) => facts.workspaces.iter().any(|workspace| workspace.id == id),
        PolicyScope::Key(id) => facts.api_keys.iter().any(|key| key.id == id),
    };
    if is_there { require_place(platform, caller, scope) } else { Err(Problem::NotFound(WHAT)) }
}

/// A key that is bound to a workspace changes no rule of others.
fn require_place(
    platform: &Platform,
    caller: &OrgCaller<WritePolicies>,
    scope: PolicyScope,
) -> Result<(), Problem> {
    let workspace = match scope {
        PolicyScope::Organisation => None,
        PolicyScope::Workspace(id) => Some(id),
        PolicyScope::Key(id) => {
            let keys = &caller.org.facts.api_keys;
            keys.iter().find(|key| key.id == id).and_then(|key| key.workspace)
        }
    };
    caller.require_reach(platform, workspace, scope)
}

fn bad(BadPolicy { field, message }: BadPolicy) -> Problem {
    bad_field(field, message)
}

/// The version, with what of it has no effect just now.
fn shown(platform: &Platform, org: &OrgView, version: PolicyVersion) -> Policy {
    let in_force = PolicyInForce::stored(&version);
    let mut shown = Policy::from(version);
    if shown.document.is_none() {
        return shown;
    }
    let Some(policy) = in_force.policy else {
        shown
            .warnings
            .push("this version of Top Dog does not understand it, and so everything is denied".to_owned());
        return shown;
    };
    if !org.tier.has(Feature::ByokPolicies) {
        shown.warnings.push(
            "the tier has no policies: what is here of `allow`, `deny` and `caps` holds, requests by an alias are refused, and neither routes nor `cache` have any effect"
                .to_owned(),
        );
    }
    let is_strange = |provider: &&ProviderName| !is_known(platform, org, provider);
    let patterns = policy.allow().into_iter().flatten().chain(policy.deny());
    for (provider, pattern) in
        patterns.filter_map(|pattern| Some((pattern.provider().filter(is_strange)?, pattern)))
    {
        shown.warnings.push(format!("`{pattern}`: there is no provider `{provider}` here"));
    }
    for (target, why) in policy.routes().iter().flat_map(|route| unusable(platform, org, route)) {
        shown.warnings.push(format!("`{target}` of a route is passed over: {why}"));
    }
    shown
}

/// Targets that no request can go to just now, and why.
fn unusable(platform: &Platform, org: &OrgView, route: &policy::Route) -> Vec<(policy::RouteTarget, String)> {
    let why = |target: &policy::RouteTarget| {
        if !is_known(platform, org, &target.provider) {
            return Some(format!("there is no provider `{}` here", target.provider));
        }
        let is_keyless = org.endpoint(target.provider.as_str()).is_some_and(|endpoint| endpoint.is_keyless);
        match target.provider_key(org) {
            Ok(key) if key.is_some() || is_keyless => None,
            _ => Some("there is no such provider key".to_owned()),
        }
    };
    let targets = route.targets().iter().chain(route.fallbacks());
    targets.filter_map(|target| Some((target.clone(), why(target)?))).collect()
}
