//! How records stand in runs, and what is said of a run that someone has been at.

use super::super::engine::on_engine;
use super::bed::{Bed, on_both};
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::{Batch, PageWish, PortError, RecordReader as _, RecordSink as _};
use topdog_domain::usage::RequestRecord;
use topdog_domain::{OrgId, Timestamp};

const WISH: PageWish = PageWish { after: None, limit: 10 };

async fn ship(bed: &Bed, requests: &[RequestRecord]) {
    bed.store.ship(&Batch { requests: requests.to_vec(), audits: Vec::new() }).await.unwrap();
}

/// So many records, of which each arrived so long after the one before.
fn records(org: OrgId, records: i64, seconds_apart: i64) -> Vec<RequestRecord> {
    let at = |number| NEW_YEAR.plus_seconds(number * seconds_apart);
    (0..records).map(|number| samples::request_record(org, at(number))).collect()
}

async fn change(bed: &Bed, statement: &'static str) {
    on_engine!(bed.store.pools().writer(), |db| sqlx::query(statement).execute(db).await.map(|_| ()))
        .unwrap();
}

/// How many records each run has, in the order of their times.
async fn sizes(bed: &Bed) -> Vec<i64> {
    const SIZES: &str = "SELECT records FROM request_runs ORDER BY first_at, records";
    on_engine!(bed.store.pools().readers(), |db| sqlx::query_scalar(SIZES).fetch_all(db).await).unwrap()
}

async fn sum(bed: &Bed, org: OrgId, from: Timestamp, to: Timestamp) -> Result<u64, PortError> {
    let sums = bed.store.usage_sum(org, from, to).await?;
    Ok(sums.iter().map(|sum| sum.requests).sum())
}

fn is_corrupt<T: std::fmt::Debug>(result: Result<T, PortError>, column: &str) {
    let error = result.unwrap_err();
    assert!(
        matches!(&error, PortError::Corrupt(what) if what.contains(column)),
        "{error:?} is not of {column}"
    );
}

on_both! {
    async fn a_batch_is_few_rows(bed: &Bed) {
        let org = OrgId::new();
        ship(bed, &records(org, 257, 2)).await;
        ship(bed, &records(OrgId::new(), 2, 600)).await;
        let mut sizes = sizes(bed).await;
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 1, 256]);
    }

    async fn what_is_pruned_is_split_at_the_edge_alone(bed: &Bed) {
        let org = OrgId::new();
        ship(bed, &records(org, 100, 1)).await;
        assert_eq!(bed.store.debug_log_prune(org, NEW_YEAR.plus_seconds(40)).await.unwrap(), 40);
        assert_eq!(sizes(bed).await, [40, 60]);
        assert_eq!(bed.store.debug_log_prune(org, NEW_YEAR.plus_seconds(100)).await.unwrap(), 60);
        assert_eq!(sizes(bed).await, [40, 60], "whole runs stay whole");
    }

    async fn no_sum_is_read_that_someone_has_changed(bed: &Bed) {
        let org = OrgId::new();
        ship(bed, &records(org, 10, 1)).await;
        let (from, middle, to) = (NEW_YEAR, NEW_YEAR.plus_seconds(5), NEW_YEAR.plus_seconds(20));
        assert_eq!(sum(bed, org, from, to).await.unwrap(), 10);
        change(bed, "UPDATE request_runs SET last_at = last_at + 1").await;
        is_corrupt(sum(bed, org, from, to).await, "request_runs.sums");
        is_corrupt(sum(bed, org, from, middle).await, "request_runs.ids");
        change(bed, "UPDATE request_runs SET last_at = last_at - 1, records = 9").await;
        is_corrupt(sum(bed, org, from, to).await, "request_runs.sums");
        change(bed, "UPDATE request_runs SET records = 10, sums = facts").await;
        is_corrupt(sum(bed, org, from, to).await, "request_runs.sums");
        assert_eq!(sum(bed, org, from, middle).await.unwrap(), 5, "those were not asked");
        assert_eq!(bed.store.usage_list(org, &WISH).await.unwrap().rows.len(), 10);
        change(bed, "UPDATE request_runs SET facts = ids").await;
        is_corrupt(bed.store.usage_list(org, &WISH).await, "request_runs.facts");
        is_corrupt(sum(bed, org, from, middle).await, "request_runs.facts");
    }

    async fn a_run_whose_times_contradict_each_other_ends_its_pruning(bed: &Bed) {
        let org = OrgId::new();
        ship(bed, &records(org, 10, 1)).await;
        change(bed, "UPDATE request_runs SET first_at = 0").await;
        is_corrupt(bed.store.debug_log_prune(org, NEW_YEAR.plus_seconds(5)).await, "request_runs.first_at");
    }

    async fn no_run_is_read_as_another_organisation_s(bed: &Bed) {
        let (org, thief) = (OrgId::new(), OrgId::new());
        ship(bed, &records(org, 3, 1)).await;
        const MOVE: &str = "UPDATE request_runs SET org = $1";
        on_engine!(bed.store.pools().writer(), |db| sqlx::query(MOVE)
            .bind(thief.uuid().as_bytes().to_vec())
            .execute(db)
            .await
            .map(|_| ()))
        .unwrap();
        is_corrupt(bed.store.usage_list(thief, &WISH).await, "request_runs.ids");
        is_corrupt(bed.store.debug_log_list(thief, &WISH).await, "request_runs.ids");
        is_corrupt(sum(bed, thief, NEW_YEAR, NEW_YEAR.plus_seconds(9)).await, "request_runs.sums");
    }

    async fn what_a_later_version_wrote_is_no_record_of_this_one(bed: &Bed) {
        let org = OrgId::new();
        let shipped = records(org, 3, 1);
        ship(bed, &shipped).await;
        let later: Vec<u8> = vec![2, 0, 0, 0, 0, 0];
        const SET: &str = "UPDATE request_runs SET ids = $1";
        on_engine!(bed.store.pools().writer(), |db| sqlx::query(SET).bind(later).execute(db).await.map(|_| ()))
            .unwrap();
        let error = bed.store.usage_list(org, &WISH).await.unwrap_err();
        assert!(format!("{error:?}").contains("install the newer version again"), "{error:?}");
        // Nor is it known then whether they are there: they are not taken for new ones.
        let again = bed.store.ship(&Batch { requests: shipped, audits: Vec::new() }).await;
        is_corrupt(again, "request_runs.ids");
    }
}
