use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use topdog_domain::ports::Spool;

/// Is this node alive, and does it take requests?
pub(super) struct Health {
    is_serving: AtomicBool,
    spool: Arc<dyn Spool>,
}

/// A short text answer.
pub(super) struct Report {
    /// Its status.
    pub(super) status: StatusCode,
    /// JSON.
    pub(super) body: String,
}

impl Health {
    /// A node that is starting.
    pub(super) fn new(spool: Arc<dyn Spool>) -> Self {
        Self { is_serving: AtomicBool::new(false), spool }
    }

    /// From now on it takes requests, or no longer.
    pub(super) fn set_serving(&self, is_serving: bool) {
        self.is_serving.store(is_serving, Ordering::Release);
    }

    /// What a health path says; none for any other path.
    pub(super) fn report(&self, path: &str) -> Option<Report> {
        match path {
            "/livez" | "/healthz" => Some(Report::new(StatusCode::OK, "alive", None)),
            "/readyz" => Some(self.readiness()),
            "/version" => Some(version()),
            _ => None,
        }
    }

    fn readiness(&self) -> Report {
        if !self.is_serving.load(Ordering::Acquire) {
            return Report::new(StatusCode::SERVICE_UNAVAILABLE, "not ready", Some("starting or stopping"));
        }
        // Whether to send a node with a full spool elsewhere is the operator's choice, so it stays ready.
        let note = (!self.spool.is_healthy()).then_some("records can't be written to the spool");
        Report::new(StatusCode::OK, "ready", note)
    }
}

impl Report {
    fn new(status: StatusCode, text: &str, note: Option<&str>) -> Self {
        let body = match note {
            Some(note) => serde_json::json!({ "status": text, "note": note }),
            None => serde_json::json!({ "status": text }),
        };
        Self { status, body: body.to_string() }
    }
}

fn version() -> Report {
    let body = serde_json::json!({ "name": "topdog", "version": env!("CARGO_PKG_VERSION") });
    Report { status: StatusCode::OK, body: body.to_string() }
}
