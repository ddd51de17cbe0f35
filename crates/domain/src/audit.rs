//! The audit chain: what an entry says, how it is hashed to the one before, and how a chain is checked.
//!
//! One chain an organisation. `hash = SHA-256(0x00 ‖ previous hash ‖ canonical body)`; the body is JSON with
//! its keys sorted and nothing but strings and integers in it, which is RFC 8785's form for such values.

mod body;
mod run;

pub use run::AuditRun;

use crate::usage::{KeyUse, RequestRecord};
use crate::{OrgId, RecordId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Actor {
    /// The operator, by its token.
    Operator,
    /// A Top Dog API key, by its `key_…` id.
    ApiKey(String),
    /// Top Dog itself: a sweep, a retention run.
    System,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// Done.
    Success,
    /// Not allowed, and so not done.
    Denied,
    /// Tried, and failed.
    Failure,
}

/// An entry before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditDraft {
    /// Makes appending idempotent.
    pub id: RecordId,
    /// When.
    pub at: Timestamp,
    /// In whose chain.
    pub org: OrgId,
    /// Who.
    pub actor: Actor,
    /// What, as `noun.verb`: `provider_key.use`, `api_key.create`, `organisation.set_tier`.
    pub action: String,
    /// To what: an id.
    pub target: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// In the course of which request.
    pub request: Option<RequestId>,
    /// From which address.
    pub ip: Option<String>,
    /// What else there is to say; never a secret.
    pub detail: BTreeMap<String, String>,
}

impl AuditDraft {
    /// A draft of a success without details.
    #[must_use]
    pub fn new(at: Timestamp, org: OrgId, actor: Actor, action: &str, target: impl fmt::Display) -> Self {
        Self {
            id: RecordId::new(),
            at,
            org,
            actor,
            action: action.to_owned(),
            target: target.to_string(),
            outcome: AuditOutcome::Success,
            request: None,
            ip: None,
            detail: BTreeMap::new(),
        }
    }

    /// The draft with one more detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.detail.insert(key.to_owned(), value.to_string());
        self
    }

    /// The draft with another outcome.
    #[must_use]
    pub fn ended(mut self, outcome: AuditOutcome) -> Self {
        self.outcome = outcome;
        self
    }
}

/// The action of a provider key's use.
pub(crate) const KEY_USE: &str = "provider_key.use";

/// What is appended to a chain: nearly always the use of a provider key, which its request's record tells.
#[derive(Debug, Clone, Copy)]
pub enum Appended<'a> {
    /// A draft.
    Draft(&'a AuditDraft),
    /// What [`RequestRecord::key_use_audit`] makes of this record and this use of it.
    KeyUse(&'a RequestRecord, &'a KeyUse),
}

impl Appended<'_> {
    /// When.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Draft(draft) => draft.at,
            Self::KeyUse(record, _) => record.at,
        }
    }

    /// In whose chain.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        match self {
            Self::Draft(draft) => draft.org,
            Self::KeyUse(record, _) => record.org,
        }
    }
}

/// A SHA-256 in the chain; written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// What the first entry of a chain takes for the hash before it.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash written as 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect();
        if digits.len() != 64 {
            return None;
        }
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub seq: u64,
    /// The draft's id.
    pub id: RecordId,
    /// Whose chain.
    pub org: OrgId,
    /// The canonical body that was hashed.
    pub body: String,
    /// The hash of the entry before.
    pub prev: ChainHash,
    /// The hash of this one.
    pub hash: ChainHash,
}

impl AuditEntry {
    /// Puts a draft behind the entry with that place and hash (0 and [`ChainHash::GENESIS`] for a new chain).
    #[must_use]
    pub fn append(last_seq: u64, last_hash: ChainHash, draft: &AuditDraft) -> Self {
        let seq = last_seq.saturating_add(1);
        let body = canonical_body(seq, draft);
        Self { seq, id: draft.id, org: draft.org, hash: link(last_hash, &body), prev: last_hash, body }
    }
}

/// The hash of a body behind `prev`.
#[must_use]
pub fn link(prev: ChainHash, body: &str) -> ChainHash {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(&[0]);
    context.update(&prev.0);
    context.update(body.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    ChainHash(hash)
}

fn canonical_body(seq: u64, draft: &AuditDraft) -> String {
    let mut body = body::Body::default();
    body.write(seq, Appended::Draft(draft));
    body.as_str().to_owned()
}

/// What is wrong with a chain, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// A place is missing.
    #[error("entry {seq} is missing: entries were deleted")]
    Gap {
        /// The first missing place.
        seq: u64,
    },
    /// A body does not give its hash.
    #[error("entry {seq} was changed: its body does not give its hash")]
    Edited {
        /// The place.
        seq: u64,
    },
    /// An entry does not continue the one before.
    #[error(
        "entry {seq} does not continue the one before: the chain was reordered, forked or rewritten from there"
    )]
    Broken {
        /// The place.
        seq: u64,
    },
    /// The body belongs to another place or another organisation.
    #[error("entry {seq} was moved: its body belongs elsewhere")]
    Moved {
        /// The place.
        seq: u64,
    },
    /// The chain ends before an entry that is known to exist.
    #[error("the chain ends before entry {seq}: its tail was cut off")]
    Truncated {
        /// The last place that should be there.
        seq: u64,
    },
    /// There are entries behind the end that the chain is said to have.
    #[error("entry {seq} is behind the chain's end: it was added by hand, or the end was set back")]
    Beyond {
        /// The first place behind the end.
        seq: u64,
    },
}

