//! The ports: what the outside must bring. Small traits, whole business actions, time as an argument.
//!
//! An administrative change carries its [`AuditDraft`](crate::audit::AuditDraft); the adapter writes the
//! change, the audit entry and a row of the change feed in ONE transaction, so there is none without the others.

mod api_keys;
mod cap_ledger;
mod change_feed;
mod clock;
mod endpoints;
mod idempotency;
mod minute_ledger;
mod organisations;
mod policies;
mod provider_keys;
mod quota_ledger;
mod records;
mod spool;
mod spool_source;
mod tiers;
mod vault_keys;
mod wrapped_key_counts;

pub use api_keys::{ApiKeys, NewSecret};
pub use cap_ledger::{CapLedger, CapUse};
pub use change_feed::{Change, ChangeFeed};
pub use clock::Clock;
pub use endpoints::Endpoints;
pub use idempotency::{CLAIM_LASTS_SECONDS, Idempotency, IdempotencyClaim, Remembered};
pub use minute_ledger::MinuteLedger;
pub use organisations::{NewOrganisation, OrganisationChange, Organisations};
pub use policies::{NewPolicy, Policies, PolicyVersion, VERSIONS_KEPT};
pub use provider_keys::ProviderKeys;
pub use quota_ledger::{MeterUse, QuotaLedger};
pub use records::{Batch, DebugLogRow, RecordReader, RecordSink, UsageRow, UsageSum};
pub use spool::{Spool, SpoolHandle};
pub use spool_source::{SpoolPosition, SpoolSource};
pub use tiers::Tiers;
pub use vault_keys::{
    InstallationSecrets, OrgKeys, RewrapCount, SealedSecret, SealedSecrets, WrappedOrgKey, WrappedRoot,
};
pub use wrapped_key_counts::{DataKeyCount, WrappedKeyCount, WrappedKeyCounts};

/// A page of a list, in the order of the list's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; none where this is the last.
    pub next: Option<String>,
}

/// Which page is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageWish {
    /// The `next` of the page before; none for the first.
    pub after: Option<String>,
    /// How many rows at the most.
    pub limit: u32,
}

/// Why a port could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// What was named is not there.
    #[error("not found")]
    NotFound,
    /// Something of that name or id is there already, or was changed meanwhile. Says what.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// The limit given with the request is reached; so many are there.
    #[error("limit reached: {used} are in use")]
    LimitReached {
        /// How many there are.
        used: u64,
    },
    /// The engine can't be asked just now.
    #[error("the store can't be reached: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored, or is to be, can't be understood. Says what, without its content.
    #[error("what is stored, or is to be, can't be understood: {0}")]
    Corrupt(String),
}
