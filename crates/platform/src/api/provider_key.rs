use super::{Secret, UtcTime};
use serde::{Deserialize, Serialize};
use topdog_domain::ProviderKeyId;
use topdog_domain::provider::ProviderName;
use topdog_domain::tenant::{self, KeySource};
use utoipa::ToSchema;

/// A provider key to keep. Exactly one of `secret` and `reference` is given.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProviderKey {
    /// The provider, or the custom endpoint by its name.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    pub provider: ProviderName,
    /// What to call it; unique for the provider.
    #[serde(default = "default_name")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The key itself, to be sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Where to fetch it, by the server's own authority: `env:NAME`, `file:/PATH` or `vault:MOUNT/PATH#FIELD`. Only
    /// the operator may give one; a customer's key gives `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

fn default_name() -> String {
    "default".to_owned()
}

/// The next version of a provider key. Exactly one of `secret` and `reference` is given.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateProviderKey {
    /// The key itself, to be sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Where to fetch it; only the operator may give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A provider key (BYOK), without any of its plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderKey {
    /// Its id, through all versions.
    #[schema(value_type = String)]
    pub id: ProviderKeyId,
    /// The provider, or the custom endpoint by its name.
    #[schema(value_type = String)]
    pub provider: ProviderName,
    /// What it is called.
    pub name: String,
    /// The only origin that it is ever sent to.
    pub origin: String,
    /// Where its plaintext comes from.
    pub source: ProviderKeySource,
    /// The reference, where that is its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The newest version, from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: UtcTime,
    /// When the newest version was made.
    pub rotated_at: UtcTime,
    /// Why it can't be used just now, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Where the plaintext of a provider key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKeySource {
    /// Sealed in Top Dog's vault.
    Sealed,
    /// Fetched on demand.
    Reference,
}

/// What a provider said to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyTest {
    /// In one word.
    pub result: KeyTestResult,
    /// The class of the provider's status, such as `2xx`; null where there was no answer.
    pub status_class: Option<String>,
    /// What it means and what to do.
    pub detail: String,
}

/// What a provider said to a key, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyTestResult {
    /// It took the key.
    Ok,
    /// It refused the key, or the request.
    Refused,
    /// It, or the place that holds the key, could not be reached.
    Unreachable,
}

impl From<tenant::ProviderKey> for ProviderKey {
    fn from(key: tenant::ProviderKey) -> Self {
        let (source, reference) = match key.source {
            KeySource::Sealed => (ProviderKeySource::Sealed, None),
            KeySource::Reference(reference) => (ProviderKeySource::Reference, Some(reference)),
        };
        Self {
            id: key.id,
            provider: key.provider,
            name: key.name,
            origin: key.origin,
            source,
            reference,
            version: key.version,
            created_at: key.created_at.into(),
            rotated_at: key.rotated_at.into(),
            warning: None,
        }
    }
}
