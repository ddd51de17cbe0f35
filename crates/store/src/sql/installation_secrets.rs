//! Secrets of the installation itself, wrapped by the root key.

use super::Store;
use super::columns::unsigned;
use super::engine::{on_engine, statements};
use super::error::taken;
use async_trait::async_trait;
use topdog_domain::ports::{InstallationSecrets, PortError, WrappedRoot};

#[async_trait]
impl InstallationSecrets for Store {
    async fn root_wrapped_list(&self, name: &str) -> Result<Vec<WrappedRoot>, PortError> {
        let rows: Vec<WrappedRow> =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST).bind(name).fetch_all(db).await)?;
        rows.into_iter().map(WrappedRoot::try_from).collect()
    }

    async fn root_wrapped_add(&self, wrapped: &WrappedRoot) -> Result<(), PortError> {
        self.root_wrapped_write(ADD, wrapped)
            .await
            .map_err(taken("that version of the installation secret is there already"))
    }

    async fn root_wrapped_put(&self, wrapped: &WrappedRoot) -> Result<(), PortError> {
        self.root_wrapped_write(PUT, wrapped).await
    }
}

impl Store {
    async fn root_wrapped_write(
        &self,
        statement: &'static str,
        wrapped: &WrappedRoot,
    ) -> Result<(), PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(statement)
            .bind(&wrapped.name)
            .bind(i64::from(wrapped.version))
            .bind(&wrapped.root_id)
            .bind(i64::from(wrapped.root_version))
            .bind(&wrapped.alg)
            .bind(&wrapped.wrapped)
            .execute(db)
            .await
            .map(|_| ()))
    }
}

#[derive(sqlx::FromRow)]
struct WrappedRow {
    name: String,
    version: i64,
    root_id: String,
    root_version: i64,
    alg: String,
    wrapped: Vec<u8>,
}

impl TryFrom<WrappedRow> for WrappedRoot {
    type Error = PortError;

    fn try_from(row: WrappedRow) -> Result<Self, PortError> {
        Ok(Self {
            name: row.name,
            version: unsigned("installation_secrets.version", row.version)?,
            root_id: row.root_id,
            root_version: unsigned("installation_secrets.root_version", row.root_version)?,
            alg: row.alg,
            wrapped: row.wrapped,
        })
    }
}

statements! {
    LIST = "SELECT name, version, root_id, root_version, alg, wrapped FROM installation_secrets
        WHERE name = $1 ORDER BY version DESC";
    ADD = "INSERT INTO installation_secrets (name, version, root_id, root_version, alg, wrapped)
        VALUES ($1, $2, $3, $4, $5, $6)";
    PUT = "INSERT INTO installation_secrets (name, version, root_id, root_version, alg, wrapped)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (name, version) DO UPDATE SET root_id = excluded.root_id,
            root_version = excluded.root_version, alg = excluded.alg, wrapped = excluded.wrapped";
}
