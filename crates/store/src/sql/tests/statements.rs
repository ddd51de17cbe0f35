use super::super::engine::{Engine, Pair, on_engine};
use super::super::*;
use super::bed::{Bed, on_both};
use sqlx::{Executor as _, SqlSafeStr as _};

/// Each module's statements.
const ALL: &[&[&str]] = &[
    api_keys::STATEMENTS,
    cap_ledger::STATEMENTS,
    change::STATEMENTS,
    change_feed::STATEMENTS,
    debug_logs::STATEMENTS,
    doorbell::STATEMENTS,
    endpoints::STATEMENTS,
    idempotency::STATEMENTS,
    installation_secrets::STATEMENTS,
    migrate::STATEMENTS,
    minute_ledger::STATEMENTS,
    open::STATEMENTS,
    org_keys::STATEMENTS,
    organisations::STATEMENTS,
    policies::STATEMENTS,
    provider_keys::STATEMENTS,
    quota_ledger::STATEMENTS,
    record_reader::STATEMENTS,
    request_lists::STATEMENTS,
    request_runs::STATEMENTS,
    sealed_secrets::STATEMENTS,
    tiers::STATEMENTS,
    usage_sums::STATEMENTS,
];

const ALL_PAIRS: &[&[Pair]] = &[records::PAIRS];

on_both! {
    async fn every_statement_is_understood(bed: &Bed) {
        let mut tx = bed.store.pools().begin().await.unwrap();
        for statement in ALL.concat() {
            let prepared =
                on_engine!(tx.conn(), |db| db.prepare(statement.into_sql_str()).await.map(|_| ()));
            prepared.unwrap_or_else(|error| panic!("{error:?}: {statement}"));
        }
        let many_rows = audit_chain::many_rows().into_iter().chain(records::many_rows()).chain(request_runs::many_rows());
        for pair in ALL_PAIRS.concat().into_iter().chain(many_rows.flat_map(|rows| rows.pairs())) {
            let prepared =
                on_engine!(tx.conn(), pair, |db, sql| db.prepare(sql.into_sql_str()).await.map(|_| ()));
            prepared.unwrap_or_else(|error| panic!("{error:?}: {}", pair.postgres));
        }
        assert!(matches!(tx.conn(), Engine::Sqlite(_) | Engine::Postgres(_)));
        tx.roll_back().await.unwrap();
    }
}

#[test]
fn no_module_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    let texts = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        path.is_file().then(|| std::fs::read_to_string(path).unwrap())
    });
    let (mut modules, mut pairs) = (0, 0);
    for text in texts {
        modules += text.matches("\nstatements! {").count();
        pairs += text.matches("const PAIRS: ").count();
        assert!(!text.contains("query(\"") && !text.contains("query_as(\""), "a statement without a name");
    }
    assert_eq!((modules, pairs), (ALL.len(), ALL_PAIRS.len()));
}
