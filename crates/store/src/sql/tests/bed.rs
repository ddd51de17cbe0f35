//! Fresh databases of both engines.

use super::super::{Store, StoreOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::future::Future;
use std::path::PathBuf;
use tempfile::TempDir;
use topdog_domain::RecordId;
use topdog_domain::fakes::samples;
use topdog_domain::ports::Organisations as _;
use topdog_domain::tenant::Organisation;

/// Declares a test that runs on a fresh, migrated database of each engine.
macro_rules! on_both {
    ($(async fn $name:ident($bed:ident: &Bed) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($bed: &Bed) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let bed = Bed::sqlite().await;
                test(&bed).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::sql::tests::bed::with_postgres(async |bed| test(&bed).await).await;
            }
        }
    )+};
}
pub(super) use on_both;

/// A fresh database.
#[derive(Clone)]
pub(super) struct Bed {
    pub(super) store: Store,
    pub(super) url: String,
    folder: Option<std::sync::Arc<TempDir>>,
}

impl Bed {
    /// A migrated SQLite database.
    pub(super) async fn sqlite() -> Self {
        let bed = Self::sqlite_empty().await;
        bed.store.migrate().await.unwrap();
        bed
    }

    /// A SQLite database without any table.
    pub(super) async fn sqlite_empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("topdog.db").display());
        Self { store: open(&url).await, url, folder: Some(std::sync::Arc::new(folder)) }
    }

    /// The database's file and those beside it.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let folder = self.folder.as_ref().expect("only SQLite has files");
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Another process's view of the same database.
    pub(super) async fn another(&self) -> Store {
        open(&self.url).await
    }

    /// An organisation in it.
    pub(super) async fn organisation(&self, name: &str) -> Organisation {
        let new = samples::organisation(name, "TEAMS-LARGE");
        let org = new.organisation.id;
        self.store.organisation_create(&new, &samples::audit(org, "organisation.create")).await.unwrap();
        new.organisation
    }
}

async fn open(url: &str) -> Store {
    Store::open(url, &StoreOptions::default()).await.unwrap()
}

/// Runs the test on a fresh Postgres database, migrated, which is dropped behind it, whether it passes or not.
pub(super) async fn with_postgres<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Bed) -> F + Send + 'static,
) {
    with_postgres_empty(|bed| async move {
        bed.store.migrate().await.unwrap();
        test(bed).await;
    })
    .await;
}

/// The same, without any table.
pub(super) async fn with_postgres_empty<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Bed) -> F + Send + 'static,
) {
    let Some(admin) = postgres_url() else { return };
    let name = format!("topdog_{}", RecordId::new());
    run(&admin, format!("CREATE DATABASE {name}")).await;
    let url = database_url(&admin, &name);
    let result = tokio::spawn(async move {
        let bed = Bed { store: open(&url).await, url, folder: None };
        test(bed).await;
    })
    .await;
    run(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    if let Err(failure) = result {
        std::panic::resume_unwind(failure.into_panic());
    }
}

async fn run(url: &str, sql: String) {
    let mut admin = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    admin.close().await.unwrap();
}

fn database_url(admin: &str, name: &str) -> String {
    let (rest, query) = admin.split_once('?').map_or((admin, String::new()), |(r, q)| (r, format!("?{q}")));
    let (server, _) = rest.rsplit_once('/').unwrap();
    format!("{server}/{name}{query}")
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment where its Postgres is")]
fn postgres_url() -> Option<String> {
    let url = std::env::var("TOPDOG_TEST_POSTGRES_URL").ok();
    if url.is_none() {
        eprintln!("POSTGRES SKIPPED: set TOPDOG_TEST_POSTGRES_URL (scripts/test does)");
        assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped");
    }
    url
}
