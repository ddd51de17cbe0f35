use super::{Batch, PortError};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A place in a spool, behind a whole record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SpoolPosition {
    /// Which segment.
    pub segment: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// The spool's other end: where the shipper takes from. There is one shipper a spool.
#[async_trait]
pub trait SpoolSource: Send + Sync {
    /// The oldest durable records that are not yet shipped, at most `max`, with the place behind them; none
    /// where all are shipped. The same ones again until [`SpoolSource::advance`].
    async fn next_batch(&self, max: usize) -> Result<Option<(Batch, SpoolPosition)>, PortError>;

    /// Everything before `position` is shipped: remembered on the disk, and its room freed.
    async fn advance(&self, position: SpoolPosition) -> Result<(), PortError>;

    /// Keeps records that the database will never take where an operator finds them, and counts them.
    async fn set_aside(&self, refused: &Batch, why: &PortError) -> Result<(), PortError>;
}
