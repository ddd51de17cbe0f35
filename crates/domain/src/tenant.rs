//! Tenants and what they own.

use crate::labels::DataSegment;
use crate::provider::{Manner, ProviderName};
use crate::tier::TierName;
use crate::{EndpointId, MemberId, OrgId, ProviderKeyId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

/// The text can't name an organisation, workspace, key or member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 100 printable characters, without space at either end, and neither `.` nor `..`")]
pub struct BadName;

/// The text, where it can be a display name: 1 to 100 characters, none of them a control character or one that can't be
/// seen but turns what stands around it, no space at either end. A path would take `.` and `..` for steps.
///
/// # Errors
/// Where it can't.
pub fn checked_name(text: &str) -> Result<&str, BadName> {
    let count = text.chars().count();
    let is_good = (1..=100).contains(&count)
        && text.trim() == text
        && !matches!(text, "." | "..")
        && !text.chars().any(|c| c.is_control() || is_unseen(c));
    if is_good { Ok(text) } else { Err(BadName) }
}

/// Zero-width characters, those that set the direction of writing (Unicode's bidirectional algorithm, UAX 9), and ends of
/// lines: two names that differ in them alone look alike.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How many provider keys an organisation may have: every node keeps what is known of all of them in memory.
pub const PROVIDER_KEYS_AT_MOST: u64 = 500;
/// How many endpoints of its own an organisation may have, for the same reason.
pub const ENDPOINTS_AT_MOST: u64 = 100;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_it_looks_like_and_no_step_of_a_path() {
        for good in ["acme", "Müller & Söhne", "株式会社", "a.b", "...", "🙂"] {
            assert_eq!(checked_name(good), Ok(good));
        }
        for bad in [
            "",
            " a",
            "a ",
            ".",
            "..",
            "a\nb",
            "a\u{0}b",
            "acme\u{200b}",
            "\u{202e}emca",
            "a\u{2066}b",
            "a\u{2028}b",
            "a\u{feff}",
            "a\u{ad}b",
            "a\u{200f}b",
            "a\u{85}b",
        ] {
            assert_eq!(checked_name(bad), Err(BadName), "{bad:?}");
        }
        assert!(checked_name(&"é".repeat(100)).is_ok() && checked_name(&"é".repeat(101)).is_err());
    }
}
