//! Errors: `{"error": {"code", "message", "status", "details": [{"@type", …}]}}`, or a list of one such.

use super::words::{failure_kind, failure_word};
use crate::translate::json::{Json, Node, Value, parse};
use crate::translate::model::{Failure, FailureKind};
use std::borrow::Cow;
use std::time::Duration;

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const REQUEST_INFO: &str = "type.googleapis.com/google.rpc.RequestInfo";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

pub(super) fn read(status: u16, body: &str) -> Failure<'_> {
    parse(body).ok().and_then(|body| read_node(Some(status), &body)).unwrap_or_else(|| Failure {
        kind: FailureKind::of_status(status),
        message: body.trim().into(),
        code: None,
        param: None,
        request_id: None,
    })
}

/// The failure that an error body, or a chunk of a stream, tells; none where it tells none.
pub(super) fn read_node<'a>(status: Option<u16>, body: &Node<'a>) -> Option<Failure<'a>> {
    let error = error_of(body)?;
    let reason = detail(error, ERROR_INFO).and_then(|info| info.text_of("reason"));
    let name = error.text_of("status");
    // The code of a failure in mid-stream is the status it would have had.
    let status = status.or_else(|| error.count_of("code")?.try_into().ok());
    Some(Failure {
        kind: failure_kind(reason.as_deref(), name.as_deref(), status),
        message: error.text_of("message").or_else(|| error.text()).unwrap_or_else(|| error.raw.into()),
        code: reason,
        param: violated_field(error),
        request_id: detail(error, REQUEST_INFO).and_then(|info| info.text_of("requestId")),
    })
}

/// How long to wait before asking again, which this dialect tells in the body and not in a header:
/// `{"@type": "…RetryInfo", "retryDelay": "34.074s"}`.
pub(super) fn retry_after(body: &str) -> Option<Duration> {
    let body = parse(body).ok()?;
    let told = detail(error_of(&body)?, RETRY_INFO)?.text_of("retryDelay")?;
    let seconds: f64 = told.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn error_of<'n, 'a>(body: &'n Node<'a>) -> Option<&'n Node<'a>> {
    let body = match &body.value {
        Value::List(elements) => elements.first()?,
        _ => body,
    };
    body.member("error")
}

fn detail<'n, 'a>(error: &'n Node<'a>, kind: &str) -> Option<&'n Node<'a>> {
    let Value::List(details) = &error.member("details")?.value else { return None };
    details.iter().find(|detail| detail.text_of("@type").as_deref() == Some(kind))
}

fn violated_field<'a>(error: &Node<'a>) -> Option<Cow<'a, str>> {
    let violations = detail(error, BAD_REQUEST)?.member("fieldViolations")?;
    let Value::List(violations) = &violations.value else { return None };
    violations.first()?.text_of("field")
}

pub(super) fn write(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut json = Json::default();
    put(&mut json, failure);
    (failure_word(failure.kind).0, json.into_bytes())
}

pub(super) fn put(json: &mut Json, failure: &Failure<'_>) {
    let Failure { kind, message, code, param, request_id } = failure;
    let (status, name) = failure_word(*kind);
    json.open('{').key("error").open('{').key("code").count(status.into());
    json.key("message").string(message).key("status").string(name);
    if code.is_some() || param.is_some() || request_id.is_some() {
        json.key("details").open('[');
        if let Some(code) = code {
            json.open('{').key("@type").string(ERROR_INFO).key("reason").string(code).close('}');
        }
        if let Some(param) = param {
            json.open('{').key("@type").string(BAD_REQUEST).key("fieldViolations").open('[').open('{');
            json.key("field").string(param).key("description").string(message);
            json.close('}').close(']').close('}');
        }
        if let Some(id) = request_id {
            json.open('{').key("@type").string(REQUEST_INFO).key("requestId").string(id).close('}');
        }
        json.close(']');
    }
    json.close('}').close('}');
}
