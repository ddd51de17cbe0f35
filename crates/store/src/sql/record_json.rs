//! A request's record as JSON in two parts: what a usage event says for ever, and what only a debug log says, which
//! is deleted in its time. Together they are the record's own JSON.

use super::columns::{from_json, json};
use serde::Serialize;
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::ports::PortError;
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::usage::{KeyUse, Outcome, RequestRecord, TokenUsage, UsageSource};
use topdog_domain::{ApiKeyId, OrgId, RecordId, RequestId, Timestamp, WorkspaceId};

/// The part of a usage event.
pub(super) fn facts(record: &RequestRecord) -> Result<String, PortError> {
    json(&Facts {
        request: record.request,
        workspace: record.workspace,
        api_key: record.api_key,
        plan: record.plan,
        segment: record.segment,
        operation: record.operation,
        is_stream: record.is_stream,
        provider: &record.provider,
        model_requested: &record.model_requested,
        model: &record.model,
        key_use: record.key_use.as_ref(),
        outcome: record.outcome,
        status: record.status,
        is_counted: record.is_counted,
        tokens: record.tokens,
        source: record.source,
        cost_nanodollars: record.cost_nanodollars,
    })
}

/// The part of a debug log.
pub(super) fn detail(record: &RequestRecord) -> Result<String, PortError> {
    json(&Detail {
        client_ip: &record.client_ip,
        first_byte_us: record.first_byte_us,
        total_us: record.total_us,
        overhead_us: record.overhead_us,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        error_code: record.error_code.as_deref(),
    })
}

/// What has columns of its own and is not said again.
#[derive(Serialize)]
pub(super) struct Place {
    pub(super) id: RecordId,
    pub(super) org: OrgId,
    pub(super) at: Timestamp,
}

/// The record of its parts; where the debug log is gone, nothing is known of what it said.
pub(super) fn record(place: &Place, facts: &str, detail: Option<&str>) -> Result<RequestRecord, PortError> {
    const NOTHING_KNOWN: &str = r#"{"client_ip":"","total_us":0,"overhead_us":0,"bytes_in":0,"bytes_out":0}"#;
    let place = json(place)?;
    let fields = [&place, facts, detail.unwrap_or(NOTHING_KNOWN)].map(fields);
    from_json("request_records.facts", &format!("{{{}}}", fields.join(",")))
}

fn fields(object: &str) -> &str {
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(object)
}

#[derive(Serialize)]
struct Facts<'a> {
    request: RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<WorkspaceId>,
    api_key: ApiKeyId,
    plan: Plan,
    segment: DataSegment,
    operation: Operation,
    is_stream: bool,
    provider: &'a ProviderName,
    model_requested: &'a str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_use: Option<&'a KeyUse>,
    outcome: Outcome,
    status: u16,
    is_counted: bool,
    tokens: TokenUsage,
    source: UsageSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_nanodollars: Option<i64>,
}

#[derive(Serialize)]
struct Detail<'a> {
    client_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_us: Option<u64>,
    total_us: u64,
    overhead_us: u64,
    bytes_in: u64,
    bytes_out: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
}
