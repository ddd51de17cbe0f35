//! Leased quota: exact daily limits that cost one compare-and-swap a request (DESIGN part 3).
//!
//! The ledger holds for each meter how much has been *granted*. A node leases a block and spends it
//! from memory. A lease is spent at the grant, so no crash and no number of nodes can let in one too
//! many; what a crashed node had not used is lost to the window: one lease, whose size is [`lease_size`].

use crate::cap_meter::CapMeters;
use crate::entitlement::Resource;
use crate::ports::{PortError, QuotaLedger};
use crate::tier::Limit;
use crate::{ApiKeyId, OrgId, Timestamp, UtcDay};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is counted: a resource of an organisation. The window is the UTC day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterKey {
    /// Whose.
    pub org: OrgId,
    /// Of what: a [`Resource`]'s name, or that of a key's own limit.
    pub resource: String,
}

impl MeterKey {
    /// The meter of a tier's resource.
    #[must_use]
    pub fn of(org: OrgId, resource: Resource) -> Self {
        Self { org, resource: resource.name().to_owned() }
    }
}

/// What the ledger answers to a wish for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Units that are now this node's; 0 where the limit is reached.
    pub granted: u64,
    /// Units granted to all nodes in the window, this lease included.
    pub granted_in_all: u64,
}

/// How many units to lease where `granted_in_all` of `limit` are out: a twentieth of what remains, at most 800, at
/// least one; and one by one where the limit is small (FREE) or its end is near.
///
/// This is also the most that a node is ever granted ahead of its use, and so what a crash can cost: see
/// [`block_size`].
#[must_use]
pub const fn lease_size(limit: u64, granted_in_all: u64) -> u64 {
    let remaining = limit.saturating_sub(granted_in_all);
    if limit <= 64 {
        return 1;
    }
    let part = remaining / LEASE_PART;
    if part > LARGEST_LEASE {
        LARGEST_LEASE
    } else if part == 0 {
        1
    } else {
        part
    }
}

const LARGEST_LEASE: u64 = 800;
/// A lease is such a part of what remains.
const LEASE_PART: u64 = 20;

/// How many units a node is granted that still holds `held` of its last lease: what brings it back to one lease's
/// size, never past the limit. A lease that is fetched ahead so adds nothing to what a crash can cost.
#[must_use]
pub const fn block_size(limit: u64, granted_in_all: u64, held: u64) -> u64 {
    let block = lease_size(limit, granted_in_all).saturating_sub(held);
    let remaining = limit.saturating_sub(granted_in_all);
    if block < remaining { block } else { remaining }
}

/// The most that may be granted in all for a block of that many units, decided a moment ago, to be still right: no
/// larger than [`block_size`] has it now, and not past the limit. By it a ledger decides without holding a lock.
#[must_use]
pub const fn granted_at_most(limit: u64, units: u64, held: u64) -> u64 {
    let block = held.saturating_add(units);
    // Of small limits, and of a node that holds nothing, a single unit is right until the end.
    limit.saturating_sub(if block <= 1 { 1 } else { block.saturating_mul(LEASE_PART) })
}

/// The limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Its size.
    pub limit: u64,
    /// How much is used or on its way.
    pub used: u64,
    /// When it resets.
    pub resets_at: Timestamp,
}

/// Why nothing could be taken from a meter.
#[derive(Debug)]
pub enum NotTaken {
    /// The limit is reached.
    Exhausted(Exhausted),
    /// The ledger can't be asked, and nothing is left of the lease.
    Unavailable(PortError),
}

/// One unit that was taken; give it back with [`Meter::give_back`] where it turns out not to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Unit {
    day: Option<UtcDay>,
}

