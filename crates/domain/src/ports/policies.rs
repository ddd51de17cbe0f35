use super::{Page, PageWish, PortError};
use crate::audit::AuditDraft;
use crate::policy::PolicyScope;
use crate::{OrgId, Timestamp};
use async_trait::async_trait;

/// How many versions of a policy are kept; older ones are forgotten as new ones come.
pub const VERSIONS_KEPT: u32 = 100;

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Whose requests it is for.
    pub scope: PolicyScope,
    /// Counted from 1, on over deletions.
    pub version: u32,
    /// Its JSON; none: with this version the policy was deleted.
    pub document: Option<String>,
    /// Who made it: `operator` or a key's id.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
}

/// The next version of a policy.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// Whose policy.
    pub org: OrgId,
    /// For whose requests.
    pub scope: PolicyScope,
    /// Its JSON, checked; none deletes the policy.
    pub document: Option<String>,
    /// The version that must be in force for it; 0: none. Left out: any, where the policy is deleted.
    pub expected: Option<u32>,
    /// The most policies that an organisation may have in force.
    pub most: u32,
    /// Who makes it: `operator` or a key's id.
    pub author: String,
    /// When.
    pub at: Timestamp,
}

/// Policies and their versions.
#[async_trait]
pub trait Policies: Send + Sync {
    /// Puts the next version in force, or deletes the policy, and gives the version. The audit entry is told its number.
    /// [`PortError::Conflict`] where another version is in force than expected, [`PortError::LimitReached`] where it
    /// would be one policy too many, [`PortError::NotFound`] where there is none to delete, or no organisation.
    async fn policy_put(&self, new: &NewPolicy, audit: &AuditDraft) -> Result<PolicyVersion, PortError>;

    /// The organisation's policies in force, by scope.
    async fn policy_list(&self, org: OrgId) -> Result<Vec<PolicyVersion>, PortError>;

    /// The version in force.
    async fn policy_find(&self, org: OrgId, scope: PolicyScope) -> Result<Option<PolicyVersion>, PortError>;

    /// That version, also where it is in force no more.
    async fn policy_version(
        &self,
        org: OrgId,
        scope: PolicyScope,
        version: u32,
    ) -> Result<Option<PolicyVersion>, PortError>;

    /// Its versions, newest first, as many as are kept; pages go by the version's number.
    async fn policy_history(
        &self,
        org: OrgId,
        scope: PolicyScope,
        page: &PageWish,
    ) -> Result<Page<PolicyVersion>, PortError>;
}
