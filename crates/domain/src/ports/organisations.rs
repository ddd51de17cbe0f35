use super::{Page, PageWish, PortError};
use crate::OrgId;
use crate::audit::AuditDraft;
use crate::labels::DataSegment;
use crate::tenant::{Member, Organisation, Workspace};
use crate::tier::TierName;
use async_trait::async_trait;

/// A new organisation with what it has from the start.
#[derive(Debug, Clone)]
pub struct NewOrganisation {
    /// Itself.
    pub organisation: Organisation,
    /// Its owner.
    pub owner: Member,
    /// Its workspace `default`.
    pub workspace: Workspace,
}

/// What is to change of an organisation; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganisationChange {
    /// Another tier.
    pub tier: Option<TierName>,
    /// Another data segment; `Some(None)` takes it away.
    pub data_segment: Option<Option<DataSegment>>,
}

/// Organisations.
#[async_trait]
pub trait Organisations: Send + Sync {
    /// Makes an organisation. [`PortError::Conflict`] where the name is taken.
    async fn organisation_create(&self, new: &NewOrganisation, audit: &AuditDraft) -> Result<(), PortError>;

    /// The organisation of that id.
    async fn organisation_find(&self, id: OrgId) -> Result<Option<Organisation>, PortError>;

    /// The organisation of that name.
    async fn organisation_find_by_name(&self, name: &str) -> Result<Option<Organisation>, PortError>;

    /// All organisations, by id.
    async fn organisation_list(&self, page: &PageWish) -> Result<Page<Organisation>, PortError>;

    /// Changes an organisation and gives its new state. [`PortError::NotFound`] where it is gone.
    async fn organisation_change(
        &self,
        id: OrgId,
        change: &OrganisationChange,
        audit: &AuditDraft,
    ) -> Result<Organisation, PortError>;

    /// Destroys an organisation: its wrapped keys and sealed secrets are deleted (crypto-shredding), its API
    /// keys revoked, its name free. Usage and audit stay.
    async fn organisation_destroy(&self, id: OrgId, audit: &AuditDraft) -> Result<(), PortError>;

    /// Its workspaces.
    async fn workspace_list(&self, id: OrgId) -> Result<Vec<Workspace>, PortError>;
}
