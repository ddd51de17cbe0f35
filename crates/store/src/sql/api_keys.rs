//! Top Dog API keys, with their secrets in a table of their own: during the grace of a rotation a key has two.

use super::Store;
use super::api_key_row::{ApiKeyRow, SecretRow, api_keys};
use super::columns::{json, micros, unsigned, word};
use super::engine::{Tx, on_engine, statements};
use super::error::taken;
use super::organisations;
use super::page::{after, page, rows_to_read};
use async_trait::async_trait;
use topdog_domain::api_key::{ApiKey, KeySecret};
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{ApiKeys, NewSecret, Page, PageWish, PortError};
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, OrgId};

#[async_trait]
impl ApiKeys for Store {
    async fn api_key_create(&self, key: &ApiKey, limit: Limit, audit: &AuditDraft) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, key.org).await?;
        add(&mut tx, key).await.map_err(taken("a live API key of that name is there already"))?;
        let used = count_live(&mut tx, key.org).await?.saturating_sub(1);
        if !limit.allows_one_more(used) {
            tx.roll_back().await?;
            return Err(PortError::LimitReached { used });
        }
        for (generation, secret) in (1..).zip(key.secrets.iter().rev()) {
            add_secret(&mut tx, key.org, key.id, generation, secret).await?;
        }
        self.commit_change(tx, key.org, audit).await
    }

    async fn api_key_find(&self, org: OrgId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError> {
        let mut tx = self.pools().begin_snapshot().await?;
        let key = find(&mut tx, org, id).await?;
        tx.commit().await?;
        Ok(key)
    }

    async fn api_key_list(&self, org: OrgId, wish: &PageWish) -> Result<Page<ApiKey>, PortError> {
        let after = after::<ApiKeyId>(wish)?.unwrap_or_default();
        let mut tx = self.pools().begin_snapshot().await?;
        let rows: Vec<ApiKeyRow> = on_engine!(tx.conn(), |db| sqlx::query_as(LIST)
            .bind(org.to_string())
            .bind(&after)
            .bind(rows_to_read(wish))
            .fetch_all(db)
            .await)?;
        let rows = page(wish, rows, |row| row.id.clone(), Ok)?;
        let last = rows.rows.last().map_or_else(String::new, |row| row.id.clone());
        let secrets: Vec<SecretRow> = on_engine!(tx.conn(), |db| sqlx::query_as(LIST_SECRETS)
            .bind(org.to_string())
            .bind(&after)
            .bind(last)
            .fetch_all(db)
            .await)?;
        tx.commit().await?;
        Ok(Page { rows: api_keys(rows.rows, secrets)?, next: rows.next })
    }

    async fn api_key_rotate(
        &self,
        org: OrgId,
        id: ApiKeyId,
        new: &NewSecret,
        audit: &AuditDraft,
    ) -> Result<ApiKey, PortError> {
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, org).await?;
        let newest = newest_generation(&mut tx, org, id).await?;
        on_engine!(tx.conn(), |db| sqlx::query(DROP_OLDER)
            .bind(id.to_string())
            .bind(newest)
            .execute(db)
            .await
            .map(|_| ()))?;
        on_engine!(tx.conn(), |db| sqlx::query(END_SECRETS)
            .bind(id.to_string())
            .bind(new.old_until.micros())
            .execute(db)
            .await
            .map(|_| ()))?;
        add_secret(&mut tx, org, id, newest.saturating_add(1), &new.secret).await?;
        let key = find(&mut tx, org, id).await?.ok_or(PortError::NotFound)?;
        self.commit_change(tx, org, audit).await?;
        Ok(key)
    }

    async fn api_key_revoke(&self, org: OrgId, id: ApiKeyId, audit: &AuditDraft) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, org).await?;
        let revoked = on_engine!(tx.conn(), |db| sqlx::query(REVOKE)
            .bind(org.to_string())
            .bind(id.to_string())
            .bind(audit.at.micros())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        if revoked == 0 {
            return Err(PortError::NotFound);
        }
        on_engine!(tx.conn(), |db| sqlx::query(DROP_SECRETS)
            .bind(id.to_string())
            .execute(db)
            .await
            .map(|_| ()))?;
        self.commit_change(tx, org, audit).await
    }
}

async fn count_live(tx: &mut Tx, org: OrgId) -> Result<u64, PortError> {
    let used: i64 =
        on_engine!(tx.conn(), |db| sqlx::query_scalar(COUNT_LIVE).bind(org.to_string()).fetch_one(db).await)?;
    unsigned("COUNT(*)", used)
}

