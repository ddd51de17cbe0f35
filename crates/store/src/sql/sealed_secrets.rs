//! Provider keys, sealed: rows that say nothing to who lacks the organisation's key.

use super::Store;
use super::columns::{parsed, unsigned};
use super::engine::{Tx, on_engine, statements};
use super::tenant_rows::provider;
use async_trait::async_trait;
use topdog_domain::ports::{PortError, SealedSecret, SealedSecrets};
use topdog_domain::{OrgId, ProviderKeyId};

#[async_trait]
impl SealedSecrets for Store {
    async fn secret_find(&self, key: ProviderKeyId, version: u32) -> Result<Option<SealedSecret>, PortError> {
        let row: Option<SecretRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(FIND)
            .bind(key.to_string())
            .bind(i64::from(version))
            .fetch_optional(db)
            .await)?;
        row.map(SealedSecret::try_from).transpose()
    }

    async fn secret_list_stale(
        &self,
        org: OrgId,
        org_key_version: u32,
        limit: u32,
    ) -> Result<Vec<SealedSecret>, PortError> {
        let rows: Vec<SecretRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST_STALE)
            .bind(org.to_string())
            .bind(i64::from(org_key_version))
            .bind(i64::from(limit))
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(SealedSecret::try_from).collect()
    }

    async fn secret_rewrap(&self, old: &SealedSecret, new: &SealedSecret) -> Result<bool, PortError> {
        let rewrapped = on_engine!(self.pools().writer(), |db| sqlx::query(REWRAP)
            .bind(old.provider_key.to_string())
            .bind(i64::from(old.version))
            .bind(i64::from(old.org_key_version))
            .bind(&old.wrapped_data_key)
            .bind(i64::from(new.org_key_version))
            .bind(&new.alg)
            .bind(&new.wrapped_data_key)
            .bind(&new.ciphertext)
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rewrapped > 0)
    }
}

/// Keeps a version of a secret.
pub(super) async fn add(tx: &mut Tx, secret: &SealedSecret) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(ADD)
        .bind(secret.provider_key.to_string())
        .bind(i64::from(secret.version))
        .bind(secret.org.to_string())
        .bind(secret.provider.as_str())
        .bind(&secret.origin)
        .bind(i64::from(secret.org_key_version))
        .bind(&secret.alg)
        .bind(&secret.wrapped_data_key)
        .bind(&secret.ciphertext)
        .execute(db)
        .await
        .map(|_| ()))
}

/// Deletes a secret's versions below `version`.
pub(super) async fn delete_below(tx: &mut Tx, key: ProviderKeyId, version: i64) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(DELETE_BELOW)
        .bind(key.to_string())
        .bind(version)
        .execute(db)
        .await
        .map(|_| ()))
}

#[derive(sqlx::FromRow)]
struct SecretRow {
    provider_key: String,
    version: i64,
    org: String,
    provider: String,
    origin: String,
    org_key_version: i64,
    alg: String,
    wrapped_data_key: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl TryFrom<SecretRow> for SealedSecret {
    type Error = PortError;

    fn try_from(row: SecretRow) -> Result<Self, PortError> {
        Ok(Self {
            org: parsed("sealed_secrets.org", &row.org)?,
            provider_key: parsed("sealed_secrets.provider_key", &row.provider_key)?,
            version: unsigned("sealed_secrets.version", row.version)?,
            provider: provider("sealed_secrets.provider", &row.provider)?,
            origin: row.origin,
            org_key_version: unsigned("sealed_secrets.org_key_version", row.org_key_version)?,
            alg: row.alg,
            wrapped_data_key: row.wrapped_data_key,
            ciphertext: row.ciphertext,
        })
    }
}

statements! {
    FIND = "SELECT provider_key, version, org, provider, origin, org_key_version, alg, wrapped_data_key, ciphertext
        FROM sealed_secrets WHERE provider_key = $1 AND version = $2";
    LIST_STALE = "SELECT provider_key, version, org, provider, origin, org_key_version, alg, wrapped_data_key,
            ciphertext
        FROM sealed_secrets WHERE org = $1 AND org_key_version <> $2 ORDER BY provider_key, version LIMIT $3";
    ADD = "INSERT INTO sealed_secrets
            (provider_key, version, org, provider, origin, org_key_version, alg, wrapped_data_key, ciphertext)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    REWRAP = "UPDATE sealed_secrets SET org_key_version = $5, alg = $6, wrapped_data_key = $7, ciphertext = $8
        WHERE provider_key = $1 AND version = $2 AND org_key_version = $3 AND wrapped_data_key = $4";
    DELETE_BELOW = "DELETE FROM sealed_secrets WHERE provider_key = $1 AND version < $2";
}
