//! Meters of caps: what they promise over windows, changes, crashes and many nodes.

use proptest::collection::vec;
use proptest::prelude::*;
use topdog_domain::cap_meter::{CapMeter, CapUnits, cap_block};
use topdog_domain::fakes::MemoryLedger;
use topdog_domain::ports::CapLedger as _;
use topdog_domain::quota::{Exhausted, NotTaken};
use topdog_domain::{OrgId, Timestamp, UtcDay};

const DAY: UtcDay = UtcDay::from_number(20_000);
const NAME: &str = "organisation:tokens_per_day";

struct Bed {
    ledger: MemoryLedger,
    org: OrgId,
}

impl Bed {
    fn new() -> Self {
        Self { ledger: MemoryLedger::new(), org: OrgId::new() }
    }

    fn node(&self) -> CapMeter {
        CapMeter::new(self.org, NAME)
    }

    async fn take(&self, node: &CapMeter, need: u64, limit: u64) -> Result<CapUnits, NotTaken> {
        node.take(need, limit, DAY.window(), &self.ledger, DAY.start()).await
    }

    async fn granted(&self) -> u64 {
        let all = self.ledger.cap_granted(self.org, DAY.start()).await.unwrap();
        all.iter().filter(|used| used.start == DAY.start()).map(|used| used.granted).sum()
    }
}

fn used(taken: Result<CapUnits, NotTaken>) -> u64 {
    match taken {
        Err(NotTaken::Exhausted(Exhausted { used, .. })) => used,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_crash_costs_a_lease_and_never_lets_more_in() {
    let bed = Bed::new();
    for _ in 0..10 {
        let node = bed.node();
        let before = bed.granted().await;
        let _ = bed.take(&node, 10, 1_000).await.unwrap();
        let lost = bed.granted().await - before;
        assert_eq!(lost, cap_block(1_000, before, 10));
        assert!(lost <= 20 && node.unspent(DAY.window()) == lost - 10);
    }
    assert!(bed.granted().await <= 1_000);
}

#[tokio::test]
async fn a_new_window_starts_whole_and_an_old_one_does_not_come_back() {
    let bed = Bed::new();
    let node = bed.node();
    let tomorrow = UtcDay::from_number(DAY.number() + 1);
    let old = bed.take(&node, 100, 100).await.unwrap();
    assert_eq!(used(bed.take(&node, 1, 100).await), 100);
    let new = node.take(60, 100, tomorrow.window(), &bed.ledger, tomorrow.start()).await.unwrap();
    node.give_back(old);
    assert_eq!(node.unspent(tomorrow.window()), 0, "what is of yesterday is not of today");
    let late = bed.take(&node, 40, 100).await.unwrap();
    assert_eq!(used(bed.take(&node, 1, 100).await), 100, "who began yesterday counts today");
    node.settle(new, 10);
    node.settle(late, 40);
    assert_eq!(node.unspent(tomorrow.window()), 50);
}

#[tokio::test]
async fn a_cap_that_is_lowered_holds_at_once_and_one_that_is_raised_opens() {
    let bed = Bed::new();
    let node = bed.node();
    let units = bed.take(&node, 10, 10_000).await.unwrap();
    assert!(node.unspent(DAY.window()) > 100);
    node.settle(units, 10);
    assert_eq!(used(bed.take(&node, 10, 15).await), 10, "the old lease went back");
    let _ = bed.take(&node, 5, 15).await.unwrap();
    let _ = bed.take(&node, 10, 25).await.unwrap();
    assert_eq!(used(bed.take(&node, 1, 25).await), 25);
}

#[tokio::test]
async fn a_denial_is_of_as_much_and_ends_when_something_comes_back() {
    let bed = Bed::new();
    let (one, other) = (bed.node(), bed.node());
    let units = bed.take(&one, 90, 100).await.unwrap();
    assert_eq!(used(bed.take(&one, 20, 100).await), 90);
    let _ = bed.take(&one, 5, 100).await.unwrap();
    assert_eq!(used(bed.take(&other, 20, 100).await), 95);
    one.give_back(units);
    let _ = bed.take(&one, 20, 100).await.unwrap();
    one.return_lease(&bed.ledger).await.unwrap();
    assert_eq!(used(bed.take(&other, 20, 100).await), 95, "not asked again so soon");
    let later = Timestamp::from_micros(DAY.start().micros() + 200_000);
    let _ = other.take(20, 100, DAY.window(), &bed.ledger, later).await.unwrap();
}

#[tokio::test]
async fn a_debt_is_paid_before_anything_is_taken_anew() {
    let bed = Bed::new();
    let node = bed.node();
    let units = bed.take(&node, 10, 100).await.unwrap();
    bed.ledger.set_away(true);
    node.settle(units, 500);
    assert!(node.owes() && node.pay(&bed.ledger).await.is_err());
    assert!(matches!(bed.take(&node, 1, 100).await, Err(NotTaken::Unavailable(_))));
    bed.ledger.set_away(false);
    assert_eq!(used(bed.take(&node, 1, 100).await), 500);
    assert!(!node.owes());
    node.return_lease(&bed.ledger).await.unwrap();
    assert_eq!(bed.granted().await, 500, "it is told once");
}

proptest! {
    /// Whatever is asked for on however many nodes, what is taken at a time and used in all is never above the cap
    /// where estimates hold, and the ledger ends with what was used.
    #[test]
    fn never_a_unit_above_the_cap(
        limit in 1_u64..3_000,
        asks in vec((0_usize..3, 1_u64..200, 0_u64..200), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::new();
            let nodes = [bed.node(), bed.node(), bed.node()];
            let mut open: Vec<(usize, CapUnits, u64)> = Vec::new();
            let mut spent = 0;
            for (place, need, use_of_it) in asks {
                if let Ok(units) = bed.take(&nodes[place], need, limit).await {
                    open.push((place, units, use_of_it.min(need)));
                }
                let held: u64 = open.iter().map(|(_, units, _)| units.count()).sum();
                prop_assert!(spent + held <= limit, "{spent} + {held} > {limit}");
                prop_assert!(bed.granted().await <= limit);
                if open.len() > 3 {
                    let (place, units, used) = open.remove(0);
                    nodes[place].settle(units, used);
                    spent += used;
                }
            }
            for (place, units, used) in open {
                nodes[place].settle(units, used);
                spent += used;
            }
            for node in &nodes {
                node.return_lease(&bed.ledger).await.unwrap();
            }
            prop_assert_eq!(bed.granted().await, spent);
            Ok(())
        })?;
    }
}
