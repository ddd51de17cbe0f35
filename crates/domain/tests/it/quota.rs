//! Leased quota: never one admission over a limit, whatever the order of things; one lease lost at the most.

use async_trait::async_trait;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use topdog_domain::entitlement::Resource;
use topdog_domain::ports::{MeterUse, PortError, QuotaLedger};
use topdog_domain::quota::{
    Lease, Meter, MeterKey, MinuteWindow, NotTaken, Unit, block_size, granted_at_most, lease_size,
};
use topdog_domain::tier::Limit;
use topdog_domain::{OrgId, Timestamp, UtcDay};

#[derive(Default)]
struct Ledger {
    granted: Mutex<HashMap<(MeterKey, UtcDay), u64>>,
    asked: AtomicU64,
    recalled: AtomicU64,
    is_away: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl QuotaLedger for Ledger {
    async fn lease(&self, meter: &MeterKey, day: UtcDay, limit: u64, held: u64) -> Result<Lease, PortError> {
        tokio::task::yield_now().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_away.load(Ordering::Relaxed) {
            return Err(PortError::Unavailable("away".into()));
        }
        let lease = {
            let mut all = self.granted.lock().unwrap();
            let granted = all.entry((meter.clone(), day)).or_default();
            let block = block_size(limit, *granted, held);
            *granted += block;
            Lease { granted: block, granted_in_all: *granted }
        };
        // The ledger has written what the node does not know yet.
        tokio::task::yield_now().await;
        Ok(lease)
    }

    async fn give_back(&self, meter: &MeterKey, day: UtcDay, units: u64) -> Result<(), PortError> {
        let mut all = self.granted.lock().unwrap();
        let granted = all.entry((meter.clone(), day)).or_default();
        *granted = granted.saturating_sub(units);
        Ok(())
    }

    async fn recall(&self, _: OrgId) -> Result<(), PortError> {
        self.recalled.fetch_add(1, Ordering::Relaxed);
        Err(PortError::Unavailable("nobody hears".into()))
    }

    async fn granted(&self, org: OrgId, day: UtcDay) -> Result<Vec<MeterUse>, PortError> {
        let all = self.granted.lock().unwrap();
        let of_org = all.iter().filter(|((meter, of), _)| meter.org == org && *of == day);
        Ok(of_org
            .map(|((meter, _), granted)| MeterUse { resource: meter.resource.clone(), granted: *granted })
            .collect())
    }
}

const NOON: Timestamp = Timestamp::from_micros(1_764_028_800_000_000);

fn meter() -> (OrgId, Meter) {
    let org = OrgId::new();
    (org, Meter::new(MeterKey::of(org, Resource::LlmRequestsPerDay)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_at_once_against_a_hundred() {
    let (_, meter) = meter();
    let (meter, ledger) = (Arc::new(meter), Arc::new(Ledger::default()));
    let takes = (0..1000).map(|_| {
        let (meter, ledger) = (meter.clone(), ledger.clone());
        tokio::spawn(async move { meter.take(Limit::Of(100), ledger.as_ref(), NOON).await.is_ok() })
    });
    let mut admitted = 0;
    for take in takes.collect::<Vec<_>>() {
        admitted += u32::from(take.await.unwrap());
    }
    assert_eq!(admitted, 100);
}

#[test]
fn a_block_that_others_have_spent_at_once_is_no_denial() {
    const LIMIT: u64 = 100;
    for _ in 0..200 {
        let (_, meter) = meter();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            let other = threads.spawn(|| {
                let mut taken = 0;
                while !is_over.load(Ordering::Relaxed) {
                    taken += u64::from(meter.try_take(Limit::Of(LIMIT), NOON).is_some());
                }
                taken
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let ledger = Ledger::default();
            let mut taken = 0;
            let denied = loop {
                match runtime.block_on(meter.take(Limit::Of(LIMIT), &ledger, NOON)) {
                    Ok(_) => taken += 1,
                    Err(NotTaken::Exhausted(denied)) => break denied,
                    Err(NotTaken::Unavailable(error)) => panic!("{error}"),
                }
            };
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(denied.used, LIMIT, "denied while there was more");
            assert_eq!(taken + other.join().unwrap(), LIMIT);
        });
    }
}

#[tokio::test]
async fn a_denial_says_how_much_and_until_when() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    for _ in 0..2 {
        let _ = meter.take(Limit::Of(2), &ledger, NOON).await.unwrap();
    }
    let Err(NotTaken::Exhausted(denied)) = meter.take(Limit::Of(2), &ledger, NOON).await else {
        panic!("admitted")
    };
    assert_eq!((denied.limit, denied.used), (2, 2));
    assert_eq!(denied.resets_at, NOON.day().end());
    let asked = ledger.asked.load(Ordering::Relaxed);
    for _ in 0..100 {
        assert!(meter.take(Limit::Of(2), &ledger, NOON).await.is_err());
    }
    assert_eq!(ledger.asked.load(Ordering::Relaxed), asked, "a flood of denials does not reach the ledger");
    let tomorrow = NOON.plus_seconds(86_400);
    assert!(meter.take(Limit::Of(2), &ledger, tomorrow).await.is_ok(), "a new day, a new window");
}

#[tokio::test]
async fn a_lease_carries_on_while_the_ledger_is_away_and_not_one_further() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    let _ = meter.take(Limit::Of(1600), &ledger, NOON).await.unwrap();
    ledger.is_away.store(true, Ordering::Relaxed);
    for _ in 1..80 {
        let _ = meter.take(Limit::Of(1600), &ledger, NOON).await.unwrap();
    }
    assert!(matches!(meter.take(Limit::Of(1600), &ledger, NOON).await, Err(NotTaken::Unavailable(_))));
}

/// A ledger that hangs fails after a while: whoever waits behind must not wait for as long again, and again.
#[tokio::test]
async fn a_ledger_that_fails_one_has_failed_all_who_wait() {
    let (_, meter) = meter();
    let (meter, ledger) = (Arc::new(meter), Arc::new(Ledger::default()));
    ledger.is_away.store(true, Ordering::Relaxed);
    let mut takes = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (meter, ledger) = (meter.clone(), ledger.clone());
        takes.spawn(async move { meter.take(Limit::Of(100), ledger.as_ref(), NOON).await });
    }
    for taken in takes.join_all().await {
        assert!(matches!(taken, Err(NotTaken::Unavailable(_))), "{taken:?}");
    }
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 1);
    // Whoever comes later asks again.
    assert!(meter.take(Limit::Of(100), ledger.as_ref(), NOON).await.is_err());
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 2);
    ledger.is_away.store(false, Ordering::Relaxed);
    assert!(meter.take(Limit::Of(100), ledger.as_ref(), NOON).await.is_ok());
}

