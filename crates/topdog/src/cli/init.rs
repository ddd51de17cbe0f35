//! `topdog init`: the first organisation, with the key that its owner begins with.

use super::api_keys::{SecretPlace, scope};
use super::failure::Failure;
use super::orgs::NewOrg;
use super::print::{self, Output};
use super::route::Route;
use super::session::Session;
use serde::Serialize;
use std::path::PathBuf;
use topdog_domain::api_key::{KeyMode, Scope};
use topdog_domain::tier::Limit;
use topdog_platform::api::{CreateApiKey, CreatedOrganisation, IssuedApiKey};

/// Which organisation to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// Its name
    #[arg(long, value_name = "NAME")]
    org: String,
    #[command(flatten)]
    new: NewOrg,
    /// What the first key may do; may be given more than once [default: everything]
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
    /// Write the key's secret into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// What was made, for programs.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    organisation: &'a CreatedOrganisation,
    #[serde(flatten)]
    issued: &'a IssuedApiKey,
}

pub(super) async fn run(init: Init, session: &Session) -> Result<(), Failure> {
    let place = SecretPlace::reserve(init.secret_file.as_deref())?;
    let created = init.new.make(init.org, session).await?;
    let org = created.organisation.id.to_string();
    let issued = first_key(session, &org, init.scopes).await.map_err(|failure| {
        failure.about(format_args!(
            "the organisation {} is made, its first key is not (`topdog api-keys create --org {org} --name owner` makes one)",
            created.organisation.name
        ))
    })?;
    print::note(&format_args!(
        "made the organisation {} ({org}) with its workspace `default`; next:\n  topdog {}provider-keys add --org {org} \
         --provider openai --stdin",
        created.organisation.name, session.whereabouts
    ));
    if session.output == Output::Json && matches!(place, SecretPlace::Shown) {
        return print::json(&Made { organisation: &created, issued: &issued });
    }
    place.put(session.output, &issued)
}

async fn first_key(session: &Session, org: &str, scopes: Vec<Scope>) -> Result<IssuedApiKey, Failure> {
    let new = CreateApiKey {
        name: "owner".to_owned(),
        scopes: if scopes.is_empty() { Scope::ALL.to_vec() } else { scopes },
        models: Vec::new(),
        ip_allow: Vec::new(),
        workspace: None,
        mode: KeyMode::Live,
        expires_at: None,
        expires_in_seconds: None,
        llm_requests_per_day: Limit::Unlimited,
    };
    session.api.post(Route::of_org(org).then("api-keys"), &new).await
}
