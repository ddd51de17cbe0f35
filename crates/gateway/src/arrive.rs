//! Step 1: what is asked for, before anything of it is believed.

use crate::edge::ClientBody;
use crate::edge::audience::Audience;
use crate::worker::Worker;
use http::header::HeaderName;
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
    HeaderValue::try_from(request.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}

/// What the request wants.
pub(crate) enum Wanted {
    /// Something of a model.
    Operation(Operation),
    /// The list of models.
    ModelList,
    /// One model of the list.
    Model(String),
}

/// A request that has arrived.
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
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What SDKs that Fern generates call themselves; Cohere's do.
const X_SDK_NAME: HeaderName = HeaderName::from_static("x-fern-sdk-name");
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub(crate) fn arrive(
    worker: &Worker,
    trail: &Trail,
    request: Request<ClientBody>,
    peer: IpAddr,
) -> Result<Arrived, Refusal> {
    let (parts, body) = request.into_parts();
    let operation = Operation::from_path(parts.uri.path());
    trail
        .family
        .set(operation.map_or_else(|| family_of(parts.uri.path(), &parts.headers), Operation::family));
    let sent_labels = sent_labels(&parts.headers).map_err(Refusal::BadLabel)?;
    trail.labels.set(Labels::of_stranger(sent_labels, &worker.config().labels));
    let wanted = wanted(&parts.method, parts.uri.path(), operation)?;
    trail.operation.set(operation);
    let is_front_trusted = is_trusted(worker, peer);
    let client_ip =
        if is_front_trusted { forwarded_for(worker, &parts.headers).unwrap_or(peer) } else { peer };
    Ok(Arrived {
        wanted,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
        client_ip,
        sent_labels,
        is_front_trusted,
    })
}

/// Whose API a path is of that is no operation. The list of models several have at the same path: only Anthropic's clients
/// send a version, and Cohere's own SDKs say that they are.
fn family_of(path: &str, headers: &HeaderMap) -> Family {
    match Audience::of(path.as_bytes()) {
        Audience::Model(Family::OpenAi) if headers.contains_key(ANTHROPIC_VERSION) => Family::Anthropic,
        Audience::Model(Family::OpenAi) if headers.get(X_SDK_NAME).is_some_and(|name| name == "cohere") => {
            Family::Cohere
        }
        Audience::Model(family) => family,
        Audience::Management => Family::OpenAi,
    }
}

fn wanted(method: &Method, path: &str, operation: Option<Operation>) -> Result<Wanted, Refusal> {
    if let Some(operation) = operation {
        return if method == Method::POST {
            Ok(Wanted::Operation(operation))
        } else {
            Err(Refusal::MethodNotAllowed("POST"))
        };
    }
    let path = path.strip_prefix("/v1/").ok_or(Refusal::NoSuchPath)?;
    let wanted = match path.strip_prefix("models") {
        Some("") => Wanted::ModelList,
        Some(model) if model.len() > 1 && model.starts_with('/') => {
            Wanted::Model(decoded(model.get(1..).unwrap_or_default())?)
        }
        _ => return Err(Refusal::NoSuchPath),
    };
    if method == Method::GET { Ok(wanted) } else { Err(Refusal::MethodNotAllowed("GET")) }
}

/// The SDKs percent-encode the `/` of `provider/model`.
fn decoded(segment: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
        let (high, low) = (digit().ok_or(Refusal::NoSuchPath)?, digit().ok_or(Refusal::NoSuchPath)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| Refusal::NoSuchPath)?);
    }
    String::from_utf8(bytes).map_err(|_| Refusal::NoSuchPath)
}

/// All values count, however often a header is sent: who adds a second one must not be able to undo the first.
fn sent_labels(headers: &HeaderMap) -> Result<SentLabels, BadLabel> {
    let mut plans = headers.get_all(X_PLAN).iter();
    let sent = plans.try_fold(SentLabels::default(), |sent, plan| sent.with_plan(plan.as_bytes()))?;
    let mut segments = headers.get_all(X_DATA_SEGMENT).iter();
    segments.try_fold(sent, |sent, segment| sent.with_segment(segment.as_bytes()))
}

/// Whose request it is: the peer, or what a gateway of our own in front says of its peer.
pub(crate) fn client_ip(worker: &Worker, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    if is_trusted(worker, peer) { forwarded_for(worker, headers).unwrap_or(peer) } else { peer }
}

/// Is it a gateway of our own in front?
pub(crate) fn is_trusted(worker: &Worker, ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    worker.config().trusted_proxies.iter().any(|net| net.contains(&ip))
}

/// The right-most address that is not one of our own proxies: those to its left are hearsay.
fn forwarded_for(worker: &Worker, headers: &HeaderMap) -> Option<IpAddr> {
    let lines: Vec<&str> = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()).collect();
    let hops = lines.iter().flat_map(|line| line.split(',')).map(|hop| hop.trim().parse::<IpAddr>());
    let hops: Vec<IpAddr> = hops.collect::<Result<_, _>>().ok()?;
    hops.iter().rev().find(|ip| !is_trusted(worker, **ip)).or(hops.first()).copied()
}
