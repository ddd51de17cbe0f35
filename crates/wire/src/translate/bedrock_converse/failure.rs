//! Errors: `{"message"}`, with the exception's name in the header `x-amzn-errortype`; in a stream, the same
//! as a message of its own.
//!
//! Amazon's clients take the name from `__type` in the body too, which is where it is written.

use super::words::{failure_kind, failure_kind_of_status, failure_word};
use crate::translate::json::{Json, Node, parse};
use crate::translate::model::{Failure, FailureKind};
use std::borrow::Cow;

pub(super) fn read(status: u16, body: &str) -> Failure<'_> {
    let told = parse(body).ok();
    let name = told.as_ref().and_then(|told| told.text_of("__type").or_else(|| told.text_of("code")));
    let kind = name.as_deref().map(bare).and_then(failure_kind);
    told_by(kind.unwrap_or(failure_kind_of_status(status)), told.as_ref(), body)
}

/// An exception of that name in a stream.
pub(super) fn read_exception<'a>(name: &str, payload: &'a str) -> Failure<'a> {
    let kind = failure_kind(bare(name)).unwrap_or(FailureKind::Server);
    told_by(kind, parse(payload).ok().as_ref(), payload)
}

fn told_by<'a>(kind: FailureKind, told: Option<&Node<'a>>, body: &'a str) -> Failure<'a> {
    Failure {
        kind,
        message: told.and_then(message).unwrap_or_else(|| body.trim().into()),
        code: told.and_then(|told| told.text_of("reason")),
        param: told.and_then(|told| told.text_of("param")),
        request_id: told.and_then(|told| told.text_of("requestId")),
    }
}

/// A model's own words say more than Bedrock's about it.
fn message<'a>(told: &Node<'a>) -> Option<Cow<'a, str>> {
    ["originalMessage", "message", "Message"].into_iter().find_map(|name| told.text_of(name))
}

/// A name without its namespace and what stands behind a colon.
fn bare(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default()
}

pub(super) fn write(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let (status, name) = failure_word(failure.kind);
    let mut json = Json::default();
    json.open('{').key("__type").string(name);
    put_rest(&mut json, failure);
    (status, json.into_bytes())
}

/// The payload of an exception in a stream.
pub(super) fn payload(failure: &Failure<'_>) -> Vec<u8> {
    let mut json = Json::default();
    json.open('{');
    put_rest(&mut json, failure);
    json.into_bytes()
}

fn put_rest(json: &mut Json, failure: &Failure<'_>) {
    let Failure { kind: _, message, code, param, request_id } = failure;
    json.key("message").string(message);
    // Beyond the dialect's own fields, which its clients pass over; `code` would stand in for the name.
    for (name, value) in [("reason", code), ("param", param), ("requestId", request_id)] {
        if let Some(value) = value {
            json.key(name).string(value);
        }
    }
    json.close('}');
}
