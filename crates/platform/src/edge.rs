use crate::authority::Charge;
use crate::platform::Shared;
use crate::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;
use std::sync::Arc;
use topdog_domain::{Refusal, RequestId};

/// The client's address, as the edge saw it; the one thing that must be put into a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// What a request is called: by us, and by the client where it has a name of its own for it.
#[derive(Debug, Clone)]
pub(crate) struct RequestTag {
    pub(crate) id: RequestId,
    pub(crate) shown: HeaderValue,
}

impl RequestTag {
    /// A client's name for its request is kept where it is 1 to 128 visible ASCII characters.
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(&X_REQUEST_ID).filter(|value| {
            (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
        });
        let own = sent.and_then(|value| value.to_str().ok()?.parse().ok());
        let id: RequestId = own.unwrap_or_default();
        let shown = sent
            .cloned()
            .or_else(|| HeaderValue::from_str(&id.to_string()).ok())
            .unwrap_or(HeaderValue::from_static("unknown"));
        Self { id, shown }
    }

    pub(crate) fn shown(&self) -> &str {
        self.shown.to_str().unwrap_or_default()
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_ERROR_SOURCE: HeaderName = HeaderName::from_static("x-topdog-error-source");

/// What happens around every route, and to what no route takes.
pub(crate) fn around(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router
        .fallback(|| async { Problem::from(Refusal::NoSuchPath) })
        .method_not_allowed_fallback(|| async { Problem::from(Refusal::MethodNotAllowed("")) })
        .layer(from_fn_with_state(shared.clone(), edge))
}

async fn edge(State(platform): State<Shared>, mut request: Request, next: Next) -> Response {
    let tag = RequestTag::of(request.headers());
    let charge = Charge::default();
    request.extensions_mut().insert(tag.clone());
    request.extensions_mut().insert(charge.clone());
    // A task of its own: a client that leaves must not cut off a change between its commit and its being known.
    let answer = tokio::spawn(next.run(request)).await;
    let mut response = answer.unwrap_or_else(|failed| {
        tracing::error!(request = tag.shown(), %failed, "a handler panicked");
        Problem::from(Refusal::Internal).into_response()
    });
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        if problem.is_by_tier() {
            charge.give_back();
        }
        let allow = response.headers_mut().remove(http::header::ALLOW);
        response = problem.render(tag.shown(), &platform.parts.plans_url, platform.now());
        response.headers_mut().extend(allow.map(|allow| (http::header::ALLOW, allow)));
        response.headers_mut().insert(X_ERROR_SOURCE, HeaderValue::from_static("gateway"));
    }
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, tag.shown);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
