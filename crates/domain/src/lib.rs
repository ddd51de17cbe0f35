//! What Top Dog believes: tenants, tiers, entitlements, quota arithmetic, usage, roles, refusals, and the ports others must fill; no I/O.
//!
//! Read it in this order: [`tier`] and [`entitlement`] are the commercial law, [`tenant`] and
//! [`api_key`] say who a caller is, [`policy`] what tenants say of their own requests and [`guardrail`] of the texts in
//! them, [`routing`] what is tried for one of them, [`directory`] is what a node
//! knows of all of them,
//! [`quota`] and [`cap_meter`] count exactly, [`occupancy`] what is going on, [`usage`] and [`audit`] are the facts that are kept,
//! [`refusal`] is everything a caller can be told, and [`ports`] is what the outside must bring.

pub mod api_key;
pub mod audit;
pub mod cap_meter;
pub mod catalogue;
pub mod delegation;
pub mod directory;
pub mod entitlement;
#[cfg(feature = "fakes")]
pub mod fakes;
pub mod guardrail;
pub mod id;
pub mod labels;
pub mod occupancy;
pub mod policy;
pub mod ports;
pub mod provider;
pub mod quota;
pub mod refusal;
pub mod response_cache;
pub mod routing;
pub mod tenant;
pub mod tier;
pub mod time;
pub mod usage;

pub use id::{ApiKeyId, EndpointId, MemberId, OrgId, ProviderKeyId, RecordId, RequestId, WorkspaceId};
pub use refusal::Refusal;
pub use time::{Timestamp, UtcDay, UtcMinute};
