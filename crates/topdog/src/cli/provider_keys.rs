//! `topdog provider-keys`: the customer's own keys for its providers.

use super::exit::Exit;
use super::failure::Failure;
use super::org_arg::OrgArg;
use super::print;
use super::route::Route;
use super::secret_source::{NoSecretArgument, SecretSource};
use super::session::Session;
use super::table::{Table, or_dash};
use topdog_domain::ProviderKeyId;
use topdog_domain::provider::ProviderName;
use topdog_platform::api::{
    CreateProviderKey, KeyTest, KeyTestResult, ProviderKey, ProviderKeySource, RotateProviderKey,
};

/// What to do with provider keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProviderKeys {
    /// Add a key, from standard input, a file, an environment variable or by reference
    Add {
        #[command(flatten)]
        org: OrgArg,
        /// The provider, or the organisation's own endpoint by its name
        #[arg(long, value_parser = provider_name)]
        provider: ProviderName,
        /// What to call the key
        #[arg(long, default_value = "default")]
        name: String,
        #[command(flatten)]
        source: Box<SecretSource>,
        #[command(flatten)]
        no_secret: NoSecretArgument,
    },
    /// Ask the provider whether it takes the key
    Test(Named),
    /// Give a key its next version; the newest one is used from then on
    Rotate {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        source: Box<SecretSource>,
        #[command(flatten)]
        no_secret: NoSecretArgument,
    },
    /// List the keys
    List {
        #[command(flatten)]
        org: OrgArg,
    },
    /// Delete a key with all its versions
    Delete(Named),
}

/// One key of an organisation.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    #[command(flatten)]
    org: OrgArg,
    /// The key: its id, PROVIDER or PROVIDER/NAME
    #[arg(value_name = "KEY")]
    key: String,
}

impl ProviderKeys {
    /// Refuses what can be refused without a server; a key given as an argument first of all.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Add { source, no_secret, .. } | Self::Rotate { source, no_secret, .. } => {
                no_secret.check()?;
                source.check()
            }
            Self::Test(_) | Self::List { .. } | Self::Delete(_) => Ok(()),
        }
    }
}

pub(super) async fn run(command: ProviderKeys, session: &Session) -> Result<(), Failure> {
    match command {
        ProviderKeys::Add { org, provider, name, source, .. } => {
            let (secret, reference) = source.read()?.parts();
            let new = CreateProviderKey { provider, name, secret, reference };
            let key: ProviderKey = session.api.post(keys(session, &org)?, &new).await?;
            shown(session, &key)
        }
        ProviderKeys::Test(named) => test(session, &named).await,
        ProviderKeys::Rotate { named, source, .. } => {
            let (secret, reference) = source.read()?.parts();
            let route = found(session, &named).await?.then("rotate");
            let key: ProviderKey = session.api.post(route, &RotateProviderKey { secret, reference }).await?;
            shown(session, &key)
        }
        ProviderKeys::List { org } => {
            let all: Vec<ProviderKey> = session.api.get_all(keys(session, &org)?).await?;
            session.output.answer(&all, |all| table(all))
        }
        ProviderKeys::Delete(named) => {
            let route = found(session, &named).await?;
            session.api.delete(route).await?;
            print::note("the key is deleted");
            Ok(())
        }
    }
}

async fn test(session: &Session, named: &Named) -> Result<(), Failure> {
    let route = found(session, named).await?.then("test");
    let test: KeyTest = session.api.post(route, &serde_json::json!({})).await?;
    session.output.answer(&test, |test| {
        Table::of_facts([
            ("result", word(test.result).to_owned()),
            ("status", or_dash(test.status_class.as_deref())),
            ("detail", test.detail.clone()),
        ])
    })?;
    match test.result {
        KeyTestResult::Ok => Ok(()),
        KeyTestResult::Refused | KeyTestResult::Unreachable => {
            Err(Failure::with(Exit::Failed, format!("the key does not work: {}", test.detail)))
        }
    }
}

fn keys(session: &Session, org: &OrgArg) -> Result<Route, Failure> {
    Ok(Route::of_org(session.org(org.given())?).then("provider-keys"))
}

/// The key that is meant: ids are taken as they are, anything else is looked for in the list.
async fn found(session: &Session, named: &Named) -> Result<Route, Failure> {
    let route = keys(session, &named.org)?;
    if named.key.parse::<ProviderKeyId>().is_ok() {
        return Ok(route.then(&named.key));
    }
    let (provider, name) = named.key.split_once('/').unwrap_or((&named.key, "default"));
    // What is typed here by mistake may be a key, so it is not repeated unless it can be a provider's name.
    let provider = ProviderName::parse(provider)
        .map_err(|_| Failure::usage("a key is named by its id, PROVIDER or PROVIDER/NAME"))?;
    let all: Vec<ProviderKey> = session.api.get_all(route.clone()).await?;
    let found = all.iter().find(|key| key.provider == provider && key.name == name);
    found.map(|key| route.then(key.id.to_string())).ok_or_else(|| {
        let message = "there is no such provider key; `topdog provider-keys list` shows those that are there";
        Failure::with(Exit::NotFound, message)
    })
}

fn shown(session: &Session, key: &ProviderKey) -> Result<(), Failure> {
    if let Some(warning) = &key.warning {
        print::note(&format_args!("warning: {warning}"));
    }
    session.output.answer(key, |key| {
        Table::of_facts([
            ("id", key.id.to_string()),
            ("provider", key.provider.to_string()),
            ("name", key.name.clone()),
            ("source", source(key)),
            ("sent only to", key.origin.clone()),
            ("version", key.version.to_string()),
        ])
    })
}

fn table(keys: &[ProviderKey]) -> Table {
    let mut table = Table::new(&["id", "provider", "name", "source", "version", "rotated", "warning"]);
    for key in keys {
        table.row([
            key.id.to_string(),
            key.provider.to_string(),
            key.name.clone(),
            source(key),
            key.version.to_string(),
            key.rotated_at.to_string(),
            or_dash(key.warning.as_deref()),
        ]);
    }
    table
}

fn source(key: &ProviderKey) -> String {
    match (key.source, &key.reference) {
        (ProviderKeySource::Sealed, _) => "sealed".to_owned(),
        (ProviderKeySource::Reference, Some(reference)) => reference.clone(),
        (ProviderKeySource::Reference, None) => "reference".to_owned(),
    }
}

const fn word(result: KeyTestResult) -> &'static str {
    match result {
        KeyTestResult::Ok => "ok",
        KeyTestResult::Refused => "refused",
        KeyTestResult::Unreachable => "unreachable",
    }
}

/// Reads a provider's name as an argument.
pub(super) fn provider_name(text: &str) -> Result<ProviderName, String> {
    ProviderName::parse(text).map_err(|bad| bad.to_string())
}
