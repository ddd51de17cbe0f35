//! Where shipped records go: a batch is one transaction. It is taken to be new, as it nearly always is; where a part
//! of it turns out to be there already, it is begun anew without that part.

use super::columns::{count, from_id_bytes, id_bytes, json};
use super::engine::{Pair, Tx, on_engine};
use super::many_rows::ManyRows;
use super::record_json::{Detail, Facts, MOST_OF_A_REQUEST};
use super::{Store, audit_chain};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{Batch, PortError, RecordSink};
use topdog_domain::usage::{Outcome, RequestRecord};
use topdog_domain::{OrgId, RecordId, Timestamp};
use uuid::Uuid;

#[async_trait]
impl RecordSink for Store {
    async fn ship(&self, batch: &Batch) -> Result<(), PortError> {
        let mut whole =
            New { requests: batch.requests.iter().collect(), audits: batch.audits.iter().collect() };
        // All add in this order, so that two who add the same don't wait for each other.
        whole.requests.sort_unstable_by_key(|record| record.id);
        let mut added = self.add(&whole).await;
        // Once is enough, where nobody else ships the same at the same time.
        for _ in 0..MOST_ATTEMPTS {
            if !matches!(added, Err(PortError::Conflict(_))) {
                break;
            }
            added = self.add(&self.without_known(&whole).await?).await;
        }
        added
    }

    async fn debug_log_prune(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
        self.debug_logs_strip(org, before).await
    }

    async fn debug_log_prune_ownerless(&self) -> Result<u64, PortError> {
        self.debug_logs_strip_ownerless().await
    }
}

const MOST_ATTEMPTS: usize = 20;

/// Records that are not there yet.
struct New<'a> {
    requests: Vec<&'a RequestRecord>,
    audits: Vec<&'a AuditDraft>,
}

impl Store {
    /// [`PortError::Conflict`] where one of them is there already, and then none is added.
    async fn add(&self, new: &New<'_>) -> Result<(), PortError> {
        let mut rows = new.requests.iter().map(|record| Row::of(record)).collect::<Result<Vec<_>, _>>()?;
        let key_uses: Vec<AuditDraft> = new.requests.iter().filter_map(|r| r.key_use_audit()).collect();
        let mut audits: Vec<&AuditDraft> = new.audits.iter().copied().chain(&key_uses).collect();
        audits.sort_by_key(|draft| draft.at);
        let mut tx = self.pools().begin().await?;
        while let Some((step, pair)) = ADD_RECORDS.step(rows.len()) {
            add_rows(&mut tx, pair, rows.drain(..step)).await?;
        }
        let mut ids: Vec<Vec<u8>> = new.audits.iter().map(|draft| id_bytes(draft.id.uuid())).collect();
        ids.sort_unstable();
        while let Some((step, pair)) = ADD_AUDIT_IDS.step(ids.len()) {
            add_ids(&mut tx, pair, ids.drain(..step)).await?;
        }
        // Last, because whoever administers one of the organisations waits for its chain.
        audit_chain::append(&mut tx, &audits).await?;
        tx.commit().await
    }

    async fn without_known<'a>(&self, batch: &New<'a>) -> Result<New<'a>, PortError> {
        let requests: BTreeMap<RecordId, OrgId> = batch.requests.iter().map(|r| (r.id, r.org)).collect();
        let audits: BTreeMap<RecordId, OrgId> = batch.audits.iter().map(|a| (a.id, a.org)).collect();
        let mut seen = self.known(FIND_RECORDS, &requests).await?;
        seen.extend(self.known(FIND_AUDITS, &audits).await?);
        // An id that comes twice in the batch is known at the second time.
        let mut is_new = |id| seen.insert(id);
        Ok(New {
            requests: batch.requests.iter().copied().filter(|record| is_new(record.id)).collect(),
            audits: batch.audits.iter().copied().filter(|draft| is_new(draft.id)).collect(),
        })
    }

    async fn known(
        &self,
        pair: Pair,
        ids: &BTreeMap<RecordId, OrgId>,
    ) -> Result<HashSet<RecordId>, PortError> {
        let hex = |id: Uuid| id.simple().to_string();
        let ids: BTreeMap<_, _> = ids.iter().map(|(id, org)| (hex(id.uuid()), hex(org.uuid()))).collect();
        let ids = json(&ids)?;
        let known: Vec<Vec<u8>> = on_engine!(self.pools().writer(), pair, |db, sql| sqlx::query_scalar(sql)
            .bind(ids)
            .fetch_all(db)
            .await)?;
        known.iter().map(|id| from_id_bytes("id", id).map(RecordId::from_uuid)).collect()
    }
}

