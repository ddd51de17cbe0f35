use super::health::{Health, Report};
use axum::Router;
use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Handle;
use topdog_gateway::{BodyBroken, ClientBody, ControlBody, ControlPlane};
use topdog_platform::ClientAddress;
use tower::ServiceExt as _;

/// Everything behind the public listener that is not a model request: it runs on a runtime of its own, so that
/// no management call can hold up a model request.
pub(super) struct Control {
    /// The management API.
    pub(super) router: Router,
    /// The runtime it runs on.
    pub(super) runtime: Handle,
    /// The node's.
    pub(super) health: Arc<Health>,
}

impl ControlPlane for Control {
    fn call(
        &self,
        request: Request<ClientBody>,
        client: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = Response<ControlBody>> + Send>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if let Some(report) = is_read.then(|| self.health.report(request.uri().path())).flatten() {
            return Box::pin(ready(of_report(report)));
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ClientAddress(client.ip()));
        let answering = self.runtime.spawn(self.router.clone().oneshot(request));
        Box::pin(async move {
            match answering.await {
                Ok(Ok(response)) => response.map(|body| body.map_err(|_| BodyBroken).boxed_unsync()),
                // A router never fails; its task does when the process is going down.
                Ok(Err(never)) => match never {},
                Err(_) => unavailable(),
            }
        })
    }
}

fn of_report(report: Report) -> Response<ControlBody> {
    let mut response = Response::new(whole(report.body));
    *response.status_mut() = report.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn unavailable() -> Response<ControlBody> {
    let mut response = Response::new(whole(String::new()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn whole(text: String) -> ControlBody {
    Body::from(text).map_err(|_| BodyBroken).boxed_unsync()
}
