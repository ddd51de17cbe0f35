use super::{UtcTime, schema};
use serde::{Deserialize, Serialize};
use topdog_domain::guardrail::Decision;
use topdog_domain::labels::DataSegment;
use topdog_domain::ports::UsageSum;
use topdog_domain::usage::RequestRecord;
use topdog_domain::{ApiKeyId, ProviderKeyId, RecordId, RequestId, WorkspaceId};
use utoipa::ToSchema;

/// What was used in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageReport {
    /// From then, inclusive.
    pub from: UtcTime,
    /// To then, exclusive.
    pub to: UtcTime,
    /// By provider and model.
    pub data: Vec<UsageLine>,
}

/// Usage of one model. Token buckets never overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageLine {
    /// The provider.
    pub provider: String,
    /// The model, as the provider takes it.
    pub model: String,
    /// Requests that the provider accepted.
    pub requests: u64,
    /// Requests whose tokens are estimates.
    pub estimated_requests: u64,
    /// Fresh input tokens.
    pub input_tokens: u64,
    /// Input tokens read from caches.
    pub cache_read_tokens: u64,
    /// Input tokens written to caches.
    pub cache_write_tokens: u64,
    /// Output tokens, reasoning not included.
    pub output_tokens: u64,
    /// Reasoning tokens.
    pub reasoning_tokens: u64,
    /// Known cost at list price, nano-dollars.
    pub cost_nanodollars: i64,
    /// Requests whose cost is not known, and not in the sum.
    pub unpriced_requests: u64,
}

impl From<UsageSum> for UsageLine {
    fn from(sum: UsageSum) -> Self {
        Self {
            provider: sum.provider,
            model: sum.model,
            requests: sum.requests,
            estimated_requests: sum.estimated_requests,
            input_tokens: sum.input,
            cache_read_tokens: sum.cache_read,
            cache_write_tokens: sum.cache_write,
            output_tokens: sum.output,
            reasoning_tokens: sum.reasoning,
            cost_nanodollars: sum.cost_nanodollars,
            unpriced_requests: sum.unpriced_requests,
        }
    }
}

/// The facts of one request, as a usage event or a debug-log record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestFacts {
    /// Its place in the list.
    #[schema(value_type = String)]
    pub id: RecordId,
    /// As the client saw it in `x-request-id`.
    #[schema(value_type = String)]
    pub request: RequestId,
    /// When it arrived.
    pub at: UtcTime,
    /// The workspace of the key, if it is bound to one.
    #[schema(value_type = Option<String>)]
    pub workspace: Option<WorkspaceId>,
    /// The Top Dog API key.
    #[schema(value_type = String)]
    pub api_key: ApiKeyId,
    /// The client's address.
    pub client_ip: String,
    /// The label `plan`.
    pub plan: String,
    /// The label `data_segment`.
    #[schema(schema_with = schema::data_segment)]
    pub data_segment: DataSegment,
    /// Which endpoint, such as `chat`.
    pub operation: String,
    /// Was a stream asked for?
    pub is_stream: bool,
    /// The provider.
    pub provider: String,
    /// The model as the client named it.
    pub model_requested: String,
    /// The model as it was sent to the provider.
    pub model: String,
    /// The provider key, if one was used.
    #[schema(value_type = Option<String>)]
    pub provider_key: Option<ProviderKeyId>,
    /// Which version of it.
    pub provider_key_version: Option<u32>,
    /// How it ended, such as `completed`.
    pub outcome: String,
    /// The HTTP status that the client was sent.
    pub status: u16,
    /// Did a provider accept it? If not, its LLM request was given back.
    pub is_counted: bool,
    /// Fresh input tokens.
    pub input_tokens: u64,
    /// Input tokens read from caches.
    pub cache_read_tokens: u64,
    /// Input tokens written to caches.
    pub cache_write_tokens: u64,
    /// Output tokens, reasoning not included.
    pub output_tokens: u64,
    /// Reasoning tokens.
    pub reasoning_tokens: u64,
    /// `provider`, `estimated` or `none`.
    pub usage_source: String,
    /// Cost at list price, nano-dollars; null where the price is unknown.
    pub cost_nanodollars: Option<i64>,
    /// From arrival to the first byte relayed, microseconds.
    pub first_byte_us: Option<u64>,
    /// From arrival to the end, microseconds.
    pub total_us: u64,
    /// Of that, not spent waiting for the provider, microseconds.
    pub overhead_us: u64,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes relayed to the client.
    pub bytes_out: u64,
    /// The stable code of what went wrong.
    pub error_code: Option<String>,
    /// What guardrails found, and did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GuardrailDecision>,
}

/// What a guardrail's rule found in a request, and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuardrailDecision {
    /// The rule's name.
    pub rule: String,
    /// `flag`, `redact` or `block`.
    pub action: String,
    /// In which text: `input` or `output`.
    pub on: String,
    /// How often.
    pub count: u32,
}

impl From<Decision> for GuardrailDecision {
    fn from(made: Decision) -> Self {
        Self {
            rule: made.rule.to_string(),
            action: made.action.name().to_owned(),
            on: made.side.name().to_owned(),
            count: made.count,
        }
    }
}

impl RequestFacts {
    /// The facts as they are listed at that place.
    #[must_use]
    pub fn of(id: RecordId, record: &RequestRecord) -> Self {
        let tokens = record.tokens;
        Self {
            id,
            request: record.request,
            at: record.at.into(),
            workspace: record.workspace,
            api_key: record.api_key,
            client_ip: record.client_ip.to_string(),
            plan: record.plan.name().to_owned(),
            data_segment: record.segment,
            operation: record.operation.name().to_owned(),
            is_stream: record.is_stream,
            provider: record.provider.to_string(),
            model_requested: record.model_requested.to_string(),
            model: record.model.to_string(),
            provider_key: record.key_use.as_ref().map(|key| key.provider_key),
            provider_key_version: record.key_use.as_ref().map(|key| key.version),
            outcome: record.outcome.name().to_owned(),
            status: record.status,
            is_counted: record.is_counted,
            input_tokens: tokens.input,
            cache_read_tokens: tokens.cache_read,
            cache_write_tokens: tokens.cache_write_5m.saturating_add(tokens.cache_write_1h),
            output_tokens: tokens.output,
            reasoning_tokens: tokens.reasoning,
            usage_source: record.source.name().to_owned(),
            cost_nanodollars: record.cost_nanodollars,
            first_byte_us: record.first_byte_us,
            total_us: record.total_us,
            overhead_us: record.overhead_us,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            error_code: record.error_code.as_deref().map(str::to_owned),
            guardrails: record
                .guardrails
                .iter()
                .flat_map(|told| Decision::told(told))
                .map(Into::into)
                .collect(),
        }
    }
}
