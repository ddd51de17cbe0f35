use super::*;
use topdog_domain::entitlement::Resource;
use topdog_domain::quota::{MeterKey, lease_size};
use topdog_domain::{OrgId, UtcDay};

contract! {
    never_grants_past_the_limit,
    leases_of_many_nodes_add_up_to_the_limit,
    blocks_are_of_the_agreed_size,
    what_a_node_holds_is_brought_back_to_one_lease,
    given_back_units_are_granted_again,
    giving_back_stops_at_nothing,
    meters_and_days_are_apart,
    a_lowered_limit_grants_nothing_more,
    granted_names_each_meter_of_the_organisation,
}

const TODAY: UtcDay = UtcDay::from_number(20_454);

fn meter() -> MeterKey {
    MeterKey::of(OrgId::new(), Resource::LlmRequestsPerDay)
}

async fn never_grants_past_the_limit(ports: &Ports) {
    for limit in [0, 1, 2, 20, 100, 1_000] {
        let meter = meter();
        let mut granted = 0;
        loop {
            let lease = ports.ledger.lease(&meter, TODAY, limit, 0).await.unwrap();
            granted += lease.granted;
            assert_eq!(lease.granted_in_all, granted);
            if lease.granted == 0 {
                break;
            }
        }
        assert_eq!(granted, limit);
    }
}

async fn leases_of_many_nodes_add_up_to_the_limit(ports: &Ports) {
    const LIMIT: u64 = 500;
    let meter = meter();
    let nodes: Vec<_> = (0..8)
        .map(|_| {
            let (ledger, meter) = (ports.ledger.clone(), meter.clone());
            tokio::spawn(async move {
                let mut own = 0;
                loop {
                    match ledger.lease(&meter, TODAY, LIMIT, 0).await.unwrap().granted {
                        0 => return own,
                        granted => own += granted,
                    }
                }
            })
        })
        .collect();
    let mut granted = 0;
    for node in nodes {
        granted += node.await.unwrap();
    }
    assert_eq!(granted, LIMIT);
}

async fn blocks_are_of_the_agreed_size(ports: &Ports) {
    let meter = meter();
    let mut granted = 0;
    for _ in 0..5 {
        let lease = ports.ledger.lease(&meter, TODAY, 10_000, 0).await.unwrap();
        assert!((1..=lease_size(10_000, granted)).contains(&lease.granted));
        granted += lease.granted;
    }
}

async fn what_a_node_holds_is_brought_back_to_one_lease(ports: &Ports) {
    let meter = meter();
    let mut lease = ports.ledger.lease(&meter, TODAY, 20_000, 0).await.unwrap();
    assert_eq!(lease.granted, 800);
    for (held, granted) in [(199, 601), (799, 1), (800, 0), (5_000, 0)] {
        let before = lease.granted_in_all;
        lease = ports.ledger.lease(&meter, TODAY, 20_000, held).await.unwrap();
        assert_eq!((lease.granted, lease.granted_in_all), (granted, before + granted), "{held} held");
    }
}

async fn given_back_units_are_granted_again(ports: &Ports) {
    let meter = meter();
    for _ in 0..2 {
        assert_eq!(ports.ledger.lease(&meter, TODAY, 2, 0).await.unwrap().granted, 1);
    }
    assert_eq!(ports.ledger.lease(&meter, TODAY, 2, 0).await.unwrap().granted, 0);
    ports.ledger.give_back(&meter, TODAY, 1).await.unwrap();
    assert_eq!(ports.ledger.lease(&meter, TODAY, 2, 0).await.unwrap().granted, 1);
    assert_eq!(ports.ledger.lease(&meter, TODAY, 2, 0).await.unwrap().granted, 0);
}

async fn giving_back_stops_at_nothing(ports: &Ports) {
    let meter = meter();
    ports.ledger.give_back(&meter, TODAY, 5).await.unwrap();
    assert_eq!(ports.ledger.lease(&meter, TODAY, 1, 0).await.unwrap().granted, 1);
    ports.ledger.give_back(&meter, TODAY, 5).await.unwrap();
    assert_eq!(ports.ledger.lease(&meter, TODAY, 1, 0).await.unwrap().granted, 1);
    assert_eq!(ports.ledger.lease(&meter, TODAY, 1, 0).await.unwrap().granted, 0);
}

async fn meters_and_days_are_apart(ports: &Ports) {
    let meter = meter();
    let other_resource = MeterKey { resource: "api_calls_per_day".to_owned(), ..meter.clone() };
    let other_org = MeterKey { org: OrgId::new(), ..meter.clone() };
    let tomorrow = UtcDay::from_number(TODAY.number() + 1);
    assert_eq!(ports.ledger.lease(&meter, TODAY, 1, 0).await.unwrap().granted, 1);
    for (meter, day) in [(&other_resource, TODAY), (&other_org, TODAY), (&meter, tomorrow)] {
        assert_eq!(ports.ledger.lease(meter, day, 1, 0).await.unwrap().granted, 1);
    }
}

async fn a_lowered_limit_grants_nothing_more(ports: &Ports) {
    let meter = meter();
    for _ in 0..3 {
        ports.ledger.lease(&meter, TODAY, 50, 0).await.unwrap();
    }
    let lease = ports.ledger.lease(&meter, TODAY, 2, 0).await.unwrap();
    assert_eq!((lease.granted, lease.granted_in_all), (0, 3));
}

async fn granted_names_each_meter_of_the_organisation(ports: &Ports) {
    let llm = meter();
    let api = MeterKey::of(llm.org, Resource::ApiCallsPerDay);
    assert!(ports.ledger.granted(llm.org, TODAY).await.unwrap().is_empty());
    ports.ledger.lease(&llm, TODAY, 10, 0).await.unwrap();
    for _ in 0..2 {
        ports.ledger.lease(&api, TODAY, 10, 0).await.unwrap();
    }
    ports.ledger.lease(&meter(), TODAY, 10, 0).await.unwrap();
    let granted = ports.ledger.granted(llm.org, TODAY).await.unwrap();
    let mut uses: Vec<_> = granted.iter().map(|meter| (meter.resource.as_str(), meter.granted)).collect();
    uses.sort_unstable();
    assert_eq!(uses, [(api.resource.as_str(), 2), (llm.resource.as_str(), 1)]);
}
