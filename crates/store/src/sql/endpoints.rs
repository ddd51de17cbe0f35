//! Customers' own endpoints.

use super::Store;
use super::columns::json;
use super::engine::{on_engine, statements};
use super::error::taken;
use super::organisations;
use super::tenant_rows::{self, EndpointRow};
use async_trait::async_trait;
use topdog_domain::OrgId;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::{Endpoints, PortError};
use topdog_domain::provider::ProviderName;
use topdog_domain::tenant::{ENDPOINTS_AT_MOST, Endpoint};

#[async_trait]
impl Endpoints for Store {
    async fn endpoint_create(&self, endpoint: &Endpoint, audit: &AuditDraft) -> Result<(), PortError> {
        self.endpoint_write(ADD, endpoint, Some(ENDPOINTS_AT_MOST), audit)
            .await
            .map_err(taken("an endpoint of that name is there already"))
    }

    async fn endpoint_replace(&self, endpoint: &Endpoint, audit: &AuditDraft) -> Result<(), PortError> {
        self.endpoint_write(REPLACE, endpoint, None, audit).await
    }

    async fn endpoint_list(&self, org: OrgId) -> Result<Vec<Endpoint>, PortError> {
        tenant_rows::list::<EndpointRow, _>(self, LIST, org).await
    }

    async fn endpoint_delete(
        &self,
        org: OrgId,
        name: &ProviderName,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let mut tx = self.pools().begin().await?;
        tenant_rows::delete(&mut tx, DELETE, org, name.as_str()).await?;
        self.commit_change(tx, org, audit).await
    }
}

impl Store {
    async fn endpoint_write(
        &self,
        statement: &'static str,
        endpoint: &Endpoint,
        most: Option<u64>,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        let models = json(&endpoint.models)?;
        let mut tx = self.pools().begin().await?;
        organisations::lock(&mut tx, endpoint.org).await?;
        let written = on_engine!(tx.conn(), |db| sqlx::query(statement)
            .bind(endpoint.org.to_string())
            .bind(endpoint.name.as_str())
            .bind(endpoint.id.to_string())
            .bind(&endpoint.base_url)
            .bind(endpoint.manner.api().name())
            .bind(endpoint.manner.api_version())
            .bind(endpoint.manner.region())
            .bind(&models)
            .bind(endpoint.is_keyless)
            .bind(endpoint.created_at.micros())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        if written == 0 {
            return Err(PortError::NotFound);
        }
        if let Some(most) = most {
            tenant_rows::require_within(&mut tx, COUNT, endpoint.org, most).await?;
        }
        self.commit_change(tx, endpoint.org, audit).await
    }
}

statements! {
    COUNT = "SELECT COUNT(*) FROM endpoints WHERE org = $1";
    ADD = "INSERT INTO endpoints
        (org, name, id, base_url, dialect, api_version, region, models, is_keyless, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    REPLACE = "UPDATE endpoints SET id = $3, base_url = $4, dialect = $5, api_version = $6, region = $7, models = $8,
        is_keyless = $9, created_at = $10
        WHERE org = $1 AND name = $2";
    LIST = "SELECT id, org, name, base_url, dialect, api_version, region, models, is_keyless, created_at FROM endpoints
        WHERE org = $1 ORDER BY name";
    DELETE = "DELETE FROM endpoints WHERE org = $1 AND name = $2";
}
