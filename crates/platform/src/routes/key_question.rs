//! What a provider is asked to find out whether it takes a key: for its models, or where its API has no list of them that
//! a key for models may see, for a model that is not there. None of it is charged for.

use crate::target::ProviderPlace;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use topdog_domain::Timestamp;
use topdog_domain::provider::ProviderApi;
use topdog_vault::{OpenedKey, Shown, Signing};

/// The question; none where it can't be asked with that key.
pub(super) fn question(place: &ProviderPlace, key: &OpenedKey, now: Timestamp) -> Option<Request<Bytes>> {
    let api = place.manner.api();
    let (path, payload) = match api {
        ProviderApi::OpenAi | ProviderApi::Anthropic => ("/models".to_owned(), ""),
        ProviderApi::Azure => match place.manner.api_version() {
            Some(version) => (format!("/models?api-version={version}"), ""),
            None => ("/models".to_owned(), ""),
        },
        ProviderApi::Cohere => ("/v1/models".to_owned(), ""),
        ProviderApi::Gemini => ("/v1beta/models".to_owned(), ""),
        ProviderApi::Bedrock => (
            format!("/model/{NO_MODEL}/converse"),
            r#"{"messages":[{"role":"user","content":[{"text":"."}]}]}"#,
        ),
        ProviderApi::Vertex => (
            format!("/publishers/google/models/{NO_MODEL}:countTokens"),
            r#"{"contents":[{"role":"user","parts":[{"text":"."}]}]}"#,
        ),
    };
    let method = if payload.is_empty() { Method::GET } else { Method::POST };
    let mut request = Request::new(Bytes::from_static(payload.as_bytes()));
    *request.method_mut() = method;
    *request.uri_mut() = place.base.join(&path).ok()?;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, json.clone());
    if !payload.is_empty() {
        request.headers_mut().insert(CONTENT_TYPE, json);
    }
    if api == ProviderApi::Anthropic {
        request.headers_mut().insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    match key.shown_to(api)? {
        Shown::Header(name, value) => {
            request.headers_mut().insert(name, value);
        }
        Shown::Signature(pair) => {
            let headers = pair.sign(&Signing {
                method: request.method(),
                path: request.uri().path(),
                query: request.uri().query().unwrap_or_default(),
                host: place.base.origin().host_header().to_str().ok()?,
                content_type: None,
                payload: request.body(),
                at: now,
                region: place.manner.region()?,
                service: "bedrock",
            })?;
            request.headers_mut().extend(headers);
        }
    }
    Some(request)
}

/// No model is called so.
const NO_MODEL: &str = "top-dog-key-test";

/// Does the status say that the key was taken?
pub(super) fn is_taken(api: ProviderApi, status: StatusCode) -> bool {
    let asks_for_no_model = matches!(api, ProviderApi::Bedrock | ProviderApi::Vertex);
    status.is_success() || (asks_for_no_model && matches!(status.as_u16(), 400 | 404))
}
