use super::health::Health;
use super::node_metrics::NodeMetrics;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use topdog_gateway::Metrics;

/// Metrics and health on a listener of their own, so that monitoring needs no way into the public one.
pub(super) struct Admin {
    /// The node's.
    pub(super) health: Arc<Health>,
    /// Those of requests.
    pub(super) metrics: Arc<Metrics>,
    /// Those of the rest.
    pub(super) node_metrics: NodeMetrics,
}

impl Admin {
    /// Serves until it is dropped.
    pub(super) async fn serve(self, listener: TcpListener) {
        let admin = Arc::new(self);
        let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(permit) = connections.clone().acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin listener can't accept a connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let admin = admin.clone();
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let response = admin.answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let serving = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), answer);
                // A monitor that hangs up is none of our concern.
                let _ = serving.await;
                drop(permit);
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET is served here\n".to_owned());
        }
        let path = request.uri().path();
        if path == "/metrics" {
            self.metrics.set_spool_lag(self.health.spool_lag_bytes());
            self.metrics.set_config_age(self.health.config_age());
            return text(StatusCode::OK, OPENMETRICS, self.node_metrics.encode() + &self.metrics.encode());
        }
        match self.health.report(path) {
            Some(report) => text(report.status, JSON, report.body),
            None => text(
                StatusCode::NOT_FOUND,
                PLAIN,
                "here are /metrics, /livez, /readyz and /version\n".to_owned(),
            ),
        }
    }
}

const MOST_CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failure to accept, such as a lack of file handles.
const PAUSE: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn text(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
