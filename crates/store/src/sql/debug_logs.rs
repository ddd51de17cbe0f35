//! Deleting debug logs: some runs a transaction, as nobody else writes meanwhile on SQLite. The head of the
//! organisation's audit chain is held, as by whoever ships its records: so no run is split while another looks into it.

use super::columns::{id_bytes, parsed, unsigned};
use super::engine::{Tx, on_engine, statements};
use super::request_runs::RunRow;
use super::{Store, audit_chain, request_runs};
use crate::runs::{self, Run};
use std::collections::BTreeSet;
use topdog_domain::ports::PortError;
use topdog_domain::usage::RequestRecord;
use topdog_domain::{OrgId, Timestamp};

/// Runs of which the debug logs are deleted in one transaction; more only where more began in the same microsecond.
const AT_ONCE: i64 = 8;

impl Store {
    /// Deletes an organisation's debug logs from before `before`, and leaves its usage; how many.
    pub(super) async fn debug_logs_strip(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
        let (mut deleted, mut passed) = (0, None);
        while let Some(oldest) = self.oldest_logged(org, before).await? {
            // Each pass deletes something, or another node has: else the row's own times contradict each other.
            if passed.replace((oldest, deleted)) == Some((oldest, deleted)) {
                return Err(PortError::Corrupt("columns request_runs.first_at and last_at".to_owned()));
            }
            let mut tx = self.pools().begin().await?;
            audit_chain::lock(&mut tx, BTreeSet::from([org])).await?;
            deleted += split(&mut tx, org, before).await?;
            for statement in [DELETE_UNUSED, STRIP] {
                let records: Vec<i64> = on_engine!(tx.conn(), |db| sqlx::query_scalar(statement)
                    .bind(id_bytes(org.uuid()))
                    .bind(oldest)
                    .bind(before.micros())
                    .fetch_all(db)
                    .await)?;
                for records in records {
                    deleted += unsigned::<u64>("request_runs.records", records)?;
                }
            }
            tx.commit().await?;
        }
        Ok(deleted)
    }

    /// When the last of the few oldest runs began that have debug logs from before `before`.
    async fn oldest_logged(&self, org: OrgId, before: Timestamp) -> Result<Option<i64>, PortError> {
        on_engine!(self.pools().readers(), |db| sqlx::query_scalar(OLDEST)
            .bind(id_bytes(org.uuid()))
            .bind(before.micros())
            .bind(AT_ONCE)
            .fetch_one(db)
            .await)
    }

    /// Deletes the debug logs of destroyed organisations, whose records may come late; how many.
    pub(super) async fn debug_logs_strip_ownerless(&self) -> Result<u64, PortError> {
        let orgs: Vec<String> =
            on_engine!(self.pools().readers(), |db| sqlx::query_scalar(DESTROYED).fetch_all(db).await)?;
        let mut deleted = 0;
        for org in orgs {
            let all = Timestamp::from_micros(i64::MAX);
            deleted += self.debug_logs_strip(parsed("organisations.id", &org)?, all).await?;
        }
        Ok(deleted)
    }
}

/// Splits some of the runs that `before` is within, each into one that is logged no more and one that is; how many
/// debug logs are deleted so.
async fn split(tx: &mut Tx, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
    let rows: Vec<RunRow> = on_engine!(tx.conn(), |db| sqlx::query_as(LIST_SPLIT)
        .bind(id_bytes(org.uuid()))
        .bind(runs::windows_start(before).micros())
        .bind(before.micros())
        .bind(AT_ONCE)
        .fetch_all(db)
        .await)?;
    let mut deleted = 0;
    for row in rows {
        request_runs::remove(tx, org, row.last_id()).await?;
        let is_used = row.is_used();
        let records = row.read()?;
        let (old, kept): (Vec<&RequestRecord>, Vec<_>) =
            records.iter().partition(|record| record.at < before);
        deleted += old.len() as u64;
        let old = if is_used { Run::gather(old) } else { Vec::new() };
        let old = old.into_iter().map(Run::stripped);
        request_runs::add(tx, old.chain(Run::gather(kept)).collect()).await?;
    }
    Ok(deleted)
}

statements! {
    OLDEST = "SELECT MAX(first_at) FROM (SELECT first_at FROM request_runs
        WHERE org = $1 AND is_logged = TRUE AND first_at < $2 ORDER BY first_at LIMIT $3) AS oldest";
    LIST_SPLIT = "SELECT org, last_id, first_id, first_at, last_at, records, is_used, ids, facts, detail
        FROM request_runs
        WHERE org = $1 AND is_logged = TRUE AND first_at >= $2 AND first_at < $3 AND last_at >= $3
        ORDER BY first_at LIMIT $4";
    DELETE_UNUSED = "DELETE FROM request_runs
        WHERE org = $1 AND is_logged = TRUE AND first_at <= $2 AND last_at < $3 AND is_used = FALSE
        RETURNING records";
    STRIP = "UPDATE request_runs SET is_logged = FALSE, detail = NULL
        WHERE org = $1 AND is_logged = TRUE AND first_at <= $2 AND last_at < $3
        RETURNING records";
    DESTROYED = "SELECT id FROM organisations WHERE destroyed_at IS NOT NULL";
}
