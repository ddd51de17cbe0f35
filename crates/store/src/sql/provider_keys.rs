//! Provider keys (BYOK), kept together with their sealed form.

use super::Store;
use super::engine::{on_engine, statements};
use super::error::taken;
use super::tenant_rows::{self, ProviderKeyRow};
use super::{organisations, sealed_secrets};
use async_trait::async_trait;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{PortError, ProviderKeys, SealedSecret};
use topdog_domain::tenant::{KeySource, PROVIDER_KEYS_AT_MOST, ProviderKey};
use topdog_domain::{OrgId, ProviderKeyId};

#[async_trait]
impl ProviderKeys for Store {
    async fn provider_key_create(
        &self,
        key: &ProviderKey,
        sealed: &SealedSecret,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, key.org).await?;
        on_engine!(tx.conn(), |db| sqlx::query(ADD)
            .bind(key.id.to_string())
            .bind(key.org.to_string())
            .bind(key.provider.as_str())
            .bind(&key.name)
            .bind(&key.origin)
            .bind(reference(key))
            .bind(i64::from(key.version))
            .bind(key.created_at.micros())
            .bind(key.rotated_at.micros())
            .execute(db)
            .await
            .map(|_| ()))
        .map_err(taken("a key of that name is there already for the provider"))?;
        sealed_secrets::add(&mut tx, sealed).await?;
        tenant_rows::require_within(&mut tx, COUNT, key.org, PROVIDER_KEYS_AT_MOST).await?;
        self.commit_change(tx, key.org, audit).await
    }

    async fn provider_key_find(
        &self,
        org: OrgId,
        id: ProviderKeyId,
    ) -> Result<Option<ProviderKey>, PortError> {
        let row: Option<ProviderKeyRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(FIND)
            .bind(org.to_string())
            .bind(id.to_string())
            .fetch_optional(db)
            .await)?;
        row.map(ProviderKey::try_from).transpose()
    }

    async fn provider_key_list(&self, org: OrgId) -> Result<Vec<ProviderKey>, PortError> {
        tenant_rows::list::<ProviderKeyRow, _>(self, LIST, org).await
    }

    async fn provider_key_rotate(
        &self,
        key: &ProviderKey,
        sealed: &SealedSecret,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let version = i64::from(key.version);
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, key.org).await?;
        let stored: i64 = on_engine!(tx.conn(), |db| sqlx::query_scalar(FIND_VERSION)
            .bind(key.org.to_string())
            .bind(key.id.to_string())
            .fetch_one(db)
            .await)?;
        if stored.saturating_add(1) != version {
            return Err(PortError::Conflict("the key was rotated meanwhile"));
        }
        on_engine!(tx.conn(), |db| sqlx::query(ROTATE)
            .bind(key.id.to_string())
            .bind(&key.origin)
            .bind(reference(key))
            .bind(version)
            .bind(key.rotated_at.micros())
            .execute(db)
            .await
            .map(|_| ()))?;
        sealed_secrets::add(&mut tx, sealed).await?;
        sealed_secrets::delete_below(&mut tx, key.id, version.saturating_sub(1)).await?;
        self.commit_change(tx, key.org, audit).await
    }

    async fn provider_key_delete(
        &self,
        org: OrgId,
        id: ProviderKeyId,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        tenant_rows::delete(&mut tx, DELETE, org, &id.to_string()).await?;
        sealed_secrets::delete_below(&mut tx, id, i64::MAX).await?;
        self.commit_change(tx, org, audit).await
    }
}

fn reference(key: &ProviderKey) -> Option<&str> {
    match &key.source {
        KeySource::Sealed => None,
        KeySource::Reference(reference) => Some(reference),
    }
}

statements! {
    COUNT = "SELECT COUNT(*) FROM provider_keys WHERE org = $1";
    ADD = "INSERT INTO provider_keys
            (id, org, provider, name, origin, reference, version, created_at, rotated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    FIND = "SELECT id, org, provider, name, origin, reference, version, created_at, rotated_at
        FROM provider_keys WHERE org = $1 AND id = $2";
    LIST = "SELECT id, org, provider, name, origin, reference, version, created_at, rotated_at
        FROM provider_keys WHERE org = $1 ORDER BY id";
    FIND_VERSION = "SELECT version FROM provider_keys WHERE org = $1 AND id = $2";
    ROTATE = "UPDATE provider_keys SET origin = $2, reference = $3, version = $4, rotated_at = $5 WHERE id = $1";
    DELETE = "DELETE FROM provider_keys WHERE org = $1 AND id = $2";
}
