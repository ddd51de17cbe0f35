//! Step 8: the facts of a settled request, into the spool and the metrics.

use crate::settle::Open;
use topdog_domain::RecordId;
use topdog_domain::usage::{Outcome, RequestRecord, UsageSource};

pub(crate) fn record(open: &Open, outcome: Outcome, is_counted: bool, source: UsageSource) {
    let total = open.started.elapsed();
    let overhead = total.saturating_sub(open.waited);
    let tokens = open.tokens_from(source);
    let micros = |d: std::time::Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let record = RequestRecord {
        id: RecordId::from_uuid(open.request.uuid()),
        request: open.request,
        at: open.at,
        org: open.org,
        workspace: open.workspace,
        api_key: open.api_key,
        client_ip: open.client_ip.to_string().into(),
        plan: open.labels.plan,
        segment: open.labels.segment,
        operation: open.operation,
        is_stream: open.is_stream,
        provider: open.provider.clone(),
        model_requested: open.model_requested.clone(),
        model: open.model.clone(),
        key_use: open.key_use.clone(),
        outcome,
        status: open.status,
        is_counted,
        tokens,
        source,
        cost_nanodollars: match source {
            UsageSource::None => Some(0),
            _ => open.price.map(|price| price.of(&tokens)),
        },
        first_byte_us: open.first_byte.map(micros),
        total_us: micros(total),
        overhead_us: micros(overhead),
        bytes_in: open.bytes_in,
        bytes_out: open.bytes_out,
        error_code: open.error_code.map(Into::into),
    };
    open.worker.spool.append_request(&record);
    open.worker.parts().metrics.settled(&record, overhead, open.first_byte);
}
