use crate::api::{ApiKey, CreateApiKey, IssuedApiKey, Page, RotateApiKey, Secret, UtcTime};
use crate::authority::{ManageApiKeys, OrgCaller, ReadApiKeys};
use crate::body::{Answer, Done};
use crate::checks::{bad_field, models, name, networks};
use crate::idempotency::{Create, Created, Keep};
use crate::pages::page;
use crate::params::{Named, PageParams};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::api_key::{self, KeySecret, Token};
use topdog_domain::delegation::Excess;
use topdog_domain::entitlement::{Feature, Resource};
use topdog_domain::ports::{NewSecret, PortError};
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, OrgId, Refusal, Timestamp};

/// What a 404 calls one.
const WHAT: &str = "api key";
const MAX_GRACE_SECONDS: u32 = 30 * 24 * 3600;
const NOTE: &str = "this secret is shown once and kept nowhere; put it into a secret store now";

pub(super) async fn list(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadApiKeys>,
    PageParams { wish, .. }: PageParams<ApiKeyId>,
) -> Result<Answer<Page<ApiKey>>, Problem> {
    let rows = platform.parts.api_keys.api_key_list(caller.org_id(), &wish).await?;
    Ok(Answer(page(rows, |key| ApiKey::of(&caller.org, key))))
}

pub(super) async fn show(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadApiKeys>,
    Named(id): Named<ApiKeyId>,
) -> Result<Answer<ApiKey>, Problem> {
    let key = find(&platform, caller.org_id(), id).await?;
    Ok(Answer(ApiKey::of(&caller.org, key)))
}

pub(super) async fn create(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageApiKeys>,
    input: Create<CreateApiKey>,
) -> Result<Created<IssuedApiKey>, Problem> {
    let keep = Keep::SealedFor(caller.org_id());
    input.once(&platform, &caller.trail, keep, |wish| make(&platform, &caller, wish)).await
}

async fn make(
    platform: &Platform,
    caller: &OrgCaller<ManageApiKeys>,
    wish: CreateApiKey,
) -> Result<IssuedApiKey, Problem> {
    let mut key = checked(platform, caller, wish)?;
    allow(platform, caller, &key)?;
    let (secret, shown) = issue(platform, &key)?;
    key.secrets.push(secret);
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let audit = caller.trail.draft(key.org, key.id).with("name", &key.name).with("scopes", scopes.join(" "));
    let limit = caller.tier().api_keys_limit;
    let created = platform.parts.api_keys.api_key_create(&key, limit, &audit).await;
    created.map_err(|error| refused(platform, caller, error))?;
    platform.refresh(key.org).await;
    Ok(IssuedApiKey { key: ApiKey::of(&caller.org, key), secret: shown, note: NOTE.to_owned() })
}

/// The key that is wished for, still without a secret.
fn checked(
    platform: &Platform,
    caller: &OrgCaller<ManageApiKeys>,
    mut wish: CreateApiKey,
) -> Result<api_key::ApiKey, Problem> {
    name("name", &wish.name)?;
    wish.scopes.sort_unstable();
    wish.scopes.dedup();
    if wish.scopes.is_empty() {
        return Err(bad_field("scopes", "a key without a scope could do nothing"));
    }
    models(&wish.models)?;
    let workspaces = &caller.org.facts.workspaces;
    if wish.workspace.is_some_and(|wished| workspaces.iter().all(|there| there.id != wished)) {
        return Err(bad_field("workspace", "the organisation has no such workspace"));
    }
    if wish.llm_requests_per_day != Limit::Unlimited {
        caller.require_feature(platform, Feature::ResourceQuotas)?;
    }
    Ok(api_key::ApiKey {
        id: ApiKeyId::new(),
        org: caller.org_id(),
        ip_allow: networks(&wish.ip_allow)?,
        expires_at: expiry(&wish, caller.trail.at)?,
        workspace: wish.workspace,
        name: wish.name,
        mode: wish.mode,
        scopes: wish.scopes,
        models: wish.models,
        llm_requests_per_day: wish.llm_requests_per_day,
        created_at: caller.trail.at,
        revoked_at: None,
        secrets: Vec::new(),
    })
}

fn expiry(wish: &CreateApiKey, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    match (wish.expires_at, wish.expires_in_seconds) {
        (Some(_), Some(_)) => Err(bad_field("expires_at", "give it or `expires_in_seconds`, not both")),
        (Some(UtcTime(at)), None) if at <= now => Err(bad_field("expires_at", "it is past")),
        (Some(UtcTime(at)), None) => Ok(Some(at)),
        (None, Some(0)) => Err(bad_field("expires_in_seconds", "it is at least 1")),
        (None, Some(seconds)) => Ok(Some(now.plus_seconds(seconds.into()))),
        (None, None) => Ok(None),
    }
}

