use super::{UtcTime, schema};
use serde::{Deserialize, Serialize};
use topdog_domain::tier::{Limit, TierName};
use utoipa::ToSchema;

/// What went wrong (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:topdog:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, why, and what to do next.
    pub detail: String,
    /// Stable: what programs may branch on.
    pub code: String,
    /// The request id, as in `x-request-id`.
    pub instance: String,
    /// The field or header at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// The limit that refused, such as `api_keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The organisation's tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tier: Option<TierName>,
    /// The limit's size; 0 for a feature that the tier lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::limit)]
    pub allowed: Option<Limit>,
    /// How much of it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// When it resets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<UtcTime>,
    /// The lowest tier that allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lifted_by: Option<TierName>,
    /// Where the tiers are explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plans_url: Option<String>,
}
