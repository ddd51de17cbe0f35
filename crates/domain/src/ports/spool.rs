use super::PortError;
use crate::audit::AuditDraft;
use crate::usage::RequestRecord;
use async_trait::async_trait;

/// The node's own durable queue of records on their way to the database.
///
/// Appending waits for no disk: a record is to outlive the process from then on, and goes to the disk with the next
/// group commit, about 20 ms later at the most.
pub trait Spool: Send + Sync {
    /// A handle for one thread, so that threads never wait for each other.
    fn handle(&self) -> Box<dyn SpoolHandle>;

    /// Are records being kept? False while the disk is full or failing.
    fn is_healthy(&self) -> bool;

    /// Bytes that are spooled and not yet shipped.
    fn lag_bytes(&self) -> u64;
}

/// One thread's way into the spool.
#[async_trait]
pub trait SpoolHandle: Send + Sync {
    /// Appends the record of a settled request.
    fn append_request(&self, record: &RequestRecord);

    /// Appends an audit entry.
    fn append_audit(&self, draft: &AuditDraft);

    /// Waits until everything appended here so far is on the disk.
    async fn durable(&self) -> Result<(), PortError>;
}
