//! The facts of one request that usage, audit and debug logs are made of.

use crate::audit::{Actor, Appended, AuditDraft, AuditOutcome, KEY_USE};
use crate::labels::{DataSegment, Plan};
use crate::provider::{Operation, ProviderName};
use crate::{ApiKeyId, OrgId, ProviderKeyId, RecordId, RequestId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Tokens in buckets that never overlap, so that nothing is charged twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Input read afresh: cached input is not in here.
    pub input: u64,
    /// Input read from the provider's cache.
    pub cache_read: u64,
    /// Input written to the provider's cache, five-minute kind or of unstated lifetime.
    pub cache_write_5m: u64,
    /// Input written to the provider's cache, one-hour kind.
    pub cache_write_1h: u64,
    /// Output, reasoning not included.
    pub output: u64,
    /// Output spent on reasoning.
    pub reasoning: u64,
}

impl TokenUsage {
    /// All tokens of all buckets.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.output)
            .saturating_add(self.reasoning)
    }

    /// The tokens as far as one request can have used them: a provider, which may be a customer's own, can tell any
    /// number, and sums over many requests must stay sums.
    #[must_use]
    pub fn believable(self) -> Self {
        let most = |tokens: u64| tokens.min(MOST_TOKENS);
        Self {
            input: most(self.input),
            cache_read: most(self.cache_read),
            cache_write_5m: most(self.cache_write_5m),
            cache_write_1h: most(self.cache_write_1h),
            output: most(self.output),
            reasoning: most(self.reasoning),
        }
    }
}

/// A hundred times what any model reads or writes in one request.
const MOST_TOKENS: u64 = 1_000_000_000;

/// Where a token count comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider told it.
    Provider,
    /// Counted by us from what was sent and delivered: the provider did not tell.
    Estimated,
    /// There is nothing to count: no model answered.
    None,
    /// There is nothing to count: an answer that was kept was given again.
    Cache,
}

impl UsageSource {
    /// The stored and shown form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Estimated => "estimated",
            Self::None => "none",
            Self::Cache => "cache",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole answer of a provider that accepted was relayed.
    Completed,
    /// The client went away before the end.
    ClientGone,
    /// The provider answered with an error, which was relayed.
    UpstreamError,
    /// The provider died, before or within its answer.
    UpstreamFailed,
    /// Top Dog itself failed.
    InternalError,
    /// Top Dog refused it: nothing was counted, and no provider heard of it. Only ever in debug logs.
    Refused,
    /// A guardrail kept the provider's answer, or the rest of it, back from the client. It counts: the provider worked.
    Blocked,
}

impl Outcome {
    /// The stored and shown form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientGone => "client_gone",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamFailed => "upstream_failed",
            Self::InternalError => "internal_error",
            Self::Refused => "refused",
            Self::Blocked => "blocked",
        }
    }
}

/// What the provider key's use in a request was, for the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The key.
    pub provider_key: ProviderKeyId,
    /// The version of it whose plaintext was used.
    pub version: u32,
    /// Was its audit entry made durable before the use (regulated segments)? Then this record adds none.
    pub is_audited: bool,
}

/// One settled request: a single spool frame, which the shipper turns into one usage event, one
/// audit entry and one debug-log record. Made at settlement, exactly once a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Makes shipping idempotent.
    pub id: RecordId,
    /// The request, as the client saw it in `x-request-id`.
    pub request: RequestId,
    /// When it arrived.
    pub at: Timestamp,
    /// The organisation that it counts for.
    pub org: OrgId,
    /// The workspace of the key, if it is bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The Top Dog key that was presented.
    pub api_key: ApiKeyId,
    /// The client's address, as the edge saw it.
    pub client_ip: Arc<str>,
    /// The label `plan`.
    pub plan: Plan,
    /// The label `data_segment`.
    pub segment: DataSegment,
    /// Which endpoint.
    pub operation: Operation,
    /// Was a stream asked for?
    pub is_stream: bool,
    /// The provider it was sent to; `none` where it was refused before that was known.
    pub provider: ProviderName,
    /// The model as the client named it.
    pub model_requested: Arc<str>,
    /// The model as it was sent to the provider.
    pub model: Arc<str>,
    /// The provider key used; none for the built-in test provider, or where it was never opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_use: Option<KeyUse>,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status that the client was sent.
    pub status: u16,
    /// Did a provider accept it? If not, its LLM request was given back.
    pub is_counted: bool,
    /// Tokens.
    pub tokens: TokenUsage,
    /// Where they were learnt.
    pub source: UsageSource,
    /// Cost at the provider's list price in nano-dollars; none where the price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nanodollars: Option<i64>,
    /// From arrival to the first byte relayed, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// From arrival to the end, microseconds.
    pub total_us: u64,
    /// Time in Top Dog less time waited for the upstream, microseconds.
    pub overhead_us: u64,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes relayed to the client.
    pub bytes_out: u64,
    /// The stable code of what went wrong, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Arc<str>>,
    /// What guardrails decided, as [`Tally::told`](crate::guardrail::Tally::told) tells it; none where they found nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Arc<str>>,
}

impl RequestRecord {
    /// The provider key's use, where it is not audited yet: what is to be appended to the organisation's chain.
    #[must_use]
    pub fn unaudited_key_use(&self) -> Option<Appended<'_>> {
        let used = self.key_use.as_ref().filter(|used| !used.is_audited)?;
        Some(Appended::KeyUse(self, used))
    }

    /// The audit entry of the provider key's use, where there was one that is not audited yet. It has the
    /// record's own id, so shipping the record again adds no second one.
    #[must_use]
    pub fn key_use_audit(&self) -> Option<AuditDraft> {
        let used = self.key_use.as_ref().filter(|used| !used.is_audited)?;
        let detail = [
            ("version", used.version.to_string()),
            ("operation", self.operation.name().to_owned()),
            ("provider", self.provider.to_string()),
            ("model", self.model.to_string()),
        ];
        Some(AuditDraft {
            id: self.id,
            at: self.at,
            org: self.org,
            actor: Actor::ApiKey(self.api_key.to_string()),
            action: KEY_USE.to_owned(),
            target: used.provider_key.to_string(),
            outcome: AuditOutcome::Success,
            request: Some(self.request),
            ip: Some(self.client_ip.to_string()),
            detail: detail.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }
}
