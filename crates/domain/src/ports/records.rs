use super::{Page, PageWish, PortError};
use crate::audit::{AuditDraft, AuditEntry, ChainHash};
use crate::usage::RequestRecord;
use crate::{OrgId, RecordId, Timestamp};
use async_trait::async_trait;

/// What the shipper brings at once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Settled requests: each becomes a usage event, a debug-log record and, where a provider key was used and
    /// not yet audited, an audit entry.
    pub requests: Vec<RequestRecord>,
    /// Audit entries.
    pub audits: Vec<AuditDraft>,
}

impl Batch {
    /// How many records there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an empty batch is nothing that anyone asks for")]
    pub const fn len(&self) -> usize {
        self.requests.len() + self.audits.len()
    }

    /// The batch in two parts, of which neither is empty where it has two records.
    #[must_use]
    pub fn halved(mut self) -> (Self, Self) {
        let middle = self.len() / 2;
        let requests = self.requests.split_off(middle.min(self.requests.len()));
        let audits = self.audits.split_off(middle.saturating_sub(self.requests.len()).min(self.audits.len()));
        (self, Self { requests, audits })
    }
}

/// Where shipped records go.
#[async_trait]
pub trait RecordSink: Send + Sync {
    /// Keeps a batch in one transaction. Records that are there already (by id) are passed over, so a batch
    /// may be shipped again. Any error but [`PortError::Unavailable`] is a record's fault: it comes again each time.
    async fn ship(&self, batch: &Batch) -> Result<(), PortError>;

    /// Deletes an organisation's debug logs from before `before`; how many. What only they know is gone then.
    async fn debug_log_prune(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError>;

    /// Deletes the debug logs of destroyed organisations, as records may come later than the destruction; how many.
    async fn debug_log_prune_ownerless(&self) -> Result<u64, PortError>;
}

/// A usage event as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Its place in the list.
    pub id: RecordId,
    /// The facts. When the debug log is deleted, the client's address, the times, the bytes and the error code are
    /// deleted with it: they are empty or 0 here.
    pub record: RequestRecord,
}

/// Usage summed by provider and model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSum {
    /// The provider.
    pub provider: String,
    /// The model, as the provider takes it.
    pub model: String,
    /// Requests that a provider accepted.
    pub requests: u64,
    /// Requests whose tokens are estimates.
    pub estimated_requests: u64,
    /// Fresh input tokens.
    pub input: u64,
    /// Input tokens read from caches.
    pub cache_read: u64,
    /// Input tokens written to caches.
    pub cache_write: u64,
    /// Output tokens.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    /// Known cost, nano-dollars.
    pub cost_nanodollars: i64,
    /// Requests whose cost is not known.
    pub unpriced_requests: u64,
}

/// A debug-log record as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugLogRow {
    /// Its place in the list.
    pub id: RecordId,
    /// The facts.
    pub record: RequestRecord,
}

/// Reading what was shipped.
#[async_trait]
pub trait RecordReader: Send + Sync {
    /// Usage of `from..to`, summed by provider and model.
    async fn usage_sum(&self, org: OrgId, from: Timestamp, to: Timestamp)
    -> Result<Vec<UsageSum>, PortError>;

    /// Usage events, newest first.
    async fn usage_list(&self, org: OrgId, page: &PageWish) -> Result<Page<UsageRow>, PortError>;

    /// Debug-log records, newest first.
    async fn debug_log_list(&self, org: OrgId, page: &PageWish) -> Result<Page<DebugLogRow>, PortError>;

    /// Audit entries in the order of the chain, from behind the place `after`, and so many. Where someone has been at
    /// what is kept, so that places up to `after` are said once more, those come on top: checking the chain finds them.
    async fn audit_list(&self, org: OrgId, after: u64, limit: u32) -> Result<Vec<AuditEntry>, PortError>;

    /// Whose chains there are, by id: of all that have an entry or an end of a chain, whether or not there is such an
    /// organisation (still); [`OrgId::INSTALLATION`] for what concerns all.
    async fn audit_chain_list(&self, page: &PageWish) -> Result<Page<OrgId>, PortError>;

    /// The chain's last place and hash, as kept beside the chain.
    async fn audit_head(&self, org: OrgId) -> Result<(u64, ChainHash), PortError>;
}
