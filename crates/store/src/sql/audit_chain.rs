//! Appending to the audit chains: whoever appends holds the row of the chain's head until the commit, so each
//! chain has one writer at a time on any number of nodes.

use super::columns::{chain_hash, count, from_id_bytes, id_bytes, unsigned};
use super::engine::{Pair, Tx, on_engine};
use super::many_rows::ManyRows;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use topdog_domain::OrgId;
use topdog_domain::audit::{Appended, AuditDraft, AuditRun, ChainHash};
use topdog_domain::ports::PortError;

/// Binds the columns of heads.
macro_rules! bind_heads {
    ($query:expr, $heads:expr) => {{
        let mut query = $query;
        for (org, (seq, hash)) in $heads {
            query = query.bind(id_bytes(org.uuid())).bind(count(seq)).bind(hash.0.to_vec());
        }
        query
    }};
}

/// Appends the drafts to their chains, in their order.
pub(super) async fn append(tx: &mut Tx, drafts: &[&AuditDraft]) -> Result<(), PortError> {
    let heads = lock(tx, drafts.iter().map(|draft| draft.org).collect()).await?;
    let entries: Vec<Appended<'_>> = drafts.iter().map(|draft| Appended::Draft(draft)).collect();
    append_behind(tx, heads, &entries).await
}

/// Heads of chains, which this transaction holds until its end.
pub(super) struct Heads(BTreeMap<OrgId, Place>);

/// Locks the heads of these organisations' chains, making those that are missing. They are locked in the order of the
/// organisations, so that two who lock several don't wait for each other.
pub(super) async fn lock(tx: &mut Tx, orgs: BTreeSet<OrgId>) -> Result<Heads, PortError> {
    let mut genesis: Vec<(OrgId, Place)> = orgs.into_iter().map(|org| (org, GENESIS)).collect();
    let mut heads = BTreeMap::new();
    while let Some((step, pair)) = LOCK_HEADS.step(genesis.len()) {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> =
            on_engine!(tx.conn(), pair, |db, sql| bind_heads!(sqlx::query_as(sql), genesis.drain(..step))
                .fetch_all(db)
                .await)?;
        for (org, seq, hash) in rows {
            let place = (unsigned("audit_heads.seq", seq)?, chain_hash("audit_heads.hash", &hash)?);
            heads.insert(OrgId::from_uuid(from_id_bytes("audit_heads.org", &org)?), place);
        }
    }
    Ok(Heads(heads))
}

/// Appends entries to the chains whose heads these are, in their order.
pub(super) async fn append_behind(
    tx: &mut Tx,
    Heads(mut heads): Heads,
    entries: &[Appended<'_>],
) -> Result<(), PortError> {
    let mut chains: BTreeMap<OrgId, Vec<Appended<'_>>> = BTreeMap::new();
    entries.iter().for_each(|entry| chains.entry(entry.org()).or_default().push(*entry));
    heads.retain(|org, _| chains.contains_key(org));
    let mut runs: Vec<AuditRun> = Vec::with_capacity(chains.len());
    for (org, entries) in chains {
        let head = heads.entry(org).or_insert(GENESIS);
        for entries in entries.chunks(AuditRun::MOST) {
            let run = AuditRun::behind(*head, org, entries);
            *head = run.head();
            runs.push(run);
        }
    }
    while let Some((step, pair)) = ADD_RUNS.step(runs.len()) {
        add_runs(tx, pair, runs.drain(..step)).await?;
    }
    let mut heads: Vec<(OrgId, Place)> = heads.into_iter().collect();
    while let Some((step, pair)) = MOVE_HEADS.step(heads.len()) {
        on_engine!(tx.conn(), pair, |db, sql| bind_heads!(sqlx::query(sql), heads.drain(..step))
            .execute(db)
            .await
            .map(|_| ()))?;
    }
    Ok(())
}

/// The last entry's number and hash.
type Place = (u64, ChainHash);

const GENESIS: Place = (0, ChainHash::GENESIS);

async fn add_runs(tx: &mut Tx, pair: Pair, runs: impl Iterator<Item = AuditRun>) -> Result<(), PortError> {
    on_engine!(tx.conn(), pair, |db, sql| {
        let mut query = sqlx::query(sql);
        for run in runs {
            query = query
                .bind(id_bytes(run.org.uuid()))
                .bind(count(run.last_seq))
                .bind(run.bodies)
                .bind(run.prev.0.to_vec())
                .bind(run.hashes);
        }
        query.execute(db).await.map(|_| ())
    })
}

static ADD_RUNS: LazyLock<ManyRows> =
    LazyLock::new(|| ManyRows::insert("audit_runs (org, last_seq, bodies, prev, hashes)", 5, ""));

// Writes nothing new to a head that is there, but holds it until the commit.
static LOCK_HEADS: LazyLock<ManyRows> = LazyLock::new(|| {
    const REST: &str = "ON CONFLICT (org) DO UPDATE SET seq = audit_heads.seq RETURNING org, seq, hash";
    ManyRows::insert("audit_heads (org, seq, hash)", 3, REST)
});

static MOVE_HEADS: LazyLock<ManyRows> = LazyLock::new(|| {
    const REST: &str = "ON CONFLICT (org) DO UPDATE SET seq = excluded.seq, hash = excluded.hash";
    ManyRows::insert("audit_heads (org, seq, hash)", 3, REST)
});

#[cfg(test)]
pub(super) fn many_rows() -> [&'static LazyLock<ManyRows>; 3] {
    [&ADD_RUNS, &LOCK_HEADS, &MOVE_HEADS]
}
