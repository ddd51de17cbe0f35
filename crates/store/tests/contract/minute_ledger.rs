use super::*;
use topdog_domain::entitlement::Resource;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::quota::{Exhausted, MeterKey, NotTaken};
use topdog_domain::{OrgId, Timestamp};

contract! {
    a_minute_has_its_units_and_the_next_has_its_own,
    nodes_at_once_take_the_limit_between_them,
    meters_are_apart,
    a_clock_that_is_set_back_begins_nothing_anew,
    a_clock_far_ahead_holds_the_others_up_for_one_minute,
    a_limit_that_changes_holds_at_once,
    pruning_forgets_what_is_an_hour_away,
}

fn meter() -> MeterKey {
    MeterKey::of(OrgId::new(), Resource::KeyManagementCallsPerMinute)
}

const fn after(seconds: i64) -> Timestamp {
    NEW_YEAR.plus_seconds(seconds)
}

/// None where a unit was taken.
async fn take(ports: &Ports, meter: &MeterKey, limit: u64, now: Timestamp) -> Option<Exhausted> {
    match ports.minutes.minute_take(meter, limit, now).await {
        Ok(()) => None,
        Err(NotTaken::Exhausted(spent)) => Some(spent),
        Err(NotTaken::Unavailable(error)) => panic!("{error}"),
    }
}

async fn a_minute_has_its_units_and_the_next_has_its_own(ports: &Ports) {
    let meter = meter();
    for second in 0..5 {
        assert_eq!(take(ports, &meter, 5, after(second)).await, None);
    }
    let spent = Exhausted { limit: 5, used: 5, resets_at: after(60) };
    for second in [5, 30, 59] {
        assert_eq!(take(ports, &meter, 5, after(second)).await, Some(spent));
    }
    for _ in 0..5 {
        assert_eq!(take(ports, &meter, 5, after(60)).await, None);
    }
    assert_eq!(take(ports, &meter, 5, after(60)).await, Some(Exhausted { resets_at: after(120), ..spent }));
    assert!(take(ports, &meter, 0, after(600)).await.is_some());
}

async fn nodes_at_once_take_the_limit_between_them(ports: &Ports) {
    let meter = meter();
    let nodes: Vec<_> = (0..8)
        .map(|node| {
            let (ports, meter) = (ports.clone(), meter.clone());
            // Half of them are a few seconds behind, in the minute before.
            let now = after(if node % 2 == 0 { 60 } else { 58 });
            tokio::spawn(async move {
                let mut own = 0;
                for _ in 0..10 {
                    own += u64::from(take(&ports, &meter, 30, now).await.is_none());
                }
                own
            })
        })
        .collect();
    let mut taken = 0;
    for node in nodes {
        taken += node.await.unwrap();
    }
    // What was taken before the first of the newer minute was the older one's.
    assert!((30..=60).contains(&taken), "{taken}");
    assert!(take(ports, &meter, 30, after(58)).await.is_some());
    assert!(take(ports, &meter, 30, after(60)).await.is_some());
}

async fn meters_are_apart(ports: &Ports) {
    let (one, other) = (meter(), meter());
    assert_eq!(take(ports, &one, 1, NEW_YEAR).await, None);
    assert!(take(ports, &one, 1, NEW_YEAR).await.is_some());
    assert_eq!(take(ports, &other, 1, NEW_YEAR).await, None);
    let third = MeterKey { resource: "something_else".to_owned(), ..one };
    assert_eq!(take(ports, &third, 1, NEW_YEAR).await, None);
}

async fn a_clock_that_is_set_back_begins_nothing_anew(ports: &Ports) {
    let meter = meter();
    assert_eq!(take(ports, &meter, 2, after(120)).await, None);
    assert_eq!(take(ports, &meter, 2, after(0)).await, None);
    let spent = take(ports, &meter, 2, after(60)).await.unwrap();
    assert_eq!((spent.used, spent.resets_at), (2, after(180)));
    assert!(take(ports, &meter, 2, after(120)).await.is_some());
    assert_eq!(take(ports, &meter, 2, after(180)).await, None);
}

async fn a_clock_far_ahead_holds_the_others_up_for_one_minute(ports: &Ports) {
    let (spent, begun) = (meter(), meter());
    for _ in 0..2 {
        assert_eq!(take(ports, &spent, 2, after(1_200)).await, None);
    }
    assert_eq!(take(ports, &begun, 2, after(1_200)).await, None);
    assert_eq!(take(ports, &begun, 2, after(0)).await, None, "what is counted goes on");
    let refusal = Exhausted { limit: 2, used: 2, resets_at: after(60) };
    for meter in [&spent, &begun] {
        for second in [1, 59] {
            assert_eq!(take(ports, meter, 2, after(second)).await, Some(refusal));
        }
        for _ in 0..2 {
            assert_eq!(take(ports, meter, 2, after(60)).await, None, "the next minute has its own");
        }
        assert_eq!(
            take(ports, meter, 2, after(60)).await,
            Some(Exhausted { resets_at: after(120), ..refusal })
        );
    }
}

async fn a_limit_that_changes_holds_at_once(ports: &Ports) {
    let meter = meter();
    for _ in 0..5 {
        assert_eq!(take(ports, &meter, 5, NEW_YEAR).await, None);
    }
    assert!(take(ports, &meter, 5, NEW_YEAR).await.is_some());
    assert_eq!(take(ports, &meter, 6, NEW_YEAR).await, None);
    let spent = take(ports, &meter, 3, NEW_YEAR).await.unwrap();
    assert_eq!((spent.limit, spent.used), (3, 6));
}

async fn pruning_forgets_what_is_an_hour_away(ports: &Ports) {
    let (old, recent, ahead, far_ahead) = (meter(), meter(), meter(), meter());
    let now = after(7_200);
    for (meter, second) in [(&old, 3_599), (&recent, 3_600), (&ahead, 10_800), (&far_ahead, 10_860)] {
        assert_eq!(take(ports, meter, 1, after(second)).await, None);
    }
    assert_eq!(ports.minutes.minute_prune(now).await.unwrap(), 2);
    assert_eq!(ports.minutes.minute_prune(now).await.unwrap(), 0);
    assert_eq!(take(ports, &far_ahead, 1, now).await, None);
    assert!(take(ports, &ahead, 1, now).await.is_some());
    assert!(take(ports, &recent, 1, after(3_600)).await.is_some());
}
