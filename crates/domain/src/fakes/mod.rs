//! In-memory fakes of every port, for tests; they pass the same contract tests as the real engines.
//!
//! [`MemoryStore`] fills the database's ports, [`MemoryLedger`] the quota ledger's, [`MemorySpool`] the two ends
//! of the spool, [`FakeClock`] tells the time it is told. [`samples`] makes what tests put into them.

mod api_keys;
mod cap_ledger;
mod change_feed;
mod clock;
mod endpoints;
mod idempotency;
mod ledger;
mod organisations;
mod pages;
mod policies;
mod provider_keys;
mod records;
pub mod samples;
mod spool;
mod store;
mod tiers;
mod vault_keys;

pub use clock::FakeClock;
pub use ledger::MemoryLedger;
pub use spool::MemorySpool;
pub use store::MemoryStore;

use crate::ports::PortError;

/// What a fake says while it is told to be away.
fn away() -> PortError {
    PortError::Unavailable("the fake is told to be away".into())
}
