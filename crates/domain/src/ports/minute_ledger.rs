use super::PortError;
use crate::Timestamp;
use crate::quota::{MeterKey, NotTaken};
use async_trait::async_trait;

/// The ledger of limits by the clock minute, shared by all nodes: for calls that are rare enough to ask it each time.
#[async_trait]
pub trait MinuteLedger: Send + Sync {
    /// Takes one of the meter's units in the minute of `now`, whatever other nodes do at the same time. A meter's
    /// minute never goes back: a `now` from before it (a clock that was set back, or a node behind the others)
    /// counts in the newest minute that was counted in. But one further ahead than
    /// [`CLOCK_AHEAD_SECONDS`](crate::quota::CLOCK_AHEAD_SECONDS) becomes the minute of `now`, with what is counted in
    /// it: a wrong clock holds nobody up for longer than that minute.
    ///
    /// # Errors
    /// [`NotTaken::Exhausted`] where `limit` is reached; that counts nothing.
    async fn minute_take(&self, meter: &MeterKey, limit: u64, now: Timestamp) -> Result<(), NotTaken>;

    /// Forgets the counts of minutes more than an hour away from `now`: those over, and those that a clock which
    /// was far ahead has left in the future, where they would hold callers up until then.
    async fn minute_prune(&self, now: Timestamp) -> Result<u64, PortError>;
}
