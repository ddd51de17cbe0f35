//! `topdog api-keys`: Top Dog's own API keys.

use super::duration;
use super::exit::Exit;
use super::failure::Failure;
use super::org_arg::OrgArg;
use super::print::{self, Output};
use super::route::Route;
use super::secret_file::SecretFile;
use super::session::Session;
use super::table::{Table, listed, or_dash};
use crate::serve::clock::SystemClock;
use std::path::{Path, PathBuf};
use topdog_domain::api_key::{KeyMode, Scope};
use topdog_domain::ports::Clock as _;
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, Timestamp, WorkspaceId};
use topdog_platform::api::{ApiKey, CreateApiKey, IssuedApiKey, RotateApiKey, UtcTime};

/// What to do with Top Dog API keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ApiKeys {
    /// Make a key; its secret is shown this once
    Create(Box<Create>),
    /// List the keys
    List {
        #[command(flatten)]
        org: OrgArg,
        /// Revoked ones too
        #[arg(long)]
        all: bool,
    },
    /// Show one key
    Show(Named),
    /// Give a key a new secret; the present one goes on working for a while
    Rotate {
        #[command(flatten)]
        named: Named,
        /// How long the present secret goes on working: 0s to 30d
        #[arg(long, default_value = "1h", value_parser = grace, value_name = "DURATION")]
        grace: u32,
        /// Write the new secret into this file instead of printing it
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Revoke a key with all its secrets, at once
    Revoke(Named),
}

/// What a new key is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    org: OrgArg,
    /// Its name, unique among the organisation's live keys
    #[arg(long)]
    name: String,
    /// What it may do; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE", default_value = "llm", value_parser = scope)]
    scopes: Vec<Scope>,
    /// A model that it may use, as provider/model, provider/* or a plain name; none given: all
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// An address or network that it may be used from; none given: all
    #[arg(long = "ip-allow", value_name = "NET")]
    ip_allow: Vec<String>,
    /// The only workspace that it works in, by id
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<WorkspaceId>,
    /// It reaches the built-in test provider only
    #[arg(long)]
    test: bool,
    /// When it stops working, such as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "expires_in")]
    expires_at: Option<UtcTime>,
    /// How long it works, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = span)]
    expires_in: Option<u32>,
    /// LLM requests a UTC day that the key itself is limited to
    #[arg(long, value_name = "NUMBER")]
    llm_requests_per_day: Option<u64>,
    /// Write the secret into this file, which must not be there yet, instead of printing it
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// One key of an organisation.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    #[command(flatten)]
    org: OrgArg,
    /// The key: its id, or the name of a live one
    #[arg(value_name = "KEY")]
    key: String,
}

pub(super) async fn run(command: ApiKeys, session: &Session) -> Result<(), Failure> {
    match command {
        ApiKeys::Create(create) => make(*create, session).await,
        ApiKeys::List { org, all } => {
            let mut keys: Vec<ApiKey> = session.api.get_all(keys(session, &org)?).await?;
            keys.retain(|key| all || key.revoked_at.is_none());
            session.output.answer(&keys, |keys| table(keys))
        }
        ApiKeys::Show(named) => {
            let key: ApiKey = session.api.get(found(session, &named).await?).await?;
            session.output.answer(&key, facts)
        }
        ApiKeys::Rotate { named, grace, secret_file } => {
            let route = found(session, &named).await?.then("rotate");
            let place = SecretPlace::reserve(secret_file.as_deref())?;
            let issued: IssuedApiKey =
                session.api.post(route, &RotateApiKey { grace_seconds: grace }).await?;
            place.put(session.output, &issued)
        }
        ApiKeys::Revoke(named) => {
            session.api.delete(found(session, &named).await?).await?;
            print::note("the key is revoked");
            Ok(())
        }
    }
}

async fn make(create: Create, session: &Session) -> Result<(), Failure> {
    let route = keys(session, &create.org)?;
    let place = SecretPlace::reserve(create.secret_file.as_deref())?;
    let new = CreateApiKey {
        name: create.name,
        scopes: create.scopes,
        models: create.models,
        ip_allow: create.ip_allow,
        workspace: create.workspace,
        mode: if create.test { KeyMode::Test } else { KeyMode::Live },
        expires_at: create.expires_at,
        expires_in_seconds: create.expires_in,
        llm_requests_per_day: create.llm_requests_per_day.map_or(Limit::Unlimited, Limit::Of),
    };
    let issued: IssuedApiKey = session.api.post(route, &new).await?;
    place.put(session.output, &issued)
}

/// Where a new secret goes; made ready before there is one.
pub(super) enum SecretPlace {
    /// Standard output.
    Shown,
    /// A file.
    File(SecretFile),
}

impl SecretPlace {
    /// The file where one was named, else standard output.
    pub(super) fn reserve(file: Option<&Path>) -> Result<Self, Failure> {
        file.map_or(Ok(Self::Shown), |file| SecretFile::reserve(file).map(Self::File))
    }

    /// Puts the secret there, and says what to know about it.
    pub(super) fn put(self, output: Output, issued: &IssuedApiKey) -> Result<(), Failure> {
        match self {
            Self::File(file) => {
                file.fill(issued.secret.expose())?;
                output.answer(&issued.key, facts)
            }
            Self::Shown if output == Output::Json => output.answer(issued, |issued| facts(&issued.key)),
            Self::Shown => {
                // Standard output holds the secret alone, for KEY=$(topdog …).
                print::note(&facts(&issued.key));
                print::note(&issued.note);
                print::secret(issued.secret.expose())
            }
        }
    }
}

