//! The SQL adapter: one text of each statement, sent to whichever engine is open.
//!
//! Each aggregate has a module that implements its port for [`Store`]. A change runs in one transaction that
//! takes its locks in one order, so that none waits for another in a circle: the organisation's row
//! ([`organisations::lock`]), the head of its audit chain ([`audit_chain::append`]), the clock of the change
//! feed ([`Store::commit_announced`]).

mod api_key_row;
mod api_keys;
mod audit_chain;
mod cap_ledger;
mod change;
mod change_feed;
mod columns;
mod copy;
mod debug_logs;
mod doorbell;
mod endpoints;
mod engine;
mod error;
mod idempotency;
mod installation_secrets;
mod many_rows;
mod migrate;
mod minute_ledger;
mod open;
mod org_keys;
mod organisations;
mod page;
mod policies;
mod provider_keys;
mod quota_ledger;
mod record_reader;
mod records;
mod request_lists;
mod request_runs;
mod sealed_secrets;
mod tenant_rows;
mod tier_row;
mod tiers;
mod usage_sums;
mod way;

#[cfg(test)]
mod tests;

pub use copy::{ChainsError, CopiedTable, CopyError};
pub use migrate::MigrateError;
pub use open::{OpenError, Store, StoreOptions};
