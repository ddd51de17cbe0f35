//! Membership tiers: the commercial law as data (BRIEF part 2, table `membership_tiers`).

use crate::labels::Plan;
use crate::provider::MAJOR_PROVIDERS;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How much of something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many and no more.
    Of(u64),
    /// As many as one likes.
    Unlimited,
}

impl Limit {
    /// Is one more allowed where `used` are in use?
    #[must_use]
    pub const fn allows_one_more(self, used: u64) -> bool {
        match self {
            Self::Of(n) => used < n,
            Self::Unlimited => true,
        }
    }

    /// The stored form: -1 is unlimited, as the brief fixes for `api_keys_limit`.
    #[must_use]
    pub fn to_column(self) -> i64 {
        match self {
            Self::Of(n) => i64::try_from(n).unwrap_or(i64::MAX),
            Self::Unlimited => -1,
        }
    }

    /// The limit of a stored column; every negative number is unlimited.
    #[must_use]
    pub fn from_column(column: i64) -> Self {
        u64::try_from(column).map_or(Self::Unlimited, Self::Of)
    }
}

/// The number, or `unlimited`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(n) => write!(f, "{n}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Of(n) => serializer.serialize_u64(*n),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Number(n)) => Ok(Self::Of(n)),
            Ok(Written::Word(w)) if w == "unlimited" => Ok(Self::Unlimited),
            _ => Err(serde::de::Error::custom(
                "a limit is a whole number or \"unlimited\"",
            )),
        }
    }
}

/// A tier's name, such as `PRO-PLUS`: upper-case letters, digits and `-`, 1 to 40 of them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TierName(Arc<str>);

/// The text can't name a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tier name is 1 to 40 upper-case letters, digits or `-`")]
pub struct BadTierName;

impl TierName {
    /// The name, where the text can be one.
    ///
    /// # Errors
    /// Where it holds other characters, or is empty or too long.
    pub fn parse(text: &str) -> Result<Self, BadTierName> {
        let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > 40 || !text.bytes().all(good) {
            return Err(BadTierName);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TierName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The families that tiers come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Family {
    /// FREE
    Free,
    /// PRO
    Pro,
    /// PRO-PLUS
    ProPlus,
    /// TEAMS-*
    Teams,
    /// ENTERPRISE-*
    Enterprise,
}

impl Family {
    /// The service-level plan of the family (BRIEF part 4).
    #[must_use]
    pub const fn plan(self) -> Plan {
        match self {
            Self::Free => Plan::Starter,
            Self::Pro | Self::ProPlus | Self::Teams => Plan::Pro,
            Self::Enterprise => Plan::Enterprise,
        }
    }

    /// The stored and shown form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "FREE",
            Self::Pro => "PRO",
            Self::ProPlus => "PRO-PLUS",
            Self::Teams => "TEAMS",
            Self::Enterprise => "ENTERPRISE",
        }
    }

    /// The family with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Free,
            Self::Pro,
            Self::ProPlus,
            Self::Teams,
            Self::Enterprise,
        ]
        .into_iter()
        .find(|f| f.name() == name)
    }
}

/// Which providers a tier may use; the column `byok_supported_providers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ProviderSet {
    /// `*`: all, custom and private ones included.
    All,
    /// These; the word `custom` stands for the customer's own endpoints.
    Of(Vec<String>),
}

impl ProviderSet {
    /// May a provider of that name be used? `is_custom`: it is an endpoint of the customer's own.
    #[must_use]
    pub fn contains(&self, provider: &str, is_custom: bool) -> bool {
        match self {
            Self::All => true,
            Self::Of(names) => names
                .iter()
                .any(|n| n == if is_custom { "custom" } else { provider }),
        }
    }
}

impl From<String> for ProviderSet {
    fn from(text: String) -> Self {
        if text.trim() == "*" {
            return Self::All;
        }
        Self::Of(
            text.split(',')
                .map(str::trim)
                .filter(|n| !n.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }
}

impl From<ProviderSet> for String {
    fn from(set: ProviderSet) -> Self {
        match set {
            ProviderSet::All => "*".to_owned(),
            ProviderSet::Of(names) => names.join(","),
        }
    }
}

/// Comma-separated names, or `*`.
impl fmt::Display for ProviderSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(self.clone()))
    }
}

