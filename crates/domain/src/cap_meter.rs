//! Meters of the caps that customers set themselves: amounts of money, tokens and requests in a window, exact over nodes.
//!
//! The mechanism is that of [`quota`](crate::quota): the ledger holds how much is granted, a node leases a block and
//! spends it from memory, and what is leased counts as used, so that neither a crash nor any number of nodes spends past
//! a cap. What differs is that a request takes many units at once, as an estimate that is settled when it ends. Only
//! requests that a cap holds come here, so a lock is fine.

use crate::OrgId;
use crate::Timestamp;
use crate::occupancy::InUse;
use crate::ports::{CapLedger, PortError};
use crate::quota::{Exhausted, Lease, MeterKey, NotTaken};
use crate::time::Window;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many units a node is granted that needs `need` more, where `granted` of `limit` are out: all of them or none, and
/// with them a fiftieth of what remains, as far as that is no more than a hundred such requests would need.
///
/// So this is the most that a crash can cost.
#[must_use]
pub const fn cap_block(limit: u64, granted: u64, need: u64) -> u64 {
    let remaining = limit.saturating_sub(granted);
    if need > remaining {
        return 0;
    }
    let part = remaining / 50;
    let most = need.saturating_mul(100);
    let ahead = if part < most { part } else { most };
    if ahead > need { ahead } else { need }
}

/// The meters of an organisation's caps: the same through all changes of its policies.
pub struct CapMeters {
    org: OrgId,
    meters: Mutex<HashMap<String, Arc<CapMeter>>>,
}

impl CapMeters {
    /// No meters yet.
    #[must_use]
    pub fn new(org: OrgId) -> Self {
        Self { org, meters: Mutex::default() }
    }

    /// The meter of that name.
    #[must_use]
    pub fn of(&self, name: &str) -> Arc<CapMeter> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = meters.get(name) {
            return meter.clone();
        }
        let meter = Arc::new(CapMeter::new(self.org, name));
        meters.insert(name.to_owned(), meter.clone());
        meter
    }

    /// Returns all leases to the ledger, for stopping.
    ///
    /// # Errors
    /// The first failure; what could not be returned is lost to its window.
    pub async fn return_leases(&self, ledger: &dyn CapLedger) -> Result<(), PortError> {
        let meters: Vec<_> =
            self.meters.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for meter in meters {
            meter.return_lease(ledger).await?;
        }
        Ok(())
    }
}

/// This node's view of what is used of one cap.
pub struct CapMeter {
    key: MeterKey,
    /// Requests under way on this node, for caps of those.
    pub in_use: InUse,
    lease: Mutex<LeaseState>,
    refill: tokio::sync::Mutex<()>,
    /// How often the ledger has failed whoever asked.
    failures: AtomicU64,
}

#[derive(Default)]
struct LeaseState {
    /// The window that all the rest is of.
    window: Option<Window>,
    /// The cap under which units were leased: a changed one ends the lease.
    limit: u64,
    /// Leased and not spent.
    left: u64,
    /// Spent beyond what was leased, by requests that took more than their estimate; not told to the ledger yet.
    debt: u64,
    /// What all nodes had been granted at the last answer of the ledger.
    granted_in_all: u64,
    /// A need that the ledger has denied, and until when not to ask again for as much.
    denied: Option<(u64, Timestamp)>,
}

/// Units that a request has taken; [`CapMeter::settle`] them at its end, or give them all back.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct CapUnits {
    window: Window,
    count: u64,
}

impl CapUnits {
    /// How many they are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// Other nodes may give units back, so a denial is asked for again after this long.
const DENIAL_LASTS_US: i64 = 200_000;

impl CapMeter {
    /// A meter with nothing leased yet.
    #[must_use]
    pub fn new(org: OrgId, name: &str) -> Self {
        Self {
            key: MeterKey { org, resource: name.to_owned() },
            in_use: InUse::default(),
            lease: Mutex::default(),
            refill: tokio::sync::Mutex::new(()),
            failures: AtomicU64::new(0),
        }
    }

    /// Takes `need` units of the window, all or none: from the lease, else from the ledger, of which one asks at a time.
    /// Where it fails one of those who wait, it has failed all of them.
    ///
    /// # Errors
    /// [`NotTaken::Exhausted`] where so many are not left of `limit`; [`NotTaken::Unavailable`] where the lease does not
    /// hold them and the ledger can't be asked.
    pub async fn take(
        &self,
        need: u64,
        limit: u64,
        window: Window,
        ledger: &dyn CapLedger,
        now: Timestamp,
    ) -> Result<CapUnits, NotTaken> {
        if let Some(taken) = self.take_leased(need, limit, window, now) {
            return taken;
        }
        let failures = self.failures.load(Ordering::Acquire);
        let _turn = self.refill.lock().await;
        if let Some(taken) = self.take_leased(need, limit, window, now) {
            return taken;
        }
        if self.failures.load(Ordering::Acquire) != failures {
            let why = "it has just failed another who asked";
            return Err(NotTaken::Unavailable(PortError::Unavailable(why.into())));
        }
        let asked = self.take_from_ledger(need, limit, window, ledger, now).await;
        asked.inspect_err(|not_taken| {
            if let NotTaken::Unavailable(_) = not_taken {
                self.failures.fetch_add(1, Ordering::AcqRel);
            }
        })
    }

