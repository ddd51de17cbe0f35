use super::PortError;
use crate::OrgId;
use crate::audit::AuditDraft;
use crate::provider::ProviderName;
use crate::tenant::Endpoint;
use async_trait::async_trait;

/// Customers' own endpoints.
#[async_trait]
pub trait Endpoints: Send + Sync {
    /// Makes an endpoint. [`PortError::Conflict`] where one of that name is there, [`PortError::LimitReached`] where there
    /// are [`ENDPOINTS_AT_MOST`](crate::tenant::ENDPOINTS_AT_MOST), however many are made at once.
    async fn endpoint_create(&self, endpoint: &Endpoint, audit: &AuditDraft) -> Result<(), PortError>;

    /// Replaces the endpoint of that name. [`PortError::NotFound`] where there is none.
    async fn endpoint_replace(&self, endpoint: &Endpoint, audit: &AuditDraft) -> Result<(), PortError>;

    /// The organisation's endpoints, by name.
    async fn endpoint_list(&self, org: OrgId) -> Result<Vec<Endpoint>, PortError>;

    /// Deletes an endpoint. [`PortError::NotFound`] where there is none.
    async fn endpoint_delete(
        &self,
        org: OrgId,
        name: &ProviderName,
        audit: &AuditDraft,
    ) -> Result<(), PortError>;
}
