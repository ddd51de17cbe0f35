//! Appending to the audit chains: whoever appends holds the row of the chain's head until the commit, so each
//! chain has one writer at a time on any number of nodes.

use super::columns::{chain_hash, count, json, parsed, unsigned};
use super::engine::{Pair, Tx, on_engine, statements};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use topdog_domain::OrgId;
use topdog_domain::audit::{AuditDraft, AuditEntry, ChainHash};
use topdog_domain::ports::PortError;

/// Appends the drafts to their chains, in their order; those whose id is there already are passed over.
pub(super) async fn append(tx: &mut Tx, drafts: &[&AuditDraft]) -> Result<(), PortError> {
    if drafts.is_empty() {
        return Ok(());
    }
    let mut heads = lock_heads(tx, drafts).await?;
    let mut known = known_ids(tx, drafts).await?;
    let mut entries = BTreeMap::new();
    for draft in drafts {
        if !known.insert(draft.id.to_string()) {
            continue;
        }
        let (seq, hash) = heads.entry(draft.org).or_insert((0, ChainHash::GENESIS));
        let entry = AuditEntry::append(*seq, *hash, draft);
        (*seq, *hash) = (entry.seq, entry.hash);
        entries.insert(entry.id.to_string(), EntryColumns::from(entry));
    }
    if entries.is_empty() {
        return Ok(());
    }
    let (entries, heads) = (json(&entries)?, json(&head_columns(&heads))?);
    on_engine!(tx.conn(), ADD_ENTRIES, |db, sql| sqlx::query(sql)
        .bind(entries)
        .execute(db)
        .await
        .map(|_| ()))?;
    on_engine!(tx.conn(), MOVE_HEADS, |db, sql| sqlx::query(sql).bind(heads).execute(db).await.map(|_| ()))
}

type Heads = BTreeMap<OrgId, (u64, ChainHash)>;

/// Locks the heads of the drafts' chains, making those that are missing. They are locked in the order of the
/// organisations, so that two who append to several chains don't wait for each other.
async fn lock_heads(tx: &mut Tx, drafts: &[&AuditDraft]) -> Result<Heads, PortError> {
    let genesis = drafts.iter().map(|d| (d.org, (0, ChainHash::GENESIS))).collect();
    let genesis = json(&head_columns(&genesis))?;
    let rows: Vec<(String, i64, Vec<u8>)> =
        on_engine!(tx.conn(), LOCK_HEADS, |db, sql| sqlx::query_as(sql).bind(genesis).fetch_all(db).await)?;
    let head = |(org, seq, hash): (String, i64, Vec<u8>)| {
        let place = (unsigned("audit_heads.seq", seq)?, chain_hash("audit_heads.hash", &hash)?);
        Ok((parsed("audit_heads.org", &org)?, place))
    };
    rows.into_iter().map(head).collect()
}

async fn known_ids(tx: &mut Tx, drafts: &[&AuditDraft]) -> Result<HashSet<String>, PortError> {
    if let [draft] = drafts {
        let id = draft.id.to_string();
        let known: Option<String> =
            on_engine!(tx.conn(), |db| sqlx::query_scalar(FIND_ID).bind(id).fetch_optional(db).await)?;
        return Ok(known.into_iter().collect());
    }
    let ids: BTreeMap<String, ()> = drafts.iter().map(|d| (d.id.to_string(), ())).collect();
    let ids = json(&ids)?;
    let known: Vec<String> =
        on_engine!(tx.conn(), FIND_IDS, |db, sql| sqlx::query_scalar(sql).bind(ids).fetch_all(db).await)?;
    Ok(known.into_iter().collect())
}

#[derive(Serialize)]
struct HeadColumns {
    seq: i64,
    hash: String,
}

fn head_columns(heads: &Heads) -> BTreeMap<String, HeadColumns> {
    let columns = |(org, (seq, hash)): (&OrgId, &(u64, ChainHash))| {
        let (seq, hash) = (count(*seq), hash.to_string());
        (org.to_string(), HeadColumns { seq, hash })
    };
    heads.iter().map(columns).collect()
}

#[derive(Serialize)]
struct EntryColumns {
    org: String,
    seq: i64,
    body: String,
    prev: String,
    hash: String,
}

impl From<AuditEntry> for EntryColumns {
    fn from(entry: AuditEntry) -> Self {
        Self {
            org: entry.org.to_string(),
            seq: count(entry.seq),
            body: entry.body,
            prev: entry.prev.to_string(),
            hash: entry.hash.to_string(),
        }
    }
}

statements! {
    FIND_ID = "SELECT id FROM audit_entries WHERE id = $1";
}

// Many rows go as one JSON object, row by key: one statement and one journey, however many they are.

const LOCK_HEADS: Pair = Pair {
    sqlite: "INSERT INTO audit_heads (org, seq, hash)
        SELECT key, CAST(value->>'seq' AS BIGINT), unhex(value->>'hash') FROM json_each($1) WHERE true ORDER BY key
        ON CONFLICT (org) DO UPDATE SET seq = audit_heads.seq
        RETURNING org, seq, hash",
    postgres: "INSERT INTO audit_heads (org, seq, hash)
        SELECT key, CAST(value->>'seq' AS BIGINT), decode(value->>'hash', 'hex')
            FROM json_each($1::json) ORDER BY key COLLATE \"C\"
        ON CONFLICT (org) DO UPDATE SET seq = audit_heads.seq
        RETURNING org, seq, hash",
};

const MOVE_HEADS: Pair = Pair {
    sqlite: "INSERT INTO audit_heads (org, seq, hash)
        SELECT key, CAST(value->>'seq' AS BIGINT), unhex(value->>'hash') FROM json_each($1) WHERE true
        ON CONFLICT (org) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    postgres: "INSERT INTO audit_heads (org, seq, hash)
        SELECT key, CAST(value->>'seq' AS BIGINT), decode(value->>'hash', 'hex') FROM json_each($1::json)
        ON CONFLICT (org) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
};

const FIND_IDS: Pair = Pair {
    sqlite: "SELECT id FROM audit_entries WHERE id IN (SELECT key FROM json_each($1))",
    postgres: "SELECT id FROM audit_entries WHERE id IN (SELECT key FROM json_each($1::json))",
};

const ADD_ENTRIES: Pair = Pair {
    sqlite: "INSERT INTO audit_entries (id, org, seq, body, prev, hash)
        SELECT key, value->>'org', CAST(value->>'seq' AS BIGINT), value->>'body',
            unhex(value->>'prev'), unhex(value->>'hash')
        FROM json_each($1)",
    postgres: "INSERT INTO audit_entries (id, org, seq, body, prev, hash)
        SELECT key, value->>'org', CAST(value->>'seq' AS BIGINT), value->>'body',
            decode(value->>'prev', 'hex'), decode(value->>'hash', 'hex')
        FROM json_each($1::json)",
};

#[cfg(test)]
pub(super) const PAIRS: &[Pair] = &[LOCK_HEADS, MOVE_HEADS, FIND_IDS, ADD_ENTRIES];
