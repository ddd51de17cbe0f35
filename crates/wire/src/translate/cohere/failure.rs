//! Errors: `{"id", "message"}`, with no object around them.

use super::words::{failure_kind, failure_status};
use crate::translate::json::{Json, Node, parse};
use crate::translate::model::{Failure, FailureKind};

pub(super) fn read(status: u16, body: &str) -> Failure<'_> {
    let told = parse(body).ok().and_then(|body| read_node(&body));
    let mut failure = told.unwrap_or_else(|| Failure {
        kind: FailureKind::Server,
        message: body.trim().into(),
        code: None,
        param: None,
        request_id: None,
    });
    failure.kind = failure_kind(status, &failure.message);
    failure
}

/// The failure that an error body tells, its class aside; none where it is no error body.
pub(super) fn read_node<'a>(body: &Node<'a>) -> Option<Failure<'a>> {
    Some(Failure {
        kind: FailureKind::Server,
        message: body.text_of("message")?,
        code: body.text_of("code"),
        param: body.text_of("param"),
        request_id: body.text_of("id"),
    })
}

pub(super) fn write(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let Failure { kind, message, code, param, request_id } = failure;
    let mut json = Json::default();
    json.open('{');
    if let Some(id) = request_id {
        json.key("id").string(id);
    }
    json.key("message").string(message);
    // Beyond the dialect's own fields, which its clients pass over: what programs act on.
    if let Some(code) = code {
        json.key("code").string(code);
    }
    if let Some(param) = param {
        json.key("param").string(param);
    }
    json.close('}');
    (failure_status(*kind), json.into_bytes())
}

/// The last event of a stream that failed: its data.
pub(in crate::translate) fn put_last_event(json: &mut Json, failure: &Failure<'_>) {
    let Failure { kind, message, code, param: _, request_id } = failure;
    let reason = if *kind == FailureKind::TimedOut { super::words::TIMED_OUT } else { "ERROR" };
    json.open('{').key("type").string("message-end");
    if let Some(id) = request_id {
        json.key("id").string(id);
    }
    json.key("delta").open('{').key("error").string(message);
    if let Some(code) = code {
        json.key("code").string(code);
    }
    json.key("finish_reason").string(reason).close('}').close('}');
}
