use super::buffer::{Buffer, Kept};
use super::frame::Record;
use super::shared::Shared;
use async_trait::async_trait;
use std::sync::Arc;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{PortError, SpoolHandle};
use topdog_domain::usage::RequestRecord;

/// One thread's way into the spool; its buffer's lock is never contended but for the committer's swap.
pub(super) struct FileSpoolHandle {
    shared: Arc<Shared>,
    buffer: Arc<Buffer>,
}

impl FileSpoolHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { buffer: shared.add_buffer(), shared }
    }

    fn append<T: Record>(&self, record: &T) {
        let limit = if self.shared.is_closing() { 0 } else { self.shared.buffer_limit() };
        match self.buffer.append(record, limit) {
            Ok(kept) => {
                self.shared.alarm.ring();
                if matches!(kept, Kept::InMemory) {
                    self.shared.count_unrecorded();
                }
            }
            Err(_) if self.shared.count_lost() => {
                tracing::error!("the spool can't be written and its buffer is full: records are being lost");
            }
            Err(_) => {}
        }
    }
}

#[async_trait]
impl SpoolHandle for FileSpoolHandle {
    fn append_request(&self, record: &RequestRecord) {
        self.append(record);
    }

    fn append_audit(&self, draft: &AuditDraft) {
        self.append(draft);
    }

    async fn durable(&self) -> Result<(), PortError> {
        Ok(self.shared.wait_durable(&self.buffer).await?)
    }
}
