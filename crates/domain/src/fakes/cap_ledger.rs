use super::MemoryLedger;
use crate::cap_meter::cap_block;
use crate::ports::{CapLedger, CapUse, PortError};
use crate::quota::{Lease, MeterKey};
use crate::time::Window;
use crate::{OrgId, Timestamp};
use async_trait::async_trait;

#[async_trait]
impl CapLedger for MemoryLedger {
    async fn cap_lease(
        &self,
        meter: &MeterKey,
        window: Window,
        limit: u64,
        need: u64,
    ) -> Result<Lease, PortError> {
        let mut caps = self.caps()?;
        let in_all = caps.entry((meter.clone(), window)).or_default();
        let granted = cap_block(limit, *in_all, need);
        *in_all = in_all.saturating_add(granted);
        Ok(Lease { granted, granted_in_all: *in_all })
    }

    async fn cap_charge(&self, meter: &MeterKey, window: Window, units: u64) -> Result<(), PortError> {
        let mut caps = self.caps()?;
        let in_all = caps.entry((meter.clone(), window)).or_default();
        *in_all = in_all.saturating_add(units);
        Ok(())
    }

    async fn cap_give_back(&self, meter: &MeterKey, window: Window, units: u64) -> Result<(), PortError> {
        if let Some(in_all) = self.caps()?.get_mut(&(meter.clone(), window)) {
            *in_all = in_all.saturating_sub(units);
        }
        Ok(())
    }

    async fn cap_granted(&self, org: OrgId, now: Timestamp) -> Result<Vec<CapUse>, PortError> {
        let caps = self.caps()?;
        let of_org = caps.iter().filter(|((meter, window), _)| meter.org == org && window.end > now);
        Ok(of_org
            .map(|((meter, window), granted)| CapUse {
                resource: meter.resource.clone(),
                start: window.start,
                granted: *granted,
            })
            .collect())
    }

    async fn cap_prune(&self, now: Timestamp) -> Result<u64, PortError> {
        let mut caps = self.caps()?;
        let before = caps.len();
        caps.retain(|(_, window), _| window.end > now.plus_seconds(-3_600));
        Ok((before - caps.len()) as u64)
    }
}
