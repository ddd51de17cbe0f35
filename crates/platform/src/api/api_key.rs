use super::{Secret, UtcTime, schema};
use serde::{Deserialize, Serialize};
use topdog_domain::api_key::{self, KeyMode, Scope};
use topdog_domain::directory::OrgView;
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, WorkspaceId};
use utoipa::ToSchema;

/// A new Top Dog API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// Its name, unique among the organisation's live keys.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it may do.
    #[serde(default = "llm")]
    #[schema(schema_with = scopes)]
    pub scopes: Vec<Scope>,
    /// The only models it may use, as `provider/model`, `provider/*` or a plain name; empty: all.
    #[serde(default)]
    pub models: Vec<String>,
    /// The only addresses and networks (CIDR) it may be used from; empty: all.
    #[serde(default)]
    pub ip_allow: Vec<String>,
    /// The only workspace it works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub workspace: Option<WorkspaceId>,
    /// `test` reaches the built-in test provider only.
    #[serde(default = "live")]
    #[schema(schema_with = schema::key_mode)]
    pub mode: KeyMode,
    /// When it stops working. Give this or `expires_in_seconds`, or neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcTime>,
    /// In how many seconds it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub expires_in_seconds: Option<u32>,
    /// LLM requests a UTC day that the key itself is limited to (TEAMS-* and up).
    #[serde(default = "unlimited")]
    #[schema(schema_with = schema::limit)]
    pub llm_requests_per_day: Limit,
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

fn scopes() -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::Array::new(schema::scope())
}

/// How a Top Dog API key is to be rotated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateApiKey {
    /// How long the present secret goes on working; at most 30 days.
    #[schema(maximum = 2_592_000)]
    pub grace_seconds: u32,
}

impl Default for RotateApiKey {
    fn default() -> Self {
        Self { grace_seconds: 3600 }
    }
}

/// A Top Dog API key, without its secret, which nobody has any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its id, through all rotations.
    #[schema(value_type = String)]
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// What its secrets begin with.
    #[schema(schema_with = schema::key_mode)]
    pub mode: KeyMode,
    /// What it may do.
    #[schema(schema_with = scopes)]
    pub scopes: Vec<Scope>,
    /// The only models it may use; empty: all.
    pub models: Vec<String>,
    /// The only networks it may be used from; empty: all.
    pub ip_allow: Vec<String>,
    /// The only workspace it works in.
    #[schema(value_type = Option<String>)]
    pub workspace: Option<WorkspaceId>,
    /// LLM requests a UTC day that the key itself is limited to.
    #[schema(schema_with = schema::limit)]
    pub llm_requests_per_day: Limit,
    /// When it stops working.
    pub expires_at: Option<UtcTime>,
    /// When it was made.
    pub created_at: UtcTime,
    /// When it was revoked.
    pub revoked_at: Option<UtcTime>,
    /// Is it one more than the tier allows, and refused until older ones are revoked or the tier rises?
    pub over_limit: bool,
    /// Its live secrets, newest first: what is public of them.
    pub secrets: Vec<SecretInfo>,
}

/// What is public of a key's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretInfo {
    /// The beginning of the token, which tells secrets apart in logs.
    pub begins_with: String,
    /// When it stops working: the end of a rotation's grace.
    pub not_after: Option<UtcTime>,
}

/// A Top Dog API key with its new secret, which is shown this once.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedApiKey {
    /// The key.
    pub key: ApiKey,
    /// The secret: what to send as `Authorization: Bearer`.
    pub secret: Secret,
    /// What to know about it.
    pub note: String,
}

impl ApiKey {
    /// The key of that organisation.
    pub(crate) fn of(org: &OrgView, key: api_key::ApiKey) -> Self {
        let secrets = key.secrets.iter().map(|secret| SecretInfo {
            begins_with: format!("{}{}", key.mode.prefix(), secret.public_id),
            not_after: secret.not_after.map(UtcTime),
        });
        Self {
            secrets: secrets.collect(),
            id: key.id,
            name: key.name,
            mode: key.mode,
            scopes: key.scopes,
            models: key.models,
            ip_allow: key.ip_allow.iter().map(ToString::to_string).collect(),
            workspace: key.workspace,
            llm_requests_per_day: key.llm_requests_per_day,
            expires_at: key.expires_at.map(UtcTime),
            created_at: key.created_at.into(),
            revoked_at: key.revoked_at.map(UtcTime),
            over_limit: key.revoked_at.is_none() && org.is_over_limit(key.id),
        }
    }
}
