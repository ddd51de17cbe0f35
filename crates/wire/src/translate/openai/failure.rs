//! Errors: `{"error": {"message", "type", "param", "code"}}`, and how compatible providers vary it.

use super::words::{failure_kind, failure_kind_of_type, failure_word};
use crate::translate::json::{Json, Node, Value, parse};
use crate::translate::model::{Failure, FailureKind};

pub(in crate::translate) fn read(status: u16, body: &str) -> Failure<'_> {
    parse(body).ok().and_then(|body| read_node(Some(status), &body)).unwrap_or_else(|| Failure {
        kind: FailureKind::of_status(status),
        message: body.trim().into(),
        code: None,
        param: None,
        request_id: None,
    })
}

/// The failure that an error body, or an event of a stream, tells; none where it tells none.
pub(in crate::translate) fn read_node<'a>(status: Option<u16>, body: &Node<'a>) -> Option<Failure<'a>> {
    // Some providers answer with a list of one error.
    let body = match &body.value {
        Value::List(elements) => elements.first()?,
        _ => body,
    };
    let is_flat = ["object", "type"].iter().any(|name| body.text_of(name).as_deref() == Some("error"));
    let error = match body.member("error") {
        Some(error) => error,
        None if is_flat => body,
        None => return of_detail(status, body),
    };
    let name = error.text_of("type");
    let code = error.text_of("code").or_else(|| error.member("code").map(|code| code.raw.into()));
    let kind = failure_kind(code.as_deref(), name.as_deref())
        .or(status.map(FailureKind::of_status))
        // Some send the status as the code of an event.
        .or_else(|| code.as_deref()?.parse().ok().map(FailureKind::of_status))
        .unwrap_or_else(|| failure_kind_of_type(name.as_deref()));
    let message = error.text().or_else(|| error.text_of("message"));
    Some(Failure {
        kind,
        message: message.unwrap_or_else(|| error.raw.into()),
        code,
        param: error.text_of("param"),
        request_id: None,
    })
}

/// Mistral's 422, and others': `{"detail": [{"loc", "msg", "type"}]}`, or a bare `message`.
fn of_detail<'a>(status: Option<u16>, body: &Node<'a>) -> Option<Failure<'a>> {
    let status = status?;
    let detail = body.member("detail");
    let message = detail.map(|detail| detail.text().unwrap_or_else(|| detail.raw.into()));
    Some(Failure {
        kind: FailureKind::of_status(status),
        message: message.or_else(|| body.text_of("message"))?,
        code: body.text_of("code"),
        param: None,
        request_id: None,
    })
}

pub(in crate::translate) fn write(failure: &Failure<'_>) -> (u16, Vec<u8>) {
    let mut json = Json::default();
    put(&mut json, failure);
    (failure_word(failure.kind).0, json.into_bytes())
}

pub(in crate::translate) fn put(json: &mut Json, failure: &Failure<'_>) {
    let Failure { kind, message, code, param, request_id } = failure;
    let (_, name, usual_code) = failure_word(*kind);
    json.open('{').key("error").open('{').key("message").string(message).key("type").string(name);
    json.key("param");
    match param {
        Some(param) => json.string(param),
        None => json.null(),
    };
    json.key("code");
    match code.as_deref().or(usual_code) {
        Some(code) => json.string(code),
        None => json.null(),
    };
    json.close('}');
    if let Some(id) = request_id {
        json.key("request_id").string(id);
    }
    json.close('}');
}
