use super::{UtcTime, schema};
use serde::{Deserialize, Serialize};
use topdog_domain::tier::{Limit, TierName};
use utoipa::ToSchema;

/// What an organisation may use and has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quota {
    /// Its tier.
    #[schema(value_type = String)]
    pub tier: TierName,
    /// The UTC day of the daily limits.
    pub day: String,
    /// Limit by limit.
    pub data: Vec<QuotaLine>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaLine {
    /// Its stable name, such as `llm_requests_per_day`, with a key's own limit `llm_requests_per_day:key_…`, or of a
    /// policy's cap `organisation:spend_per_day`, `key_…:tokens_per_minute`; spending is in nano-dollars.
    pub limit: String,
    /// Its size.
    #[schema(schema_with = schema::limit)]
    pub allowed: Limit,
    /// Units used, or reserved by a node for requests about to come; null where the limit is none and nothing counts.
    pub used: Option<u64>,
    /// When it resets; null where it does not.
    pub resets_at: Option<UtcTime>,
}
