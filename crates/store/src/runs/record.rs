//! Which fields of a record are in which part.

use super::column::{Column, columns_of};
use std::sync::Arc;
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::usage::{KeyUse, Outcome, RequestRecord, TokenUsage, UsageSource};
use topdog_domain::{ApiKeyId, OrgId, RecordId, RequestId, Timestamp, WorkspaceId};

/// Some fields of a record, as their columns one behind the other.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        pub(super) struct $name {
            $($field: $type,)*
        }

        impl $name {
            pub(super) fn put(records: &[&RequestRecord], bytes: &mut Vec<u8>) {
                $(Column::put(&records.iter().map(|record| &record.$field).collect::<Vec<_>>(), bytes);)*
            }

            pub(super) fn take(count: usize, bytes: &mut &[u8]) -> Option<Vec<Self>> {
                $(let mut $field = <$type as Column>::take(count, bytes)?.into_iter();)*
                (0..count).map(|_| Some(Self { $($field: $field.next()?),* })).collect()
            }
        }
    };
}

fields!(
    /// What stays.
    Facts {
        request: RequestId,
        at: Timestamp,
        workspace: Option<WorkspaceId>,
        api_key: ApiKeyId,
        plan: Plan,
        segment: DataSegment,
        operation: Operation,
        is_stream: bool,
        provider: ProviderName,
        model_requested: Arc<str>,
        model: Arc<str>,
        key_use: Option<KeyUse>,
        outcome: Outcome,
        status: u16,
        is_counted: bool,
        tokens: TokenUsage,
        source: UsageSource,
        cost_nanodollars: Option<i64>,
    }
);

fields!(
    /// What is deleted in time: without it nothing is known of these.
    #[derive(Clone, Default)]
    Detail {
        client_ip: Arc<str>,
        first_byte_us: Option<u64>,
        total_us: u64,
        overhead_us: u64,
        bytes_in: u64,
        bytes_out: u64,
        error_code: Option<Arc<str>>,
    }
);

fields!(
    /// What is there only where guardrails have decided something, behind the details and deleted with them.
    #[derive(Clone, Default)]
    Judged {
        guardrails: Option<Arc<str>>,
    }
);

columns_of!(KeyUse { provider_key, version, is_audited });
columns_of!(TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning });

/// The record of all its parts.
pub(super) fn whole(
    id: RecordId,
    org: OrgId,
    facts: Facts,
    (detail, judged): (Detail, Judged),
) -> RequestRecord {
    RequestRecord {
        id,
        request: facts.request,
        at: facts.at,
        org,
        workspace: facts.workspace,
        api_key: facts.api_key,
        client_ip: detail.client_ip,
        plan: facts.plan,
        segment: facts.segment,
        operation: facts.operation,
        is_stream: facts.is_stream,
        provider: facts.provider,
        model_requested: facts.model_requested,
        model: facts.model,
        key_use: facts.key_use,
        outcome: facts.outcome,
        status: facts.status,
        is_counted: facts.is_counted,
        tokens: facts.tokens,
        source: facts.source,
        cost_nanodollars: facts.cost_nanodollars,
        first_byte_us: detail.first_byte_us,
        total_us: detail.total_us,
        overhead_us: detail.overhead_us,
        bytes_in: detail.bytes_in,
        bytes_out: detail.bytes_out,
        error_code: detail.error_code,
        guardrails: judged.guardrails,
    }
}
