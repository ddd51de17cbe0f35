use super::entry::{Entry, Kind, Verdict};
use super::file::{OrgFile, WantedOrg};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::route::Route;
use crate::cli::session::Session;
use topdog_platform::api::{ApiKey, Endpoint, List, Organisation, Policy, ProviderKey, Workspace};

/// What there is of an organisation.
#[derive(Debug, Clone)]
pub(super) struct Present {
    /// Itself.
    pub(super) organisation: Organisation,
    /// Its workspaces.
    pub(super) workspaces: Vec<Workspace>,
    /// Its own endpoints.
    pub(super) endpoints: Vec<Endpoint>,
    /// Its keys for providers.
    pub(super) provider_keys: Vec<ProviderKey>,
    /// Its live Top Dog API keys.
    pub(super) api_keys: Vec<ApiKey>,
    /// Its policies in force.
    pub(super) policies: Vec<Policy>,
}

/// What there is of the organisation of that name; none where there is no such organisation.
pub(super) async fn find(session: &Session, wanted: &WantedOrg) -> Result<Option<Present>, Failure> {
    let name = wanted.name.as_str();
    let api = &session.api;
    let organisation: Organisation = match api.get(Route::of_org(name)).await {
        Ok(organisation) => organisation,
        Err(failure) if failure.exit() == Exit::NotFound => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let route = Route::of_org(&organisation.id.to_string());
    let workspaces: List<Workspace> = api.get(route.clone().then("workspaces")).await?;
    let mut api_keys: Vec<ApiKey> = api.get_all(route.clone().then("api-keys")).await?;
    api_keys.retain(|key| key.revoked_at.is_none());
    let policies: Result<List<Policy>, Failure> = api.get(route.clone().then("policies")).await;
    let policies = match policies {
        Ok(policies) => policies.data,
        // Who may not see policies, and wants none, is not held up by them.
        Err(failure) if failure.exit() == Exit::Refused && wanted.policy.is_empty() => Vec::new(),
        Err(failure) => return Err(failure),
    };
    Ok(Some(Present {
        organisation,
        workspaces: workspaces.data,
        endpoints: api.get_all(route.clone().then("endpoints")).await?,
        provider_keys: api.get_all(route.then("provider-keys")).await?,
        api_keys,
        policies,
    }))
}

/// The organisations that the file does not name; only the operator can see them.
pub(super) async fn unlisted(session: &Session, file: &OrgFile) -> Result<Vec<Entry>, Failure> {
    if !session.api.is_operator() {
        return Ok(Vec::new());
    }
    let mut all: Vec<Organisation> = session.api.get_all(Route::new("organisations")).await?;
    all.retain(|there| !file.organisation.iter().any(|wanted| wanted.name == there.name));
    let entry = |org: Organisation| Entry {
        organisation: org.name.clone(),
        kind: Kind::Organisation,
        name: org.name,
        verdict: Verdict::Unlisted,
    };
    Ok(all.into_iter().map(entry).collect())
}
