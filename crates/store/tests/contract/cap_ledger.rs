use super::{Ports, contract};
use std::sync::Arc;
use topdog_domain::cap_meter::{CapMeter, cap_block};
use topdog_domain::quota::{MeterKey, NotTaken};
use topdog_domain::time::Window;
use topdog_domain::{OrgId, Timestamp, UtcDay};

contract!(
    a_lease_is_all_that_is_needed_or_nothing,
    many_nodes_at_once_spend_a_cap_and_no_unit_more,
    what_was_used_beyond_a_lease_counts_past_the_cap,
    windows_meters_and_organisations_are_counted_apart,
    what_is_over_is_forgotten_after_an_hour,
);

const TODAY: UtcDay = UtcDay::from_number(20_454);

fn meter() -> MeterKey {
    MeterKey { org: OrgId::new(), resource: "organisation:spend_per_day".to_owned() }
}

async fn lease(ports: &Ports, meter: &MeterKey, window: Window, limit: u64, need: u64) -> (u64, u64) {
    let lease = ports.caps.cap_lease(meter, window, limit, need).await.unwrap();
    (lease.granted, lease.granted_in_all)
}

async fn a_lease_is_all_that_is_needed_or_nothing(ports: &Ports) {
    let (meter, window) = (meter(), TODAY.window());
    assert_eq!(lease(ports, &meter, window, 1_000, 400).await, (400, 400));
    assert_eq!(lease(ports, &meter, window, 1_000, 601).await, (0, 400), "not a part of it");
    assert_eq!(lease(ports, &meter, window, 1_000, 1).await, (cap_block(1_000, 400, 1), 412));
    assert_eq!(lease(ports, &meter, window, 1_000, 588).await, (588, 1_000));
    assert_eq!(lease(ports, &meter, window, 1_000, 1).await, (0, 1_000));
    ports.caps.cap_give_back(&meter, window, 10).await.unwrap();
    assert_eq!(lease(ports, &meter, window, 1_000, 10).await, (10, 1_000));
    ports.caps.cap_give_back(&meter, window, 5_000).await.unwrap();
    assert_eq!(lease(ports, &meter, window, 1_000, 1_000).await, (1_000, 1_000), "never below nothing");
}

async fn many_nodes_at_once_spend_a_cap_and_no_unit_more(ports: &Ports) {
    const CAP: u64 = 5_003;
    let org = OrgId::new();
    let now = TODAY.start();
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let meter = Arc::new(CapMeter::new(org, "organisation:tokens_per_day"));
        let ports = ports.clone();
        nodes.push(tokio::spawn(async move {
            let mut spent = 0;
            for request in 0..120 {
                let need = 7 + request % 90;
                match meter.take(need, CAP, TODAY.window(), ports.caps.as_ref(), now).await {
                    Ok(units) if request % 5 == 0 => meter.give_back(units),
                    Ok(units) => {
                        let used = units.count() / 2;
                        meter.settle(units, used);
                        spent += used;
                    }
                    Err(NotTaken::Exhausted(_)) => {}
                    Err(NotTaken::Unavailable(error)) => panic!("{error}"),
                }
            }
            meter.return_lease(ports.caps.as_ref()).await.unwrap();
            spent
        }));
    }
    let mut spent = 0;
    for node in nodes {
        spent += node.await.unwrap();
    }
    let granted = ports.caps.cap_granted(org, now).await.unwrap();
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0].granted, spent, "what was not used has come back");
    assert!(spent <= CAP && spent > CAP - 100, "{spent}");
}

async fn what_was_used_beyond_a_lease_counts_past_the_cap(ports: &Ports) {
    let (meter, window) = (meter(), TODAY.window());
    ports.caps.cap_charge(&meter, window, 700).await.unwrap();
    ports.caps.cap_charge(&meter, window, 700).await.unwrap();
    assert_eq!(lease(ports, &meter, window, 1_000, 1).await, (0, 1_400));
    assert_eq!(lease(ports, &meter, window, 1_500, 100).await, (100, 1_500));
}

async fn windows_meters_and_organisations_are_counted_apart(ports: &Ports) {
    let first = meter();
    let others = [
        (MeterKey { org: OrgId::new(), ..first.clone() }, TODAY.window()),
        (MeterKey { resource: "organisation:spend_per_month".to_owned(), ..first.clone() }, TODAY.window()),
        (first.clone(), UtcDay::from_number(TODAY.number() + 1).window()),
    ];
    assert_eq!(lease(ports, &first, TODAY.window(), 100, 100).await, (100, 100));
    for (meter, window) in others {
        assert_eq!(lease(ports, &meter, window, 100, 100).await, (100, 100));
    }
    let granted = ports.caps.cap_granted(first.org, TODAY.start()).await.unwrap();
    let told: Vec<_> = granted.iter().map(|used| (used.resource.as_str(), used.start.day())).collect();
    assert_eq!(
        told,
        [
            ("organisation:spend_per_day", TODAY),
            ("organisation:spend_per_day", UtcDay::from_number(TODAY.number() + 1)),
            ("organisation:spend_per_month", TODAY),
        ]
    );
    let tomorrow = ports.caps.cap_granted(first.org, TODAY.end()).await.unwrap();
    assert_eq!(tomorrow.len(), 1, "what is over is not told");
}

async fn what_is_over_is_forgotten_after_an_hour(ports: &Ports) {
    let (meter, of_minute) =
        (meter(), MeterKey { resource: "organisation:spend_per_minute".to_owned(), ..meter() });
    let minute = Timestamp::from_micros(TODAY.start().micros()).minute().window();
    lease(ports, &of_minute, minute, 100, 100).await;
    lease(ports, &meter, TODAY.window(), 100, 100).await;
    assert_eq!(ports.caps.cap_prune(minute.end.plus_seconds(3_599)).await.unwrap(), 0);
    assert_eq!(ports.caps.cap_prune(minute.end.plus_seconds(3_600)).await.unwrap(), 1);
    assert_eq!(lease(ports, &meter, TODAY.window(), 100, 1).await, (0, 100));
}
