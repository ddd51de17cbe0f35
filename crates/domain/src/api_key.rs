//! Top Dog API keys: how one is written, and what one may do.
//!
//! A token is `td_live_` or `td_test_`, then 12 characters of public id, 43 of secret (256 bits) and 6 of
//! checksum (CRC-32 of all before it), all base 62: `\btd_(live|test)_[0-9A-Za-z]{61}\b` for secret scanners.
//! The checksum tells a misspelt key without asking anyone; it is no protection.

use crate::tier::Limit;
use crate::{ApiKeyId, OrgId, Timestamp, WorkspaceId};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

/// Characters of a public id.
pub const PUBLIC_ID_LEN: usize = 12;
/// Characters of a secret.
pub const SECRET_LEN: usize = 43;
/// Characters of a checksum.
pub const CHECKSUM_LEN: usize = 6;
/// The digits of base 62, in order of value.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const PREFIX_LEN: usize = "td_live_".len();
/// Bytes of a whole token.
pub const TOKEN_LEN: usize = PREFIX_LEN + PUBLIC_ID_LEN + SECRET_LEN + CHECKSUM_LEN;

/// What a key is for; its holder sees it in the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMode {
    /// `td_live_…`
    Live,
    /// `td_test_…`: reaches the built-in test provider only.
    Test,
}

impl KeyMode {
    /// What tokens of the mode begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "td_live_",
            Self::Test => "td_test_",
        }
    }
}

/// The part of a token that is no secret; what a key is looked up by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicId([u8; PUBLIC_ID_LEN]);

impl PublicId {
    /// The public id, where these are 12 base-62 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; PUBLIC_ID_LEN] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// The public id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PublicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for PublicId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PublicId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("12 base-62 digits are expected here"))
    }
}

/// A presented token that is well formed; says nothing yet of whether it is known.
/// Borrows the caller's bytes, and shows none of them.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    mode: KeyMode,
    public_id: PublicId,
    whole: &'a str,
}

impl<'a> Token<'a> {
    /// The token, where the text is one and its checksum holds.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() != TOKEN_LEN || !text.is_ascii() {
            return None;
        }
        let mode = [KeyMode::Live, KeyMode::Test].into_iter().find(|m| text.starts_with(m.prefix()))?;
        let body = text.get(PREFIX_LEN..)?;
        if !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let (signed, sum) = text.split_at_checked(TOKEN_LEN - CHECKSUM_LEN)?;
        if checksum(signed).as_slice() != sum.as_bytes() {
            return None;
        }
        Some(Self { mode, public_id: PublicId::parse(body.get(..PUBLIC_ID_LEN)?)?, whole: text })
    }

    /// What it is for.
    #[must_use]
    pub const fn mode(&self) -> KeyMode {
        self.mode
    }

    /// What to look it up by.
    #[must_use]
    pub const fn public_id(&self) -> &PublicId {
        &self.public_id
    }

    /// The whole token, for the keyed hash and for nothing else.
    #[must_use]
    pub const fn expose(&self) -> &'a str {
        self.whole
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}…", self.mode.prefix(), self.public_id)
    }
}

