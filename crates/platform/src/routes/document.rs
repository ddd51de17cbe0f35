use crate::body::json;
use crate::describe::{Gives, Operation};
use crate::openapi;
use crate::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use std::sync::LazyLock;

/// The OpenAPI document.
pub(super) async fn show() -> Result<Document, Problem> {
    Ok(Document)
}

/// Written once: it never changes while the process lives.
static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| openapi::document().to_string().into_bytes());

pub(super) struct Document;

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        json(StatusCode::OK, TEXT.clone())
    }
}

impl Gives for Document {
    fn describe(operation: &mut Operation) {
        operation.status = 200;
        operation.answer = Some(json!({ "type": "object" }));
    }
}