    /// What a request has really used, at its end. More than it took is spent all the same, past the cap where there is
    /// no more: see [`CapMeter::owes`].
    pub fn settle(&self, units: CapUnits, used: u64) {
        let mut lease = self.lease();
        if lease.window != Some(units.window) {
            return;
        }
        lease.left += units.count.saturating_sub(used);
        let beyond = used.saturating_sub(units.count);
        let paid = beyond.min(lease.left);
        lease.left -= paid;
        lease.debt = lease.debt.saturating_add(beyond - paid);
        if used < units.count {
            lease.denied = None;
        }
    }

    /// Gives all of them back.
    pub fn give_back(&self, units: CapUnits) {
        self.settle(units, 0);
    }

    /// Has more been spent than was leased? Who hears it calls [`CapMeter::pay`].
    #[must_use]
    pub fn owes(&self) -> bool {
        self.lease().debt > 0
    }

    /// Tells the ledger what was spent beyond what was leased.
    ///
    /// # Errors
    /// Where it can't be told; the next request that asks the ledger tells it again.
    pub async fn pay(&self, ledger: &dyn CapLedger) -> Result<(), PortError> {
        let _turn = self.refill.lock().await;
        self.pay_in_turn(ledger).await
    }

    /// Returns the whole lease to the ledger, for stopping.
    ///
    /// # Errors
    /// Where the ledger can't be told; the units are then lost to the window.
    pub async fn return_lease(&self, ledger: &dyn CapLedger) -> Result<(), PortError> {
        let _turn = self.refill.lock().await;
        self.pay_in_turn(ledger).await?;
        self.return_in_turn(ledger).await
    }

    /// How many units of the window are leased to this node and not used.
    #[must_use]
    pub fn unspent(&self, window: Window) -> u64 {
        let lease = self.lease();
        if lease.window == Some(window) { lease.left } else { 0 }
    }

    /// What the ledger calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.key.resource
    }

    async fn take_from_ledger(
        &self,
        need: u64,
        limit: u64,
        window: Window,
        ledger: &dyn CapLedger,
        now: Timestamp,
    ) -> Result<CapUnits, NotTaken> {
        let window = self.begin(window);
        self.pay_in_turn(ledger).await.map_err(NotTaken::Unavailable)?;
        if self.lease().limit != limit {
            self.return_in_turn(ledger).await.map_err(NotTaken::Unavailable)?;
            self.lease().limit = limit;
        }
        loop {
            let missing = need.saturating_sub(self.lease().left);
            let Lease { granted, granted_in_all } =
                ledger.cap_lease(&self.key, window, limit, missing).await.map_err(NotTaken::Unavailable)?;
            let mut lease = self.lease();
            // Nobody begins another window meanwhile: that is for whoever has the turn.
            lease.left = lease.left.saturating_add(granted);
            lease.granted_in_all = granted_in_all;
            if let Some(units) = lease.take(need, window) {
                return Ok(units);
            }
            // Where there was a block, others have spent of it before this one could: that is no denial.
            if granted == 0 && need.saturating_sub(lease.left) >= missing {
                let until = Timestamp::from_micros(now.micros().saturating_add(DENIAL_LASTS_US));
                lease.denied = Some((need, until));
                return Err(lease.exhausted(limit, window));
            }
        }
    }

    /// From the lease, where there is enough; refused where the ledger has just said that there is not.
    fn take_leased(
        &self,
        need: u64,
        limit: u64,
        window: Window,
        now: Timestamp,
    ) -> Option<Result<CapUnits, NotTaken>> {
        let mut lease = self.lease();
        let window = lease.window.filter(|leased| *leased >= window)?;
        if lease.limit != limit {
            return None;
        }
        if let Some(units) = lease.take(need, window) {
            return Some(Ok(units));
        }
        let is_denied = lease.denied.is_some_and(|(denied, until)| need >= denied && now < until);
        is_denied.then(|| Err(lease.exhausted(limit, window)))
    }

    /// Begins the window, unless a newer one has begun: a request that began before the end of one and is let in after
    /// it must not bring it back. What is left of an older one is gone with it.
    fn begin(&self, window: Window) -> Window {
        let mut lease = self.lease();
        match lease.window {
            Some(leased) if leased >= window => leased,
            _ => {
                *lease = LeaseState { window: Some(window), limit: lease.limit, ..LeaseState::default() };
                window
            }
        }
    }

    async fn pay_in_turn(&self, ledger: &dyn CapLedger) -> Result<(), PortError> {
        let (window, debt) = {
            let lease = self.lease();
            (lease.window, lease.debt)
        };
        let Some(window) = window.filter(|_| debt > 0) else { return Ok(()) };
        ledger.cap_charge(&self.key, window, debt).await?;
        let mut lease = self.lease();
        lease.debt = lease.debt.saturating_sub(debt);
        Ok(())
    }

    async fn return_in_turn(&self, ledger: &dyn CapLedger) -> Result<(), PortError> {
        let (window, left) = {
            let mut lease = self.lease();
            lease.denied = None;
            (lease.window, std::mem::take(&mut lease.left))
        };
        match window {
            Some(window) if left > 0 => ledger.cap_give_back(&self.key, window, left).await,
            _ => Ok(()),
        }
    }

    fn lease(&self) -> MutexGuard<'_, LeaseState> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseState {
    fn take(&mut self, need: u64, window: Window) -> Option<CapUnits> {
        self.left = self.left.checked_sub(need)?;
        Some(CapUnits { window, count: need })
    }

    fn exhausted(&self, limit: u64, window: Window) -> NotTaken {
        let used = self.granted_in_all.saturating_sub(self.left);
        NotTaken::Exhausted(Exhausted { limit, used, resets_at: window.end })
    }
}
