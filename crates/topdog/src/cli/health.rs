//! `topdog health`: does the server on this machine take requests? For what watches over it and has no HTTP client.

use super::exit::Exit;
use super::failure::Failure;
use super::globals::Globals;
use super::session::admin_listens_at;
use super::table::Table;
use bytes::Bytes;
use http::{Method, Request};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use topdog_egress::{AnswerLimits, BaseUrl, Client, Egress, EgressPolicy};

/// What `/readyz` says.
#[derive(Debug, Serialize, Deserialize)]
struct Readiness {
    status: String,
    #[serde(default)]
    notes: Vec<String>,
}

/// Whoever watches asks again soon.
const LIMITS: AnswerLimits = AnswerLimits { timeout: Duration::from_secs(5), max_body_bytes: 64 * 1024 };

/// Asks `/readyz` of the admin listener; a server that is not ready fails.
pub(super) async fn run(globals: &Globals) -> Result<(), Failure> {
    let url = admin_listens_at(&globals.data_dir())?;
    let unreachable = |error: &dyn std::fmt::Display| {
        Failure::with(
            Exit::Unreachable,
            format!("the server at {url} can't be reached: {error}; the log says why"),
        )
    };
    let base = BaseUrl::parse(&url).map_err(|error| unreachable(&error))?;
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = base.join("/readyz").map_err(|error| unreachable(&error))?;
    let egress = Egress::new(EgressPolicy::operator()).map_err(|error| unreachable(&error))?;
    let answer = Client::new(egress)
        .request(base.origin(), request, LIMITS)
        .await
        .map_err(|error| unreachable(&error))?;
    let said: Readiness = serde_json::from_slice(answer.body())
        .map_err(|_| Failure::failed(format!("what listens at {url} is no Top Dog")))?;
    if !answer.status().is_success() {
        return Err(Failure::failed(format!("{}: {}", said.status, said.notes.join("; "))));
    }
    globals.output.answer(&said, |said| {
        Table::of_facts([("status", said.status.clone()), ("notes", said.notes.join("; "))])
    })
}