#[tokio::test]
async fn a_lowered_limit_ends_the_lease_that_was_taken_under_the_old() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    for _ in 0..10 {
        let _ = meter.take(Limit::Of(1600), &ledger, NOON).await.unwrap();
    }
    assert!(meter.take(Limit::Of(10), &ledger, NOON).await.is_err(), "ten are used");
    assert!(meter.take(Limit::Of(11), &ledger, NOON).await.is_ok());
}

#[tokio::test]
async fn a_large_lease_is_fetched_ahead_and_a_small_one_never() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    let limit = Limit::Of(1_000_000);
    let _ = meter.take(limit, &ledger, NOON).await.unwrap();
    assert!(!meter.wants_top_up(limit));
    for _ in 1..800 - 199 {
        let _ = meter.try_take(limit, NOON).unwrap();
    }
    assert!(meter.wants_top_up(limit), "a quarter is left");
    assert!(!meter.wants_top_up(limit), "one fetches");
    meter.top_up(limit, &ledger, NOON).await;
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 2);
    for _ in 0..800 {
        assert!(meter.try_take(limit, NOON).is_some(), "no request waited for the ledger");
    }
    assert!(meter.try_take(limit, NOON).is_none());
    let small = Limit::Of(100);
    let (_, meter) = crate::quota::meter();
    for _ in 0..100 {
        let _ = meter.take(small, &ledger, NOON).await.unwrap();
        assert!(!meter.wants_top_up(small));
    }
}

#[tokio::test]
async fn what_is_used_is_told_exactly_while_a_lease_is_fetched() {
    let (org, meter) = meter();
    let (meter, ledger) = (Arc::new(meter), Arc::new(Ledger::default()));
    let limit = Limit::Of(1_000_000);
    for _ in 0..610 {
        let _ = meter.take(limit, ledger.as_ref(), NOON).await.unwrap();
    }
    let fetching = tokio::spawn({
        let (meter, ledger) = (meter.clone(), ledger.clone());
        async move { meter.top_up(limit, ledger.as_ref(), NOON).await }
    });
    let mut told = 0;
    while !fetching.is_finished() {
        tokio::task::yield_now().await;
        let paused = meter.pause().await;
        let granted = ledger.granted(org, NOON.day()).await.unwrap()[0].granted;
        assert_eq!(granted - paused.unspent(NOON), 610);
        told += 1;
    }
    assert!(told > 0);
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 2, "it was fetched");
}

