//! What is hashed of an entry, as text: whole, or only what is not said by the one before.

use super::{Actor, AuditDraft, AuditOutcome};
use crate::{OrgId, RecordId, RequestId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The fields of an entry, in the order of their names: that is what makes the text canonical. A whole body has all.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<BodyActor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<RecordId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<OrgId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<AuditOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Option<RequestId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
struct BodyActor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    kind: &'static str,
}

impl<'a> Body<'a> {
    /// The whole body of a draft in that place.
    pub(super) fn of(seq: u64, draft: &'a AuditDraft) -> Self {
        let (kind, id) = match &draft.actor {
            Actor::Operator => ("operator", None),
            Actor::ApiKey(id) => ("api_key", Some(id.as_str())),
            Actor::System => ("system", None),
        };
        Self {
            action: Some(&draft.action),
            actor: Some(BodyActor { id, kind }),
            at: Some(draft.at),
            detail: Some(&draft.detail),
            id: Some(draft.id),
            ip: Some(draft.ip.as_deref()),
            org: Some(draft.org),
            outcome: Some(draft.outcome),
            request: Some(draft.request),
            seq: Some(seq),
            target: Some(&draft.target),
        }
    }

    /// Only the fields in which it differs from another whole body.
    pub(super) fn beside(self, other: Self) -> Self {
        Self {
            action: differing(self.action, other.action),
            actor: differing(self.actor, other.actor),
            at: differing(self.at, other.at),
            detail: differing(self.detail, other.detail),
            id: differing(self.id, other.id),
            ip: differing(self.ip, other.ip),
            org: differing(self.org, other.org),
            outcome: differing(self.outcome, other.outcome),
            request: differing(self.request, other.request),
            seq: differing(self.seq, other.seq),
            target: differing(self.target, other.target),
        }
    }

    pub(super) fn to_text(self) -> String {
        // Fails for nothing that is made of strings and integers.
        serde_json::to_string(&self).unwrap_or_default()
    }
}

fn differing<T: PartialEq>(value: Option<T>, other: Option<T>) -> Option<T> {
    if value == other { None } else { value }
}

/// Reads whole bodies from texts of which each says only what differs from the one before.
#[derive(Default)]
pub(super) struct BodyReader<'a> {
    fields: BTreeMap<&'a str, &'a RawValue>,
}

impl<'a> BodyReader<'a> {
    /// The next whole body. Where the text is not what [`Body::to_text`] writes beside the one before, it is given as it
    /// is and with a line's end, so that no hash of a body is its hash, not even where all of a body is said again.
    pub(super) fn next(&mut self, text: &'a str) -> String {
        let Some(fields) = self.differing_fields(text) else { return format!("{text}\n") };
        self.fields.extend(fields);
        to_text(&self.fields)
    }

    /// The text's fields, if that is the one way to write them: sorted, each once, without white space, and none that
    /// is already so.
    fn differing_fields(&self, text: &'a str) -> Option<BTreeMap<&'a str, &'a RawValue>> {
        let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(text).ok()?;
        let is_said_again = |(name, value): (&&str, &&RawValue)| {
            self.fields.get(name).is_some_and(|old| old.get() == value.get())
        };
        (to_text(&fields) == text && !fields.iter().any(is_said_again)).then_some(fields)
    }
}

fn to_text(fields: &BTreeMap<&str, &RawValue>) -> String {
    serde_json::to_string(fields).unwrap_or_default()
}