/// This node's view of one meter.
pub struct Meter {
    key: MeterKey,
    /// What is left of the lease, with the day it is for: the day's number in the upper 24 bits.
    lease: AtomicU64,
    /// The limit under which the lease was taken: a changed limit ends the lease.
    leased_under: AtomicI64,
    /// What all nodes had been granted at the last answer of the ledger.
    granted_in_all: AtomicU64,
    /// Until when not to ask the ledger again, microseconds: it has just said that all is granted.
    denied_until: AtomicI64,
    /// When other nodes may be asked again for what they do not use, microseconds.
    recalled_until: AtomicI64,
    /// How many units were at hand after the last answer of the ledger.
    block: AtomicU64,
    /// Is the next lease being fetched ahead of its need?
    is_topping_up: AtomicBool,
    refill: tokio::sync::Mutex<()>,
    /// How often the ledger has failed whoever asked.
    failures: AtomicU64,
}

const COUNT_BITS: u32 = 40;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// Leases from this size on are fetched ahead.
const SMALLEST_TOPPED_UP: u64 = 256;
/// Other nodes may give units back, so a denial is asked for again after this long.
const DENIAL_LASTS_US: i64 = 200_000;
/// Whoever is asked gives back at once, so asking more often would only be noise at an exhausted limit.
const RECALL_EVERY_US: i64 = 5_000_000;

impl Meter {
    /// A meter with nothing leased yet.
    #[must_use]
    pub fn new(key: MeterKey) -> Self {
        Self {
            key,
            lease: AtomicU64::new(0),
            leased_under: AtomicI64::new(i64::MIN),
            granted_in_all: AtomicU64::new(0),
            denied_until: AtomicI64::new(i64::MIN),
            recalled_until: AtomicI64::new(i64::MIN),
            block: AtomicU64::new(0),
            is_topping_up: AtomicBool::new(false),
            refill: tokio::sync::Mutex::new(()),
            failures: AtomicU64::new(0),
        }
    }

    /// Takes one unit of today's window: from the lease, else from the ledger, of which one asks at a time. So many may
    /// wait for their turn, for as long as the ledger answers those before them; where it fails one of them, it has
    /// failed all who wait, and none asks again what has just been asked.
    ///
    /// # Errors
    /// [`NotTaken::Exhausted`] where the limit is reached; [`NotTaken::Unavailable`] where the lease is spent
    /// and the ledger can't be asked.
    pub async fn take(
        &self,
        limit: Limit,
        ledger: &dyn QuotaLedger,
        now: Timestamp,
    ) -> Result<Unit, NotTaken> {
        let Limit::Of(size) = limit else {
            return Ok(Unit { day: None });
        };
        let day = self.window(now);
        if self.is_leased_under(limit) && self.take_leased(day) {
            return Ok(Unit { day: Some(day) });
        }
        self.take_after_refill(size, ledger, now, day).await
    }

    /// Takes one unit at once, where the lease has one or the limit is none; `None` where the ledger must be
    /// asked by [`Meter::take`].
    #[must_use]
    pub fn try_take(&self, limit: Limit, now: Timestamp) -> Option<Unit> {
        if limit == Limit::Unlimited {
            return Some(Unit { day: None });
        }
        let day = self.window(now);
        (self.is_leased_under(limit) && self.take_leased(day)).then_some(Unit { day: Some(day) })
    }

    /// Should the next lease be fetched now, so that no request waits for it? True once for each: who hears it
    /// calls [`Meter::top_up`]. Small leases are never topped up: near a limit's end each unit counts.
    #[must_use]
    pub fn wants_top_up(&self, limit: Limit) -> bool {
        let block = self.block.load(Ordering::Relaxed);
        block >= SMALLEST_TOPPED_UP
            && self.lease.load(Ordering::Relaxed) & COUNT_MASK < block / 4
            && self.is_leased_under(limit)
            && !self.is_topping_up.swap(true, Ordering::AcqRel)
    }

