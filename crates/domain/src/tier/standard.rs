//! The matrix of the brief: the catalogue that a new installation begins with.

use super::{Family, Limit, ProviderSet, Tier, TierName};
use crate::provider::MAJOR_PROVIDERS;

impl Tier {
    /// The catalogue that a new installation begins with: the matrix of the brief.
    #[must_use]
    pub fn standard_catalogue() -> Vec<Self> {
        const TB: u64 = 1_000_000_000_000;
        let free = Self::free();
        let pro = Self {
            first_response_hours: 24,
            support_channel: "email".into(),
            ..paid(&free, "PRO", Family::Pro, 20, (10_000, 1_000), 100_000_000_000, 5)
        };
        let pro_plus = Self {
            api_keys_limit: Limit::Of(10),
            debug_log_retention_days: Limit::Of(60),
            byok_supported_providers: ProviderSet::from("openai,anthropic,cohere".to_owned()),
            byok_policies_enabled: true,
            custom_integrations_limit: Limit::Unlimited,
            first_response_hours: 12,
            key_management_calls_per_minute: Limit::Of(60),
            ..paid(&pro, "PRO-PLUS", Family::ProPlus, 30, (50_000, 5_000), 250_000_000_000, 8)
        };
        let teams = |name, rank, calls, jobs, members, hours| Self {
            api_keys_limit: Limit::Unlimited,
            debug_log_retention_days: Limit::Of(90),
            byok_supported_providers: teams_providers(),
            byok_policies_enabled: true,
            byok_team_keys_enabled: true,
            custom_integrations_limit: Limit::Unlimited,
            team_members_limit: Limit::Of(members),
            rbac_enabled: true,
            shared_workspaces_enabled: true,
            audit_logs_enabled: true,
            resource_quotas_enabled: true,
            support_channel: "phone and email".into(),
            first_response_hours: hours,
            key_management_calls_per_minute: Limit::Of(120),
            ..paid(&pro_plus, name, Family::Teams, rank, calls, TB, jobs)
        };
        let small = teams("TEAMS-SMALL", 40, (100_000, 10_000), 10, 5, 24);
        let medium = teams("TEAMS-MEDIUM", 50, (500_000, 50_000), 20, 30, 12);
        let unlimited = |tier: Self| Self {
            api_calls_per_day: Limit::Unlimited,
            llm_requests_per_day: Limit::Unlimited,
            ..tier
        };
        let large = unlimited(teams("TEAMS-LARGE", 60, (0, 0), 40, 100, 4));
        let enterprise = |name, rank, storage, jobs, is_premium, is_ultimate| {
            unlimited(Self {
                debug_log_retention_days: Limit::Unlimited,
                byok_supported_providers: ProviderSet::All,
                team_members_limit: Limit::Unlimited,
                hipaa_mode_enabled: true,
                soc2_evidence_enabled: true,
                sso_enabled: is_premium,
                data_residency_enabled: is_ultimate,
                on_premise_enabled: is_ultimate,
                support_channel: "24/7 phone".into(),
                first_response_hours: 1,
                account_manager_enabled: is_premium,
                key_management_calls_per_minute: Limit::Of(600),
                ..paid(&large, name, Family::Enterprise, rank, (0, 0), storage, jobs)
            })
        };
        let standard = enterprise("ENTERPRISE-STANDARD", 70, 10 * TB, 50, false, false);
        let premium = enterprise("ENTERPRISE-PREMIUM", 80, 25 * TB, 100, true, false);
        let ultimate = enterprise("ENTERPRISE-ULTIMATE", 90, 100 * TB, 200, true, true);
        vec![free, pro, pro_plus, small, medium, large, standard, premium, ultimate]
    }

    fn free() -> Self {
        Self {
            name: TierName("FREE".into()),
            family: Family::Free,
            rank: 10,
            api_calls_per_day: Limit::Of(20),
            llm_requests_per_day: Limit::Of(2),
            code_execution_enabled: false,
            storage_bytes: Limit::Of(500_000_000),
            concurrent_jobs: Limit::Of(1),
            api_keys_limit: Limit::Of(1),
            webhooks_enabled: false,
            debug_log_retention_days: Limit::Of(7),
            version_control_enabled: false,
            platform_managed_llm_enabled: false,
            byok_llm_enabled: true,
            byok_supported_providers: ProviderSet::from("openai".to_owned()),
            byok_basic_only: true,
            byok_policies_enabled: false,
            byok_team_keys_enabled: false,
            custom_integrations_limit: Limit::Of(0),
            team_members_limit: Limit::Of(1),
            rbac_enabled: false,
            shared_workspaces_enabled: false,
            audit_logs_enabled: false,
            resource_quotas_enabled: false,
            hipaa_mode_enabled: false,
            soc2_evidence_enabled: false,
            sso_enabled: false,
            data_residency_enabled: false,
            on_premise_enabled: false,
            support_channel: "community".into(),
            first_response_hours: 72,
            account_manager_enabled: false,
            key_management_calls_per_minute: Limit::Of(5),
        }
    }
}

/// What every paid tier has over the one below; PRO's own values where nothing later changes them.
fn paid(
    below: &Tier,
    name: &str,
    family: Family,
    rank: i64,
    (api_calls, llm_requests): (u64, u64),
    storage: u64,
    jobs: u64,
) -> Tier {
    let is_first = below.family == Family::Free;
    let mut tier = Tier {
        name: TierName(name.into()),
        family,
        rank,
        api_calls_per_day: Limit::Of(api_calls),
        llm_requests_per_day: Limit::Of(llm_requests),
        storage_bytes: Limit::Of(storage),
        concurrent_jobs: Limit::Of(jobs),
        ..below.clone()
    };
    if is_first {
        tier.code_execution_enabled = true;
        tier.api_keys_limit = Limit::Of(5);
        tier.webhooks_enabled = true;
        tier.debug_log_retention_days = Limit::Of(30);
        tier.version_control_enabled = true;
        tier.byok_supported_providers = ProviderSet::from("openai,anthropic".to_owned());
        tier.byok_basic_only = false;
        tier.custom_integrations_limit = Limit::Of(1);
        tier.key_management_calls_per_minute = Limit::Of(30);
    }
    tier
}

fn teams_providers() -> ProviderSet {
    let first = ["openai", "anthropic", "cohere", "custom"];
    let others = MAJOR_PROVIDERS.iter().copied().filter(|p| !first.contains(p));
    ProviderSet::Of(first.into_iter().chain(others).map(str::to_owned).collect())
}