fn keys(session: &Session, org: &OrgArg) -> Result<Route, Failure> {
    Ok(Route::of_org(session.org(org.given())?).then("api-keys"))
}

/// The key that is meant: an id is taken as it is, a name is looked for among the live keys.
async fn found(session: &Session, named: &Named) -> Result<Route, Failure> {
    let route = keys(session, &named.org)?;
    if named.key.parse::<ApiKeyId>().is_ok() {
        return Ok(route.then(&named.key));
    }
    let all: Vec<ApiKey> = session.api.get_all(route.clone()).await?;
    let found = all.iter().find(|key| key.name == named.key && key.revoked_at.is_none());
    found.map(|key| route.then(key.id.to_string())).ok_or_else(|| {
        let message =
            "there is no live key of that name or id; `topdog api-keys list` shows those that are there";
        Failure::with(Exit::NotFound, message)
    })
}

fn table(keys: &[ApiKey]) -> Table {
    let now = now();
    let mut table = Table::new(&["id", "name", "begins with", "scopes", "expires", "state"]);
    for key in keys {
        table.row([
            key.id.to_string(),
            key.name.clone(),
            or_dash(key.secrets.first().map(|secret| &secret.begins_with)),
            listed(key.scopes.iter().map(|scope| scope.name())),
            or_dash(key.expires_at),
            state(key, now),
        ]);
    }
    table
}

fn facts(key: &ApiKey) -> Table {
    Table::of_facts([
        ("id", key.id.to_string()),
        ("name", key.name.clone()),
        ("begins with", listed(key.secrets.iter().map(|secret| &secret.begins_with))),
        ("scopes", listed(key.scopes.iter().map(|scope| scope.name()))),
        ("models", or_all(&key.models)),
        ("used from", or_all(&key.ip_allow)),
        ("workspace", or_dash(key.workspace)),
        ("LLM requests a day", key.llm_requests_per_day.to_string()),
        ("expires", or_dash(key.expires_at)),
        ("state", state(key, now())),
    ])
}

fn state(key: &ApiKey, now: UtcTime) -> String {
    if let Some(at) = key.revoked_at {
        return format!("revoked {at}");
    }
    if let Some(at) = key.expires_at.filter(|at| *at <= now) {
        return format!("expired {at}");
    }
    if key.over_limit {
        return "over the tier's limit".to_owned();
    }
    let grace = key.secrets.iter().filter_map(|secret| secret.not_after).find(|until| *until > now);
    grace.map_or_else(|| "live".to_owned(), |until| format!("live, old secret until {until}"))
}

/// By this machine's clock: the server's decides, this only says.
fn now() -> UtcTime {
    UtcTime(SystemClock.now())
}

fn or_all(items: &[String]) -> String {
    if items.is_empty() { "all".to_owned() } else { listed(items) }
}

/// Reads a scope as an argument.
pub(super) fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text)
        .ok_or_else(|| format!("a scope is one of {}", listed(Scope::ALL.iter().map(|scope| scope.name()))))
}

fn instant(text: &str) -> Result<UtcTime, String> {
    Timestamp::parse(text).map(UtcTime).map_err(|bad| bad.to_string())
}

fn grace(text: &str) -> Result<u32, String> {
    span(text).and_then(|seconds| match seconds {
        0..=MAX_GRACE_SECONDS => Ok(seconds),
        _ => Err("a grace is 30d at the most".to_owned()),
    })
}

fn span(text: &str) -> Result<u32, String> {
    u32::try_from(duration::seconds(text)?).map_err(|_| "that is too long".to_owned())
}

const MAX_GRACE_SECONDS: u32 = 30 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use topdog_platform::api::SecretInfo;

    fn at(second: u32) -> UtcTime {
        instant(&format!("2027-01-01T00:00:{second:02}Z")).unwrap()
    }

    fn key(expires_at: Option<UtcTime>, revoked_at: Option<UtcTime>, graces: &[Option<UtcTime>]) -> ApiKey {
        let secret = |not_after: &Option<UtcTime>| SecretInfo {
            begins_with: "td_live_0".to_owned(),
            not_after: *not_after,
        };
        ApiKey {
            id: ApiKeyId::new(),
            name: "ci".to_owned(),
            mode: KeyMode::Live,
            scopes: vec![Scope::Llm],
            models: Vec::new(),
            ip_allow: Vec::new(),
            workspace: None,
            llm_requests_per_day: Limit::Unlimited,
            expires_at,
            created_at: at(0),
            revoked_at,
            over_limit: false,
            secrets: graces.iter().map(secret).collect(),
        }
    }

    #[test]
    fn a_key_is_called_what_the_server_takes_it_for() {
        let now = at(30);
        for (expected, key) in [
            ("live", key(None, None, &[None])),
            ("live", key(Some(at(31)), None, &[None])),
            ("expired 2027-01-01T00:00:30Z", key(Some(at(30)), None, &[None])),
            ("expired 2027-01-01T00:00:10Z", key(Some(at(10)), None, &[None, Some(at(40))])),
            ("revoked 2027-01-01T00:00:20Z", key(Some(at(10)), Some(at(20)), &[])),
            ("live, old secret until 2027-01-01T00:00:40Z", key(None, None, &[None, Some(at(40))])),
            ("live", key(None, None, &[None, Some(at(30))])),
            ("over the tier's limit", ApiKey { over_limit: true, ..key(None, None, &[None]) }),
        ] {
            assert_eq!(state(&key, now), expected);
        }
    }
}