    /// Fetches ahead of its need what brings the lease back to its size. What goes wrong shows when a unit is really needed.
    pub async fn top_up(&self, limit: Limit, ledger: &dyn QuotaLedger, now: Timestamp) {
        let _ended = ToppingUp(&self.is_topping_up);
        let failures = self.failures.load(Ordering::Acquire);
        if let (Limit::Of(size), _turn) = (limit, self.refill.lock().await)
            && self.is_leased_under(limit)
            && self.has_not_failed_since(failures).is_ok()
        {
            let _ = self.lease_block(size, ledger, self.window(now), self.unspent(now)).await;
        }
    }

    /// Puts a unit back into the lease; one of a past day is gone with its window.
    pub fn give_back(&self, unit: Unit) {
        let Some(day) = unit.day else { return };
        let update = |lease| (day_of(lease) == packed_day(day)).then(|| lease + 1);
        if self.lease.fetch_update(Ordering::AcqRel, Ordering::Acquire, update).is_ok() {
            self.denied_until.store(i64::MIN, Ordering::Release);
        }
    }

    /// How many units are left of the limit today, as far as this node knows.
    #[must_use]
    pub fn remaining(&self, limit: Limit, now: Timestamp) -> Option<u64> {
        let Limit::Of(size) = limit else { return None };
        let lease = self.lease.load(Ordering::Acquire);
        if day_of(lease) != packed_day(self.window(now)) {
            return Some(size);
        }
        let granted = self.granted_in_all.load(Ordering::Acquire);
        Some(size.saturating_sub(granted) + (lease & COUNT_MASK))
    }