async fn add(tx: &mut Tx, key: &ApiKey) -> Result<(), PortError> {
    let (mode, scopes) = (word(&key.mode)?, json(&key.scopes)?);
    let networks: Vec<String> = key.ip_allow.iter().map(ToString::to_string).collect();
    let (models, ip_allow) = (json(&key.models)?, json(&networks)?);
    on_engine!(tx.conn(), |db| sqlx::query(ADD)
        .bind(key.id.to_string())
        .bind(key.org.to_string())
        .bind(key.workspace.map(|w| w.to_string()))
        .bind(&key.name)
        .bind(&mode)
        .bind(&scopes)
        .bind(&models)
        .bind(&ip_allow)
        .bind(key.llm_requests_per_day.to_column())
        .bind(micros(key.expires_at))
        .bind(key.created_at.micros())
        .bind(micros(key.revoked_at))
        .execute(db)
        .await
        .map(|_| ()))
}

async fn add_secret(
    tx: &mut Tx,
    org: OrgId,
    key: ApiKeyId,
    generation: i64,
    secret: &KeySecret,
) -> Result<(), PortError> {
    on_engine!(tx.conn(), |db| sqlx::query(ADD_SECRET)
        .bind(secret.public_id.as_str())
        .bind(org.to_string())
        .bind(key.to_string())
        .bind(generation)
        .bind(secret.hash.as_slice())
        .bind(i64::from(secret.pepper_version))
        .bind(micros(secret.not_after))
        .execute(db)
        .await
        .map(|_| ()))
}

async fn find(tx: &mut Tx, org: OrgId, id: ApiKeyId) -> Result<Option<ApiKey>, PortError> {
    let row: Option<ApiKeyRow> = on_engine!(tx.conn(), |db| sqlx::query_as(FIND)
        .bind(org.to_string())
        .bind(id.to_string())
        .fetch_optional(db)
        .await)?;
    let Some(row) = row else { return Ok(None) };
    let secrets: Vec<SecretRow> =
        on_engine!(tx.conn(), |db| sqlx::query_as(SECRETS).bind(id.to_string()).fetch_all(db).await)?;
    Ok(api_keys(vec![row], secrets)?.pop())
}

/// The newest secret of a live key.
async fn newest_generation(tx: &mut Tx, org: OrgId, id: ApiKeyId) -> Result<i64, PortError> {
    on_engine!(tx.conn(), |db| sqlx::query_scalar(NEWEST_GENERATION)
        .bind(org.to_string())
        .bind(id.to_string())
        .fetch_one(db)
        .await)
}

statements! {
    COUNT_LIVE = "SELECT COUNT(*) FROM api_keys WHERE org = $1 AND revoked_at IS NULL";
    ADD = "INSERT INTO api_keys (id, org, workspace, name, mode, scopes, models, ip_allow,
            llm_requests_per_day, expires_at, created_at, revoked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    ADD_SECRET = "INSERT INTO api_key_secrets
            (public_id, org, api_key, generation, hash, pepper_version, not_after)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    FIND = "SELECT id, org, workspace, name, mode, scopes, models, ip_allow, llm_requests_per_day,
            expires_at, created_at, revoked_at
        FROM api_keys WHERE org = $1 AND id = $2";
    SECRETS = "SELECT api_key, public_id, hash, pepper_version, not_after FROM api_key_secrets
        WHERE api_key = $1 ORDER BY generation DESC";
    LIST = "SELECT id, org, workspace, name, mode, scopes, models, ip_allow, llm_requests_per_day,
            expires_at, created_at, revoked_at
        FROM api_keys WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3";
    LIST_SECRETS = "SELECT api_key, public_id, hash, pepper_version, not_after FROM api_key_secrets
        WHERE org = $1 AND api_key > $2 AND api_key <= $3 ORDER BY api_key, generation DESC";
    NEWEST_GENERATION = "SELECT COALESCE(MAX(s.generation), 0) FROM api_keys k
        LEFT JOIN api_key_secrets s ON s.api_key = k.id
        WHERE k.org = $1 AND k.id = $2 AND k.revoked_at IS NULL GROUP BY k.id";
    DROP_OLDER = "DELETE FROM api_key_secrets WHERE api_key = $1 AND generation < $2";
    END_SECRETS = "UPDATE api_key_secrets SET not_after = $2
        WHERE api_key = $1 AND (not_after IS NULL OR not_after > $2)";
    REVOKE = "UPDATE api_keys SET revoked_at = $3 WHERE org = $1 AND id = $2 AND revoked_at IS NULL";
    DROP_SECRETS = "DELETE FROM api_key_secrets WHERE api_key = $1";
}