/// A key may not make, or learn the secret of, one that is wider than itself.
fn allow(
    platform: &Platform,
    caller: &OrgCaller<ManageApiKeys>,
    key: &api_key::ApiKey,
) -> Result<(), Problem> {
    let Some(maker) = &caller.key else { return Ok(()) };
    // What a key's own policy denies it, another key would have.
    let is_held_alike = key.id == maker.id || !caller.org.has_own_policy(maker);
    let is_within = if is_held_alike { key.within(maker) } else { Err(Excess::Policy) };
    is_within.map_err(|excess: Excess| {
        let denied = caller.trail.draft(key.org, key.id).with("reason", excess);
        platform.deny(denied.with("name", &key.name));
        excess.into()
    })
}

fn issue(platform: &Platform, key: &api_key::ApiKey) -> Result<(KeySecret, Secret), Problem> {
    let hasher = &platform.parts.hasher;
    let issued = hasher.issue(key.mode).map_err(|error| Problem::of_vault(&error))?;
    let token = Token::parse(issued.token.expose()).ok_or(Refusal::Internal)?;
    let (hash, pepper_version) = hasher.hash(&token, key);
    let secret = KeySecret { public_id: issued.public_id, hash, pepper_version, not_after: None };
    Ok((secret, Secret::new(issued.token.expose().to_owned())))
}

fn refused(platform: &Platform, caller: &OrgCaller<ManageApiKeys>, error: PortError) -> Problem {
    match error {
        PortError::LimitReached { used } => {
            let draft = caller.trail.draft(caller.org_id(), "api_keys");
            platform.deny(draft.with("reason", "tier_limit"));
            let tiers = platform.parts.directory.tiers();
            match tiers.require_room(caller.tier(), Resource::ApiKeys, used) {
                Err(refusal) => refusal.into(),
                Ok(()) => Problem::Conflict("the tier was changed meanwhile".to_owned()),
            }
        }
        PortError::Conflict(_) => Problem::Conflict("a live api key of that name is there".to_owned()),
        other => other.into(),
    }
}

pub(super) async fn rotate(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageApiKeys>,
    Named(id): Named<ApiKeyId>,
    input: Create<RotateApiKey>,
) -> Result<Created<IssuedApiKey>, Problem> {
    let keep = Keep::SealedFor(caller.org_id());
    input.once(&platform, &caller.trail, keep, |wish| renew(&platform, &caller, id, wish)).await
}

async fn renew(
    platform: &Platform,
    caller: &OrgCaller<ManageApiKeys>,
    id: ApiKeyId,
    wish: RotateApiKey,
) -> Result<IssuedApiKey, Problem> {
    if wish.grace_seconds > MAX_GRACE_SECONDS {
        return Err(bad_field("grace_seconds", format!("it is at most {MAX_GRACE_SECONDS} (30 days)")));
    }
    let (org, now) = (caller.org_id(), caller.trail.at);
    let key = find(platform, org, id).await?;
    if key.revoked_at.is_some() {
        return Err(Problem::NotFound(WHAT));
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::Conflict("the key has expired, and so would its new secret".to_owned()));
    }
    allow(platform, caller, &key)?;
    let (secret, shown) = issue(platform, &key)?;
    let new = NewSecret { secret, old_until: now.plus_seconds(wish.grace_seconds.into()) };
    let audit = caller.trail.draft(org, id).with("name", &key.name).with("grace_seconds", wish.grace_seconds);
    let rotated = platform.parts.api_keys.api_key_rotate(org, id, &new, &audit).await;
    let key = rotated.map_err(|error| Problem::of_port(error, WHAT))?;
    platform.refresh(org).await;
    Ok(IssuedApiKey { key: ApiKey::of(&caller.org, key), secret: shown, note: NOTE.to_owned() })
}

pub(super) async fn revoke(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageApiKeys>,
    Named(id): Named<ApiKeyId>,
) -> Result<Done, Problem> {
    let org = caller.org_id();
    let workspace = find(&platform, org, id).await?.workspace;
    caller.require_reach(&platform, workspace, id)?;
    let audit = caller.trail.draft(org, id);
    let revoked = platform.parts.api_keys.api_key_revoke(org, id, &audit).await;
    revoked.map_err(|error| Problem::of_port(error, WHAT))?;
    platform.refresh_or(org, |facts| facts.api_keys.retain(|key| key.id != id)).await;
    Ok(Done)
}

async fn find(platform: &Platform, org: OrgId, id: ApiKeyId) -> Result<api_key::ApiKey, Problem> {
    let found = platform.parts.api_keys.api_key_find(org, id).await?;
    found.ok_or(Problem::NotFound(WHAT))
}
