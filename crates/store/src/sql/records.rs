//! Where shipped records go: a batch is one transaction of a fixed number of statements, and what is there
//! already by its id is passed over.

use super::columns::{count, json};
use super::engine::{Pair, on_engine, statements};
use super::{Store, audit_chain};
use async_trait::async_trait;
use serde::Serialize;
use std::collections::BTreeMap;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{Batch, PortError, RecordSink};
use topdog_domain::usage::{Outcome, RequestRecord};
use topdog_domain::{OrgId, Timestamp};

#[async_trait]
impl RecordSink for Store {
    async fn ship(&self, batch: &Batch) -> Result<(), PortError> {
        let key_uses: Vec<AuditDraft> =
            batch.requests.iter().filter_map(RequestRecord::key_use_audit).collect();
        let mut audits: Vec<&AuditDraft> = batch.audits.iter().chain(&key_uses).collect();
        audits.sort_by_key(|draft| draft.at);
        let all = columns(batch.requests.iter())?;
        // What was refused used nothing.
        let used = columns(batch.requests.iter().filter(|record| record.outcome != Outcome::Refused))?;
        let mut tx = self.pools().begin().await?;
        for (statement, records) in [(ADD_USAGE, &used), (ADD_DEBUG_LOG, &all)] {
            on_engine!(tx.conn(), statement, |db, sql| sqlx::query(sql)
                .bind(records)
                .execute(db)
                .await
                .map(|_| ()))?;
        }
        // Last, because whoever administers one of the organisations waits for its chain.
        audit_chain::append(&mut tx, &audits).await?;
        tx.commit().await
    }

    async fn debug_log_prune(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(PRUNE_DEBUG_LOG)
            .bind(org.to_string())
            .bind(before.micros())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
    }
}

/// The columns of all records as one JSON object, by id: one statement and one journey, however many they are.
fn columns<'a>(records: impl Iterator<Item = &'a RequestRecord>) -> Result<String, PortError> {
    let row = |record: &RequestRecord| Ok((record.id.to_string(), RecordColumns::of(record)?));
    let rows: BTreeMap<_, _> = records.map(row).collect::<Result<_, PortError>>()?;
    json(&rows)
}

/// No request has more tokens, or costs more nano-dollars: an endpoint that says so must not make every sum
/// overflow that it is in. The record itself says what was said.
const MOST_OF_A_REQUEST: i64 = 100_000_000_000_000;

#[derive(Serialize)]
struct RecordColumns {
    org: String,
    at: i64,
    provider: String,
    model: String,
    is_counted: bool,
    source: &'static str,
    input: i64,
    cache_read: i64,
    cache_write: i64,
    output: i64,
    reasoning: i64,
    cost_nanodollars: Option<i64>,
    record: String,
}

impl RecordColumns {
    fn of(record: &RequestRecord) -> Result<Self, PortError> {
        let tokens = &record.tokens;
        let cache_write = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
        let tokens_of = |number| count(number).min(MOST_OF_A_REQUEST);
        Ok(Self {
            org: record.org.to_string(),
            at: record.at.micros(),
            provider: record.provider.to_string(),
            // Postgres has no text with a NUL in it, and one such name must not hold up a whole batch.
            model: record.model.replace('\0', "\u{fffd}"),
            is_counted: record.is_counted,
            source: record.source.name(),
            input: tokens_of(tokens.input),
            cache_read: tokens_of(tokens.cache_read),
            cache_write: tokens_of(cache_write),
            output: tokens_of(tokens.output),
            reasoning: tokens_of(tokens.reasoning),
            cost_nanodollars: record.cost_nanodollars.map(|cost| cost.min(MOST_OF_A_REQUEST)),
            record: json(record)?,
        })
    }
}

macro_rules! add_usage {
    ($rows:literal) => {
        concat!(
            "INSERT INTO usage_events (id, org, at, provider, model, is_counted, source, input, cache_read,
                cache_write, output, reasoning, cost_nanodollars, record)
            SELECT key, value->>'org', CAST(value->>'at' AS BIGINT), value->>'provider', value->>'model',
                CAST(value->>'is_counted' AS BOOLEAN), value->>'source', CAST(value->>'input' AS BIGINT),
                CAST(value->>'cache_read' AS BIGINT), CAST(value->>'cache_write' AS BIGINT),
                CAST(value->>'output' AS BIGINT), CAST(value->>'reasoning' AS BIGINT),
                CAST(value->>'cost_nanodollars' AS BIGINT), value->>'record'
            FROM ",
            $rows,
            " WHERE true ON CONFLICT (id) DO NOTHING"
        )
    };
}

macro_rules! add_debug_log {
    ($rows:literal) => {
        concat!(
            "INSERT INTO debug_logs (id, org, at, record)
            SELECT key, value->>'org', CAST(value->>'at' AS BIGINT), value->>'record' FROM ",
            $rows,
            " WHERE true ON CONFLICT (id) DO NOTHING"
        )
    };
}

const ADD_USAGE: Pair =
    Pair { sqlite: add_usage!("json_each($1)"), postgres: add_usage!("json_each($1::json)") };

const ADD_DEBUG_LOG: Pair =
    Pair { sqlite: add_debug_log!("json_each($1)"), postgres: add_debug_log!("json_each($1::json)") };

#[cfg(test)]
pub(super) const PAIRS: &[Pair] = &[ADD_USAGE, ADD_DEBUG_LOG];

statements! {
    PRUNE_DEBUG_LOG = "DELETE FROM debug_logs WHERE org = $1 AND at < $2";
}
