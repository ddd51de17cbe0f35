//! Sums of usage: those that runs have with them are added up, and records are read of those runs only that the edge of
//! the time is within.

use super::Store;
use super::columns::id_bytes;
use super::engine::{Tx, on_engine, statements};
use super::request_runs::{HeadRow, bad_part};
use crate::runs::{self, Head, ModelSum};
use futures_util::TryStreamExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use topdog_domain::ports::{PortError, UsageSum};
use topdog_domain::provider::ProviderName;
use topdog_domain::{OrgId, Timestamp};

impl Store {
    /// What an organisation used in `from..to`.
    pub(super) async fn sum_usage(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<UsageSum>, PortError> {
        let mut sums = Sums { from, to, by_model: BTreeMap::new(), failed: None };
        let mut tx = self.pools().begin_snapshot().await?;
        read_whole(&mut tx, org, &mut sums).await?;
        read_edges(&mut tx, org, &mut sums).await?;
        tx.roll_back().await?;
        match sums.failed {
            None => Ok(sums.by_model.into_values().map(usage_sum).collect()),
            Some(error) => Err(error),
        }
    }
}

struct Sums {
    from: Timestamp,
    to: Timestamp,
    by_model: BTreeMap<(ProviderName, Arc<str>), ModelSum>,
    /// A sum that is not all of it is none.
    failed: Option<PortError>,
}

async fn read_whole(tx: &mut Tx, org: OrgId, sums: &mut Sums) -> Result<(), PortError> {
    let (from, to) = (sums.from.micros(), sums.to.micros());
    on_engine!(tx.conn(), |db| sqlx::query_as(WHOLE_RUNS)
        .bind(id_bytes(org.uuid()))
        .bind(from)
        .bind(to)
        .fetch(db)
        .try_for_each(|row| {
            let added = sums.add_run(row);
            sums.keep_failure(added);
            async { Ok(()) }
        })
        .await)
}

async fn read_edges(tx: &mut Tx, org: OrgId, sums: &mut Sums) -> Result<(), PortError> {
    let (from, to) = (sums.from.micros(), sums.to.micros());
    on_engine!(tx.conn(), |db| sqlx::query_as(EDGE_RUNS)
        .bind(id_bytes(org.uuid()))
        .bind(runs::windows_start(sums.from).micros())
        .bind(from)
        .bind(to)
        .fetch(db)
        .try_for_each(|row| {
            let added = sums.add_records(row);
            sums.keep_failure(added);
            async { Ok(()) }
        })
        .await)
}

impl Sums {
    fn add_run(&mut self, row: SumsRow) -> Result<(), PortError> {
        let head: Head = row.head.try_into()?;
        let sums = runs::sums(&head, &row.sums).map_err(bad_part)?;
        sums.into_iter().for_each(|sum| self.add(sum));
        Ok(())
    }

    fn add_records(&mut self, row: FactsRow) -> Result<(), PortError> {
        let head: Head = row.head.try_into()?;
        let records = runs::records(&head, &row.ids, &row.facts, None).map_err(bad_part)?;
        let within = records.iter().filter(|record| self.from <= record.at && record.at < self.to);
        let sums: Vec<ModelSum> = within.filter_map(ModelSum::of).collect();
        sums.into_iter().for_each(|sum| self.add(sum));
        Ok(())
    }

    fn add(&mut self, sum: ModelSum) {
        use std::collections::btree_map::Entry;
        match self.by_model.entry((sum.provider.clone(), sum.model.clone())) {
            Entry::Vacant(place) => {
                place.insert(sum);
            }
            Entry::Occupied(place) => place.into_mut().add(&sum),
        }
    }

    fn keep_failure(&mut self, added: Result<(), PortError>) {
        if let Err(error) = added {
            self.failed.get_or_insert(error);
        }
    }
}

#[derive(sqlx::FromRow)]
struct SumsRow {
    #[sqlx(flatten)]
    head: HeadRow,
    sums: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct FactsRow {
    #[sqlx(flatten)]
    head: HeadRow,
    ids: Vec<u8>,
    facts: Vec<u8>,
}

fn usage_sum(sum: ModelSum) -> UsageSum {
    UsageSum {
        provider: sum.provider.to_string(),
        model: sum.model.to_string(),
        requests: sum.requests,
        estimated_requests: sum.estimated_requests,
        input: sum.input,
        cache_read: sum.cache_read,
        cache_write: sum.cache_write,
        output: sum.output,
        reasoning: sum.reasoning,
        cost_nanodollars: sum.cost_nanodollars,
        unpriced_requests: sum.unpriced_requests,
    }
}

statements! {
    WHOLE_RUNS = "SELECT org, last_id, first_id, first_at, last_at, records, is_used, sums
        FROM request_runs
        WHERE org = $1 AND is_logged IN (TRUE, FALSE) AND first_at >= $2 AND first_at < $3 AND last_at < $3
            AND is_used = TRUE";
    // Those that one end is within, or both.
    EDGE_RUNS = "SELECT org, last_id, first_id, first_at, last_at, records, is_used, ids, facts
        FROM request_runs
        WHERE org = $1 AND is_logged IN (TRUE, FALSE) AND first_at >= $2 AND first_at < $4
            AND last_at >= $3 AND (first_at < $3 OR last_at >= $4) AND is_used = TRUE";
}