    /// Waits until no lease is on its way, and lets none start while the answer lives. Only then do the ledger's
    /// count and the unspent units belong together: between them lies the lease that one has and the other has not.
    /// Who pauses several meters does so in the same order always, lest two wait for each other.
    pub async fn pause(&self) -> Paused<'_> {
        Paused { meter: self, _turn: self.refill.lock().await }
    }

    fn unspent(&self, now: Timestamp) -> u64 {
        let lease = self.lease.load(Ordering::Acquire);
        if day_of(lease) == packed_day(self.window(now)) { lease & COUNT_MASK } else { 0 }
    }

    /// Returns the whole lease to the ledger: on stopping, and where the limit has changed.
    ///
    /// # Errors
    /// Where the ledger can't be told; the units are then lost to the window.
    pub async fn return_lease(&self, ledger: &dyn QuotaLedger) -> Result<(), PortError> {
        let _turn = self.refill.lock().await;
        self.return_lease_in_turn(ledger).await
    }

    async fn return_lease_in_turn(&self, ledger: &dyn QuotaLedger) -> Result<(), PortError> {
        self.leased_under.store(i64::MIN, Ordering::Release);
        // The day stays, so that a unit that is given back later still finds its window.
        let lease = self.lease.fetch_and(!COUNT_MASK, Ordering::AcqRel);
        let count = lease & COUNT_MASK;
        if count == 0 {
            return Ok(());
        }
        let day = i64::try_from(day_of(lease)).unwrap_or_default();
        let given_back = ledger.give_back(&self.key, UtcDay::from_number(day), count).await;
        given_back.inspect_err(|_| self.has_failed())
    }

    async fn take_after_refill(
        &self,
        size: u64,
        ledger: &dyn QuotaLedger,
        now: Timestamp,
        day: UtcDay,
    ) -> Result<Unit, NotTaken> {
        let exhausted = |used| NotTaken::Exhausted(Exhausted { limit: size, used, resets_at: day.end() });
        let limit = Limit::Of(size);
        if self.is_leased_under(limit) && now.micros() < self.denied_until.load(Ordering::Acquire) {
            return Err(exhausted(self.granted_in_all.load(Ordering::Acquire)));
        }
        let failures = self.failures.load(Ordering::Acquire);
        let _turn = self.refill.lock().await;
        if self.is_leased_under(limit) {
            if self.take_leased(day) {
                return Ok(Unit { day: Some(day) });
            }
            if now.micros() < self.denied_until.load(Ordering::Acquire) {
                return Err(exhausted(self.granted_in_all.load(Ordering::Acquire)));
            }
        }
        self.has_not_failed_since(failures).map_err(NotTaken::Unavailable)?;
        if !self.is_leased_under(limit) {
            self.return_lease_in_turn(ledger).await.map_err(NotTaken::Unavailable)?;
        }
        let granted_in_all = loop {
            let lease = self.lease_block(size, ledger, day, 0).await.map_err(NotTaken::Unavailable)?;
            if self.take_leased(day) {
                return Ok(Unit { day: Some(day) });
            }
            // Where there was a block, others have spent it before this one could: that is no denial.
            if lease.granted == 0 {
                break lease.granted_in_all;
            }
        };
        self.denied_until.store(now.micros().saturating_add(DENIAL_LASTS_US), Ordering::Release);
        // Of what is leased one by one nobody holds any.
        if lease_size(size, 0) > 1 && now.micros() >= self.recalled_until.load(Ordering::Acquire) {
            self.recalled_until.store(now.micros().saturating_add(RECALL_EVERY_US), Ordering::Release);
            // What others then give back is there for a later request; that they can't be asked changes nothing.
            let _ = ledger.recall(self.key.org).await;
        }
        Err(exhausted(granted_in_all))
    }

    fn has_failed(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
    }

    /// Where the ledger has failed another while this one waited for its turn.
    fn has_not_failed_since(&self, failures: u64) -> Result<(), PortError> {
        if self.failures.load(Ordering::Acquire) == failures {
            return Ok(());
        }
        Err(PortError::Unavailable("it has just failed another who asked".into()))
    }

    /// One more block from the ledger, for a node that still has `held` units. Only with the refill's turn in hand.
    async fn lease_block(
        &self,
        size: u64,
        ledger: &dyn QuotaLedger,
        day: UtcDay,
        held: u64,
    ) -> Result<Lease, PortError> {
        let lease = ledger.lease(&self.key, day, size, held).await.inspect_err(|_| self.has_failed())?;
        self.granted_in_all.store(lease.granted_in_all, Ordering::Release);
        self.block.store(held.saturating_add(lease.granted), Ordering::Relaxed);
        self.leased_under.store(Limit::Of(size).to_column(), Ordering::Release);
        if lease.granted > 0 {
            self.denied_until.store(i64::MIN, Ordering::Release);
            self.add_lease(day, lease.granted);
        }
        Ok(lease)
    }

    /// The day that a request counts for: its own, but never one before the lease's. A request that began before
    /// midnight and is let in after it must not bring yesterday's window back.
    fn window(&self, now: Timestamp) -> UtcDay {
        let leased = day_of(self.lease.load(Ordering::Acquire));
        let leased = UtcDay::from_number(i64::try_from(leased).unwrap_or_default());
        now.day().max(leased)
    }

    /// The limit, where the ledger has just said that it is reached.
    #[must_use]
    pub fn exhausted(&self, limit: Limit, now: Timestamp) -> Option<Exhausted> {
        let Limit::Of(size) = limit else { return None };
        let is_denied = self.is_leased_under(limit)
            && now.micros() < self.denied_until.load(Ordering::Acquire)
            && self.lease.load(Ordering::Acquire) & COUNT_MASK == 0;
        let used = self.granted_in_all.load(Ordering::Acquire);
        is_denied.then(|| Exhausted { limit: size, used, resets_at: self.window(now).end() })
    }

    fn is_leased_under(&self, limit: Limit) -> bool {
        self.leased_under.load(Ordering::Acquire) == limit.to_column()
    }

    fn take_leased(&self, day: UtcDay) -> bool {
        let has_one = |lease| (day_of(lease) == packed_day(day) && lease & COUNT_MASK > 0).then(|| lease - 1);
        self.lease.fetch_update(Ordering::AcqRel, Ordering::Acquire, has_one).is_ok()
    }

    fn add_lease(&self, day: UtcDay, count: u64) {
        let add = |lease| {
            let left = if day_of(lease) == packed_day(day) { lease & COUNT_MASK } else { 0 };
            Some(packed_day(day) << COUNT_BITS | (left + count).min(COUNT_MASK))
        };
        // The closure never declines, so the update can't fail.
        let _ = self.lease.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
    }
}

