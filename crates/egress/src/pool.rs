//! Reused connections of one data-plane thread.
//!
//! No mutex and no shared state: each thread has a pool of its own, and `Rc` inside says so.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use http::header::HOST;
use http::uri::{PathAndQuery, Scheme as UriScheme, Uri};
use http::{Request, Response, Version};
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, timeout};

use crate::body::RequestBody;
use crate::connect::{Connection, Egress};
use crate::error::{EgressError, Lost, SendError};
use crate::h1::{self, Line, Patience};
use crate::origin::{Origin, Scheme};
use crate::shelf::{Protocol, Shelf, Stream};
use crate::upstream::UpstreamBody;

/// The upstream connections of one thread, by origin.
pub struct Pool {
    egress: Egress,
    settings: PoolSettings,
    shelves: RefCell<HashMap<Origin, Rc<Shelf>>>,
    /// The number of origins at which emptied shelves are cleared away next.
    sweep_at: Cell<usize>,
}

/// Limits of a pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// An idle connection older than this is closed instead of used.
    pub idle_timeout: Duration,
    /// HTTP/1 connections kept idle for one origin.
    pub max_idle_per_origin: usize,
    /// From sending a request to its response head; [`Pool::send_within`] overrides it.
    pub head_timeout: Duration,
    /// An HTTP/1 peer may leave a request that is being sent unread for this long; then it is as late as one that
    /// sends no head. With HTTP/2 only `head_timeout` bounds it.
    pub send_idle_timeout: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(60),
            max_idle_per_origin: 512,
            head_timeout: Duration::from_secs(600),
            send_idle_timeout: Duration::from_secs(300),
        }
    }
}

impl Pool {
    /// An empty pool; make it on the thread that will use it.
    pub fn new(egress: Egress, settings: PoolSettings) -> Self {
        Self { egress, settings, shelves: RefCell::default(), sweep_at: Cell::new(FIRST_SWEEP) }
    }

    /// Sends a request and yields the response as soon as its head is there.
    ///
    /// The request's path and query are kept, its scheme, authority and `Host` are replaced by the origin's.
    /// It is boxed, as it is handed from step to step of a future that a thousand open streams have. It is sent once: only where nothing of it was written (a pooled connection that had died unseen) is
    /// another connection tried. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::may_have_been_sent`] tells whether trying again can act twice.
    pub async fn send(
        &self,
        origin: &Origin,
        request: Box<Request<RequestBody>>,
    ) -> Result<Response<UpstreamBody>, SendError> {
        self.send_within(self.settings.head_timeout, origin, request).await
    }

    /// [`send`](Self::send) with a time limit for the response head of its own.
    ///
    /// # Errors
    /// As `send`.
    pub async fn send_within(
        &self,
        head_timeout: Duration,
        origin: &Origin,
        mut request: Box<Request<RequestBody>>,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let shelf = self.shelf(origin);
        let mut failed_reuses = 0;
        loop {
            let reused = if failed_reuses < MAX_REUSES { reuse(&shelf) } else { None };
            let (carrier, is_new) = match reused {
                Some(carrier) => (carrier, false),
                // Boxed, so that the rare handshake's state does not weigh on every request.
                None => Box::pin(self.dial(origin, &shelf)).await?,
            };
            match exchange(self.settings, head_timeout, carrier, origin, request, &shelf).await {
                Ok(response) => return Ok(response),
                Err(Failure::Unsent(unsent)) if !is_new && failed_reuses <= MAX_REUSES => request = unsent,
                Err(Failure::Unsent(_)) => return Err(EgressError::ConnectFailed.into()),
                Err(Failure::Final(error)) => return Err(error),
            }
            failed_reuses += 1;
        }
    }

