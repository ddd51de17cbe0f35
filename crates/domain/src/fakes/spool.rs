use super::away;
use crate::RecordId;
use crate::audit::AuditDraft;
use crate::ports::{Batch, PortError, Spool, SpoolHandle, SpoolPosition, SpoolSource};
use crate::usage::RequestRecord;
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A spool in memory, both ends of it. Clones are the same spool.
#[derive(Clone, Default)]
pub struct MemorySpool(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    records: Vec<Spooled>,
    shipped: usize,
    set_aside: Vec<RecordId>,
    is_unhealthy: bool,
}

enum Spooled {
    Request(Box<RequestRecord>),
    Audit(Box<AuditDraft>),
}

impl MemorySpool {
    /// An empty, healthy spool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the disk fail, or work again. Records are captured all the same, but never durable meanwhile.
    pub fn set_healthy(&self, is_healthy: bool) {
        self.lock().is_unhealthy = !is_healthy;
    }

    /// The records of requests, shipped or not, in the order of appending.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        let request = |spooled: &Spooled| match spooled {
            Spooled::Request(record) => Some(RequestRecord::clone(record)),
            Spooled::Audit(_) => None,
        };
        self.lock().records.iter().filter_map(request).collect()
    }

    /// The audit entries, shipped or not, in the order of appending.
    #[must_use]
    pub fn audits(&self) -> Vec<AuditDraft> {
        let audit = |spooled: &Spooled| match spooled {
            Spooled::Audit(draft) => Some(AuditDraft::clone(draft)),
            Spooled::Request(_) => None,
        };
        self.lock().records.iter().filter_map(audit).collect()
    }

    /// The records that the shipper has set aside.
    #[must_use]
    pub fn set_aside(&self) -> Vec<RecordId> {
        self.lock().set_aside.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool for MemorySpool {
    fn handle(&self) -> Box<dyn SpoolHandle> {
        Box::new(self.clone())
    }

    fn is_healthy(&self) -> bool {
        !self.lock().is_unhealthy
    }

    /// A record counts as one byte.
    fn lag_bytes(&self) -> u64 {
        let state = self.lock();
        state.records.len().saturating_sub(state.shipped) as u64
    }
}

#[async_trait]
impl SpoolHandle for MemorySpool {
    fn append_request(&self, record: &RequestRecord) {
        self.lock().records.push(Spooled::Request(Box::new(record.clone())));
    }

    fn append_audit(&self, draft: &AuditDraft) {
        self.lock().records.push(Spooled::Audit(Box::new(draft.clone())));
    }

    async fn durable(&self) -> Result<(), PortError> {
        if self.is_healthy() { Ok(()) } else { Err(away()) }
    }
}

#[async_trait]
impl SpoolSource for MemorySpool {
    async fn next_batch(&self, max: usize) -> Result<Option<(Batch, SpoolPosition)>, PortError> {
        let state = self.lock();
        let mut batch = Batch::default();
        let mut end = state.shipped;
        for spooled in state.records.iter().skip(state.shipped).take(max) {
            end += 1;
            match spooled {
                Spooled::Request(record) => batch.requests.push(RequestRecord::clone(record)),
                Spooled::Audit(draft) => batch.audits.push(AuditDraft::clone(draft)),
            }
        }
        let position = SpoolPosition { segment: 0, offset: end as u64 };
        Ok((end > state.shipped).then_some((batch, position)))
    }

    async fn advance(&self, position: SpoolPosition) -> Result<(), PortError> {
        let mut state = self.lock();
        let shipped = usize::try_from(position.offset).unwrap_or(usize::MAX);
        state.shipped = state.shipped.max(shipped);
        Ok(())
    }

    async fn set_aside(&self, refused: &Batch, _: &PortError) -> Result<(), PortError> {
        let ids = refused.requests.iter().map(|r| r.id).chain(refused.audits.iter().map(|a| a.id));
        self.lock().set_aside.extend(ids);
        Ok(())
    }
}
