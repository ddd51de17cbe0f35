//! What is hashed of an entry, as text: whole, or only what is not said by the one before.

use super::{Actor, AuditDraft, AuditOutcome};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Fields of an entry.
const FIELDS: usize = 11;

/// The whole body of an entry: JSON with its names sorted at every depth. Where each field ends in it is kept, so that
/// what differs from another body is copied and not written again: there is one for each request.
#[derive(Default)]
pub(super) struct Body {
    text: String,
    ends: [usize; FIELDS],
}

impl Body {
    /// Becomes the body of a draft in that place.
    pub(super) fn write(&mut self, seq: u64, draft: &AuditDraft) {
        self.text.clear();
        let Self { text, ends } = self;
        let mut ends = ends.iter_mut();
        let mut field = |name: &str, put: &dyn Fn(&mut String)| {
            text.push(if text.is_empty() { '{' } else { ',' });
            put_text(name, text);
            text.push(':');
            put(text);
            if let Some(end) = ends.next() {
                *end = text.len();
            }
        };
        field("action", &|text| put_text(&draft.action, text));
        field("actor", &|text| put_actor(&draft.actor, text));
        field("at", &|text| put_number(draft.at.micros(), text));
        field("detail", &|text| put_detail(&draft.detail, text));
        field("id", &|text| put_id(crate::RecordId::PREFIX, draft.id.uuid(), text));
        field("ip", &|text| put_or_null(draft.ip.as_deref(), text, put_text));
        field("org", &|text| put_id(crate::OrgId::PREFIX, draft.org.uuid(), text));
        field("outcome", &|text| put_text(outcome_name(draft.outcome), text));
        field("request", &|text| {
            put_or_null(draft.request, text, |id, text| put_id(crate::RequestId::PREFIX, id.uuid(), text));
        });
        field("seq", &|text| put_number(seq, text));
        field("target", &|text| put_text(&draft.target, text));
        text.push('}');
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
    if value.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // Fails for no text.
        text.push_str(&serde_json::to_string(value).unwrap_or_default());
    } else {
        text.push('"');
        text.push_str(value);
        text.push('"');
    }
}

fn put_id(prefix: &str, id: Uuid, text: &mut String) {
    text.push('"');
    text.push_str(prefix);
    text.push_str(id.simple().encode_lower(&mut Uuid::encode_buffer()));
    text.push('"');
}

fn put_number(number: impl ToString, text: &mut String) {
    text.push_str(&number.to_string());
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