#[tokio::test]
async fn a_crash_never_costs_more_than_a_lease() {
    for limit in [100u64, 1_000, 10_000, 20_000, 50_000, 1_000_000] {
        let (_, meter) = meter();
        let ledger = Ledger::default();
        let (mut most, mut granted) = (0, 0);
        for used in 1..=limit.min(3000) {
            if meter.try_take(Limit::Of(limit), NOON).is_none() {
                let _ = meter.take(Limit::Of(limit), &ledger, NOON).await.unwrap();
            }
            if meter.wants_top_up(Limit::Of(limit)) {
                meter.top_up(Limit::Of(limit), &ledger, NOON).await;
            }
            let before = granted;
            granted = ledger.granted.lock().unwrap().values().sum::<u64>();
            if granted > before {
                most = lease_size(limit, before);
            }
            assert!(granted - used <= most, "{} of {limit} at {used}", granted - used);
        }
    }
}

#[tokio::test]
async fn a_request_from_before_midnight_does_not_bring_yesterday_back() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    let tomorrow = NOON.plus_seconds(86_400);
    let _ = meter.take(Limit::Of(1600), &ledger, tomorrow).await.unwrap();
    let left = meter.remaining(Limit::Of(1600), tomorrow);
    let _ = meter.take(Limit::Of(1600), &ledger, NOON).await.unwrap();
    assert_eq!(meter.remaining(Limit::Of(1600), tomorrow), left.map(|n| n - 1));
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_unit_of_yesterday_does_not_come_back_today() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    let tomorrow = NOON.plus_seconds(86_400);
    let old = meter.take(Limit::Of(2), &ledger, NOON).await.unwrap();
    for _ in 0..2 {
        let _ = meter.take(Limit::Of(2), &ledger, tomorrow).await.unwrap();
    }
    meter.give_back(old);
    assert!(matches!(meter.take(Limit::Of(2), &ledger, tomorrow).await, Err(NotTaken::Exhausted(_))));
}

#[tokio::test]
async fn what_is_left_of_yesterdays_lease_is_not_added_to_todays_limit() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    let _ = meter.take(Limit::Of(100), &ledger, NOON).await.unwrap();
    assert!(meter.remaining(Limit::Of(100), NOON) > Some(95), "there is something left");
    let tomorrow = NOON.plus_seconds(86_400);
    let mut admitted = 0;
    while meter.take(Limit::Of(100), &ledger, tomorrow).await.is_ok() {
        admitted += 1;
    }
    assert_eq!(admitted, 100);
}

#[tokio::test]
async fn nothing_is_fetched_ahead_under_a_limit_that_has_changed() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    let _ = meter.take(Limit::Of(20_000), &ledger, NOON).await.unwrap();
    meter.top_up(Limit::Of(40_000), &ledger, NOON).await;
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn others_are_asked_for_what_they_do_not_use_once_in_a_while_where_they_can_have_any() {
    for (limit, asked_in_all) in [(64, 0), (65, 2)] {
        let (org, meter) = meter();
        let ledger = Ledger::default();
        ledger
            .granted
            .lock()
            .unwrap()
            .insert((MeterKey::of(org, Resource::LlmRequestsPerDay), NOON.day()), limit);
        // Denials last 200 ms, so each of these asks the ledger.
        for seconds in 0..9 {
            let denied = meter.take(Limit::Of(limit), &ledger, NOON.plus_seconds(seconds)).await;
            assert!(matches!(denied, Err(NotTaken::Exhausted(_))), "{denied:?}");
        }
        assert_eq!(ledger.asked.load(Ordering::Relaxed), 9);
        assert_eq!(ledger.recalled.load(Ordering::Relaxed), asked_in_all);
    }
}

#[test]
fn a_small_limit_is_leased_one_by_one() {
    for granted in 0..64 {
        assert_eq!(lease_size(64, granted), 1, "{granted}");
    }
    assert_eq!(lease_size(65, 0), 3);
}

