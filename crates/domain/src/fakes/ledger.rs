use super::away;
use crate::ports::{MeterUse, MinuteLedger, PortError, QuotaLedger};
use crate::quota::{CLOCK_AHEAD_SECONDS, Exhausted, Lease, MeterKey, NotTaken, block_size};
use crate::time::Window;
use crate::{OrgId, Timestamp, UtcDay, UtcMinute};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    granted: Mutex<Grants>,
    minutes: Mutex<Minutes>,
    caps: Mutex<Caps>,
    is_away: AtomicBool,
}

type Grants = BTreeMap<(MeterKey, UtcDay), u64>;
type Caps = BTreeMap<(MeterKey, Window), u64>;
type Minutes = BTreeMap<MeterKey, (UtcMinute, u64)>;

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
        self.require()?;
        Ok(self.granted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn minutes(&self) -> Result<MutexGuard<'_, Minutes>, PortError> {
        self.require()?;
        Ok(self.minutes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn caps(&self) -> Result<MutexGuard<'_, Caps>, PortError> {
        self.require()?;
        Ok(self.caps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn require(&self) -> Result<(), PortError> {
        if self.is_away.load(Ordering::SeqCst) { Err(away()) } else { Ok(()) }
    }
}

#[async_trait]
impl QuotaLedger for MemoryLedger {
    async fn lease(&self, meter: &MeterKey, day: UtcDay, limit: u64, held: u64) -> Result<Lease, PortError> {
        let mut grants = self.grants()?;
        let in_all = grants.entry((meter.clone(), day)).or_default();
        let granted = block_size(limit, *in_all, held);
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

#[async_trait]
impl MinuteLedger for MemoryLedger {
    async fn minute_take(&self, meter: &MeterKey, limit: u64, now: Timestamp) -> Result<(), NotTaken> {
        let mut minutes = self.minutes().map_err(NotTaken::Unavailable)?;
        let (minute, used) = minutes.entry(meter.clone()).or_insert((now.minute(), 0));
        if *minute < now.minute() {
            (*minute, *used) = (now.minute(), 0);
        }
        if *minute > now.plus_seconds(CLOCK_AHEAD_SECONDS).minute() {
            *minute = now.minute();
        }
        if *used >= limit {
            return Err(NotTaken::Exhausted(Exhausted { limit, used: *used, resets_at: minute.end() }));
        }
        *used += 1;
        Ok(())
    }

    async fn minute_prune(&self, now: Timestamp) -> Result<u64, PortError> {
        let (first, last) = (now.plus_seconds(-3_600).minute(), now.plus_seconds(3_600).minute());
        let mut minutes = self.minutes()?;
        let before = minutes.len();
        minutes.retain(|_, (minute, _)| (first..=last).contains(minute));
        Ok((before - minutes.len()) as u64)
    }
}
