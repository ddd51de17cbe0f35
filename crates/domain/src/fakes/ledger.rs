use super::away;
use crate::ports::{MeterUse, PortError, QuotaLedger};
use crate::quota::{Lease, MeterKey, lease_size};
use crate::{OrgId, UtcDay};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    granted: Mutex<Grants>,
    is_away: AtomicBool,
}

type Grants = BTreeMap<(MeterKey, UtcDay), u64>;

impl MemoryLedger {
    /// A ledger that has granted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes every call fail, or work again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn grants(&self) -> Result<MutexGuard<'_, Grants>, PortError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(away());
        }
        Ok(self.granted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl QuotaLedger for MemoryLedger {
    async fn lease(&self, meter: &MeterKey, day: UtcDay, limit: u64) -> Result<Lease, PortError> {
        let mut grants = self.grants()?;
        let in_all = grants.entry((meter.clone(), day)).or_default();
        let granted = lease_size(limit, *in_all).min(limit.saturating_sub(*in_all));
        *in_all = in_all.saturating_add(granted);
        Ok(Lease { granted, granted_in_all: *in_all })
    }

    async fn give_back(&self, meter: &MeterKey, day: UtcDay, units: u64) -> Result<(), PortError> {
        if let Some(in_all) = self.grants()?.get_mut(&(meter.clone(), day)) {
            *in_all = in_all.saturating_sub(units);
        }
        Ok(())
    }

    async fn granted(&self, org: OrgId, day: UtcDay) -> Result<Vec<MeterUse>, PortError> {
        let grants = self.grants()?;
        let of_org = grants.iter().filter(|((meter, on), _)| meter.org == org && *on == day);
        Ok(of_org
            .map(|((meter, _), granted)| MeterUse { resource: meter.resource.clone(), granted: *granted })
            .collect())
    }
}
