use crate::api::{CreateEndpoint, Endpoint, Page, ReplaceEndpoint};
use crate::authority::{OrgCaller, ReadOrg, WriteOrg};
use crate::body::{Answer, Done, Input};
use crate::checks::{bad_field, models};
use crate::idempotency::{Create, Created, Keep};
use crate::pages::{page, page_of};
use crate::params::{Named, PageParams};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use crate::target::{ProviderPlace, is_reserved};
use axum::extract::State;
use topdog_domain::EndpointId;
use topdog_domain::audit::AuditDraft;
use topdog_domain::directory::OrgView;
use topdog_domain::ports::PortError;
use topdog_domain::provider::{Manner, ProviderApi, ProviderName};
use topdog_domain::tenant;
use topdog_egress::{EgressError, Origin};

/// What a 404 calls one.
const WHAT: &str = "endpoint";

pub(super) async fn list(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadOrg>,
    PageParams { wish, .. }: PageParams<ProviderName>,
) -> Result<Answer<Page<Endpoint>>, Problem> {
    let rows = platform.parts.endpoints.endpoint_list(caller.org_id()).await?;
    let rows = page_of(rows, &wish, |endpoint| endpoint.name.to_string());
    Ok(Answer(page(rows, Endpoint::from)))
}

pub(super) async fn create(
    State(platform): State<Shared>,
    caller: OrgCaller<WriteOrg>,
    input: Create<CreateEndpoint>,
) -> Result<Created<Endpoint>, Problem> {
    input.once(&platform, &caller.trail, Keep::Plain, |wish| make(&platform, &caller, wish)).await
}

async fn make(
    platform: &Platform,
    caller: &OrgCaller<WriteOrg>,
    wish: CreateEndpoint,
) -> Result<Endpoint, Problem> {
    caller.require_reach(platform, None, &wish.name)?;
    let place = Wanted {
        base_url: &wish.base_url,
        api: wish.dialect,
        api_version: wish.api_version.as_deref(),
        region: wish.region.as_deref(),
    };
    let ProviderPlace { base, manner } = checked(platform, caller, &wish.name, place, &wish.models).await?;
    let endpoint = tenant::Endpoint {
        id: EndpointId::new(),
        org: caller.org_id(),
        name: wish.name,
        base_url: base.to_string(),
        manner,
        models: wish.models,
        is_keyless: wish.is_keyless,
        created_at: caller.trail.at,
    };
    let audit = described(caller, &endpoint);
    let created = platform.parts.endpoints.endpoint_create(&endpoint, &audit).await;
    created.map_err(|error| match error {
        PortError::Conflict(_) => Problem::Conflict("an endpoint of that name is there".to_owned()),
        PortError::LimitReached { used } => Problem::Full(format!("{used} endpoints")),
        other => other.into(),
    })?;
    platform.refresh(endpoint.org).await;
    Ok(with_warning(&caller.org, endpoint, base.origin()))
}

pub(super) async fn replace(
    State(platform): State<Shared>,
    caller: OrgCaller<WriteOrg>,
    Named(name): Named<ProviderName>,
    Input(wish): Input<ReplaceEndpoint>,
) -> Result<Answer<Endpoint>, Problem> {
    let org = caller.org_id();
    caller.require_reach(&platform, None, &name)?;
    let there = platform.parts.endpoints.endpoint_list(org).await?;
    let present = there.into_iter().find(|endpoint| endpoint.name == name);
    let present = present.ok_or(Problem::NotFound(WHAT))?;
    let place = Wanted {
        base_url: &wish.base_url,
        api: wish.dialect,
        api_version: wish.api_version.as_deref(),
        region: wish.region.as_deref(),
    };
    let ProviderPlace { base, manner } = checked(&platform, &caller, &name, place, &wish.models).await?;
    let endpoint = tenant::Endpoint {
        base_url: base.to_string(),
        manner,
        models: wish.models,
        is_keyless: wish.is_keyless,
        ..present
    };
    let audit = described(&caller, &endpoint);
    let replaced = platform.parts.endpoints.endpoint_replace(&endpoint, &audit).await;
    replaced.map_err(|error| Problem::of_port(error, WHAT))?;
    platform.refresh(org).await;
    Ok(Answer(with_warning(&caller.org, endpoint, base.origin())))
}

pub(super) async fn delete(
    State(platform): State<Shared>,
    caller: OrgCaller<WriteOrg>,
    Named(name): Named<ProviderName>,
) -> Result<Done, Problem> {
    let org = caller.org_id();
    caller.require_reach(&platform, None, &name)?;
    let audit = caller.trail.draft(org, &name);
    let deleted = platform.parts.endpoints.endpoint_delete(org, &name, &audit).await;
    deleted.map_err(|error| Problem::of_port(error, WHAT))?;
    platform.refresh_or(org, |facts| facts.endpoints.retain(|endpoint| endpoint.name != name)).await;
    Ok(Done)
}

fn described(caller: &OrgCaller<WriteOrg>, endpoint: &tenant::Endpoint) -> AuditDraft {
    let draft = caller.trail.draft(endpoint.org, &endpoint.name);
    draft.with("base_url", &endpoint.base_url).with("dialect", endpoint.manner.api().name())
}

/// Where an endpoint is said to be, and how it is spoken to.
struct Wanted<'a> {
    base_url: &'a str,
    api: ProviderApi,
    api_version: Option<&'a str>,
    region: Option<&'a str>,
}

/// The place, where the tier has custom endpoints, the name is free for one, and policy lets anyone go there.
async fn checked(
    platform: &Platform,
    caller: &OrgCaller<WriteOrg>,
    name: &ProviderName,
    Wanted { base_url, api, api_version, region }: Wanted<'_>,
    listed: &[String],
) -> Result<ProviderPlace, Problem> {
    platform.parts.directory.tiers().require_provider(caller.tier(), name, true)?;
    if is_reserved(platform, name) {
        return Err(bad_field("name", "it is the name of a provider; choose another"));
    }
    models(listed)?;
    let egress = platform.parts.egress.egress();
    let refused = |error: EgressError| bad_field("base_url", error.public_reason());
    let base = egress.policy().check_base_url(base_url).map_err(refused)?;
    egress.check(base.origin()).await.map_err(refused)?;
    let manner = Manner::at(api, base.origin().authority().host(), api_version, region)
        .map_err(|bad| bad_field(bad.setting(), bad.to_string()))?;
    Ok(ProviderPlace { base, manner })
}

/// The endpoint, with a warning where keys are bound to another origin: they are not sent to this one.
fn with_warning(org: &OrgView, endpoint: tenant::Endpoint, origin: &Origin) -> Endpoint {
    let is_left_behind =
        |key: &&tenant::ProviderKey| key.provider == endpoint.name && key.origin != origin.as_str();
    let count = org.facts.provider_keys.iter().filter(is_left_behind).count();
    let mut shown = Endpoint::from(endpoint);
    shown.warning = (count > 0).then(|| {
        format!("{count} provider keys are for the former address only and are not sent to {origin}; rotate each with the key to use there")
    });
    shown
}
