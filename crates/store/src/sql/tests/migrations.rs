use super::super::MigrateError;
use super::super::engine::on_engine;
use super::super::migrate::MIGRATIONS;
use super::bed::{Bed, on_both, with_postgres_empty};
use futures_util::future::join_all;
use topdog_domain::ports::{ChangeFeed as _, Tiers as _};
use topdog_domain::tier::Tier;

/// How many steps this version knows.
fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap()
}

async fn many_migrate_an_empty_database_at_once(bed: &Bed) {
    let others = join_all((0..4).map(|_| bed.another())).await;
    let all = join_all(others.iter().chain([&bed.store]).map(|store| store.migrate())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(bed.store.tier_list().await.unwrap(), Tier::standard_catalogue());
    assert_eq!(bed.store.newest_change().await.unwrap(), 0);
    let steps: i64 = on_engine!(bed.store.pools().readers(), |db| {
        sqlx::query_scalar("SELECT COUNT(*) FROM schema_migrations").fetch_one(db).await
    })
    .unwrap();
    assert_eq!(steps, known());
    join_all(others.iter().map(|store| store.close())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_migrate_an_empty_sqlite_at_once() {
    many_migrate_an_empty_database_at_once(&Bed::sqlite_empty().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_migrate_an_empty_postgres_at_once() {
    with_postgres_empty(async |bed| many_migrate_an_empty_database_at_once(&bed).await).await;
}

on_both! {
    async fn migrating_again_changes_nothing(bed: &Bed) {
        let org = bed.organisation("acme").await;
        bed.store.migrate().await.unwrap();
        assert_eq!(bed.store.load_all().await.unwrap().len(), 1);
        assert_eq!(bed.store.load_org(org.id).await.unwrap().unwrap().organisation, org);
    }

    async fn a_newer_version_s_database_is_refused(bed: &Bed) {
        on_engine!(bed.store.pools().writer(), |db| {
            sqlx::query("INSERT INTO schema_migrations (version, name) VALUES ($1, 'future')")
                .bind(known() + 1)
                .execute(db)
                .await
                .map(|_| ())
        })
        .unwrap();
        let refused = bed.store.migrate().await;
        let Err(MigrateError::TooNew { found, known: last }) = refused else { panic!("{refused:?}") };
        assert_eq!((found, last), (known() + 1, known()));
    }

    async fn a_database_of_something_else_is_refused(bed: &Bed) {
        on_engine!(bed.store.pools().writer(), |db| {
            sqlx::query("UPDATE schema_migrations SET name = '0002_else' WHERE version = 2")
                .execute(db)
                .await
                .map(|_| ())
        })
        .unwrap();
        let refused = bed.store.migrate().await;
        assert!(matches!(refused, Err(MigrateError::Foreign { number: 2 })), "{refused:?}");
    }
}
