//! Errors as Google's APIs have them (google.rpc.Status): `{"error": {"code", "message", "status", "details": […]}}`.

use super::class::class;
use super::{LimitDetails, PublicError, to_bytes};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use topdog_domain::provider::Family;

#[derive(Serialize)]
struct Body<'a> {
    error: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
    details: Vec<Detail<'a>>,
}

/// One of the kinds of detail that google/rpc/error_details.proto defines.
#[derive(Serialize)]
#[serde(tag = "@type")]
enum Detail<'a> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    Info {
        reason: &'a str,
        domain: &'static str,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        metadata: BTreeMap<&'static str, String>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest", rename_all = "camelCase")]
    BadRequest { field_violations: [Violation<'a>; 1] },
    #[serde(rename = "type.googleapis.com/google.rpc.RequestInfo", rename_all = "camelCase")]
    Request { request_id: &'a str },
}

#[derive(Serialize)]
struct Violation<'a> {
    field: &'a str,
    description: &'a str,
}

pub(super) fn body(status: u16, error: &PublicError, request_id: Option<&str>) -> Bytes {
    let message = error.message.as_ref();
    let mut details = vec![Detail::Info {
        reason: &error.code,
        domain: "topdog",
        metadata: error.details.as_ref().map(metadata).unwrap_or_default(),
    }];
    if let Some(field) = error.param.as_deref() {
        details.push(Detail::BadRequest { field_violations: [Violation { field, description: message }] });
    }
    if let Some(request_id) = request_id {
        details.push(Detail::Request { request_id });
    }
    let status = Status { code: status, message, status: class(Family::Gemini, status), details };
    to_bytes(&Body { error: status })
}

/// The limit's facts as texts, which is all that metadata may be.
fn metadata(limit: &LimitDetails) -> BTreeMap<&'static str, String> {
    let LimitDetails { limit, unit, allowed, used, resets_at, set_by, lifted_by, plans_url } = limit;
    let facts = [
        ("limit", Some(limit.to_string())),
        ("unit", unit.map(str::to_owned)),
        ("allowed", allowed.map(|count| count.to_string())),
        ("used", used.map(|count| count.to_string())),
        ("resets_at", resets_at.clone()),
        ("set_by", set_by.clone()),
        ("lifted_by", lifted_by.clone()),
        ("plans_url", plans_url.clone()),
    ];
    facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect()
}
