use super::policy::WantedPolicy;
use crate::cli::failure::Failure;
use crate::config::nearest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::HashSet;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use topdog_domain::Timestamp;
use topdog_domain::api_key::{KeyMode, Scope};
use topdog_domain::labels::DataSegment;
use topdog_domain::provider::{ProviderApi, ProviderName};
use topdog_domain::tenant::checked_name;
use topdog_domain::tier::{Limit, TierName};
use topdog_platform::api::UtcTime;

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgFile {
    /// The organisations that it describes; others are left alone.
    #[serde(default)]
    pub(super) organisation: Vec<WantedOrg>,
}

/// One organisation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedOrg {
    /// Its name.
    #[serde(deserialize_with = "name")]
    pub(super) name: String,
    /// Its tier.
    pub(super) tier: TierName,
    /// What its owner is called; matters only when it is made.
    #[serde(default = "owner")]
    pub(super) owner: String,
    /// Its data segment, or `"none"`; left out, it stays as it is.
    #[serde(default)]
    pub(super) data_segment: Option<SegmentWish>,
    /// Its own endpoints.
    #[serde(default)]
    pub(super) endpoint: Vec<WantedEndpoint>,
    /// Its keys for providers.
    #[serde(default)]
    pub(super) provider_key: Vec<WantedProviderKey>,
    /// Its Top Dog API keys.
    #[serde(default)]
    pub(super) api_key: Vec<WantedApiKey>,
    /// Its policies.
    #[serde(default)]
    pub(super) policy: Vec<WantedPolicy>,
}

/// A data segment, or that there is to be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct SegmentWish(pub(super) Option<DataSegment>);

/// An endpoint of the organisation's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedEndpoint {
    /// Its name.
    pub(super) name: ProviderName,
    /// What the API's paths are added to.
    pub(super) base_url: String,
    /// What it speaks.
    #[serde(default)]
    pub(super) dialect: ProviderApi,
    /// Azure's api-version, where deployments are in the path.
    #[serde(default)]
    pub(super) api_version: Option<String>,
    /// Bedrock's region, where the host does not tell it.
    #[serde(default)]
    pub(super) region: Option<String>,
    /// The models that are listed for it.
    #[serde(default)]
    pub(super) models: Vec<String>,
    /// Does it take requests without any key?
    #[serde(default)]
    pub(super) is_keyless: bool,
}

/// A key for a provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedProviderKey {
    /// The provider, or the endpoint by its name.
    pub(super) provider: ProviderName,
    /// What it is called.
    #[serde(default = "default_name", deserialize_with = "name")]
    pub(super) name: String,
    /// Where it is.
    pub(super) from: KeyPlace,
    /// Is it read here and now and sealed, rather than fetched by the server when it is needed?
    #[serde(default)]
    pub(super) seal: bool,
}

/// `env:NAME`, `file:PATH` or `vault:MOUNT/PATH#FIELD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPlace {
    /// A variable.
    Env(String),
    /// A file.
    File(String),
    /// A field of a KV version 2 store.
    Vault(String),
}

/// A Top Dog API key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedApiKey {
    /// Its name.
    #[serde(deserialize_with = "name")]
    pub(super) name: String,
    /// What it may do.
    #[serde(default = "llm")]
    pub(super) scopes: Vec<Scope>,
    /// The only models that it may use.
    #[serde(default)]
    pub(super) models: Vec<String>,
    /// The only addresses and networks that it may be used from.
    #[serde(default)]
    pub(super) ip_allow: Vec<String>,
    /// The only workspace that it works in, by name or id.
    #[serde(default)]
    pub(super) workspace: Option<String>,
    /// `test` reaches the built-in test provider only.
    #[serde(default = "live")]
    pub(super) mode: KeyMode,
    /// When it stops working.
    #[serde(default, deserialize_with = "instant")]
    pub(super) expires_at: Option<UtcTime>,
    /// LLM requests a UTC day that the key itself is limited to.
    #[serde(default = "unlimited")]
    pub(super) llm_requests_per_day: Limit,
    /// Where its secret goes when it is made, seen from the file's folder; left out, it is printed.
    #[serde(default)]
    pub(super) secret_file: Option<PathBuf>,
}