#[tokio::test]
async fn unlimited_asks_nobody() {
    let (_, meter) = meter();
    let ledger = Ledger::default();
    for _ in 0..1000 {
        let _ = meter.take(Limit::Unlimited, &ledger, NOON).await.unwrap();
    }
    assert_eq!(ledger.asked.load(Ordering::Relaxed), 0);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Take(usize),
    GiveBack(usize),
    Crash(usize),
    Stop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = 0..3usize;
    let step = prop_oneof![
        8 => node.clone().prop_map(Step::Take),
        2 => node.clone().prop_map(Step::GiveBack),
        1 => node.clone().prop_map(Step::Crash),
        1 => node.prop_map(Step::Stop),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    /// Three nodes, one limit, crashes and stops at any time: what is out never passes the limit, and at the
    /// end no more is missing than what the crashes took with them.
    #[test]
    fn never_over_and_bounded_under(limit in 1u64..300, steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let org = OrgId::new();
            let new = || Meter::new(MeterKey::of(org, Resource::LlmRequestsPerDay));
            let ledger = Ledger::default();
            let mut nodes = [new(), new(), new()];
            let mut units: [Vec<Unit>; 3] = Default::default();
            let mut gone = 0u64;
            let mut crashes = 0u64;
            for step in steps {
                match step {
                    Step::Take(n) => {
                        if let Ok(unit) = nodes[n].take(Limit::Of(limit), &ledger, NOON).await {
                            units[n].push(unit);
                        }
                    }
                    Step::GiveBack(n) => {
                        if let Some(unit) = units[n].pop() {
                            nodes[n].give_back(unit);
                        }
                    }
                    Step::Crash(n) => {
                        gone += units[n].len() as u64;
                        units[n].clear();
                        nodes[n] = new();
                        crashes += 1;
                    }
                    Step::Stop(n) => nodes[n].return_lease(&ledger).await.unwrap(),
                }
                let out = gone + units.iter().map(|u| u.len() as u64).sum::<u64>();
                prop_assert!(out <= limit, "{out} of {limit}");
            }
            for node in &nodes {
                node.return_lease(&ledger).await.unwrap();
            }
            let out = gone + units.iter().map(|u| u.len() as u64).sum::<u64>();
            let granted = ledger.granted.lock().unwrap().values().sum::<u64>();
            let lost = granted - out;
            // A lease, and what was given back into it: never more than a crash's own share.
            prop_assert!(lost == 0 || crashes > 0, "{lost} lost without a crash");
            Ok(())
        })?;
    }

    #[test]
    fn a_block_passes_neither_what_remains_nor_a_lease(
        limit in 0u64..10_000_000,
        granted in 0u64..10_000_000,
        held in 0u64..1_000,
    ) {
        let lease = lease_size(limit, granted);
        prop_assert!((1..=800).contains(&lease));
        prop_assert!(limit > 64 || lease == 1);
        let block = block_size(limit, granted, held);
        prop_assert!(granted >= limit || block <= limit - granted);
        prop_assert!(block == 0 || block + held <= lease);
    }

    #[test]
    fn a_block_is_right_for_as_long_as_is_said_and_no_longer(
        limit in prop_oneof![0u64..200, 0u64..100_000],
        part in 0u64..=100,
        held in prop_oneof![Just(0), 0u64..1_000],
        back in 0u64..1_000,
    ) {
        let granted = limit * part / 100;
        let block = block_size(limit, granted, held);
        prop_assume!(block > 0);
        let latest = granted_at_most(limit, block, held);
        prop_assert!(latest >= granted, "it would never be granted");
        prop_assert_eq!(block_size(limit, latest, held), block, "it is right to the last");
        prop_assert!(block_size(limit, latest + 1, held) < block, "it is right for longer than is said");
        // Where others have given back, a larger one would be right too.
        prop_assert!(block_size(limit, latest.saturating_sub(back), held) >= block);
    }
}

#[test]
fn a_minute_has_its_own_units() {
    let window = MinuteWindow::default();
    for _ in 0..5 {
        assert!(window.take(Limit::Of(5), NOON).is_ok());
    }
    let denied = window.take(Limit::Of(5), NOON.plus_seconds(20)).unwrap_err();
    assert_eq!(denied.resets_at, NOON.plus_seconds(60));
    assert!(window.take(Limit::Of(5), NOON.plus_seconds(60)).is_ok());
    assert!(window.take(Limit::Unlimited, NOON).is_ok());
}
