//! Step 1: what is asked for, before anything of it is believed.

use crate::addressed::{Addressed, MethodCall, Query, X_GOOG_API_KEY, decoded, require_no_key};
use crate::client_ip::{client_ip, is_trusted};
use crate::edge::ClientBody;
use crate::edge::audience::Audience;
use crate::worker::Worker;
use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request};
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

/// What the request wants.
pub(crate) enum Wanted {
    /// Something of a model.
    Operation(Operation),
    /// Something of a model that the path names.
    Addressed(Box<Addressed>),
    /// The list of models.
    ModelList,
    /// One model of the list.
    Model(String),
}

impl Wanted {
    /// Can it reach a provider?
    pub(crate) const fn is_of_provider(&self) -> bool {
        matches!(self, Self::Operation(_) | Self::Addressed(_))
    }
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
/// What SDKs that Fern generates call themselves; Cohere's do.
const X_SDK_NAME: HeaderName = HeaderName::from_static("x-fern-sdk-name");
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub(crate) fn arrive(
    worker: &Worker,
    trail: &Trail,
    request: Box<Request<ClientBody>>,
    peer: IpAddr,
) -> Result<Box<Arrived>, Refusal> {
    let (mut parts, body) = request.into_parts();
    let operation = Operation::from_path(parts.uri.path());
    let call = if operation.is_none() { MethodCall::of(parts.uri.path()) } else { None };
    let operation = operation.or(call.map(|call| call.operation));
    trail.family.set(operation.map_or_else(|| family_of(&parts), Operation::family));
    let query = query(trail.family.get(), parts.uri.query(), &mut parts.headers)?;
    let sent_labels = sent_labels(&parts.headers).map_err(Refusal::BadLabel)?;
    trail.labels.set(Labels::of_stranger(sent_labels, &worker.config().labels));
    let wanted = wanted(&parts.method, parts.uri.path(), operation, call, query)?;
    trail.operation.set(operation);
    let is_front_trusted = is_trusted(worker, peer);
    let client_ip = client_ip(worker, &parts.headers, peer)?;
    Ok(Box::new(Arrived {
        wanted,
        query: if query.is_some() { None } else { parts.uri.query().map(str::to_owned) },
        headers: parts.headers,
        body,
        client_ip,
        sent_labels,
        is_front_trusted,
    }))
}

/// Whose API a path is of that is no operation. The list of models several have at the same path: only Anthropic's clients
/// send a version, Cohere's own SDKs say that they are, and Gemini's have a header, or a parameter, of their own for keys.
fn family_of(parts: &Parts) -> Family {
    let headers = &parts.headers;
    match Audience::of(parts.uri.path().as_bytes()) {
        Audience::Model(Family::OpenAi) if headers.contains_key(ANTHROPIC_VERSION) => Family::Anthropic,
        Audience::Model(Family::OpenAi) if headers.get(X_SDK_NAME).is_some_and(|name| name == "cohere") => {
            Family::Cohere
        }
        Audience::Model(Family::OpenAi)
            if headers.contains_key(X_GOOG_API_KEY) || parts.uri.query().is_some_and(Query::holds_key) =>
        {
            Family::Gemini
        }
        Audience::Model(family) => family,
        Audience::Management => Family::OpenAi,
    }
}

/// What a query of Gemini's API says; none for the others, whose queries go on as they are.
fn query(family: Family, query: Option<&str>, headers: &mut HeaderMap) -> Result<Option<Query>, Refusal> {
    if family == Family::Gemini {
        return Query::take(query.unwrap_or_default(), headers).map(Some);
    }
    query.map_or(Ok(()), require_no_key).map(|()| None)
}

fn wanted(
    method: &Method,
    path: &str,
    operation: Option<Operation>,
    call: Option<MethodCall<'_>>,
    query: Option<Query>,
) -> Result<Wanted, Refusal> {
    if let Some(operation) = operation {
        if method != Method::POST {
            return Err(Refusal::MethodNotAllowed("POST"));
        }
        return match call {
            None => Ok(Wanted::Operation(operation)),
            Some(call) => call.addressed(query.unwrap_or_default()).map(|a| Wanted::Addressed(Box::new(a))),
        };
    }
    let path = path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v1beta/"));
    let path = path.ok_or(Refusal::NoSuchPath)?;
    let wanted = match path.strip_prefix("models") {
        Some("") => Wanted::ModelList,
        Some(model) if model.len() > 1 && model.starts_with('/') => {
            // The SDKs percent-encode the `/` of `provider/model`.
            Wanted::Model(decoded(model.get(1..).unwrap_or_default()).ok_or(Refusal::NoSuchPath)?)
        }
        _ => return Err(Refusal::NoSuchPath),
    };
    match *method {
        Method::GET => Ok(wanted),
        // A method of a model's that isn't known.
        Method::POST if path.contains(':') => Err(Refusal::NoSuchPath),
        _ => Err(Refusal::MethodNotAllowed("GET")),
    }
}

/// All values count, however often a header is sent: who adds a second one must not be able to undo the first.
pub(crate) fn sent_labels(headers: &HeaderMap) -> Result<SentLabels, BadLabel> {
    let mut plans = headers.get_all(X_PLAN).iter();
    let sent = plans.try_fold(SentLabels::default(), |sent, plan| sent.with_plan(plan.as_bytes()))?;
    let mut segments = headers.get_all(X_DATA_SEGMENT).iter();
    segments.try_fold(sent, |sent, segment| sent.with_segment(segment.as_bytes()))
}
