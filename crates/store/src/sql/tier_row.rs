//! A row of `membership_tiers`: its columns are the fields of a tier, by the same names.

use super::error::corrupt;
use topdog_domain::ports::PortError;
use topdog_domain::tier::{Family, Limit, ProviderSet, Tier, TierName};

#[derive(sqlx::FromRow)]
pub(super) struct TierRow {
    pub(super) name: String,
    pub(super) family: String,
    pub(super) rank: i64,
    pub(super) api_calls_per_day: i64,
    pub(super) llm_requests_per_day: i64,
    pub(super) code_execution_enabled: bool,
    pub(super) storage_bytes: i64,
    pub(super) concurrent_jobs: i64,
    pub(super) api_keys_limit: i64,
    pub(super) webhooks_enabled: bool,
    pub(super) debug_log_retention_days: i64,
    pub(super) version_control_enabled: bool,
    pub(super) platform_managed_llm_enabled: bool,
    pub(super) byok_llm_enabled: bool,
    pub(super) byok_supported_providers: String,
    pub(super) byok_basic_only: bool,
    pub(super) byok_policies_enabled: bool,
    pub(super) byok_team_keys_enabled: bool,
    pub(super) custom_integrations_limit: i64,
    pub(super) team_members_limit: i64,
    pub(super) rbac_enabled: bool,
    pub(super) shared_workspaces_enabled: bool,
    pub(super) audit_logs_enabled: bool,
    pub(super) resource_quotas_enabled: bool,
    pub(super) hipaa_mode_enabled: bool,
    pub(super) soc2_evidence_enabled: bool,
    pub(super) sso_enabled: bool,
    pub(super) data_residency_enabled: bool,
    pub(super) on_premise_enabled: bool,
    pub(super) support_channel: String,
    pub(super) first_response_hours: i64,
    pub(super) account_manager_enabled: bool,
    pub(super) key_management_calls_per_minute: i64,
}

impl From<&Tier> for TierRow {
    fn from(tier: &Tier) -> Self {
        Self {
            name: tier.name.to_string(),
            family: tier.family.name().to_owned(),
            rank: tier.rank,
            api_calls_per_day: tier.api_calls_per_day.to_column(),
            llm_requests_per_day: tier.llm_requests_per_day.to_column(),
            code_execution_enabled: tier.code_execution_enabled,
            storage_bytes: tier.storage_bytes.to_column(),
            concurrent_jobs: tier.concurrent_jobs.to_column(),
            api_keys_limit: tier.api_keys_limit.to_column(),
            webhooks_enabled: tier.webhooks_enabled,
            debug_log_retention_days: tier.debug_log_retention_days.to_column(),
            version_control_enabled: tier.version_control_enabled,
            platform_managed_llm_enabled: tier.platform_managed_llm_enabled,
            byok_llm_enabled: tier.byok_llm_enabled,
            byok_supported_providers: tier.byok_supported_providers.to_string(),
            byok_basic_only: tier.byok_basic_only,
            byok_policies_enabled: tier.byok_policies_enabled,
            byok_team_keys_enabled: tier.byok_team_keys_enabled,
            custom_integrations_limit: tier.custom_integrations_limit.to_column(),
            team_members_limit: tier.team_members_limit.to_column(),
            rbac_enabled: tier.rbac_enabled,
            shared_workspaces_enabled: tier.shared_workspaces_enabled,
            audit_logs_enabled: tier.audit_logs_enabled,
            resource_quotas_enabled: tier.resource_quotas_enabled,
            hipaa_mode_enabled: tier.hipaa_mode_enabled,
            soc2_evidence_enabled: tier.soc2_evidence_enabled,
            sso_enabled: tier.sso_enabled,
            data_residency_enabled: tier.data_residency_enabled,
            on_premise_enabled: tier.on_premise_enabled,
            support_channel: tier.support_channel.clone(),
            first_response_hours: tier.first_response_hours,
            account_manager_enabled: tier.account_manager_enabled,
            key_management_calls_per_minute: tier.key_management_calls_per_minute.to_column(),
        }
    }
}

impl TryFrom<TierRow> for Tier {
    type Error = PortError;

    fn try_from(row: TierRow) -> Result<Self, PortError> {
        Ok(Self {
            name: TierName::parse(&row.name).map_err(|_| corrupt("membership_tiers.name"))?,
            family: Family::from_name(&row.family).ok_or_else(|| corrupt("membership_tiers.family"))?,
            rank: row.rank,
            api_calls_per_day: Limit::from_column(row.api_calls_per_day),
            llm_requests_per_day: Limit::from_column(row.llm_requests_per_day),
            code_execution_enabled: row.code_execution_enabled,
            storage_bytes: Limit::from_column(row.storage_bytes),
            concurrent_jobs: Limit::from_column(row.concurrent_jobs),
            api_keys_limit: Limit::from_column(row.api_keys_limit),
            webhooks_enabled: row.webhooks_enabled,
            debug_log_retention_days: Limit::from_column(row.debug_log_retention_days),
            version_control_enabled: row.version_control_enabled,
            platform_managed_llm_enabled: row.platform_managed_llm_enabled,
            byok_llm_enabled: row.byok_llm_enabled,
            byok_supported_providers: ProviderSet::from(row.byok_supported_providers),
            byok_basic_only: row.byok_basic_only,
            byok_policies_enabled: row.byok_policies_enabled,
            byok_team_keys_enabled: row.byok_team_keys_enabled,
            custom_integrations_limit: Limit::from_column(row.custom_integrations_limit),
            team_members_limit: Limit::from_column(row.team_members_limit),
            rbac_enabled: row.rbac_enabled,
            shared_workspaces_enabled: row.shared_workspaces_enabled,
            audit_logs_enabled: row.audit_logs_enabled,
            resource_quotas_enabled: row.resource_quotas_enabled,
            hipaa_mode_enabled: row.hipaa_mode_enabled,
            soc2_evidence_enabled: row.soc2_evidence_enabled,
            sso_enabled: row.sso_enabled,
            data_residency_enabled: row.data_residency_enabled,
            on_premise_enabled: row.on_premise_enabled,
            support_channel: row.support_channel,
            first_response_hours: row.first_response_hours,
            account_manager_enabled: row.account_manager_enabled,
            key_management_calls_per_minute: Limit::from_column(row.key_management_calls_per_minute),
        })
    }
}
