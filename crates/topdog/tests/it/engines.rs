//! The same promises on each database engine.

use crate::cable::Wire;
use crate::server::Setup;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::io::Write as _;

/// Declares a test for each engine.
macro_rules! on_both_engines {
    ($(async fn $name:ident($database:ident: &Database) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($database: &Database) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                test(&Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(database) = Database::postgres().await {
                    test(&database).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both_engines;

/// A fresh database; one of Postgres is dropped with it.
pub(crate) struct Database {
    postgres: Option<Postgres>,
}

struct Postgres {
    admin: String,
    name: String,
    /// Its server ends with the test.
    is_left: bool,
}

impl Database {
    /// The one in the server's own data folder.
    pub(crate) const fn sqlite() -> Self {
        Self { postgres: None }
    }

    /// None, and loudly, where the tests are not told of any Postgres.
    pub(crate) async fn postgres() -> Option<Self> {
        Some(Self::made(&postgres_url()?, false).await)
    }

    /// Of a server that ends with the test.
    pub(crate) async fn of(admin: &str) -> Self {
        Self::made(admin, true).await
    }

    async fn made(admin: &str, is_left: bool) -> Self {
        let name = format!("topdog_it_{}", crate::server::random());
        execute(admin, format!("CREATE DATABASE {name}")).await;
        Self { postgres: Some(Postgres { admin: admin.to_owned(), name, is_left }) }
    }

    /// Where it is, password included.
    pub(crate) fn url(&self) -> String {
        self.postgres.as_ref().unwrap().url()
    }

    /// A wire to the server that it is on.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::to(self.postgres.as_ref().unwrap().address().parse().unwrap()).await
    }

    /// The setup, with this as the store, at the other end of that wire.
    pub(crate) fn keep_behind(&self, wire: &Wire, setup: Setup) -> Setup {
        let postgres = self.postgres.as_ref().unwrap();
        let url = postgres.url().replacen(&postgres.address(), &wire.address.to_string(), 1);
        setup.config("[store]\nurl = 'env:STORE_URL'").variable("STORE_URL", &url)
    }

    /// A connection past the server, where this is one of Postgres.
    pub(crate) async fn postgres_connection(&self) -> Option<PgConnection> {
        let url = self.postgres.as_ref()?.url();
        Some(PgConnection::connect(&url).await.unwrap())
    }

    /// The setup, with this as the store.
    pub(crate) fn keep(&self, setup: Setup) -> Setup {
        match &self.postgres {
            None => setup,
            Some(postgres) => {
                setup.config("[store]\nurl = 'env:STORE_URL'").variable("STORE_URL", &postgres.url())
            }
        }
    }
}

impl Postgres {
    /// Host and port.
    fn address(&self) -> String {
        let place = self.admin.rsplit_once('@').unwrap().1;
        place.split('/').next().unwrap().to_owned()
    }

    fn url(&self) -> String {
        let (rest, query) = self.admin.split_once('?').map_or((&*self.admin, None), |(r, q)| (r, Some(q)));
        let (server, _) = rest.rsplit_once('/').unwrap();
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        format!("{server}/{}{query}", self.name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        let (admin, sql) = (self.admin.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        if wait_for(execute(&admin, sql)).is_err() {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}

/// Every row of every table, as text.
pub(crate) fn all_rows(url: &str) -> String {
    let read = async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
        let mut text = String::new();
        for table in tables {
            let rows = format!("SELECT t::text FROM {table} AS t");
            let rows = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut connection).await;
            text.extend(rows.unwrap().into_iter().map(|row: String| row + "\n"));
        }
        connection.close().await.unwrap();
        text
    };
    wait_for(read).expect("the database can be searched")
}

/// Waits on a thread of its own: a destructor can't wait on the runtime that it runs on.
fn wait_for<T: Send>(future: impl Future<Output = T> + Send) -> std::thread::Result<T> {
    std::thread::scope(|threads| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        threads.spawn(move || runtime.block_on(future)).join()
    })
}

async fn execute(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Shown even where it passes (.config/nextest.toml), so that a run without Postgres says so; in CI it fails then.
#[test]
fn postgres_is_tested_or_it_is_said() {
    postgres_url();
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its environment where its Postgres is")]
fn postgres_url() -> Option<String> {
    let url = std::env::var("TOPDOG_TEST_POSTGRES_URL").ok();
    if url.is_none() {
        // Not by a macro, whose words a test's success would swallow.
        let _ =
            writeln!(std::io::stderr(), "POSTGRES SKIPPED: set TOPDOG_TEST_POSTGRES_URL (scripts/test does)");
        assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped");
    }
    url
}