/// The checksum of everything before it: CRC-32 (IEEE), six base-62 digits, highest first.
#[must_use]
pub fn checksum(signed: &str) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32fast::hash(signed.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Requests to models, and listing them.
    #[serde(rename = "llm")]
    Llm,
    /// Reading the organisation, its workspaces, endpoints, tier and quota.
    #[serde(rename = "org:read")]
    OrgRead,
    /// Changing the organisation's endpoints and data segment.
    #[serde(rename = "org:write")]
    OrgWrite,
    /// Listing Top Dog API keys.
    #[serde(rename = "api-keys:read")]
    ApiKeysRead,
    /// Making, rotating and revoking Top Dog API keys.
    #[serde(rename = "api-keys:write")]
    ApiKeysWrite,
    /// Listing provider keys.
    #[serde(rename = "provider-keys:read")]
    ProviderKeysRead,
    /// Adding, testing, rotating and deleting provider keys.
    #[serde(rename = "provider-keys:write")]
    ProviderKeysWrite,
    /// Reading policies, and asking what they make of a request.
    #[serde(rename = "policies:read")]
    PoliciesRead,
    /// Changing policies. Whoever may lift a rule is not held by it.
    #[serde(rename = "policies:write")]
    PoliciesWrite,
    /// Reading usage and debug logs.
    #[serde(rename = "usage:read")]
    UsageRead,
    /// Reading the audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 11] = [
        Self::Llm,
        Self::OrgRead,
        Self::OrgWrite,
        Self::ApiKeysRead,
        Self::ApiKeysWrite,
        Self::ProviderKeysRead,
        Self::ProviderKeysWrite,
        Self::PoliciesRead,
        Self::PoliciesWrite,
        Self::UsageRead,
        Self::AuditRead,
    ];

    /// The written form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::OrgRead => "org:read",
            Self::OrgWrite => "org:write",
            Self::ApiKeysRead => "api-keys:read",
            Self::ApiKeysWrite => "api-keys:write",
            Self::ProviderKeysRead => "provider-keys:read",
            Self::ProviderKeysWrite => "provider-keys:write",
            Self::PoliciesRead => "policies:read",
            Self::PoliciesWrite => "policies:write",
            Self::UsageRead => "usage:read",
            Self::AuditRead => "audit:read",
        }
    }

    /// The scope with that written form.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// A secret of a key: its keyed hash, never itself. A key has one, and during the grace of a rotation two.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySecret {
    /// What a token with it is looked up by.
    pub public_id: PublicId,
    /// HMAC-SHA-256 of organisation, key and whole token under the pepper of that version.
    pub hash: [u8; 32],
    /// Which pepper.
    pub pepper_version: u32,
    /// When it stops working, if it is to.
    pub not_after: Option<Timestamp>,
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySecret").field("public_id", &self.public_id).finish_non_exhaustive()
    }
}

/// A Top Dog API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, through all rotations.
    pub id: ApiKeyId,
    /// Whose it is.
    pub org: OrgId,
    /// The only workspace it works in, if it is bound to one.
    pub workspace: Option<WorkspaceId>,
    /// Its name; unique among the organisation's live keys.
    pub name: String,
    /// What its tokens begin with.
    pub mode: KeyMode,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only models it may use, as `provider/model`, `provider/*` or a plain name; empty: all.
    pub models: Vec<String>,
    /// The only networks it may be used from; empty: all.
    pub ip_allow: Vec<IpNet>,
    /// LLM requests a UTC day that the key itself is limited to.
    pub llm_requests_per_day: Limit,
    /// When it stops working, if it is to.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Its live secrets, newest first.
    pub secrets: Vec<KeySecret>,
}

impl ApiKey {
    /// Has the key the scope?
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// May the key be used from that address?
    #[must_use]
    pub fn allows_ip(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.ip_allow.is_empty() || self.ip_allow.iter().any(|net| net.contains(&ip))
    }

    /// May the key use that model of that provider?
    #[must_use]
    pub fn allows_model(&self, provider: &str, model: &str) -> bool {
        self.models.is_empty()
            || self.models.iter().any(|allowed| match allowed.split_once('/') {
                Some((p, "*")) => p == provider,
                // A slash makes it provider and model, also where another provider's model has one in its name.
                Some((p, m)) => p == provider && m == model,
                None => allowed == model,
            })
    }
}

/// The live keys beyond the number that is allowed: the oldest stay, those made after them are too many.
#[must_use]
pub fn beyond(limit: Limit, live: &[ApiKey]) -> HashSet<ApiKeyId> {
    let most = match limit {
        Limit::Of(most) => usize::try_from(most).unwrap_or(usize::MAX),
        Limit::Unlimited => usize::MAX,
    };
    let mut ages: Vec<_> = live.iter().map(|key| (key.created_at, key.id)).collect();
    ages.sort_unstable();
    ages.into_iter().skip(most).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::samples;

    #[test]
    fn the_oldest_keys_stay_whatever_order_they_are_read_in() {
        let org = OrgId::new();
        let made_at =
            |micros| ApiKey { created_at: Timestamp::from_micros(micros), ..samples::api_key(org, "k") };
        let keys = [made_at(30), made_at(10), made_at(20), made_at(20)];
        let (first, second) = if keys[2].id < keys[3].id { (2, 3) } else { (3, 2) };
        let too_many = |limit, expected: &[usize]| {
            assert_eq!(
                beyond(limit, &keys),
                expected.iter().map(|place| keys[*place].id).collect(),
                "{limit}"
            );
        };
        too_many(Limit::Unlimited, &[]);
        too_many(Limit::Of(4), &[]);
        too_many(Limit::Of(3), &[0]);
        too_many(Limit::Of(2), &[0, second]);
        too_many(Limit::Of(1), &[0, second, first]);
        too_many(Limit::Of(0), &[0, 1, 2, 3]);
    }
}
