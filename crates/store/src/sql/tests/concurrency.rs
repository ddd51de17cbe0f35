use super::bed::{Bed, on_both};
use futures_util::future::join_all;
use topdog_domain::audit::ChainVerifier;
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::{
    ApiKeys as _, Batch, ChangeFeed as _, NewSecret, PortError, QuotaLedger as _, RecordReader as _,
    RecordSink as _,
};
use topdog_domain::quota::{MeterKey, lease_size};
use topdog_domain::tier::Limit;
use topdog_domain::{OrgId, UtcDay};

const DAY: UtcDay = UtcDay::from_number(20_000);

fn meter() -> MeterKey {
    MeterKey { org: OrgId::new(), resource: "llm_requests_per_day".to_owned() }
}

on_both! {
    async fn a_thousand_leases_never_pass_the_limit(bed: &Bed) {
        // Two nodes, or a server and a command beside it.
        let stores = [bed.store.clone(), bed.another().await];
        // Connecting takes longer than a lease may.
        join_all((0..16).map(|i| stores[i % 2].ping())).await;
        for limit in [100, 2] {
            let meter = meter();
            // As many at once as there are connections: more would only wait for one.
            let tasks = (0..16).map(|i| {
                let (store, meter) = (stores[i % 2].clone(), meter.clone());
                tokio::spawn(async move {
                    let mut leases = Vec::new();
                    for _ in 0..63 {
                        leases.push(store.lease(&meter, DAY, limit, 0).await.unwrap());
                    }
                    leases
                })
            });
            let leases: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
            assert_eq!(leases.iter().map(|lease| lease.granted).sum::<u64>(), limit);
            for lease in leases {
                assert!(lease.granted_in_all <= limit);
                assert!(lease.granted <= lease_size(limit, lease.granted_in_all - lease.granted));
            }
            let granted = bed.store.granted(meter.org, DAY).await.unwrap();
            assert_eq!(granted.iter().map(|meter| meter.granted).collect::<Vec<_>>(), [limit]);
        }
        stores[1].close().await;
    }

    async fn giving_back_while_leasing_loses_and_makes_nothing(bed: &Bed) {
        let meter = meter();
        let tasks = (0..200).map(|_| {
            let (store, meter) = (bed.store.clone(), meter.clone());
            tokio::spawn(async move {
                let lease = store.lease(&meter, DAY, 100, 0).await.unwrap();
                store.give_back(&meter, DAY, lease.granted).await.unwrap();
            })
        });
        assert!(join_all(tasks).await.iter().all(Result::is_ok));
        assert_eq!(bed.store.granted(meter.org, DAY).await.unwrap()[0].granted, 0);
    }

    async fn fifty_creations_at_once_stop_at_the_limit(bed: &Bed) {
        let org = bed.organisation("acme").await.id;
        let stores = [bed.store.clone(), bed.another().await];
        let tasks = (0..50).map(|i| {
            let store = stores[i % 2].clone();
            tokio::spawn(async move {
                let key = samples::api_key(org, &format!("key {i}"));
                store.api_key_create(&key, Limit::Of(5), &samples::audit(org, "api_key.create")).await
            })
        });
        let made: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 5);
        for refused in made.into_iter().filter_map(Result::err) {
            assert!(matches!(refused, PortError::LimitReached { used: 5 }), "{refused:?}");
        }
        let facts = bed.store.load_org(org).await.unwrap().unwrap();
        assert_eq!(facts.api_keys.len(), 5);
        // The organisation's own, and one for each key: nothing is told or audited of what was refused.
        assert_eq!(bed.store.newest_change().await.unwrap(), 6);
        assert_eq!(bed.store.audit_head(org).await.unwrap().0, 6);
        stores[1].close().await;
    }

    async fn rotations_and_revocations_at_once_leave_one_truth(bed: &Bed) {
        let org = bed.organisation("acme").await.id;
        let key = samples::api_key(org, "ci");
        bed.store.api_key_create(&key, Limit::Unlimited, &samples::audit(org, "create")).await.unwrap();
        let tasks = (0..20).map(|_| {
            let (store, id) = (bed.store.clone(), key.id);
            tokio::spawn(async move {
                let new = NewSecret { secret: samples::key_secret(), old_until: NEW_YEAR.plus_seconds(60) };
                store.api_key_rotate(org, id, &new, &samples::audit(org, "rotate")).await
            })
        });
        for rotated in join_all(tasks).await {
            let secrets = rotated.unwrap().unwrap().secrets;
            let ends: Vec<_> = secrets.iter().map(|secret| secret.not_after).collect();
            assert_eq!(ends, [None, Some(NEW_YEAR.plus_seconds(60))]);
        }
        let tasks = (0..5).map(|_| {
            let (store, id) = (bed.store.clone(), key.id);
            tokio::spawn(async move { store.api_key_revoke(org, id, &samples::audit(org, "revoke")).await })
        });
        let revoked: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(revoked.iter().filter(|revoked| revoked.is_ok()).count(), 1);
        assert!(bed.store.api_key_find(org, key.id).await.unwrap().unwrap().secrets.is_empty());
    }

    async fn chains_have_one_writer_at_a_time(bed: &Bed) {
        let orgs = [bed.organisation("a").await.id, bed.organisation("b").await.id];
        let stores = [bed.store.clone(), bed.another().await];
        let records: Vec<_> =
            (0..120).map(|i| samples::request_record(orgs[i % 2], NEW_YEAR.plus_seconds(i as i64))).collect();
        let batches = (0..12).map(|i| {
            let (store, records) = (stores[i % 2].clone(), records.clone());
            // Each overlaps its neighbours, as after a shipment whose answer was lost.
            let requests = records.into_iter().skip(i * 10).take(20).rev().collect();
            tokio::spawn(async move {
                store.ship(&Batch { requests, audits: Vec::new() }).await.unwrap();
            })
        });
        let changes = (0..20).map(|i| {
            let (store, org) = (stores[i % 2].clone(), orgs[i % 2]);
            tokio::spawn(async move {
                let key = samples::api_key(org, &format!("key {i}"));
                let audit = samples::audit(org, "api_key.create");
                store.api_key_create(&key, Limit::Unlimited, &audit).await.unwrap();
            })
        });
        let done = join_all(batches.chain(changes)).await;
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        for org in orgs {
            let entries = bed.store.audit_list(org, 0, 1_000).await.unwrap();
            assert_eq!(entries.len(), 1 + 60 + 10);
            let mut chain = ChainVerifier::new(org);
            for entry in &entries {
                chain.next(entry).unwrap();
            }
            let (seq, hash) = bed.store.audit_head(org).await.unwrap();
            assert_eq!(chain.head(), (seq, hash));
        }
        stores[1].close().await;
    }
}