/// A meter that neither takes a lease from the ledger nor returns one.
pub struct Paused<'a> {
    meter: &'a Meter,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Paused<'_> {
    /// How many units of today's lease this node has not spent: granted by the ledger, and not used.
    #[must_use]
    pub fn unspent(&self, now: Timestamp) -> u64 {
        self.meter.unspent(now)
    }
}

/// A fetching ahead that is under way, until it is done or given up.
struct ToppingUp<'a>(&'a AtomicBool);

impl Drop for ToppingUp<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

const fn packed_day(day: UtcDay) -> u64 {
    day.number().unsigned_abs() & 0x00ff_ffff
}

const fn day_of(lease: u64) -> u64 {
    lease >> COUNT_BITS
}

/// The meters of an organisation that every request touches.
pub struct OrgMeters {
    /// API calls a day.
    pub api_calls: Meter,
    /// LLM requests a day.
    pub llm_requests: Meter,
    /// Debug-log records of refused requests a minute: a flood of them must not fill the disk.
    pub refusal_logs: MinuteWindow,
    /// LLM requests a day of the keys that have a limit of their own.
    keys: Mutex<HashMap<ApiKeyId, Arc<Meter>>>,
    /// What is used of the caps of its policies.
    pub caps: CapMeters,
    org: OrgId,
}

impl OrgMeters {
    /// Meters with nothing leased yet.
    #[must_use]
    pub fn new(org: OrgId) -> Self {
        Self {
            api_calls: Meter::new(MeterKey::of(org, Resource::ApiCallsPerDay)),
            llm_requests: Meter::new(MeterKey::of(org, Resource::LlmRequestsPerDay)),
            refusal_logs: MinuteWindow::default(),
            keys: Mutex::default(),
            caps: CapMeters::new(org),
            org,
        }
    }

    /// The meter of a key's own limit: the same one through all changes of the directory.
    #[must_use]
    pub fn of_key(&self, key: ApiKeyId) -> Arc<Meter> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Meter::new(MeterKey { org: self.org, resource: format!("llm_requests_per_day:{key}") }))
        };
        keys.entry(key).or_insert_with(new).clone()
    }

    /// Returns all leases to the ledger, for stopping.
    ///
    /// # Errors
    /// The first failure; what could not be returned is lost to the window.
    pub async fn return_leases(&self, ledger: &dyn QuotaLedger) -> Result<(), PortError> {
        self.api_calls.return_lease(ledger).await?;
        self.llm_requests.return_lease(ledger).await?;
        let keys: Vec<_> =
            self.keys.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for meter in keys {
            meter.return_lease(ledger).await?;
        }
        Ok(())
    }
}

/// How far ahead of a node's clock, in seconds, a minute may be that another node has counted in: what lies further
/// ahead was counted by a wrong clock.
pub const CLOCK_AHEAD_SECONDS: i64 = 120;

/// A counter of one clock minute, for limits where a restart may begin anew.
#[derive(Default)]
pub struct MinuteWindow(AtomicU64);

impl MinuteWindow {
    /// Takes one of the minute's units; the second at which the minute ends where none is left.
    ///
    /// # Errors
    /// [`Exhausted`] where the limit is reached.
    pub fn take(&self, limit: Limit, now: Timestamp) -> Result<(), Exhausted> {
        let Limit::Of(size) = limit else { return Ok(()) };
        let minute = now.minute().number().unsigned_abs() & 0xffff_ffff;
        let count = |window: u64| {
            if window >> 32 == minute { window & 0xffff_ffff } else { 0 }
        };
        let update = |window| (count(window) < size).then(|| minute << 32 | (count(window) + 1));
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, update) {
            Ok(_) => Ok(()),
            Err(_) => Err(Exhausted { limit: size, used: size, resets_at: now.minute().end() }),
        }
    }
}
