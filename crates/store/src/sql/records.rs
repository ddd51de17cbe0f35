//! Where shipped records go: a batch is one transaction, and nobody else ships records of the same organisations until
//! its end. So what is there already is known before anything is written, and is passed over.

use super::columns::{from_id_bytes, id_bytes, json};
use super::engine::{Pair, Tx, on_engine};
use super::many_rows::ManyRows;
use super::request_runs::{HeadRow, bad_part};
use super::{Store, audit_chain, request_runs};
use crate::runs::{self, Head, Run};
use async_trait::async_trait;
use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;
use topdog_domain::audit::{Appended, AuditDraft};
use topdog_domain::ports::{Batch, PortError, RecordSink};
use topdog_domain::usage::RequestRecord;
use topdog_domain::{OrgId, RecordId, Timestamp};
use uuid::Uuid;

#[async_trait]
impl RecordSink for Store {
    async fn ship(&self, batch: &Batch) -> Result<(), PortError> {
        let mut requests: Vec<&RequestRecord> = batch.requests.iter().collect();
        requests.sort_unstable_by_key(|record| identity(record));
        requests.dedup_by_key(|record| identity(record));
        // While nobody waits yet. Nearly always all of them are new.
        let mut new_runs = Run::gather(requests.clone());
        let orgs: BTreeSet<OrgId> = requests
            .iter()
            .map(|record| record.org)
            .chain(batch.audits.iter().map(|draft| draft.org))
            .collect();

        let mut tx = self.pools().begin().await?;
        let heads = audit_chain::lock(&mut tx, orgs).await?;
        let known = known_requests(&mut tx, &requests).await?;
        if !known.is_empty() {
            requests.retain(|record| !known.contains(&identity(record)));
            new_runs = Run::gather(requests.clone());
        }
        request_runs::add(&mut tx, new_runs).await?;
        let audits = add_audit_ids(&mut tx, &batch.audits).await?;
        let key_uses = requests.iter().filter_map(|record| record.unaudited_key_use());
        let mut entries: Vec<Appended<'_>> =
            audits.into_iter().map(Appended::Draft).chain(key_uses).collect();
        entries.sort_by_key(Appended::at);
        audit_chain::append_behind(&mut tx, heads, &entries).await?;
        tx.commit().await
    }

    async fn debug_log_prune(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
        self.debug_logs_strip(org, before).await
    }

    async fn debug_log_prune_ownerless(&self) -> Result<u64, PortError> {
        self.debug_logs_strip_ownerless().await
    }
}

/// By which a record is known again.
type Identity = (OrgId, RecordId);

fn identity(record: &RequestRecord) -> Identity {
    (record.org, record.id)
}

/// Which of these, which are in the order of their identities, are there already. Only runs are opened whose ids reach
/// into theirs: mostly a last one, as what threads append at the same time comes in no order.
async fn known_requests(tx: &mut Tx, requests: &[&RequestRecord]) -> Result<HashSet<Identity>, PortError> {
    let spans: Vec<[String; 4]> = requests.chunk_by(|a, b| window(a) == window(b)).filter_map(span).collect();
    if spans.is_empty() {
        return Ok(HashSet::new());
    }
    let spans = json(&spans)?;
    let rows: Vec<IdsRow> =
        on_engine!(tx.conn(), FIND_RUNS, |db, sql| sqlx::query_as(sql).bind(spans).fetch_all(db).await)?;
    let mut known = HashSet::new();
    for row in rows {
        let head: Head = row.head.try_into()?;
        for id in runs::ids(&head, &row.ids).map_err(bad_part)? {
            let identity = (head.org, id);
            if requests.binary_search_by_key(&identity, |record| self::identity(record)).is_ok() {
                known.insert(identity);
            }
        }
    }
    Ok(known)
}

#[derive(sqlx::FromRow)]
struct IdsRow {
    #[sqlx(flatten)]
    head: HeadRow,
    ids: Vec<u8>,
}

fn window(record: &RequestRecord) -> (OrgId, u64) {
    (record.org, runs::windows_number(record.id))
}

/// An organisation, an id of its, the greatest of the same window, and the end of that window, as hexadecimal digits.
fn span(records: &[&RequestRecord]) -> Option<[String; 4]> {
    let (first, last) = (records.first()?, records.last()?);
    let hex = |id: Uuid| id.simple().to_string();
    let end = runs::windows_end(last.id).iter().map(|byte| format!("{byte:02x}")).collect();
    Some([hex(first.org.uuid()), hex(first.id.uuid()), hex(last.id.uuid()), end])
}

/// Adds the ids of those that are not there yet, and gives these.
async fn add_audit_ids<'a>(tx: &mut Tx, audits: &'a [AuditDraft]) -> Result<Vec<&'a AuditDraft>, PortError> {
    if audits.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<String> = audits.iter().map(|draft| draft.id.uuid().simple().to_string()).collect();
    let wanted = json(&wanted)?;
    let known: Vec<Vec<u8>> = on_engine!(tx.conn(), FIND_AUDITS, |db, sql| sqlx::query_scalar(sql)
        .bind(wanted)
        .fetch_all(db)
        .await)?;
    let mut seen: HashSet<Uuid> =
        known.iter().map(|id| from_id_bytes("audit_ids.id", id)).collect::<Result<_, _>>()?;
    // One that comes twice in the batch is known at the second time.
    let new: Vec<&AuditDraft> = audits.iter().filter(|draft| seen.insert(draft.id.uuid())).collect();
    let mut ids: Vec<Vec<u8>> = new.iter().map(|draft| id_bytes(draft.id.uuid())).collect();
    while let Some((step, pair)) = ADD_AUDIT_IDS.step(ids.len()) {
        let ids = ids.drain(..step);
        on_engine!(tx.conn(), pair, |db, sql| {
            let query = ids.fold(sqlx::query(sql), |query, id| query.bind(id));
            query.execute(db).await.map(|_| ())
        })?;
    }
    Ok(new)
}

static ADD_AUDIT_IDS: LazyLock<ManyRows> = LazyLock::new(|| ManyRows::insert("audit_ids (id)", 1, ""));

// What is wanted goes as one JSON list of spans.
const FIND_RUNS: Pair = Pair {
    sqlite: "SELECT org, last_id, first_id, first_at, last_at, records, is_used, ids
        FROM json_each($1) AS wanted CROSS JOIN request_runs
        WHERE org = unhex(wanted.value ->> 0) AND last_id >= unhex(wanted.value ->> 1)
            AND last_id < unhex(wanted.value ->> 3) AND first_id <= unhex(wanted.value ->> 2)",
    postgres:
        "SELECT org, last_id, first_id, first_at, last_at, records, is_used, ids
        FROM json_array_elements($1::json) AS wanted(value) CROSS JOIN request_runs
        WHERE org = decode(wanted.value ->> 0, 'hex') AND last_id >= decode(wanted.value ->> 1, 'hex')
            AND last_id < decode(wanted.value ->> 3, 'hex') AND first_id <= decode(wanted.value ->> 2, 'hex')",
};

const FIND_AUDITS: Pair = Pair {
    sqlite: "SELECT id FROM audit_ids WHERE id IN (SELECT unhex(value) FROM json_each($1))",
    postgres: "SELECT id FROM audit_ids WHERE id IN (SELECT decode(value, 'hex') FROM json_array_elements_text($1::json))",
};

#[cfg(test)]
pub(super) const PAIRS: &[Pair] = &[FIND_RUNS, FIND_AUDITS];

#[cfg(test)]
pub(super) fn many_rows() -> [&'static LazyLock<ManyRows>; 1] {
    [&ADD_AUDIT_IDS]
}
