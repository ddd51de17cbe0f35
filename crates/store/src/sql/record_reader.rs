//! Reading what was shipped.

use super::Store;
use super::columns::{chain_hash, from_id_bytes, id_bytes, parsed, unsigned};
use super::engine::{on_engine, statements};
use super::page::{after, page, rows_to_read};
use super::record_json::RecordRow;
use async_trait::async_trait;
use topdog_domain::audit::{AuditEntry, AuditRun, ChainHash};
use topdog_domain::ports::{DebugLogRow, Page, PageWish, PortError, RecordReader, UsageRow, UsageSum};
use topdog_domain::{OrgId, RecordId, Timestamp};

#[async_trait]
impl RecordReader for Store {
    async fn usage_sum(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<UsageSum>, PortError> {
        let rows: Vec<SumRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(SUM_USAGE)
            .bind(id_bytes(org.uuid()))
            .bind(from.micros())
            .bind(to.micros())
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(UsageSum::try_from).collect()
    }

    async fn usage_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<UsageRow>, PortError> {
        // Behind every id, where no page was before: it is longer than the last.
        let before = after_record(wish)?.unwrap_or_else(|| vec![u8::MAX; 17]);
        let rows: Vec<RecordRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST_USAGE)
            .bind(id_bytes(org.uuid()))
            .bind(before)
            .bind(rows_to_read(wish))
            .fetch_all(db)
            .await)?;
        page(wish, rows, RecordRow::key, |row| {
            let record = row.read(org)?;
            Ok(UsageRow { id: record.id, record })
        })
    }

    async fn debug_log_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<DebugLogRow>, PortError> {
        let of = id_bytes(org.uuid());
        let (before, before_id) = match after_record(wish)? {
            None => (i64::MAX, Vec::new()),
            Some(id) => {
                let at: Option<i64> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(WHEN)
                    .bind(&of)
                    .bind(&id)
                    .fetch_optional(db)
                    .await)?;
                let Some(at) = at else {
                    // Its time was over, and so was that of all behind it.
                    return Ok(Page { rows: Vec::new(), next: None });
                };
                (at, id)
            }
        };
        let rows: Vec<RecordRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST_DEBUG_LOG)
            .bind(&of)
            .bind(before)
            .bind(&before_id)
            .bind(rows_to_read(wish))
            .fetch_all(db)
            .await)?;
        page(wish, rows, RecordRow::key, |row| {
            let record = row.read(org)?;
            Ok(DebugLogRow { id: record.id, record })
        })
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

fn after_record(wish: &PageWish) -> Result<Option<Vec<u8>>, PortError> {
    let Some(after) = after::<RecordId>(wish)? else {
        return Ok(None);
    };
    parsed("id", &after).map(|id: RecordId| Some(id_bytes(id.uuid())))
}

#[derive(sqlx::FromRow)]
struct SumRow {
    provider: String,
    model: String,
    requests: i64,
    estimated_requests: i64,
    input: i64,
    cache_read: i64,
    cache_write: i64,
    output: i64,
    reasoning: i64,
    cost_nanodollars: i64,
    unpriced_requests: i64,
}

impl TryFrom<SumRow> for UsageSum {
    type Error = PortError;

    fn try_from(row: SumRow) -> Result<Self, PortError> {
        Ok(Self {
            provider: row.provider,
            model: row.model,
            requests: unsigned("requests", row.requests)?,
            estimated_requests: unsigned("estimated_requests", row.estimated_requests)?,
            input: unsigned("input", row.input)?,
            cache_read: unsigned("cache_read", row.cache_read)?,
            cache_write: unsigned("cache_write", row.cache_write)?,
            output: unsigned("output", row.output)?,
            reasoning: unsigned("reasoning", row.reasoning)?,
            cost_nanodollars: row.cost_nanodollars,
            unpriced_requests: unsigned("unpriced_requests", row.unpriced_requests)?,
        })
    }
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
    SUM_USAGE = "SELECT provider, model, COUNT(*) AS requests,
            CAST(SUM(CASE WHEN source = 'estimated' THEN 1 ELSE 0 END) AS BIGINT) AS estimated_requests,
            CAST(SUM(input) AS BIGINT) AS input, CAST(SUM(cache_read) AS BIGINT) AS cache_read,
            CAST(SUM(cache_write) AS BIGINT) AS cache_write, CAST(SUM(output) AS BIGINT) AS output,
            CAST(SUM(reasoning) AS BIGINT) AS reasoning,
            CAST(COALESCE(SUM(cost_nanodollars), 0) AS BIGINT) AS cost_nanodollars,
            CAST(SUM(CASE WHEN cost_nanodollars IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS unpriced_requests
        FROM request_records
        WHERE org = $1 AND is_logged IN (TRUE, FALSE) AND at >= $2 AND at < $3 AND is_counted AND is_used
        GROUP BY provider, model ORDER BY provider, model";
    LIST_USAGE = "SELECT id, at, provider, model, is_counted, source, input, cache_read, cache_write, output,
            reasoning, cost_nanodollars, facts, detail
        FROM request_records
        WHERE org = $1 AND id < $2 AND is_used ORDER BY id DESC LIMIT $3";
    // Along the index that knows which are logged: nobody walks past all whose time is over.
    LIST_DEBUG_LOG = "SELECT id, at, provider, model, is_counted, source, input, cache_read, cache_write, output,
            reasoning, cost_nanodollars, facts, detail
        FROM request_records
        WHERE org = $1 AND is_logged = TRUE AND at <= $2 AND (at < $2 OR id < $3)
        ORDER BY at DESC, id DESC LIMIT $4";
    WHEN = "SELECT at FROM request_records WHERE org = $1 AND id = $2";
    LIST_AUDIT = "SELECT org, last_seq, bodies, prev, hashes FROM audit_runs
        WHERE org = $1 AND last_seq > $2 ORDER BY last_seq LIMIT $3";
    FLOOR = "SELECT MAX(last_seq) FROM audit_runs WHERE org = $1 AND last_seq <= $2";
    HEAD = "SELECT seq, hash FROM audit_heads WHERE org = $1";
}
