use super::node::Node;
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use topdog_domain::directory::Directory;
use topdog_domain::ports::{Clock, Spool};
use topdog_jobs::{Follower, Freshness};

/// Is this node alive, and does it take requests?
pub(super) struct Health {
    is_serving: AtomicBool,
    spool: Arc<dyn Spool>,
    directory: Arc<Directory>,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
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
    pub(super) fn new(node: &Node, follower: &Follower) -> Self {
        Self {
            is_serving: AtomicBool::new(false),
            spool: node.spool.clone(),
            directory: node.directory.clone(),
            freshness: follower.freshness(),
            clock: node.clock.clone(),
        }
    }

    /// From now on it takes requests, or no longer.
    pub(super) fn set_serving(&self, is_serving: bool) {
        self.is_serving.store(is_serving, Ordering::Release);
    }

    /// What a health path says; none for any other path.
    pub(super) fn report(&self, path: &str) -> Option<Report> {
        match path {
            "/livez" | "/healthz" => Some(Report::new(StatusCode::OK, "alive", &[])),
            "/readyz" => Some(self.readiness()),
            "/version" => Some(version()),
            _ => None,
        }
    }

    /// Bytes that are spooled and not yet shipped.
    pub(super) fn spool_lag_bytes(&self) -> u64 {
        self.spool.lag_bytes()
    }

    /// How long ago this node last knew all changes of tenants and tiers.
    pub(super) fn config_age(&self) -> Duration {
        Duration::from_secs(self.freshness.age_seconds(self.clock.now()))
    }

    /// A node without its database, or with a full spool, stays ready: it serves what it knows, and what it
    /// can't serve it refuses by itself.
    fn readiness(&self) -> Report {
        if !self.is_serving.load(Ordering::Acquire) {
            return Report::new(StatusCode::SERVICE_UNAVAILABLE, "not ready", &["starting or stopping"]);
        }
        let mut notes = Vec::new();
        if !self.spool.is_healthy() {
            notes.push("records can't be written to the spool");
        }
        if !self.directory.is_current(self.clock.now()) {
            notes.push("changes of tenants and tiers can't be read from the database: regulated requests are refused");
        }
        Report::new(StatusCode::OK, "ready", &notes)
    }
}

impl Report {
    fn new(status: StatusCode, text: &str, notes: &[&str]) -> Self {
        let body = match notes {
            [] => serde_json::json!({ "status": text }),
            notes => serde_json::json!({ "status": text, "notes": notes }),
        };
        Self { status, body: body.to_string() }
    }
}

fn version() -> Report {
    let body = serde_json::json!({ "name": "topdog", "version": env!("CARGO_PKG_VERSION") });
    Report { status: StatusCode::OK, body: body.to_string() }
}
