//! Organisations' keys, wrapped by the root key.

use super::Store;
use super::columns::{parsed, unsigned};
use super::engine::{on_engine, statements};
use super::error::taken;
use super::{audit_chain, organisations, tenant_rows};
use async_trait::async_trait;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{
    DataKeyCount, OrgKeys, PortError, RewrapCount, WrappedKeyCount, WrappedKeyCounts, WrappedOrgKey,
};
use topdog_domain::{OrgId, Timestamp};

#[async_trait]
impl OrgKeys for Store {
    async fn org_key_add(&self, key: &WrappedOrgKey, audit: Option<&AuditDraft>) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        // A key must not come to an organisation behind its destruction.
        organisations::lock(&mut tx, key.org).await?;
        on_engine!(tx.conn(), |db| sqlx::query(ADD)
            .bind(key.org.to_string())
            .bind(i64::from(key.version))
            .bind(&key.root_id)
            .bind(i64::from(key.root_version))
            .bind(&key.alg)
            .bind(&key.wrapped)
            .bind(key.created_at.micros())
            .execute(db)
            .await
            .map(|_| ()))
        .map_err(taken("that version of the organisation's key is there already"))?;
        audit_chain::append(&mut tx, audit.as_slice()).await?;
        tx.commit().await
    }

    async fn org_key_list(&self, org: OrgId) -> Result<Vec<WrappedOrgKey>, PortError> {
        tenant_rows::list::<OrgKeyRow, _>(self, LIST, org).await
    }

    async fn org_key_list_stale(
        &self,
        root_id: &str,
        root_version: u32,
        limit: u32,
    ) -> Result<Vec<WrappedOrgKey>, PortError> {
        let rows: Vec<OrgKeyRow> = on_engine!(self.pools().readers(), |db| sqlx::query_as(LIST_STALE)
            .bind(root_id)
            .bind(i64::from(root_version))
            .bind(i64::from(limit))
            .fetch_all(db)
            .await)?;
        rows.into_iter().map(WrappedOrgKey::try_from).collect()
    }

    async fn org_key_rewrap(&self, old: &WrappedOrgKey, new: &WrappedOrgKey) -> Result<bool, PortError> {
        let rewrapped = on_engine!(self.pools().writer(), |db| sqlx::query(REWRAP)
            .bind(old.org.to_string())
            .bind(i64::from(old.version))
            .bind(&old.root_id)
            .bind(i64::from(old.root_version))
            .bind(&new.root_id)
            .bind(i64::from(new.root_version))
            .bind(&new.alg)
            .bind(&new.wrapped)
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rewrapped > 0)
    }

    async fn org_key_prune(&self, org: OrgId, version: u32) -> Result<u64, PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(PRUNE)
            .bind(org.to_string())
            .bind(i64::from(version))
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
    }

    async fn org_key_list_superseded(
        &self,
        after: Option<OrgId>,
        limit: u32,
    ) -> Result<Vec<OrgId>, PortError> {
        let after = after.map(|org| org.to_string()).unwrap_or_default();
        let orgs: Vec<String> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(LIST_SUPERSEDED)
            .bind(&after)
            .bind(i64::from(limit))
            .fetch_all(db)
            .await)?;
        orgs.iter().map(|org| parsed("org_keys.org", org)).collect()
    }

    async fn rewrap_pending(&self, root_id: &str, root_version: u32) -> Result<RewrapCount, PortError> {
        let (root, org): (i64, i64) = on_engine!(self.pools().readers(), |db| sqlx::query_as(PENDING)
            .bind(root_id)
            .bind(i64::from(root_version))
            .fetch_one(db)
            .await)?;
        Ok(RewrapCount {
            under_old_root: unsigned("COUNT(*)", root)?,
            under_old_org_key: unsigned("COUNT(*)", org)?,
        })
    }
}

#[async_trait]
impl WrappedKeyCounts for Store {
    async fn wrapped_key_count(&self) -> Result<WrappedKeyCount, PortError> {
        let (root, org): (i64, i64) =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(COUNT).fetch_one(db).await)?;
        Ok(WrappedKeyCount {
            under_root: unsigned("COUNT(*)", root)?,
            under_org_keys: unsigned("COUNT(*)", org)?,
        })
    }

    async fn data_key_count(&self, org: OrgId) -> Result<DataKeyCount, PortError> {
        let org = org.to_string();
        let (newest, older): (i64, i64) =
            on_engine!(self.pools().readers(), |db| sqlx::query_as(COUNT_OF_ORG)
                .bind(org)
                .fetch_one(db)
                .await)?;
        Ok(DataKeyCount {
            under_newest: unsigned("COUNT(*)", newest)?,
            under_older: unsigned("COUNT(*)", older)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct OrgKeyRow {
    org: String,
    version: i64,
    root_id: String,
    root_version: i64,
    alg: String,
    wrapped: Vec<u8>,
    created_at: i64,
}

impl TryFrom<OrgKeyRow> for WrappedOrgKey {
    type Error = PortError;

    fn try_from(row: OrgKeyRow) -> Result<Self, PortError> {
        Ok(Self {
            org: parsed("org_keys.org", &row.org)?,
            version: unsigned("org_keys.version", row.version)?,
            root_id: row.root_id,
            root_version: unsigned("org_keys.root_version", row.root_version)?,
            alg: row.alg,
            wrapped: row.wrapped,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

statements! {
    ADD = "INSERT INTO org_keys (org, version, root_id, root_version, alg, wrapped, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LIST = "SELECT org, version, root_id, root_version, alg, wrapped, created_at FROM org_keys
        WHERE org = $1 ORDER BY version DESC";
    LIST_STALE = "SELECT org, version, root_id, root_version, alg, wrapped, created_at FROM org_keys
        WHERE root_id <> $1 OR root_version <> $2 ORDER BY org, version LIMIT $3";
    REWRAP = "UPDATE org_keys SET root_id = $5, root_version = $6, alg = $7, wrapped = $8
        WHERE org = $1 AND version = $2 AND root_id = $3 AND root_version = $4";
    PRUNE = "DELETE FROM org_keys WHERE org = $1 AND version < $2
        AND NOT EXISTS (SELECT 1 FROM sealed_secrets s
            WHERE s.org = org_keys.org AND s.org_key_version = org_keys.version)";
    LIST_SUPERSEDED = "SELECT org FROM org_keys WHERE org > $1 GROUP BY org HAVING COUNT(*) > 1
        ORDER BY org LIMIT $2";
    PENDING = "SELECT
        (SELECT COUNT(*) FROM org_keys WHERE root_id <> $1 OR root_version <> $2)
            + (SELECT COUNT(*) FROM installation_secrets WHERE root_id <> $1 OR root_version <> $2),
        (SELECT COUNT(*) FROM sealed_secrets s
            WHERE s.org_key_version < (SELECT MAX(k.version) FROM org_keys k WHERE k.org = s.org))";
    COUNT = "SELECT (SELECT COUNT(*) FROM org_keys) + (SELECT COUNT(*) FROM installation_secrets),
        (SELECT COUNT(*) FROM sealed_secrets)";
    COUNT_OF_ORG = "SELECT COUNT(CASE WHEN s.org_key_version >= k.newest THEN 1 END),
            COUNT(CASE WHEN s.org_key_version < k.newest THEN 1 END)
        FROM sealed_secrets s, (SELECT MAX(version) AS newest FROM org_keys WHERE org = $1) k
        WHERE s.org = $1";
}
