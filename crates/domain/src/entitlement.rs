//! What a tier allows: one rule for every row of the matrix (BRIEF part 2).

use crate::provider::{Operation, ProviderName};
use crate::refusal::{Refusal, TierRefusal};
use crate::tier::{Limit, Tier, TierCatalogue};
use serde::{Deserialize, Serialize};

/// The rows that are a plain yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Running code in the sandbox.
    CodeExecution,
    /// Webhooks.
    Webhooks,
    /// Workspaces as git repositories.
    VersionControl,
    /// Platform-managed provider keys.
    PlatformManagedKeys,
    /// The customer's own provider keys.
    Byok,
    /// Routing policies.
    ByokPolicies,
    /// Team-wide provider keys.
    ByokTeamKeys,
    /// Role-based access.
    RoleBasedAccess,
    /// Shared workspaces.
    SharedWorkspaces,
    /// Audit logs visible to the customer.
    AuditLogs,
    /// Quotas per member, key and workspace.
    ResourceQuotas,
    /// HIPAA-ready mode.
    HipaaMode,
    /// SOC 2 control evidence.
    Soc2Evidence,
    /// SSO and SCIM.
    SingleSignOn,
    /// Data residency.
    DataResidency,
    /// On-premise deployment.
    OnPremise,
    /// An account manager.
    AccountManager,
}

/// The rows that are a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Authenticated requests a UTC day.
    ApiCallsPerDay,
    /// Requests a UTC day that may reach a provider.
    LlmRequestsPerDay,
    /// Bytes stored.
    StorageBytes,
    /// Jobs at the same time.
    ConcurrentJobs,
    /// Live Top Dog API keys.
    ApiKeys,
    /// Days that debug logs are kept.
    DebugLogRetentionDays,
    /// Customer-defined integrations.
    CustomIntegrations,
    /// Members.
    TeamMembers,
    /// Key-management calls a minute.
    KeyManagementCallsPerMinute,
}

impl Feature {
    /// The stable name in refusals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeExecution => "code_execution",
            Self::Webhooks => "webhooks",
            Self::VersionControl => "version_control",
            Self::PlatformManagedKeys => "platform_managed_keys",
            Self::Byok => "byok",
            Self::ByokPolicies => "byok_policies",
            Self::ByokTeamKeys => "byok_team_keys",
            Self::RoleBasedAccess => "role_based_access",
            Self::SharedWorkspaces => "shared_workspaces",
            Self::AuditLogs => "audit_logs",
            Self::ResourceQuotas => "resource_quotas",
            Self::HipaaMode => "hipaa_mode",
            Self::Soc2Evidence => "soc2_evidence",
            Self::SingleSignOn => "single_sign_on",
            Self::DataResidency => "data_residency",
            Self::OnPremise => "on_premise",
            Self::AccountManager => "account_manager",
        }
    }
}

impl Resource {
    /// The stable name in refusals and in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiCallsPerDay => "api_calls_per_day",
            Self::LlmRequestsPerDay => "llm_requests_per_day",
            Self::StorageBytes => "storage_bytes",
            Self::ConcurrentJobs => "concurrent_jobs",
            Self::ApiKeys => "api_keys",
            Self::DebugLogRetentionDays => "debug_log_retention_days",
            Self::CustomIntegrations => "custom_integrations",
            Self::TeamMembers => "team_members",
            Self::KeyManagementCallsPerMinute => "key_management_calls_per_minute",
        }
    }
}

impl Tier {
    /// Does the tier have the feature?
    #[must_use]
    pub const fn has(&self, feature: Feature) -> bool {
        match feature {
            Feature::CodeExecution => self.code_execution_enabled,
            Feature::Webhooks => self.webhooks_enabled,
            Feature::VersionControl => self.version_control_enabled,
            Feature::PlatformManagedKeys => self.platform_managed_llm_enabled,
            Feature::Byok => self.byok_llm_enabled,
            Feature::ByokPolicies => self.byok_policies_enabled,
            Feature::ByokTeamKeys => self.byok_team_keys_enabled,
            Feature::RoleBasedAccess => self.rbac_enabled,
            Feature::SharedWorkspaces => self.shared_workspaces_enabled,
            Feature::AuditLogs => self.audit_logs_enabled,
            Feature::ResourceQuotas => self.resource_quotas_enabled,
            Feature::HipaaMode => self.hipaa_mode_enabled,
            Feature::Soc2Evidence => self.soc2_evidence_enabled,
            Feature::SingleSignOn => self.sso_enabled,
            Feature::DataResidency => self.data_residency_enabled,
            Feature::OnPremise => self.on_premise_enabled,
            Feature::AccountManager => self.account_manager_enabled,
        }
    }

