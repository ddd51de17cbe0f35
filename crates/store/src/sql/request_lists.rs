//! Lists of records, newest first: of runs whose ids overlap, the records come in one order.

use super::Store;
use super::columns::{id_bytes, parsed};
use super::engine::{on_engine, statements};
use super::page::{after, rows_to_read};
use super::request_runs::RunRow;
use crate::runs;
use std::cmp::Reverse;
use topdog_domain::ports::{PageWish, PortError};
use topdog_domain::usage::RequestRecord;
use topdog_domain::{OrgId, RecordId};

/// Which records.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Usage,
    DebugLog,
}

/// Runs that are opened first, and then twice as many each time: a page may be of one run, or of one for each row.
const FIRST_RUNS: i64 = 2;
const MOST_RUNS: i64 = 64;

impl Store {
    /// The records that a page is made of, and one more where there is one.
    pub(super) async fn records_newest(
        &self,
        kind: Kind,
        org: OrgId,
        wish: &PageWish,
    ) -> Result<Vec<RequestRecord>, PortError> {
        let statement = match kind {
            Kind::Usage => LIST_USAGE,
            Kind::DebugLog => LIST_DEBUG_LOG,
        };
        let wanted = usize::try_from(rows_to_read(wish)).unwrap_or(usize::MAX);
        let before: Option<RecordId> =
            after::<RecordId>(wish)?.map(|after| parsed("id", &after)).transpose()?;
        // Behind every id, where no page was before: it is longer than the last.
        let before_bytes = before.map_or_else(|| vec![u8::MAX; 17], |id| id_bytes(id.uuid()));
        let mut unread = before.map_or_else(|| vec![u8::MAX; 17], runs::windows_end);
        let mut found: Vec<RequestRecord> = Vec::new();
        let mut runs_at_once = FIRST_RUNS;
        // No run is split between two looks.
        let mut tx = self.pools().begin_snapshot().await?;
        loop {
            let rows: Vec<RunRow> = on_engine!(tx.conn(), |db| sqlx::query_as(statement)
                .bind(id_bytes(org.uuid()))
                .bind(&unread)
                .bind(&before_bytes)
                .bind(runs_at_once)
                .fetch_all(db)
                .await)?;
            let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < runs_at_once;
            if let Some(last) = rows.last() {
                unread = last.last_id().to_vec();
            }
            for row in rows {
                found.extend(row.read()?.into_iter().filter(|record| before.is_none_or(|id| record.id < id)));
            }
            // What was not read yet has no greater ids than the run before it.
            let are_certain =
                found.iter().filter(|record| record.id.uuid().as_bytes().as_slice() >= unread.as_slice());
            if is_last || are_certain.count() >= wanted {
                break;
            }
            runs_at_once = (runs_at_once * 2).min(MOST_RUNS);
        }
        tx.roll_back().await?;
        found.sort_unstable_by_key(|record| Reverse(record.id));
        found.truncate(wanted);
        Ok(found)
    }
}

statements! {
    LIST_USAGE = "SELECT org, last_id, first_id, first_at, last_at, records, is_used, ids, facts, detail
        FROM request_runs
        WHERE org = $1 AND last_id < $2 AND first_id < $3 AND is_used = TRUE
        ORDER BY last_id DESC LIMIT $4";
    // Along the index that knows which are logged: nobody walks past all whose time is over.
    LIST_DEBUG_LOG = "SELECT org, last_id, first_id, first_at, last_at, records, is_used, ids, facts, detail
        FROM request_runs
        WHERE org = $1 AND last_id < $2 AND first_id < $3 AND is_logged = TRUE
        ORDER BY last_id DESC LIMIT $4";
}