    /// Closes connections and forgets origins unused for the idle time; worth a call every minute or so.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.shelves.borrow_mut().retain(|_, shelf| !shelf.sweep(now) || Rc::strong_count(shelf) > 1);
    }

    /// How many HTTP/1 connections to the origin are idle.
    pub fn idle(&self, origin: &Origin) -> usize {
        self.shelves.borrow().get(origin).map_or(0, |shelf| shelf.idle_len())
    }

    fn shelf(&self, origin: &Origin) -> Rc<Shelf> {
        if let Some(shelf) = self.shelves.borrow().get(origin) {
            return Rc::clone(shelf);
        }
        if self.shelves.borrow().len() >= self.sweep_at.get() {
            self.sweep();
            self.sweep_at.set((self.shelves.borrow().len() * 2).max(FIRST_SWEEP));
        }
        let shelf = Rc::new(Shelf::new(self.settings));
        self.shelves.borrow_mut().insert(origin.clone(), Rc::clone(&shelf));
        shelf
    }

    /// A carrier that was not there yet, and whether it is a new connection.
    async fn dial(&self, origin: &Origin, shelf: &Shelf) -> Result<(Carrier, bool), SendError> {
        let mut has_waited = false;
        loop {
            let may_be_shared = origin.scheme() == Scheme::Https && shelf.dialling.protocol() != Protocol::H1;
            // Having waited for an attempt that failed, another wait would only add up timeouts.
            let lost_the_first = has_waited && shelf.dialling.protocol() == Protocol::Unknown;
            let attempt = if may_be_shared && !lost_the_first {
                let Some(attempt) = shelf.dialling.attempt_or_wait().await else {
                    if let Some(stream) = shelf.stream() {
                        return Ok((Carrier::Stream(stream), false));
                    }
                    has_waited = true;
                    continue;
                };
                Some(attempt)
            } else {
                None
            };
            let connection = self.egress.connect(origin).await;
            let carrier = match connection {
                Ok(Connection::H1(line)) => {
                    shelf.dialling.learn(Protocol::H1);
                    Carrier::Line(line)
                }
                Ok(Connection::H2(sender)) => {
                    shelf.dialling.learn(Protocol::H2);
                    Carrier::Stream(shelf.share(sender))
                }
                Err(error) => {
                    shelf.dialling.learn(Protocol::Unknown);
                    return Err(error.into());
                }
            };
            drop(attempt);
            return Ok((carrier, true));
        }
    }
}

const FIRST_SWEEP: usize = 64;
/// After so many pooled connections that were dead when used, a new one is made.
const MAX_REUSES: u32 = 3;

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What one request travels on.
enum Carrier {
    Line(Box<Line>),
    Stream(Stream),
}

fn reuse(shelf: &Shelf) -> Option<Carrier> {
    shelf.take().map(Carrier::Line).or_else(|| shelf.stream().map(Carrier::Stream))
}

enum Failure {
    /// Nothing of it was written.
    Unsent(Box<Request<RequestBody>>),
    Final(SendError),
}

async fn exchange(
    settings: PoolSettings,
    head_timeout: Duration,
    carrier: Carrier,
    origin: &Origin,
    mut request: Box<Request<RequestBody>>,
    shelf: &Rc<Shelf>,
) -> Result<Response<UpstreamBody>, Failure> {
    match carrier {
        Carrier::Line(line) => {
            address_h1(&mut request, origin);
            let patience = Patience { head: head_timeout, send_idle: settings.send_idle_timeout };
            let answer = line.send(request, patience).await?;
            Ok(answer.map(|body| UpstreamBody::h1(body, Rc::clone(shelf))))
        }
        Carrier::Stream(stream) => Box::pin(exchange_h2(head_timeout, stream, origin, request)).await,
    }
}

async fn exchange_h2(
    head_timeout: Duration,
    Stream { mut sender, in_flight }: Stream,
    origin: &Origin,
    mut request: Box<Request<RequestBody>>,
) -> Result<Response<UpstreamBody>, Failure> {
    address_h2(&mut request, origin).map_err(|lost| Failure::Final(SendError::BeforeHead(lost)))?;
    let answer = timeout(head_timeout, sender.try_send_request(*request)).await;
    let response = answer.map_err(|_| Failure::Final(SendError::HeadTimeout))?.map_err(Failure::of)?;
    Ok(response.map(|incoming| UpstreamBody::h2(incoming, in_flight)))
}

impl From<h1::Failure> for Failure {
    fn from(failure: h1::Failure) -> Self {
        match failure {
            h1::Failure::Unsent(request) => Self::Unsent(request),
            h1::Failure::Late | h1::Failure::Lost(Lost::Stalled) => Self::Final(SendError::HeadTimeout),
            h1::Failure::Lost(lost) => Self::Final(SendError::BeforeHead(lost)),
        }
    }
}

impl Failure {
    fn of(mut error: TrySendError<Request<RequestBody>>) -> Self {
        match error.take_message() {
            Some(request) => Self::Unsent(Box::new(request)),
            None => Self::Final(SendError::BeforeHead(Lost::of(error.error()))),
        }
    }
}

/// Origin form and `Host` (RFC 9112, 3.2.1).
pub(crate) fn address_h1(request: &mut Request<RequestBody>, origin: &Origin) {
    if request.uri().authority().is_some() || request.uri().scheme().is_some() {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    }
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().insert(HOST, origin.host_header().clone());
}

/// `:scheme` and `:authority` in place of `Host` (RFC 9113, 8.3.1).
pub(crate) fn address_h2(request: &mut Request<RequestBody>, origin: &Origin) -> Result<(), Lost> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(match origin.scheme() {
        Scheme::Https => UriScheme::HTTPS,
        Scheme::Http => UriScheme::HTTP,
    });
    parts.authority = Some(origin.authority().clone());
    let path = request.uri().path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Lost::Malformed)?;
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(HOST);
    Ok(())
}
