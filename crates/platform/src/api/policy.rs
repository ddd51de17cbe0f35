use super::{UtcTime, schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use topdog_domain::policy::{PolicyDocument, PolicyScope};
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::{ApiKeyId, ProviderKeyId, policy, ports};
use utoipa::ToSchema;

/// The next version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPolicy {
    /// The version that is in force now; 0 where none is. With another in force, nothing is changed.
    pub expected_version: u32,
    /// What the policy is to say.
    #[schema(schema_with = schema::policy_document)]
    pub document: PolicyDocument,
}

/// A way back to an earlier version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackPolicy {
    /// Whose document is to be in force again, as the next version.
    pub to_version: u32,
    /// The version that is in force now; 0 where none is.
    pub expected_version: u32,
}

/// A version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Whose requests it is for: `organisation`, a workspace's id or an API key's id.
    #[schema(value_type = String)]
    pub scope: PolicyScope,
    /// Its number, from 1.
    pub version: u32,
    /// What it says; null: with this version the policy was deleted.
    #[schema(value_type = Option<Object>)]
    pub document: Option<Value>,
    /// Who made it: `operator` or an API key's id.
    pub author: String,
    /// When it was made.
    pub created_at: UtcTime,
    /// What of it has no effect, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl From<ports::PolicyVersion> for Policy {
    fn from(version: ports::PolicyVersion) -> Self {
        // What is stored is JSON; were it not, its text says so.
        let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            scope: version.scope,
            version: version.version,
            document: version.document.map(json),
            author: version.author,
            created_at: version.created_at.into(),
            warnings: Vec::new(),
        }
    }
}

/// A request that nobody makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainPolicy {
    /// The key that would make it; the one that asks, if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<ApiKeyId>,
    /// The model as it would be asked for.
    pub model: String,
    /// What kind of request.
    #[serde(default = "chat")]
    #[schema(schema_with = schema::operation)]
    pub operation: Operation,
}

const fn chat() -> Operation {
    Operation::Chat
}

/// What would happen to the request. Limits, and the provider itself, were not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyExplanation {
    /// Would it be sent?
    pub is_allowed: bool,
    /// To which provider.
    #[schema(value_type = Option<String>)]
    pub provider: Option<ProviderName>,
    /// For which model, as the provider takes it.
    pub model: Option<String>,
    /// With which provider key; null also where none is needed.
    #[schema(value_type = Option<String>)]
    pub provider_key: Option<ProviderKeyId>,
    /// Where a route of a policy is for it: all that would be tried, in the policy's order. Which of several `targets`
    /// comes first, chance, latency or cost would say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<ExplainedAttempt>,
    /// What the caller would be told instead.
    pub refusal: Option<ExplainedRefusal>,
    /// What was looked at, in order. Where the request is refused, the last one says by what.
    pub steps: Vec<PolicyStep>,
}

/// Where a request would be sent, if what was tried before failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedAttempt {
    /// To which provider.
    #[schema(value_type = String)]
    pub provider: ProviderName,
    /// For which model, as the provider takes it.
    pub model: String,
    /// With which provider key; null where none is needed.
    #[schema(value_type = Option<String>)]
    pub provider_key: Option<ProviderKeyId>,
}

impl From<policy::explain::Goal> for ExplainedAttempt {
    fn from(goal: policy::explain::Goal) -> Self {
        Self { provider: goal.provider, model: goal.model, provider_key: goal.provider_key }
    }
}

/// What a caller would be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedRefusal {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// Why, and what to do.
    pub detail: String,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyStep {
    /// What was asked: `key_scope`, `tier_operation`, `alias`, `model`, `key_models`, `deny`, `allow`, `tier_provider`,
    /// `provider`, `provider_key`, `route` or `target`.
    pub check: String,
    /// Whose policy was asked, where one was.
    #[schema(value_type = Option<String>)]
    pub scope: Option<PolicyScope>,
    /// The rule, or what was found.
    pub rule: String,
    /// Did the request get past it?
    pub is_passed: bool,
}

impl From<policy::Step> for PolicyStep {
    fn from(step: policy::Step) -> Self {
        Self {
            check: step.check.name().to_owned(),
            scope: step.scope,
            rule: step.rule,
            is_passed: step.is_passed,
        }
    }
}