/// A membership tier; every row of the matrix is a field, and a column of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// What it is called.
    pub name: TierName,
    /// Which family it belongs to; decides the plan.
    pub family: Family,
    /// Its place in the ladder: a refusal names the lowest tier above that allows.
    pub rank: i64,
    /// Authenticated requests a UTC day.
    pub api_calls_per_day: Limit,
    /// Requests a UTC day that may reach a model provider.
    pub llm_requests_per_day: Limit,
    /// May code be run?
    pub code_execution_enabled: bool,
    /// Bytes of workspaces, files and artefacts.
    pub storage_bytes: Limit,
    /// Code executions and batch jobs at the same time.
    pub concurrent_jobs: Limit,
    /// Live Top Dog API keys.
    pub api_keys_limit: Limit,
    /// May webhooks be set up?
    pub webhooks_enabled: bool,
    /// Days that debug logs are kept; unlimited is for ever.
    pub debug_log_retention_days: Limit,
    /// Are workspaces git repositories?
    pub version_control_enabled: bool,
    /// May platform-managed provider keys be switched on (ENTERPRISE-* only)?
    pub platform_managed_llm_enabled: bool,
    /// May the customer bring its own keys? True on every tier.
    pub byok_llm_enabled: bool,
    /// Which providers.
    pub byok_supported_providers: ProviderSet,
    /// Is OpenAI reduced to chat, completions, responses, embeddings and models (FREE)?
    pub byok_basic_only: bool,
    /// Routing policies over providers (PRO-PLUS and up).
    pub byok_policies_enabled: bool,
    /// Team-wide key management (TEAMS-* and up).
    pub byok_team_keys_enabled: bool,
    /// Customer-defined integrations.
    pub custom_integrations_limit: Limit,
    /// Members of the organisation.
    pub team_members_limit: Limit,
    /// Role-based access.
    pub rbac_enabled: bool,
    /// Workspaces shared between members.
    pub shared_workspaces_enabled: bool,
    /// Audit logs that the customer can see.
    pub audit_logs_enabled: bool,
    /// Resource quotas per member, key and workspace.
    pub resource_quotas_enabled: bool,
    /// HIPAA-ready mode.
    pub hipaa_mode_enabled: bool,
    /// SOC 2 control evidence.
    pub soc2_evidence_enabled: bool,
    /// SSO by SAML and OIDC, and SCIM.
    pub sso_enabled: bool,
    /// Data residency.
    pub data_residency_enabled: bool,
    /// On-premise deployment.
    pub on_premise_enabled: bool,
    /// Support channel, in words.
    pub support_channel: String,
    /// First response within so many hours.
    pub first_response_hours: i64,
    /// An account manager.
    pub account_manager_enabled: bool,
    /// Calls of the key-management API a minute.
    pub key_management_calls_per_minute: Limit,
}

impl Tier {
    /// The service-level plan.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.family.plan()
    }

    /// The rules that no change of the catalogue may break (BRIEF part 2).
    ///
    /// # Errors
    /// Says which rule, fit for the operator.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.byok_llm_enabled {
            return Err("byok_llm_enabled is true on every tier");
        }
        if self.platform_managed_llm_enabled && self.family != Family::Enterprise {
            return Err("platform_managed_llm_enabled may be true for ENTERPRISE tiers only");
        }
        if self.first_response_hours < 1 {
            return Err("first_response_hours is at least 1");
        }
        Ok(())
    }

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
            ..paid(
                &pro,
                "PRO-PLUS",
                Family::ProPlus,
                30,
                (50_000, 5_000),
                250_000_000_000,
                8,
            )
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
        vec![
            free, pro, pro_plus, small, medium, large, standard, premium, ultimate,
        ]
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

/// All tiers of an installation, lowest first.
#[derive(Debug, Clone)]
pub struct TierCatalogue {
    tiers: Vec<Arc<Tier>>,
}

impl TierCatalogue {
    /// A catalogue of these tiers.
    #[must_use]
    pub fn new(tiers: impl IntoIterator<Item = Tier>) -> Self {
        let mut tiers: Vec<_> = tiers.into_iter().map(Arc::new).collect();
        tiers.sort_by_key(|t| t.rank);
        Self { tiers }
    }

    /// The tier of that name.
    #[must_use]
    pub fn find(&self, name: &TierName) -> Option<&Arc<Tier>> {
        self.tiers.iter().find(|t| &t.name == name)
    }

    /// All tiers, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tier>> {
        self.tiers.iter()
    }

    /// The lowest tier above `tier` that passes the test: the one that lifts a refusal.
    #[must_use]
    pub fn lifting(&self, tier: &Tier, allows: impl Fn(&Tier) -> bool) -> Option<TierName> {
        self.tiers
            .iter()
            .find(|t| t.rank > tier.rank && allows(t))
            .map(|t| t.name.clone())
    }
}
