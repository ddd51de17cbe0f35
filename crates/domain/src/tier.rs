//! Membership tiers: the commercial law as data (BRIEF part 2, table `membership_tiers`).

use crate::labels::Plan;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

mod audited;
mod standard;

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
            _ => Err(serde::de::Error::custom("a limit is a whole number or \"unlimited\"")),
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
        [Self::Free, Self::Pro, Self::ProPlus, Self::Teams, Self::Enterprise]
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
            Self::Of(names) => names.iter().any(|n| n == if is_custom { "custom" } else { provider }),
        }
    }
}

impl From<String> for ProviderSet {
    fn from(text: String) -> Self {
        if text.trim() == "*" {
            return Self::All;
        }
        Self::Of(text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect())
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
        self.tiers.iter().find(|t| t.rank > tier.rank && allows(t)).map(|t| t.name.clone())
    }
}
