//! `topdog endpoints`: the customer's own endpoints.

use super::failure::Failure;
use super::org_arg::OrgArg;
use super::print;
use super::provider_keys::provider_name;
use super::route::Route;
use super::session::Session;
use super::table::{Table, listed};
use topdog_domain::provider::{ProviderApi, ProviderName};
use topdog_platform::api::{CreateEndpoint, Endpoint, ReplaceEndpoint};

/// What to do with endpoints.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Endpoints {
    /// Add an endpoint
    Add(Wanted),
    /// List the endpoints
    List {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Replace an endpoint; with another host, its keys must be added again
    Set(Wanted),
    /// Delete an endpoint
    Delete {
        #[command(flatten)]
        org: OrgArg,
        /// Its name
        #[arg(value_parser = provider_name)]
        name: ProviderName,
    },
}

/// What an endpoint is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    #[command(flatten)]
    org: OrgArg,
    /// Its name: the part of its models' names before the slash
    #[arg(value_parser = provider_name)]
    name: ProviderName,
    /// What the API's paths are added to, such as https://llm.example.com/v1
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// What it speaks: openai, anthropic, cohere, gemini, azure, bedrock or vertex
    #[arg(long, value_name = "DIALECT", default_value = "openai", value_parser = dialect)]
    dialect: ProviderApi,
    /// Azure's api-version, where deployments are in the path, such as 2024-10-21
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    /// Bedrock's region, where the host does not tell it
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// A model that /v1/models lists for it; may be given more than once
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// It takes requests without any key
    #[arg(long)]
    keyless: bool,
}

pub(super) async fn run(command: Endpoints, session: &Session) -> Result<(), Failure> {
    match command {
        Endpoints::Add(Wanted { org, name, base_url, dialect, api_version, region, models, keyless }) => {
            let is_keyless = keyless;
            let new = CreateEndpoint { name, base_url, dialect, api_version, region, models, is_keyless };
            let endpoint: Endpoint = session.api.post(endpoints(session, &org)?, &new).await?;
            shown(session, &endpoint)
        }
        Endpoints::List { org } => {
            let all: Vec<Endpoint> = session.api.get_all(endpoints(session, &org)?).await?;
            session.output.answer(&all, |all| table(all))
        }
        Endpoints::Set(Wanted { org, name, base_url, dialect, api_version, region, models, keyless }) => {
            let route = endpoints(session, &org)?.then(name.as_str());
            let is_keyless = keyless;
            let wanted = ReplaceEndpoint { base_url, dialect, api_version, region, models, is_keyless };
            let endpoint: Endpoint = session.api.put(route, &wanted).await?;
            shown(session, &endpoint)
        }
        Endpoints::Delete { org, name } => {
            session.api.delete(endpoints(session, &org)?.then(name.as_str())).await?;
            print::note(&format_args!("the endpoint {name} is deleted"));
            Ok(())
        }
    }
}

fn endpoints(session: &Session, org: &OrgArg) -> Result<Route, Failure> {
    Ok(Route::of_org(session.org(org.given())?).then("endpoints"))
}

fn shown(session: &Session, endpoint: &Endpoint) -> Result<(), Failure> {
    if let Some(warning) = &endpoint.warning {
        print::note(&format_args!("warning: {warning}"));
    }
    session.output.answer(endpoint, |endpoint| table(std::slice::from_ref(endpoint)))
}

/// The dialect, with what belongs to it.
fn spoken(endpoint: &Endpoint) -> String {
    let name = endpoint.dialect.name();
    match endpoint.api_version.as_ref().or(endpoint.region.as_ref()) {
        Some(detail) => format!("{name} {detail}"),
        None => name.to_owned(),
    }
}

fn dialect(text: &str) -> Result<ProviderApi, String> {
    ProviderApi::from_name(text)
        .ok_or_else(|| format!("it is one of {}", ProviderApi::ALL.map(ProviderApi::name).join(", ")))
}

fn table(endpoints: &[Endpoint]) -> Table {
    let mut table = Table::new(&["name", "base url", "dialect", "models", "key"]);
    for endpoint in endpoints {
        table.row([
            endpoint.name.to_string(),
            endpoint.base_url.clone(),
            spoken(endpoint),
            listed(&endpoint.models),
            if endpoint.is_keyless { "none" } else { "needed" }.to_owned(),
        ]);
    }
    table
}
