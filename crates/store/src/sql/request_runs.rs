//! Runs of records as rows.

use super::columns::{count, from_id_bytes, id_bytes, unsigned};
use super::engine::{Tx, on_engine, statements};
use super::many_rows::ManyRows;
use crate::runs::{self, BadPart, Head, Run};
use std::sync::LazyLock;
use topdog_domain::ports::PortError;
use topdog_domain::usage::RequestRecord;
use topdog_domain::{OrgId, RecordId, Timestamp};

/// The columns of a run that are read without the parts.
#[derive(sqlx::FromRow)]
pub(super) struct HeadRow {
    org: Vec<u8>,
    last_id: Vec<u8>,
    first_id: Vec<u8>,
    first_at: i64,
    last_at: i64,
    records: i64,
    is_used: bool,
}

impl TryFrom<HeadRow> for Head {
    type Error = PortError;

    fn try_from(row: HeadRow) -> Result<Self, PortError> {
        Ok(Self {
            org: OrgId::from_uuid(from_id_bytes("request_runs.org", &row.org)?),
            first_id: RecordId::from_uuid(from_id_bytes("request_runs.first_id", &row.first_id)?),
            last_id: RecordId::from_uuid(from_id_bytes("request_runs.last_id", &row.last_id)?),
            first_at: Timestamp::from_micros(row.first_at),
            last_at: Timestamp::from_micros(row.last_at),
            records: unsigned("request_runs.records", row.records)?,
            is_used: row.is_used,
        })
    }
}

/// A run whose records are read.
#[derive(sqlx::FromRow)]
pub(super) struct RunRow {
    #[sqlx(flatten)]
    head: HeadRow,
    ids: Vec<u8>,
    facts: Vec<u8>,
    detail: Option<Vec<u8>>,
}

impl RunRow {
    /// The greatest of the ids, as the column has it.
    pub(super) fn last_id(&self) -> &[u8] {
        &self.head.last_id
    }

    /// Are they usage events?
    pub(super) const fn is_used(&self) -> bool {
        self.head.is_used
    }

    /// The records, in the order of their ids.
    pub(super) fn read(self) -> Result<Vec<RequestRecord>, PortError> {
        let head = self.head.try_into()?;
        runs::records(&head, &self.ids, &self.facts, self.detail.as_deref()).map_err(bad_part)
    }
}

/// A part that can't be read is of a record's fault: it can't be read the next time either.
pub(super) fn bad_part(bad: BadPart) -> PortError {
    PortError::Corrupt(bad.to_string())
}

/// Adds rows of runs.
pub(super) async fn add(tx: &mut Tx, mut runs: Vec<Run>) -> Result<(), PortError> {
    while let Some((step, pair)) = ADD.step(runs.len()) {
        let rows = runs.drain(..step);
        on_engine!(tx.conn(), pair, |db, sql| {
            let mut query = sqlx::query(sql);
            for Run { head, ids, sums, facts, detail } in rows {
                query = query
                    .bind(id_bytes(head.org.uuid()))
                    .bind(id_bytes(head.last_id.uuid()))
                    .bind(id_bytes(head.first_id.uuid()))
                    .bind(head.first_at.micros())
                    .bind(head.last_at.micros())
                    .bind(count(head.records as u64))
                    .bind(head.is_used)
                    .bind(detail.is_some())
                    .bind(ids)
                    .bind(sums)
                    .bind(facts)
                    .bind(detail);
            }
            query.execute(db).await.map(|_| ())
        })?;
    }
    Ok(())
}

/// Removes a run's row.
pub(super) async fn remove(tx: &mut Tx, org: OrgId, last_id: &[u8]) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(REMOVE)
        .bind(id_bytes(org.uuid()))
        .bind(last_id)
        .execute(db)
        .await
        .map(|_| ()))
}

static ADD: LazyLock<ManyRows> = LazyLock::new(|| {
    const INTO: &str = "request_runs (org, last_id, first_id, first_at, last_at, records, is_used, is_logged,
        ids, sums, facts, detail)";
    ManyRows::insert(INTO, 12, "")
});

statements! {
    REMOVE = "DELETE FROM request_runs WHERE org = $1 AND last_id = $2";
}

#[cfg(test)]
pub(super) fn many_rows() -> [&'static LazyLock<ManyRows>; 1] {
    [&ADD]
}