    /// How much of the resource the tier allows.
    #[must_use]
    pub const fn limit(&self, resource: Resource) -> Limit {
        match resource {
            Resource::ApiCallsPerDay => self.api_calls_per_day,
            Resource::LlmRequestsPerDay => self.llm_requests_per_day,
            Resource::StorageBytes => self.storage_bytes,
            Resource::ConcurrentJobs => self.concurrent_jobs,
            Resource::ApiKeys => self.api_keys_limit,
            Resource::DebugLogRetentionDays => self.debug_log_retention_days,
            Resource::CustomIntegrations => self.custom_integrations_limit,
            Resource::TeamMembers => self.team_members_limit,
            Resource::KeyManagementCallsPerMinute => self.key_management_calls_per_minute,
        }
    }

    /// May the tier use that provider?
    #[must_use]
    pub fn may_use_provider(&self, provider: &str, is_custom: bool) -> bool {
        self.byok_llm_enabled && self.byok_supported_providers.contains(provider, is_custom)
    }

    /// May the tier make that kind of request?
    #[must_use]
    pub const fn may_perform(&self, operation: Operation) -> bool {
        !self.byok_basic_only || operation.is_basic()
    }
}

impl TierCatalogue {
    /// The feature, or the refusal that says which tier has it.
    ///
    /// # Errors
    /// [`Refusal::Tier`] where the tier lacks it.
    pub fn require(&self, tier: &Tier, feature: Feature) -> Result<(), Refusal> {
        if tier.has(feature) {
            return Ok(());
        }
        Err(Refusal::tier(TierRefusal::lacks(tier, feature.name(), self.lifting(tier, |t| t.has(feature)))))
    }

    /// The provider, or the refusal that says which tier may use it.
    ///
    /// # Errors
    /// [`Refusal::Tier`] where the tier may not.
    pub fn require_provider(
        &self,
        tier: &Tier,
        provider: &ProviderName,
        is_custom: bool,
    ) -> Result<(), Refusal> {
        let name = provider.as_str();
        if tier.may_use_provider(name, is_custom) {
            return Ok(());
        }
        let lifted_by = self.lifting(tier, |t| t.may_use_provider(name, is_custom));
        Err(Refusal::tier(TierRefusal::lacks(tier, format!("provider:{name}"), lifted_by)))
    }

    /// The operation, or the refusal that says which tier has it.
    ///
    /// # Errors
    /// [`Refusal::Tier`] where the tier may not make it.
    pub fn require_operation(&self, tier: &Tier, operation: Operation) -> Result<(), Refusal> {
        if tier.may_perform(operation) {
            return Ok(());
        }
        let lifted_by = self.lifting(tier, |t| t.may_perform(operation));
        Err(Refusal::tier(TierRefusal::lacks(tier, format!("operation:{}", operation.name()), lifted_by)))
    }

    /// Room for one more of a standing resource, or the refusal that says which tier gives it.
    ///
    /// # Errors
    /// [`Refusal::Tier`] where `used` has reached the limit.
    pub fn require_room(&self, tier: &Tier, resource: Resource, used: u64) -> Result<(), Refusal> {
        let limit = tier.limit(resource);
        if limit.allows_one_more(used) {
            return Ok(());
        }
        let lifted_by = self.lifting(tier, |t| t.limit(resource).allows_one_more(used));
        Err(Refusal::tier(TierRefusal {
            limit: resource.name().into(),
            tier: tier.name.clone(),
            allowed: limit,
            used: Some(used),
            resets_at: None,
            lifted_by,
        }))
    }

    /// The refusal of a key beyond the number that the tier allows, where the organisation has `live` of them.
    #[must_use]
    pub fn key_over_limit(&self, tier: &Tier, live: u64) -> Refusal {
        let others = live.saturating_sub(1);
        Refusal::KeyOverLimit(Box::new(TierRefusal {
            limit: Resource::ApiKeys.name().into(),
            tier: tier.name.clone(),
            allowed: tier.api_keys_limit,
            used: Some(live),
            resets_at: None,
            lifted_by: self.lifting(tier, |t| t.api_keys_limit.allows_one_more(others)),
        }))
    }
}
