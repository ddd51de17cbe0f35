//! What a row says of a request beside its columns, as JSON in two parts: the facts of a usage event, which stay, and
//! the detail of a debug log, which is deleted in its time. Nothing is said twice: these are the largest rows.

use super::columns::{from_id_bytes, from_json, from_word};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::ports::PortError;
use topdog_domain::provider::Operation;
use topdog_domain::usage::{KeyUse, Outcome, RequestRecord, TokenUsage};
use topdog_domain::{ApiKeyId, OrgId, RecordId, RequestId, Timestamp, WorkspaceId};

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
    /// In the order of [`TokenUsage`]: the columns hold sums.
    tokens: [u64; 6],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_nanodollars: Option<i64>,
}

impl Facts {
    pub(super) fn of(record: &RequestRecord) -> Self {
        let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } =
            record.tokens;
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
            tokens: [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning],
            cost_nanodollars: record.cost_nanodollars,
        }
    }
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
        let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning] = facts.tokens;
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
            tokens: TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning },
            source: from_word("request_records.source", self.source)?,
            cost_nanodollars: facts.cost_nanodollars,
            first_byte_us: detail.first_byte_us,
            total_us: detail.total_us,
            overhead_us: detail.overhead_us,
            bytes_in: detail.bytes_in,
            bytes_out: detail.bytes_out,
            error_code: detail.error_code,
        })
    }
}
