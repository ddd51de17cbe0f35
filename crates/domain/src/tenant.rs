//! Tenants and what they own.

use crate::labels::DataSegment;
use crate::provider::{Manner, ProviderName};
use crate::tier::TierName;
use crate::{EndpointId, MemberId, OrgId, ProviderKeyId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

/// The text can't name an organisation, workspace, key or member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 100 printable characters, without space at either end")]
pub struct BadName;

/// The text, where it can be a display name: 1 to 100 characters, none of them a control character,
/// no space at either end.
///
/// # Errors
/// Where it can't.
pub fn checked_name(text: &str) -> Result<&str, BadName> {
    let count = text.chars().count();
    let is_good = (1..=100).contains(&count) && text.trim() == text && !text.chars().any(char::is_control);
    if is_good { Ok(text) } else { Err(BadName) }
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its id.
    pub id: OrgId,
    /// Its name, unique in the installation.
    pub name: String,
    /// Its tier.
    pub tier: TierName,
    /// Its data segment; no request of it is ever labelled laxer.
    pub data_segment: Option<DataSegment>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A workspace. Each organisation has one called `default` from the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// Its data segment; no request of it is ever labelled laxer.
    pub data_segment: Option<DataSegment>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
}

/// A person in an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The membership's id.
    pub id: MemberId,
    /// Where.
    pub org: OrgId,
    /// What the person is called.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

/// Where the plaintext of a provider key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "reference")]
pub enum KeySource {
    /// Sealed in our own vault.
    Sealed,
    /// Fetched on demand: `env:NAME` and `file:PATH` (operator only), `vault:MOUNT/PATH#FIELD`.
    Reference(String),
}

/// A provider key (BYOK), without any of its plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderKey {
    /// Its id, through all versions.
    pub id: ProviderKeyId,
    /// Whose it is.
    pub org: OrgId,
    /// Which provider, or which custom endpoint by its name, it is for.
    pub provider: ProviderName,
    /// What the customer calls it; unique for organisation and provider.
    pub name: String,
    /// The origin that it may be sent to, such as `https://api.openai.com`.
    pub origin: String,
    /// Where its plaintext comes from.
    pub source: KeySource,
    /// The newest live version, from 1.
    pub version: u32,
    /// When the key was made.
    pub created_at: Timestamp,
    /// When the newest version was made.
    pub rotated_at: Timestamp,
}

/// A customer's own endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name: the provider part of its models' names; unique in the organisation.
    pub name: ProviderName,
    /// What the API's paths are added to, such as `https://llm.example.com/v1`.
    pub base_url: String,
    /// How it is spoken to.
    pub manner: Manner,
    /// The models that `/v1/models` lists for it; others are passed on all the same.
    pub models: Vec<String>,
    /// Does it take requests without any key?
    pub is_keyless: bool,
    /// When it was made.
    pub created_at: Timestamp,
}
