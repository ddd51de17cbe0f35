//! Step 1: what is asked for, before anything of it is believed.

use crate::client_ip::{client_ip, is_trusted};
use crate::edge::ClientBody;
use crate::wanted::{Asked, Wanted};
use crate::worker::Worker;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Request};
use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use topdog_domain::directory::Caller;
use topdog_domain::labels::{BadLabel, Labels, SentLabels};
use topdog_domain::provider::{Family, Operation};
use topdog_domain::{Refusal, RequestId, Timestamp};

/// What is known of a request wherever it ends; refusals are answered and measured by it.
pub(crate) struct Trail {
    pub(crate) request: RequestId,
    /// The same as a header's value.
    pub(crate) request_header: HeaderValue,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    /// The labels as far as they are known: a stranger's, then the tenant's.
    pub(crate) labels: Cell<Labels>,
    pub(crate) operation: Cell<Option<Operation>>,
    /// Whose API the caller speaks.
    pub(crate) family: Cell<Family>,
    /// Who asks, and from where, as soon as that is known.
    pub(crate) caller: OnceCell<(Arc<Caller>, IpAddr)>,
    /// Has it a settlement, which makes its record?
    pub(crate) is_admitted: Cell<bool>,
    /// How many attempts were made, where a policy's route is for the request.
    pub(crate) attempts: Cell<u32>,
}

impl Trail {
    pub(crate) fn new(worker: &Worker) -> Self {
        let at = worker.parts().clock.now();
        let request = worker.ids.next(at);
        Self {
            request_header: request_header(request),
            request,
            at,
            started: Instant::now(),
            labels: Cell::new(Labels::of_stranger(SentLabels::default(), &worker.config().labels)),
            operation: Cell::new(None),
            family: Cell::new(Family::OpenAi),
            caller: OnceCell::new(),
            is_admitted: Cell::new(false),
            attempts: Cell::new(0),
        }
    }
}

fn request_header(request: RequestId) -> HeaderValue {
    // Hexadecimal digits behind a prefix of letters: always a header value.
    request.with_text(HeaderValue::from_str).unwrap_or(HeaderValue::from_static("unknown"))
}

/// A request that has arrived; boxed, as it is handed from step to step.
pub(crate) struct Arrived {
    pub(crate) wanted: Wanted,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: ClientBody,
    pub(crate) client_ip: IpAddr,
    pub(crate) sent_labels: SentLabels,
    pub(crate) is_front_trusted: bool,
}

const X_PLAN: HeaderName = HeaderName::from_static("x-plan");
const X_DATA_SEGMENT: HeaderName = HeaderName::from_static("x-data-segment");
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub(crate) fn arrive(
    worker: &Worker,
    trail: &Trail,
    request: Box<Request<ClientBody>>,
    peer: IpAddr,
) -> Result<Box<Arrived>, Refusal> {
    let (mut parts, body) = request.into_parts();
    let Asked { family, wanted } = Asked::of(worker, &mut parts);
    trail.family.set(family);
    let sent_labels = sent_labels(&parts.headers).map_err(Refusal::BadLabel)?;
    trail.labels.set(Labels::of_stranger(sent_labels, &worker.config().labels));
    let (wanted, query) = wanted?;
    trail.operation.set(wanted.operation());
    let is_front_trusted = is_trusted(worker, peer);
    let client_ip = client_ip(worker, &parts.headers, peer)?;
    Ok(Box::new(Arrived {
        wanted,
        query,
        headers: parts.headers,
        body,
        client_ip,
        sent_labels,
        is_front_trusted,
    }))
}

/// All values count, however often a header is sent: who adds a second one must not be able to undo the first.
pub(crate) fn sent_labels(headers: &HeaderMap) -> Result<SentLabels, BadLabel> {
    let mut plans = headers.get_all(X_PLAN).iter();
    let sent = plans.try_fold(SentLabels::default(), |sent, plan| sent.with_plan(plan.as_bytes()))?;
    let mut segments = headers.get_all(X_DATA_SEGMENT).iter();
    segments.try_fold(sent, |sent, segment| sent.with_segment(segment.as_bytes()))
}