impl OrgFile {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{} can't be read: {error}", path.display())))?;
        Self::parse(&text).map_err(|why| Failure::usage(format!("{}:{why}", path.display())))
    }

    /// Reads a text; what is wrong with it is told with its line, without the line itself: where a reference
    /// belongs, someone may have put a key.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let line = 1 + text.get(..error.span().map_or(0, |span| span.start)).map_or(0, newlines);
            format!("{line}: {}", with_nearest(error.message()))
        })?;
        file.check().map_err(|why| format!(" {why}"))?;
        Ok(file)
    }

    fn check(&self) -> Result<(), String> {
        unique(self.organisation.iter().map(|org| &org.name), |name| {
            format!("organisation `{name}` is there twice")
        })?;
        self.organisation
            .iter()
            .try_for_each(|org| org.check().map_err(|why| format!("organisation `{}`: {why}", org.name)))
    }
}

impl WantedOrg {
    fn check(&self) -> Result<(), String> {
        unique(self.endpoint.iter().map(|e| &e.name), |name| format!("endpoint `{name}` is there twice"))?;
        unique(self.api_key.iter().map(|k| &k.name), |name| format!("api_key `{name}` is there twice"))?;
        unique(self.provider_key.iter().map(|k| (&k.provider, &k.name)), |(provider, name)| {
            format!("provider_key `{provider}/{name}` is there twice; give each a name of its own")
        })?;
        unique(self.policy.iter().map(|p| &p.place), |place| format!("policy of {place} is there twice"))?;
        self.policy.iter().try_for_each(WantedPolicy::check)?;
        match self.provider_key.iter().find(|key| key.seal && matches!(key.from, KeyPlace::Vault(_))) {
            Some(key) => Err(format!(
                "provider_key `{}/{}`: seal takes env:… and file:…; leave it out for vault:…",
                key.provider, key.name
            )),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Vault(place) => write!(f, "vault:{place}"),
        }
    }
}

impl<'de> Deserialize<'de> for KeyPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            Some(("vault", place)) if !place.is_empty() => Ok(Self::Vault(place.to_owned())),
            _ => Err(D::Error::custom(
                "`from` is env:NAME, file:PATH or vault:MOUNT/PATH#FIELD; a key itself never belongs into this file",
            )),
        }
    }
}

impl TryFrom<String> for SegmentWish {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.as_str() {
            "none" => Ok(Self(None)),
            segment => DataSegment::from_name(segment)
                .map(|segment| Self(Some(segment)))
                .ok_or("a data segment is \"general\", \"scientific\", \"medical\" or \"none\""),
        }
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    checked_name(&text).map_err(D::Error::custom)?;
    Ok(text)
}

/// TOML's own instant, or one in quotes.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcTime>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Instant(toml::value::Datetime),
        Text(String),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Instant(instant) => instant.to_string(),
        Written::Text(text) => text,
    };
    Timestamp::parse(&text).map(|at| Some(UtcTime(at))).map_err(D::Error::custom)
}

/// Unknown fields are told together with the known one that was most likely meant.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let near = message
        .starts_with("unknown field")
        .then(|| quoted.next().and_then(|unknown| nearest(unknown, quoted)))
        .flatten();
    match near {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.to_owned(),
    }
}

fn unique<T: Eq + Hash + Copy>(
    items: impl Iterator<Item = T>,
    twice: impl Fn(T) -> String,
) -> Result<(), String> {
    let mut seen = HashSet::new();
    items.into_iter().find(|item| !seen.insert(*item)).map_or(Ok(()), |item| Err(twice(item)))
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn owner() -> String {
    "owner".to_owned()
}

fn default_name() -> String {
    "default".to_owned()
}

fn llm() -> Vec<Scope> {
    vec![Scope::Llm]
}

const fn live() -> KeyMode {
    KeyMode::Live
}

const fn unlimited() -> Limit {
    Limit::Unlimited
}
