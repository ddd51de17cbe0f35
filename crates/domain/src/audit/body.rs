//! What is hashed of an entry, as text: whole, or only what is not said by the one before.

use super::{Actor, Appended, AuditDraft, AuditOutcome};
use crate::usage::{KeyUse, RequestRecord};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use uuid::Uuid;

/// Fields of an entry.
const FIELDS: usize = 11;

/// The whole body of an entry: JSON with its names sorted at every depth. Where each field ends in it is kept, so that
/// what differs from another body is copied and not written again: there is one for each request.
#[derive(Default)]
pub(super) struct Body {
    text: String,
    ends: [usize; FIELDS],
    written: usize,
}

impl Body {
    /// Becomes the body of an entry in that place.
    pub(super) fn write(&mut self, seq: u64, entry: Appended<'_>) {
        self.text.clear();
        self.written = 0;
        match entry {
            Appended::Draft(draft) => self.write_draft(seq, draft),
            Appended::KeyUse(record, used) => self.write_key_use(seq, record, used),
        }
        self.text.push('}');
    }

    fn write_draft(&mut self, seq: u64, draft: &AuditDraft) {
        self.field("action", |text| put_text(&draft.action, text));
        self.field("actor", |text| put_actor(&draft.actor, text));
        self.field("at", |text| put_number(draft.at.micros(), text));
        self.field("detail", |text| put_detail(&draft.detail, text));
        self.field("id", |text| put_id(crate::RecordId::PREFIX, draft.id.uuid(), text));
        self.field("ip", |text| put_or_null(draft.ip.as_deref(), text, put_text));
        self.field("org", |text| put_id(crate::OrgId::PREFIX, draft.org.uuid(), text));
        self.field("outcome", |text| put_text(outcome_name(draft.outcome), text));
        self.field("request", |text| {
            put_or_null(draft.request, text, |id, text| put_id(crate::RequestId::PREFIX, id.uuid(), text));
        });
        self.field("seq", |text| put_number(seq, text));
        self.field("target", |text| put_text(&draft.target, text));
    }

    /// The same as of [`RequestRecord::key_use_audit`], without making that first.
    fn write_key_use(&mut self, seq: u64, record: &RequestRecord, used: &KeyUse) {
        self.field("action", |text| put_text(super::KEY_USE, text));
        self.field("actor", |text| {
            text.push_str("{\"id\":");
            put_id(crate::ApiKeyId::PREFIX, record.api_key.uuid(), text);
            text.push_str(",\"kind\":\"api_key\"}");
        });
        self.field("at", |text| put_number(record.at.micros(), text));
        self.field("detail", |text| {
            text.push_str("{\"model\":");
            put_text(&record.model, text);
            text.push_str(",\"operation\":");
            put_text(record.operation.name(), text);
            text.push_str(",\"provider\":");
            put_text(record.provider.as_str(), text);
            text.push_str(",\"version\":\"");
            put_number(used.version, text);
            text.push_str("\"}");
        });
        self.field("id", |text| put_id(crate::RecordId::PREFIX, record.id.uuid(), text));
        self.field("ip", |text| put_text(&record.client_ip, text));
        self.field("org", |text| put_id(crate::OrgId::PREFIX, record.org.uuid(), text));
        self.field("outcome", |text| put_text(outcome_name(AuditOutcome::Success), text));
        self.field("request", |text| put_id(crate::RequestId::PREFIX, record.request.uuid(), text));
        self.field("seq", |text| put_number(seq, text));
        self.field("target", |text| put_id(crate::ProviderKeyId::PREFIX, used.provider_key.uuid(), text));
    }

    fn field(&mut self, name: &'static str, put: impl FnOnce(&mut String)) {
        let Self { text, ends, written } = self;
        text.push_str(if text.is_empty() { "{\"" } else { ",\"" });
        text.push_str(name);
        text.push_str("\":");
        put(text);
        if let Some(end) = ends.get_mut(*written) {
            *end = text.len();
        }
        *written += 1;
    }

    /// The whole text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends only the fields in which it differs from another body.
    pub(super) fn put_beside(&self, other: &Self, text: &mut String) {
        text.push('{');
        let start = text.len();
        for (field, _) in self.fields().zip(other.fields()).filter(|(field, other)| field != other) {
            if text.len() > start {
                text.push(',');
            }
            text.push_str(field);
        }
        text.push('}');
    }

    /// Each field with its name.
    fn fields(&self) -> impl Iterator<Item = &str> {
        // Behind the brace or the comma before it.
        let mut start = 1;
        self.ends.iter().map(move |end| {
            let field = self.text.get(start..*end).unwrap_or_default();
            start = end.saturating_add(1);
            field
        })
    }
}

fn put_actor(actor: &Actor, text: &mut String) {
    let (kind, id) = match actor {
        Actor::Operator => ("operator", None),
        Actor::ApiKey(id) => ("api_key", Some(id.as_str())),
        Actor::System => ("system", None),
    };
    text.push('{');
    if let Some(id) = id {
        text.push_str("\"id\":");
        put_text(id, text);
        text.push(',');
    }
    text.push_str("\"kind\":");
    put_text(kind, text);
    text.push('}');
}

const fn outcome_name(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Success => "success",
        AuditOutcome::Denied => "denied",
        AuditOutcome::Failure => "failure",
    }
}

fn put_detail(detail: &BTreeMap<String, String>, text: &mut String) {
    text.push('{');
    let start = text.len();
    for (name, value) in detail {
        if text.len() > start {
            text.push(',');
        }
        put_text(name, text);
        text.push(':');
        put_text(value, text);
    }
    text.push('}');
}

fn put_or_null<T>(value: Option<T>, text: &mut String, put: impl FnOnce(T, &mut String)) {
    match value {
        Some(value) => put(value, text),
        None => text.push_str("null"),
    }
}

fn put_text(value: &str, text: &mut String) {
    // Nearly every text is written as it is.
    if must_be_escaped(value) {
        // Fails for no text.
        text.push_str(&serde_json::to_string(value).unwrap_or_default());
    } else {
        text.push('"');
        text.push_str(value);
        text.push('"');
    }
}

/// Looks at every byte, whatever it finds, so that many are looked at at once.
fn must_be_escaped(value: &str) -> bool {
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    value.bytes().fold(false, |is_any, byte| is_any | is_special(byte))
}

fn put_id(prefix: &str, id: Uuid, text: &mut String) {
    text.push('"');
    text.push_str(prefix);
    text.push_str(id.simple().encode_lower(&mut Uuid::encode_buffer()));
    text.push('"');
}

fn put_number(number: impl fmt::Display, text: &mut String) {
    // Writing into a text can't fail.
    let _ = write!(text, "{number}");
}

/// Reads whole bodies from texts of which each says only what differs from the one before.
#[derive(Default)]
pub(super) struct BodyReader<'a> {
    fields: BTreeMap<&'a str, &'a RawValue>,
}

impl<'a> BodyReader<'a> {
    /// The next whole body. Where the text is not what [`Body::put_beside`] writes beside the one before, it is given as it
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
