use super::super::copy::{ChainsError, CopyError};
use super::super::engine::{Engine, on_engine};
use super::bed::{Bed, with_postgres};
use sqlx::AssertSqlSafe;
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::{
    ApiKeys as _, Batch, ChangeFeed as _, OrgKeys as _, ProviderKeys as _, QuotaLedger as _,
    RecordReader as _, RecordSink as _, Tiers as _,
};
use topdog_domain::quota::MeterKey;
use topdog_domain::tier::Limit;
use topdog_domain::{OrgId, UtcDay};

const ORGS: usize = 3;
const RECORDS: i64 = 700;
/// Tables with rows: one of each kind of column, and those that refer to others.
const FILLED: [&str; 12] = [
    "api_key_secrets",
    "audit_heads",
    "audit_ids",
    "audit_runs",
    "change_clock",
    "config_changes",
    "membership_tiers",
    "provider_keys",
    "quota_ledger",
    "request_runs",
    "sealed_secrets",
    "workspaces",
];

/// A database in which every table that can be has rows.
async fn filled() -> (Bed, Vec<OrgId>) {
    let bed = Bed::sqlite().await;
    let mut orgs = Vec::new();
    for name in ["a", "b", "c"] {
        let org = bed.organisation(name).await.id;
        let audit = samples::audit(org, "test");
        bed.store.api_key_create(&samples::api_key(org, "ci"), Limit::Unlimited, &audit).await.unwrap();
        bed.store.org_key_add(&samples::org_key(org, 1, 1), None).await.unwrap();
        let key = samples::provider_key(org, "main");
        bed.store.provider_key_create(&key, &samples::sealed_secret(&key, 1), &audit).await.unwrap();
        let meter = MeterKey { org, resource: "llm_requests_per_day".to_owned() };
        bed.store.lease(&meter, UtcDay::from_number(20_000), 1_000, 0).await.unwrap();
        orgs.push(org);
    }
    let requests = (0..RECORDS)
        .map(|i| samples::request_record(orgs[i as usize % ORGS], NEW_YEAR.plus_seconds(i)))
        .collect();
    let audits = vec![samples::audit(orgs[0], "provider_key.open")];
    bed.store.ship(&Batch { requests, audits }).await.unwrap();
    (bed, orgs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_and_the_chains_hold() {
    with_postgres(async |target| {
        let (source, orgs) = filled().await;
        let copied = source.store.copy_to(&target.store).await.unwrap();
        for table in &copied {
            let rows = async |bed: &Bed| -> i64 {
                let count = format!("SELECT COUNT(*) FROM {}", table.name);
                on_engine!(bed.store.pools().readers(), |db| {
                    sqlx::query_scalar(AssertSqlSafe(count.clone())).fetch_one(db).await
                })
                .unwrap()
            };
            let found = (rows(&source).await, rows(&target).await);
            assert_eq!(found, (table.rows as i64, table.rows as i64), "{}", table.name);
        }
        for name in FILLED {
            assert!(copied.iter().any(|table| table.name == name && table.rows > 0), "{name} tests nothing");
        }
        assert_eq!(target.store.load_all().await.unwrap(), source.store.load_all().await.unwrap());
        assert_eq!(target.store.tier_list().await.unwrap(), source.store.tier_list().await.unwrap());
        assert_eq!(target.store.newest_change().await.unwrap(), source.store.newest_change().await.unwrap());
        let entries = source.store.audit_verify_all().await.unwrap();
        assert!(entries > RECORDS as u64, "{entries}");
        assert_eq!(target.store.audit_verify_all().await.unwrap(), entries);
        for org in orgs {
            let of = async |bed: &Bed| bed.store.audit_list(org, 0, 1_000).await.unwrap();
            assert_eq!(of(&target).await, of(&source).await);
        }
        // What was shipped once is known there too.
        let again = samples::audit(target.store.load_all().await.unwrap()[0].organisation.id, "later");
        target.store.ship(&Batch { requests: Vec::new(), audits: vec![again] }).await.unwrap();
        assert_eq!(target.store.audit_verify_all().await.unwrap(), entries + 1);

        let again = source.store.copy_to(&target.store).await;
        assert!(matches!(again, Err(CopyError::NotEmpty(_))), "{again:?}");
        let back = target.store.copy_to(&source.store).await;
        assert!(matches!(back, Err(CopyError::OtherEngines)), "{back:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_t_be_copied_whole_is_not_copied_at_all() {
    with_postgres(async |target| {
        let (source, _) = filled().await;
        // A table behind others holds what is no text to Postgres.
        let Engine::Sqlite(pools) = source.store.pools() else { unreachable!() };
        let spoilt =
            "UPDATE workspaces SET name = 'a' || char(0) WHERE org = (SELECT MAX(org) FROM workspaces)";
        sqlx::query(spoilt).execute(&pools.writer).await.unwrap();
        let copied = source.store.copy_to(&target.store).await;
        assert!(matches!(copied, Err(CopyError::Port(_))), "{copied:?}");
        assert!(target.store.load_all().await.unwrap().is_empty());
        assert!(!target.store.tier_list().await.unwrap().is_empty(), "it is as it was");
    })
    .await;
}

#[tokio::test]
async fn a_chain_that_was_changed_is_found() {
    let (source, orgs) = filled().await;
    let Engine::Sqlite(pools) = source.store.pools() else { unreachable!() };
    sqlx::query("UPDATE audit_heads SET seq = seq + 1 WHERE org = $1")
        .bind(orgs[1].uuid().as_bytes().to_vec())
        .execute(&pools.writer)
        .await
        .unwrap();
    let found = source.store.audit_verify_all().await;
    assert!(matches!(found, Err(ChainsError::Broken { org, .. }) if org == orgs[1]), "{found:?}");
}
