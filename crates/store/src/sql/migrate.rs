//! The schema, in numbered steps that both engines take under the same names.

use super::engine::{Engine, Tx, on_engine, statements};
use super::{Store, tiers};
use topdog_domain::ports::PortError;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer Top Dog was here.
    #[error(
        "the database is at step {found}, this version knows {known} steps: install the newer version again"
    )]
    TooNew {
        /// The step that the database is at.
        found: i64,
        /// The last step that this version knows.
        known: i64,
    },
    /// The step has another name in the database.
    #[error("the database took another step {number} than this version knows: it belongs to something else")]
    Foreign {
        /// Which step.
        number: i64,
    },
    /// The engine would not.
    #[error("the schema can't be brought up to date")]
    Engine(#[from] PortError),
}

impl Store {
    /// Brings the schema up to date and, where the tier catalogue is empty, fills it with the standard one.
    /// Many may call it at once.
    ///
    /// # Errors
    /// Where a step fails (none of it is then done), or the database is another version's.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let found = self.schema_newest().await?;
        if found > known {
            return Err(MigrateError::TooNew { found, known });
        }
        for (number, migration) in (1..).zip(MIGRATIONS) {
            self.take_step(number, migration).await?;
        }
        tiers::seed(self).await?;
        Ok(())
    }

    async fn schema_newest(&self) -> Result<i64, PortError> {
        let mut tx = self.begin_in_turn().await?;
        on_engine!(tx.conn(), |db| sqlx::raw_sql(SCHEMA).execute(db).await.map(|_| ()))?;
        let newest = on_engine!(tx.conn(), |db| sqlx::query_scalar(NEWEST).fetch_one(db).await)?;
        tx.commit().await?;
        Ok(newest)
    }

    async fn take_step(&self, number: i64, migration: &Migration) -> Result<(), MigrateError> {
        let mut tx = self.begin_in_turn().await?;
        let taken: Option<String> =
            on_engine!(tx.conn(), |db| sqlx::query_scalar(FIND).bind(number).fetch_optional(db).await)?;
        if let Some(name) = taken {
            let is_same = name == migration.name;
            return is_same.then_some(()).ok_or(MigrateError::Foreign { number });
        }
        match tx.conn() {
            Engine::Sqlite(db) => sqlx::raw_sql(migration.sqlite).execute(db).await.map(|_| ()),
            Engine::Postgres(db) => sqlx::raw_sql(migration.postgres).execute(db).await.map(|_| ()),
        }
        .map_err(super::error::from_engine)?;
        on_engine!(tx.conn(), |db| sqlx::query(ADD)
            .bind(number)
            .bind(migration.name)
            .execute(db)
            .await
            .map(|_| ()))?;
        tx.commit().await?;
        tracing::info!(step = migration.name, "schema step taken");
        Ok(())
    }

    /// Begins a transaction that no other migration runs beside.
    pub(super) async fn begin_in_turn(&self) -> Result<Tx, PortError> {
        let mut tx = self.pools().begin().await?;
        if let Engine::Postgres(db) = tx.conn() {
            let locked = sqlx::query(TURN_POSTGRES).execute(db).await;
            locked.map_err(super::error::from_engine)?;
        }
        Ok(tx)
    }
}

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL)";
/// The number is arbitrary, and Top Dog's own.
const TURN_POSTGRES: &str = "SELECT pg_advisory_xact_lock(7806171002459217)";

statements! {
    NEWEST = "SELECT COALESCE(MAX(version), 0) FROM schema_migrations";
    FIND = "SELECT name FROM schema_migrations WHERE version = $1";
    ADD = "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)";
}

pub(super) struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),+]
    };
}

pub(super) const MIGRATIONS: &[Migration] = migrations![
    "0001_tenants",
    "0002_vault",
    "0003_quota",
    "0004_request_runs",
    "0005_changes",
    "0006_minutes",
    "0007_policies",
    "0008_endpoint_manner",
    "0009_caps"
];