/// Checks a chain entry by entry.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    org: OrgId,
    last_seq: u64,
    last_hash: ChainHash,
}

impl ChainVerifier {
    /// A verifier at the beginning of the organisation's chain.
    #[must_use]
    pub const fn new(org: OrgId) -> Self {
        Self { org, last_seq: 0, last_hash: ChainHash::GENESIS }
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn next(&mut self, entry: &AuditEntry) -> Result<(), ChainFault> {
        let seq = self.last_seq.saturating_add(1);
        if entry.seq != seq {
            return Err(if entry.seq > seq {
                ChainFault::Gap { seq }
            } else {
                ChainFault::Broken { seq: entry.seq }
            });
        }
        if entry.prev != self.last_hash {
            return Err(ChainFault::Broken { seq });
        }
        if link(entry.prev, &entry.body) != entry.hash {
            return Err(ChainFault::Edited { seq });
        }
        let is_its_own = serde_json::from_str::<BodyPlace>(&entry.body)
            .is_ok_and(|place| place.seq == seq && place.org == self.org && entry.org == self.org);
        if !is_its_own {
            return Err(ChainFault::Moved { seq });
        }
        self.last_seq = seq;
        self.last_hash = entry.hash;
        Ok(())
    }

    /// Checks that the chain ends at the head that is known from elsewhere.
    ///
    /// # Errors
    /// [`ChainFault::Truncated`] where it ends before, [`ChainFault::Broken`] where its end is another, and
    /// [`ChainFault::Beyond`] where it goes on behind it.
    pub fn finish(&self, head_seq: u64, head_hash: ChainHash) -> Result<(), ChainFault> {
        if self.last_seq < head_seq {
            return Err(ChainFault::Truncated { seq: head_seq });
        }
        if self.last_seq > head_seq {
            return Err(ChainFault::Beyond { seq: head_seq.saturating_add(1) });
        }
        if self.last_hash != head_hash {
            return Err(ChainFault::Broken { seq: head_seq });
        }
        Ok(())
    }

    /// How many entries have been checked, and the hash of the last.
    #[must_use]
    pub const fn head(&self) -> (u64, ChainHash) {
        (self.last_seq, self.last_hash)
    }
}

#[derive(Deserialize)]
struct BodyPlace {
    seq: u64,
    org: OrgId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: the draft's own JSON with the place in it, the names sorted at every depth.
    fn sorted_body(seq: u64, draft: &AuditDraft) -> String {
        let mut body = serde_json::to_value(draft).unwrap();
        body["seq"] = seq.into();
        let fields: BTreeMap<String, serde_json::Value> = serde_json::from_value(body).unwrap();
        let actor: BTreeMap<String, String> = serde_json::from_value(fields["actor"].clone()).unwrap();
        let detail: BTreeMap<String, String> = serde_json::from_value(fields["detail"].clone()).unwrap();
        let field = |(name, value): (&String, &serde_json::Value)| {
            let value = match name.as_str() {
                "actor" => serde_json::to_string(&actor),
                "detail" => serde_json::to_string(&detail),
                _ => serde_json::to_string(value),
            };
            format!("{}:{}", serde_json::to_string(name).unwrap(), value.unwrap())
        };
        format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
    }

    fn text() -> impl Strategy<Value = String> {
        any::<Vec<char>>().prop_map(|chars| chars.into_iter().collect())
    }

    prop_compose! {
        pub(super) fn draft()(
            id in any::<u128>(), org in any::<u128>(), request in any::<Option<u128>>(), at in any::<i64>(),
            actor in prop_oneof![Just(Actor::Operator), Just(Actor::System), text().prop_map(Actor::ApiKey)],
            outcome in prop_oneof![
                Just(AuditOutcome::Success), Just(AuditOutcome::Denied), Just(AuditOutcome::Failure)
            ],
            action in text(), target in text(), ip in proptest::option::of(text()),
            detail in proptest::collection::btree_map(text(), text(), 0..5),
        ) -> AuditDraft {
            let uuid = uuid::Uuid::from_u128;
            AuditDraft {
                id: RecordId::from_uuid(uuid(id)),
                at: Timestamp::from_micros(at),
                org: OrgId::from_uuid(uuid(org)),
                request: request.map(|request| RequestId::from_uuid(uuid(request))),
                actor, action, target, outcome, ip, detail,
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_is_the_draft_with_its_place_and_its_names_sorted(draft in draft(), seq in any::<u64>()) {
            prop_assert_eq!(canonical_body(seq, &draft), sorted_body(seq, &draft));
        }
    }
}
