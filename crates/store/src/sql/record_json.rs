//! What a row says of a request beside its columns, as JSON in two parts: the facts of a usage event, which stay, and
//! the detail of a debug log, which is deleted in its time. Nothing is said twice: these are the largest rows.

use super::columns::{from_id_bytes, from_json, from_word, unsigned};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::ports::PortError;
use topdog_domain::provider::Operation;
use topdog_domain::usage::{KeyUse, Outcome, RequestRecord, TokenUsage};
use topdog_domain::{ApiKeyId, OrgId, RecordId, RequestId, Timestamp, WorkspaceId};

/// A column says at most so many tokens, or nano-dollars: an endpoint that says more of a request must not make every
/// sum overflow that it is in.
pub(super) const MOST_OF_A_REQUEST: i64 = 100_000_000_000_000;

/// What stays.
#[derive(Serialize, Deserialize)]
pub(super) struct Facts {
    request: RequestId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace: Option<WorkspaceId>,
    api_key: ApiKeyId,
    plan: Plan,
    segment: DataSegment,
    operation: Operation,
    #[serde(default, skip_serializing_if = "is_false")]
    is_stream: bool,
    /// None: the model that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_requested: Option<Arc<str>>,
    /// None: what the column says, which can't say everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_use: Option<KeyUse>,
    outcome: Outcome,
    status: u16,
    /// None: what the columns say, of which one is a sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenUsage>,
    /// None: what the column says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_nanodollars: Option<i64>,
}

impl Facts {
    pub(super) fn of(record: &RequestRecord) -> Self {
        let is_as_requested = record.model_requested == record.model;
        Self {
            request: record.request,
            workspace: record.workspace,
            api_key: record.api_key,
            plan: record.plan,
            segment: record.segment,
            operation: record.operation,
            is_stream: record.is_stream,
            model_requested: (!is_as_requested).then(|| record.model_requested.clone()),
            model: record.model.contains('\0').then(|| record.model.clone()),
            key_use: record.key_use.clone(),
            outcome: record.outcome,
            status: record.status,
            tokens: (!columns_say(record.tokens)).then_some(record.tokens),
            cost_nanodollars: record.cost_nanodollars.filter(|cost| *cost > MOST_OF_A_REQUEST),
        }
    }
}

fn columns_say(tokens: TokenUsage) -> bool {
    let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = tokens;
    let are_all_in = [input, cache_read, cache_write_5m, output, reasoning]
        .into_iter()
        .all(|number| number <= MOST_OF_A_REQUEST.unsigned_abs());
    cache_write_1h == 0 && are_all_in
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What is deleted in time: without it nothing is known of these.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Detail {
    client_ip: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_byte_us: Option<u64>,
    total_us: u64,
    overhead_us: u64,
    bytes_in: u64,
    bytes_out: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_code: Option<Arc<str>>,
}

impl Detail {
    pub(super) fn of(record: &RequestRecord) -> Self {
        Self {
            client_ip: record.client_ip.clone(),
            first_byte_us: record.first_byte_us,
            total_us: record.total_us,
            overhead_us: record.overhead_us,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            error_code: record.error_code.clone(),
        }
    }
}

/// A row as it is listed.
#[derive(sqlx::FromRow)]
pub(super) struct RecordRow {
    id: Vec<u8>,
    at: i64,
    provider: String,
    model: String,
    is_counted: bool,
    source: String,
    input: i64,
    cache_read: i64,
    cache_write: i64,
    output: i64,
    reasoning: i64,
    cost_nanodollars: Option<i64>,
    facts: String,
    detail: Option<String>,
}

impl RecordRow {
    /// The row's place in the list; nobody's, where the id can't be read.
    pub(super) fn key(&self) -> String {
        from_id_bytes("id", &self.id).map(|id| RecordId::from_uuid(id).to_string()).unwrap_or_default()
    }

    /// The record.
    pub(super) fn read(self, org: OrgId) -> Result<RequestRecord, PortError> {
        let facts: Facts = from_json("request_records.facts", &self.facts)?;
        let detail: Option<Detail> =
            self.detail.map(|detail| from_json("request_records.detail", &detail)).transpose()?;
        let detail = detail.unwrap_or_default();
        let model = facts.model.unwrap_or_else(|| self.model.into());
        let tokens = TokenUsage {
            input: unsigned("request_records.input", self.input)?,
            cache_read: unsigned("request_records.cache_read", self.cache_read)?,
            cache_write_5m: unsigned("request_records.cache_write", self.cache_write)?,
            cache_write_1h: 0,
            output: unsigned("request_records.output", self.output)?,
            reasoning: unsigned("request_records.reasoning", self.reasoning)?,
        };
        Ok(RequestRecord {
            id: RecordId::from_uuid(from_id_bytes("request_records.id", &self.id)?),
            request: facts.request,
            at: Timestamp::from_micros(self.at),
            org,
            workspace: facts.workspace,
            api_key: facts.api_key,
            client_ip: detail.client_ip,
            plan: facts.plan,
            segment: facts.segment,
            operation: facts.operation,
            is_stream: facts.is_stream,
            provider: from_word("request_records.provider", self.provider)?,
            model_requested: facts.model_requested.unwrap_or_else(|| model.clone()),
            model,
            key_use: facts.key_use,
            outcome: facts.outcome,
            status: facts.status,
            is_counted: self.is_counted,
            tokens: facts.tokens.unwrap_or(tokens),
            source: from_word("request_records.source", self.source)?,
            cost_nanodollars: facts.cost_nanodollars.or(self.cost_nanodollars),
            first_byte_us: detail.first_byte_us,
            total_us: detail.total_us,
            overhead_us: detail.overhead_us,
            bytes_in: detail.bytes_in,
            bytes_out: detail.bytes_out,
            error_code: detail.error_code,
        })
    }
}
