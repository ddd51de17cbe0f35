//! The bodies of the management API, as both its server and its clients use them.
//!
//! What comes in refuses fields that it does not know; what goes out may grow fields.

mod api_key;
mod audit;
mod endpoint;
mod organisation;
mod page;
mod policy;
mod problem;
mod provider_key;
mod quota;
mod schema;
mod secret;
mod tier;
mod usage;
mod utc_time;
mod vault;

pub use api_key::{ApiKey, CreateApiKey, IssuedApiKey, RotateApiKey, SecretInfo};
pub use audit::{AuditChain, AuditEntry, AuditHead, AuditLog};
pub use endpoint::{CreateEndpoint, Endpoint, ReplaceEndpoint};
pub use organisation::{
    ChangeOrganisation, CreateOrganisation, CreatedOrganisation, Organisation, Workspace,
};
pub use page::{List, Page};
pub use policy::{
    ExplainPolicy, ExplainedRefusal, Policy, PolicyExplanation, PolicyStep, PutPolicy, RollBackPolicy,
};
pub use problem::ProblemBody;
pub use provider_key::{
    CreateProviderKey, KeyTest, KeyTestResult, ProviderKey, ProviderKeySource, RotateProviderKey,
};
pub use quota::{Quota, QuotaLine};
pub use secret::Secret;
pub use tier::Tier;
pub use usage::{RequestFacts, UsageLine, UsageReport};
pub use utc_time::UtcTime;
pub use vault::{OrgVaultStatus, Rotation, VaultStatus};
