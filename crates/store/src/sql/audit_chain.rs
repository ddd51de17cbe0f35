//! Appending to the audit chains: whoever appends holds the row of the chain's head until the commit, so each
//! chain has one writer at a time on any number of nodes.

use super::columns::{chain_hash, count, from_id_bytes, id_bytes, unsigned};
use super::engine::{Pair, Tx, on_engine};
use super::many_rows::ManyRows;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use topdog_domain::OrgId;
use topdog_domain::audit::{AuditDraft, AuditEntry, ChainHash};
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
/// Appends the drafts to their chains, in their order; [`PortError::Conflict`] where one is there already.
pub(super) async fn append(tx: &mut Tx, drafts: &[&AuditDraft]) -> Result<(), PortError> {
    if drafts.is_empty() {
        return Ok(());
    }
    let mut heads = lock_heads(tx, drafts).await?;
    let mut entries: Vec<AuditEntry> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (seq, hash) = heads.entry(draft.org).or_insert((0, ChainHash::GENESIS));
        let entry = AuditEntry::append(*seq, *hash, draft);
        (*seq, *hash) = (entry.seq, entry.hash);
        entries.push(entry);
    }
    while let Some((step, pair)) = ADD_ENTRIES.step(entries.len()) {
        add_entries(tx, pair, entries.drain(..step)).await?;
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

/// Locks the heads of the drafts' chains, making those that are missing. They are locked in the order of the
/// organisations, so that two who append to several chains don't wait for each other.
async fn lock_heads(tx: &mut Tx, drafts: &[&AuditDraft]) -> Result<BTreeMap<OrgId, Place>, PortError> {
    let orgs: BTreeSet<OrgId> = drafts.iter().map(|draft| draft.org).collect();
    let mut genesis: Vec<(OrgId, Place)> =
        orgs.into_iter().map(|org| (org, (0, ChainHash::GENESIS))).collect();
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
    Ok(heads)
}

async fn add_entries(
    tx: &mut Tx,
    pair: Pair,
    entries: impl Iterator<Item = AuditEntry>,
) -> Result<(), PortError> {
    on_engine!(tx.conn(), pair, |db, sql| {
        let mut query = sqlx::query(sql);
        for entry in entries {
            query = query
                .bind(id_bytes(entry.org.uuid()))
                .bind(count(entry.seq))
                .bind(id_bytes(entry.id.uuid()))
                .bind(entry.body)
                .bind(entry.prev.0.to_vec())
                .bind(entry.hash.0.to_vec());
        }
        query.execute(db).await.map(|_| ())
    })
}

static ADD_ENTRIES: LazyLock<ManyRows> =
    LazyLock::new(|| ManyRows::insert("audit_entries (org, seq, id, body, prev, hash)", 6, ""));

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
    [&ADD_ENTRIES, &LOCK_HEADS, &MOVE_HEADS]
}
