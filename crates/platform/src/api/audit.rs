use serde::{Deserialize, Serialize};
use topdog_domain::audit::ChainHash;
use topdog_domain::{OrgId, RecordId, audit};
use utoipa::ToSchema;

/// A stretch of an organisation's audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditLog {
    /// The entries, in the order of the chain.
    pub data: Vec<AuditEntry>,
    /// The chain's end, as kept beside the chain; read before the entries.
    pub head: AuditHead,
    /// Give it as `after` for what follows; null where nothing does.
    pub next_after: Option<u64>,
}

/// An audit chain that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditChain {
    /// Whose: the id of an organisation, also of one that was destroyed.
    #[schema(value_type = String)]
    pub org: OrgId,
    /// The organisation's name; null where there is no such organisation (any more).
    pub name: Option<String>,
    /// Is it the chain of what concerns the whole installation?
    pub is_of_installation: bool,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditHead {
    /// The last place; 0 where the chain is empty.
    pub seq: u64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub seq: u64,
    /// Its id.
    #[schema(value_type = String)]
    pub id: RecordId,
    /// The hash of the entry before, hexadecimal.
    pub prev: String,
    /// SHA-256 of a zero byte, `prev` and `body`, hexadecimal.
    pub hash: String,
    /// What was hashed: JSON, to the byte.
    pub body: String,
}

impl From<audit::AuditEntry> for AuditEntry {
    fn from(entry: audit::AuditEntry) -> Self {
        Self {
            seq: entry.seq,
            id: entry.id,
            prev: entry.prev.to_string(),
            hash: entry.hash.to_string(),
            body: entry.body,
        }
    }
}

impl AuditEntry {
    /// The entry for checking the chain; none where a hash is no hash.
    #[must_use]
    pub fn to_chain(&self, org: OrgId) -> Option<audit::AuditEntry> {
        Some(audit::AuditEntry {
            seq: self.seq,
            id: self.id,
            org,
            body: self.body.clone(),
            prev: ChainHash::parse(&self.prev)?,
            hash: ChainHash::parse(&self.hash)?,
        })
    }
}
