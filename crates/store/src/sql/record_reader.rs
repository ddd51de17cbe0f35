//! Reading what was shipped.

use super::Store;
use super::columns::{chain_hash, from_id_bytes, id_bytes, parsed, unsigned};
use super::engine::{on_engine, statements};
use super::page::{page, rows_to_read};
use super::request_lists::Kind;
use async_trait::async_trait;
use topdog_domain::audit::{AuditEntry, AuditRun, ChainHash};
use topdog_domain::ports::{DebugLogRow, Page, PageWish, PortError, RecordReader, UsageRow, UsageSum};
use topdog_domain::usage::RequestRecord;
use topdog_domain::{OrgId, Timestamp};

#[async_trait]
impl RecordReader for Store {
    async fn usage_sum(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<UsageSum>, PortError> {
        self.sum_usage(org, from, to).await
    }

    async fn usage_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<UsageRow>, PortError> {
        let records = self.records_newest(Kind::Usage, org, wish).await?;
        page(wish, records, row_place, |record| Ok(UsageRow { id: record.id, record }))
    }

    async fn debug_log_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<DebugLogRow>, PortError> {
        let records = self.records_newest(Kind::DebugLog, org, wish).await?;
        page(wish, records, row_place, |record| Ok(DebugLogRow { id: record.id, record }))
    }

    async fn audit_list(&self, org: OrgId, after: u64, limit: u32) -> Result<Vec<AuditEntry>, PortError> {
        let mut wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut entries: Vec<AuditEntry> = Vec::new();
        let mut behind = i64::try_from(after).unwrap_or(i64::MAX);
        let mut floor = self.audit_floor(org, behind).await?;
        if behind == 0 {
            // From the very beginning, what claims to be before it too.
            behind = i64::MIN;
        }
        while wanted > 0 {
            let rows: Vec<RunRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST_AUDIT)
                .bind(id_bytes(org.uuid()))
                .bind(behind)
                .bind(RUNS_AT_ONCE)
                .fetch_all(db)
                .await)?;
            let Some(last) = rows.last() else {
                break;
            };
            behind = last.last_seq;
            for row in rows {
                let run = AuditRun::try_from(row)?;
                for entry in run.entries_behind(after, floor) {
                    // What reaches back is not what was asked for: whoever pages gets on whatever is in the way.
                    let is_wanted = entry.seq > after;
                    if is_wanted && wanted == 0 {
                        return Ok(entries);
                    }
                    wanted -= usize::from(is_wanted);
                    entries.push(entry);
                }
                floor = run.last_seq;
            }
        }
        Ok(entries)
    }

    async fn audit_chain_list(&self, wish: &PageWish) -> Result<Page<OrgId>, PortError> {
        let after: Option<OrgId> =
            wish.after.as_ref().map(|id| parsed("a page's beginning", id)).transpose()?;
        // Nothing is before the empty one, of whatever length what someone has put there may be.
        let after = after.map(|org| id_bytes(org.uuid())).unwrap_or_default();
        let rows: Vec<Vec<u8>> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(LIST_CHAINS)
            .bind(&after)
            .bind(rows_to_read(wish))
            .fetch_all(db)
            .await)?;
        let orgs = rows.iter().map(|org| Ok(OrgId::from_uuid(from_id_bytes("audit_heads.org", org)?)));
        page(wish, orgs.collect::<Result<_, PortError>>()?, OrgId::to_string, Ok)
    }

    async fn audit_head(&self, org: OrgId) -> Result<(u64, ChainHash), PortError> {
        let head: Option<(i64, Vec<u8>)> = on_engine!(self.pools().readers(), |db| sqlx::query_as(HEAD)
            .bind(id_bytes(org.uuid()))
            .fetch_optional(db)
            .await)?;
        match head {
            None => Ok((0, ChainHash::GENESIS)),
            Some((seq, hash)) => {
                Ok((unsigned("audit_heads.seq", seq)?, chain_hash("audit_heads.hash", &hash)?))
            }
        }
    }
}

impl Store {
    /// The last place of the last run that ends at `after` or before.
    async fn audit_floor(&self, org: OrgId, after: i64) -> Result<u64, PortError> {
        let floor: Option<i64> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(FLOOR)
            .bind(id_bytes(org.uuid()))
            .bind(after)
            .fetch_one(db)
            .await)?;
        Ok(place(floor.unwrap_or_default()))
    }
}

/// No place is below 1: a run that someone has put there is listed at 0, and checking the chain finds it.
fn place(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}

fn row_place(record: &RequestRecord) -> String {
    record.id.to_string()
}

/// Few, because each may hold more than is asked for.
const RUNS_AT_ONCE: i64 = 16;

#[derive(sqlx::FromRow)]
struct RunRow {
    org: Vec<u8>,
    last_seq: i64,
    bodies: String,
    prev: Vec<u8>,
    hashes: Vec<u8>,
}

impl TryFrom<RunRow> for AuditRun {
    type Error = PortError;

    fn try_from(row: RunRow) -> Result<Self, PortError> {
        Ok(Self {
            org: OrgId::from_uuid(from_id_bytes("audit_runs.org", &row.org)?),
            last_seq: place(row.last_seq),
            bodies: row.bodies,
            prev: chain_hash("audit_runs.prev", &row.prev)?,
            hashes: row.hashes,
        })
    }
}

statements! {
    LIST_AUDIT = "SELECT org, last_seq, bodies, prev, hashes FROM audit_runs
        WHERE org = $1 AND last_seq > $2 ORDER BY last_seq LIMIT $3";
    FLOOR = "SELECT MAX(last_seq) FROM audit_runs WHERE org = $1 AND last_seq <= $2";
    LIST_CHAINS = "SELECT org FROM (SELECT org FROM audit_heads WHERE org > $1
            UNION SELECT org FROM audit_runs WHERE org > $1) chains
        ORDER BY org LIMIT $2";
    HEAD = "SELECT seq, hash FROM audit_heads WHERE org = $1";
}
