//! How a stream says that it has died, in its own family's words; never an ending that looks well.

use crate::error_body::{PublicError, error_body, to_bytes};
use crate::translate::{cohere_failure_data, model};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use topdog_domain::provider::{Family, Operation};

/// The last bytes of a stream whose upstream died.
///
/// It begins with a blank line, so that it is read even where the upstream stopped within an event.
/// In OpenAI's family Responses gets an `error` event numbered `sequence_number` and a `response.failed`
/// event numbered one more, since there are clients that wait for the second only; all others get
/// `data: {"error": …}`. Anthropic's gets an `error` event, Cohere's a `message-end` whose reason is `ERROR`. `[DONE]` and
/// `message_stop` are never said.
#[must_use]
pub fn failure_event(
    operation: Operation,
    code: &str,
    message: &str,
    request_id: &str,
    sequence_number: u64,
) -> Bytes {
    Failure { operation, code, message, request_id, response_id: None, sequence_number }.event()
}

/// The facts of one failure.
pub(crate) struct Failure<'a> {
    pub(crate) operation: Operation,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    pub(crate) request_id: &'a str,
    /// The id that the dead response was begun with, if it was told.
    pub(crate) response_id: Option<&'a str>,
    pub(crate) sequence_number: u64,
}

impl Failure<'_> {
    pub(crate) fn event(&self) -> Bytes {
        let message = format!("{} (request {})", self.message, self.request_id);
        let mut event = BytesMut::new();
        // One LF ends a torn line, the second the event that it was in.
        event.put_slice(b"\n\n");
        match self.operation {
            Operation::Responses => self.put_response_events(&mut event, &message),
            operation => {
                let error = PublicError {
                    message: message.into(),
                    param: None,
                    code: self.code.to_owned().into(),
                    details: None,
                };
                put_error(&mut event, operation.family(), &error, Some(self.request_id));
            }
        }
        event.freeze()
    }

    fn put_response_events(&self, event: &mut BytesMut, message: &str) {
        event.put_slice(b"event: error\n");
        let error = ErrorEvent {
            kind: "error",
            code: self.code,
            message,
            param: None,
            sequence_number: self.sequence_number,
        };
        put_data(event, &to_bytes(&error));
        event.put_slice(b"event: response.failed\n");
        let failed = FailedEvent {
            kind: "response.failed",
            response: FailedResponse {
                id: self.response_id.unwrap_or(self.request_id),
                object: "response",
                status: "failed",
                error: ResponseError { code: self.code, message },
                output: [],
                usage: None,
            },
            sequence_number: self.sequence_number.saturating_add(1),
        };
        put_data(event, &to_bytes(&failed));
    }
}

/// An event that is an error, and nothing but that.
pub(crate) fn put_error(event: &mut BytesMut, family: Family, error: &PublicError, request_id: Option<&str>) {
    match family {
        Family::Cohere => {
            event.put_slice(b"event: message-end\n");
            return put_data(event, &cohere_failure_data(&failure_of(error, request_id)));
        }
        Family::Anthropic => event.put_slice(b"event: error\n"),
        Family::OpenAi | Family::Gemini => {}
    }
    put_data(event, &error_body(family, SERVER_ERROR, error, request_id));
}

fn failure_of<'a>(error: &'a PublicError, request_id: Option<&'a str>) -> model::Failure<'a> {
    model::Failure {
        kind: model::FailureKind::Server,
        message: error.message.as_ref().into(),
        code: Some(error.code.as_ref().into()),
        param: None,
        request_id: request_id.map(Into::into),
    }
}

/// What a stream's failure would have for a status, had the stream not begun.
const SERVER_ERROR: u16 = 500;

fn put_data(event: &mut BytesMut, data: &[u8]) {
    event.put_slice(b"data: ");
    event.put_slice(data);
    event.put_slice(b"\n\n");
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

#[derive(Serialize)]
struct FailedEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    response: FailedResponse<'a>,
    sequence_number: u64,
}

#[derive(Serialize)]
struct FailedResponse<'a> {
    id: &'a str,
    object: &'static str,
    status: &'static str,
    error: ResponseError<'a>,
    output: [(); 0],
    usage: Option<()>,
}

#[derive(Serialize)]
struct ResponseError<'a> {
    code: &'a str,
    message: &'a str,
}