async fn add_rows(tx: &mut Tx, pair: Pair, rows: impl Iterator<Item = Row>) -> Result<(), PortError> {
    on_engine!(tx.conn(), pair, |db, sql| {
        let mut query = sqlx::query(sql);
        for row in rows {
            query = query
                .bind(row.org)
                .bind(row.id)
                .bind(row.at)
                .bind(row.is_used)
                .bind(true)
                .bind(row.provider)
                .bind(row.model)
                .bind(row.is_counted)
                .bind(row.source)
                .bind(row.input)
                .bind(row.cache_read)
                .bind(row.cache_write)
                .bind(row.output)
                .bind(row.reasoning)
                .bind(row.cost_nanodollars)
                .bind(row.facts)
                .bind(row.detail);
        }
        query.execute(db).await.map(|_| ())
    })
}

async fn add_ids(tx: &mut Tx, pair: Pair, ids: impl Iterator<Item = Vec<u8>>) -> Result<(), PortError> {
    on_engine!(tx.conn(), pair, |db, sql| {
        let query = ids.fold(sqlx::query(sql), |query, id| query.bind(id));
        query.execute(db).await.map(|_| ())
    })
}

struct Row {
    org: Vec<u8>,
    id: Vec<u8>,
    at: i64,
    is_used: bool,
    provider: String,
    model: Arc<str>,
    is_counted: bool,
    source: &'static str,
    input: i64,
    cache_read: i64,
    cache_write: i64,
    output: i64,
    reasoning: i64,
    cost_nanodollars: Option<i64>,
    facts: String,
    detail: String,
}

impl Row {
    fn of(record: &RequestRecord) -> Result<Self, PortError> {
        let tokens = &record.tokens;
        let cache_write = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
        let tokens_of = |number| count(number).min(MOST_OF_A_REQUEST);
        Ok(Self {
            org: id_bytes(record.org.uuid()),
            id: id_bytes(record.id.uuid()),
            at: record.at.micros(),
            is_used: record.outcome != Outcome::Refused,
            provider: record.provider.to_string(),
            // Postgres has no text with a NUL in it, and one such name must not hold up a whole batch.
            model: match record.model.contains('\0') {
                true => record.model.replace('\0', "\u{fffd}").into(),
                false => record.model.clone(),
            },
            is_counted: record.is_counted,
            source: record.source.name(),
            input: tokens_of(tokens.input),
            cache_read: tokens_of(tokens.cache_read),
            cache_write: tokens_of(cache_write),
            output: tokens_of(tokens.output),
            reasoning: tokens_of(tokens.reasoning),
            cost_nanodollars: record.cost_nanodollars.map(|cost| cost.min(MOST_OF_A_REQUEST)),
            facts: json(&Facts::of(record))?,
            detail: json(&Detail::of(record))?,
        })
    }
}

static ADD_RECORDS: LazyLock<ManyRows> = LazyLock::new(|| {
    const INTO: &str =
        "request_records (org, id, at, is_used, is_logged, provider, model, is_counted, source, input,
        cache_read, cache_write, output, reasoning, cost_nanodollars, facts, detail)";
    ManyRows::insert(INTO, 17, "")
});

static ADD_AUDIT_IDS: LazyLock<ManyRows> = LazyLock::new(|| ManyRows::insert("audit_ids (id)", 1, ""));

// The wanted ids go as one JSON object, of organisations by id, in hexadecimal digits.
const FIND_RECORDS: Pair = Pair {
    sqlite: "SELECT there.id FROM json_each($1) AS wanted
        JOIN request_records AS there ON there.org = unhex(wanted.value) AND there.id = unhex(wanted.key)",
    postgres: "SELECT there.id FROM json_each_text($1::json) AS wanted JOIN request_records AS there
        ON there.org = decode(wanted.value, 'hex') AND there.id = decode(wanted.key, 'hex')",
};

const FIND_AUDITS: Pair = Pair {
    sqlite: "SELECT id FROM audit_ids WHERE id IN (SELECT unhex(key) FROM json_each($1))",
    postgres: "SELECT id FROM audit_ids WHERE id IN (SELECT decode(key, 'hex') FROM json_each($1::json))",
};

#[cfg(test)]
pub(super) const PAIRS: &[Pair] = &[FIND_RECORDS, FIND_AUDITS];

#[cfg(test)]
pub(super) fn many_rows() -> [&'static LazyLock<ManyRows>; 2] {
    [&ADD_RECORDS, &ADD_AUDIT_IDS]
}
