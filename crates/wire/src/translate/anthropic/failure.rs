//! Errors: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

use super::words::{failure_kind, failure_word};
use crate::translate::json::{Json, Node, parse};
use crate::translate::model::{Failure, FailureKind};

pub(super) fn read(status: u16, body: &str) -> Failure<'_> {
    parse(body).ok().and_then(|body| read_node(Some(status), &body)).unwrap_or_else(|| Failure {
        kind: FailureKind::of_status(status),
        message: body.trim().into(),
        code: None,
        param: None,
        request_id: None,
    })
}

/// The failure that an error body or an `error` event tells.
pub(super) fn read_node<'a>(status: Option<u16>, body: &Node<'a>) -> Option<Failure<'a>> {
    let error = body.member("error")?;
    let named = error.text_of("type").and_then(|name| failure_kind(&name));
    let told = status.map(FailureKind::of_status);
    Some(Failure {
        kind: named.or(told).unwrap_or(FailureKind::Server),
        message: error.text_of("message").unwrap_or_else(|| error.raw.into()),
        code: error
            .text_of("code")
            .or_else(|| error.member("details").and_then(|details| details.text_of("error_code"))),
        param: error.text_of("param"),
        request_id: body.text_of("request_id"),
    })
}

pub(super) fn write(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut json = Json::default();
    put(&mut json, failure);
    (failure_word(failure.kind).0, json.into_bytes())
}

pub(super) fn put(json: &mut Json, failure: &Failure<'_>) {
    let Failure { kind, message, code, param, request_id } = failure;
    json.open('{').key("type").string("error").key("error").open('{');
    json.key("type").string(failure_word(*kind).1).key("message").string(message);
    if let Some(code) = code {
        json.key("details").open('{').key("error_code").string(code).close('}');
        // Beyond the dialect's own fields, which its clients pass over: where other dialects have it.
        json.key("code").string(code);
    }
    if let Some(param) = param {
        json.key("param").string(param);
    }
    json.close('}');
    if let Some(id) = request_id {
        json.key("request_id").string(id);
    }
    json.close('}');
}
