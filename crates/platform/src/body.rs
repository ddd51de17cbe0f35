use crate::describe::{Gives, Operation, Takes};
use crate::malformed;
use crate::platform::Shared;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use topdog_domain::Refusal;
use utoipa::ToSchema;

/// A JSON body; one that is left out stands for `{}`.
pub(crate) struct Input<T>(pub(crate) T);

/// The most that a body of the management API may hold.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const JSON: &str = "application/json";

impl<T: DeserializeOwned> FromRequest<Shared> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        read(request).await.and_then(|bytes| parse(&bytes)).map(Self)
    }
}

/// The whole body, where it says that it is JSON.
pub(crate) async fn read(request: Request) -> Result<Bytes, Problem> {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if !is_json(&head.headers) {
        return Err(Refusal::UnsupportedMediaType(JSON).into());
    }
    let declared =
        head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let too_large = || Problem::from(Refusal::BodyTooLarge(MAX_BODY_BYTES as u64));
    if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let whole = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect());
    match whole.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::BadBody {
            message: "the request body broke off; send it again".to_owned(),
            param: None,
            code: "body_broken",
        }
        .into()),
        Err(_) => Err(Refusal::BodyTimeout.into()),
    }
}

/// The body as what the route takes.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| malformed::body(&error))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(sent) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = sent.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(JSON)
}

impl<T: ToSchema + DeserializeOwned> Takes for Input<T> {
    fn describe(operation: &mut Operation) {
        operation.takes_body::<T>();
    }
}

/// An answer in JSON, with status 200.
pub(crate) struct Answer<T>(pub(crate) T);

/// An answer without a body.
pub(crate) struct Done;

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => json(StatusCode::OK, body),
            Err(error) => {
                tracing::error!(%error, "an answer can't be written");
                Problem::from(Refusal::Internal).into_response()
            }
        }
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// A response with a body that is JSON already.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = (status, Body::from(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

impl<T: Shape> Gives for Answer<T> {
    fn describe(operation: &mut Operation) {
        operation.status = 200;
        operation.answer = Some(T::shape(operation));
    }
}

impl Gives for Done {
    fn describe(operation: &mut Operation) {
        operation.status = 204;
    }
}

/// What can be answered, and its schema.
pub(crate) trait Shape {
    /// The schema; named ones are left with the operation.
    fn shape(operation: &mut Operation) -> serde_json::Value;
}

impl<T: ToSchema> Shape for T {
    fn shape(operation: &mut Operation) -> serde_json::Value {
        operation.refer::<T>()
    }
}
