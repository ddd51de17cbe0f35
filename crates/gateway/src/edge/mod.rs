//! Accepting connections, and telling the data plane's requests from the control plane's.

pub(crate) mod audience;
pub(crate) mod body;
mod client_body;
mod departure;
mod h1;
mod host;
mod opening;
pub(crate) mod places;
mod stall;

use crate::answer::{AnswerBody, ControlBody, problem, refused};
use crate::arrive::{Trail, sent_labels};
use crate::client_ip::{client_ip, is_trusted};
use crate::journey::travel;
use crate::worker::Worker;
use audience::{Audience, is_of_models};
pub use client_body::{BodyLost, ClientBody};
#[cfg(feature = "fuzzing")]
pub use h1::property::h1_server;
use h1::{Connection, Thread, Transport};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use opening::OpeningGuard;
use places::{Full, Holder};
use stall::StallGuard;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use topdog_domain::Refusal;

/// Everything that is not a model request: the management API, the console, the manual.
pub trait ControlPlane: Send + Sync {
    /// Answers a request of that client, on a runtime of its own: the data plane never waits for it.
    fn call(
        &self,
        request: Request<ClientBody>,
        client: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = Response<ControlBody>> + Send>>;
}

/// How long after the last accepted connection failed another is tried, where descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often connections to providers that nobody uses are closed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// A thread says no more often than this that there is no place: whoever floods a node would flood its log too.
const SAY_FULL_EVERY: Duration = Duration::from_secs(10);

/// What the connections of a thread are served with.
struct Edge {
    worker: Rc<Worker>,
    thread: Rc<Thread>,
    open: Rc<OpenConnections>,
    tls: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
    said_full: Cell<Option<Instant>>,
}

impl Edge {
    fn say_full(&self, full: Full, peer: SocketAddr) {
        if self.said_full.get().is_none_or(|before| before.elapsed() >= SAY_FULL_EVERY) {
            self.said_full.set(Some(Instant::now()));
            tracing::warn!(%peer, "{full}: such connections are closed");
        }
    }
}

pub(crate) async fn serve(
    worker: Rc<Worker>,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    stop: watch::Receiver<bool>,
) {
    let mut stopping = stop.clone();
    let edge = Rc::new(Edge {
        worker,
        thread: Rc::new(Thread::new()),
        open: Rc::default(),
        tls: tls.map(TlsAcceptor::from),
        stop,
        said_full: Cell::default(),
    });
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => accept(&edge, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            _ = sweep.tick() => edge.worker.pool.sweep(),
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        }
    }
    drop(listener);
    edge.open.none_left().await;
}

fn accept(edge: &Rc<Edge>, stream: TcpStream, peer: SocketAddr) {
    let place = match Place::take(&edge.worker, &edge.open, peer) {
        Ok(place) => place,
        Err(full) => return edge.say_full(full, peer),
    };
    let edge = edge.clone();
    tokio::task::spawn_local(async move {
        // Nagle's algorithm would hold small events of a stream back for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        match &edge.tls {
            // Boxed, so that connections in the clear need not have room for it.
            Some(tls) => Box::pin(secured(&edge, stream, peer, tls)).await,
            None => cleartext(&edge, stream, peer).await,
        }
        drop(place);
    });
}

async fn secured(edge: &Edge, stream: TcpStream, peer: SocketAddr, tls: &TlsAcceptor) {
    let limit = edge.worker.config().header_timeout;
    let Ok(Ok(stream)) = timeout(limit, tls.accept(stream)).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        speak_h2(edge, stream, peer).await;
    } else {
        speak_h1(edge, stream, peer).await;
    }
}

async fn cleartext(edge: &Edge, stream: TcpStream, peer: SocketAddr) {
    let config = edge.worker.config();
    if config.is_h2c_allowed {
        let mut stop = edge.stop.clone();
        let began = tokio::select! {
            began = timeout(config.header_timeout, begins_with_h2_preface(&stream)) => began,
            _ = stop.wait_for(|is_stopping| *is_stopping) => return,
        };
        match began {
            Ok(Ok(true)) => return Box::pin(speak_h2(edge, stream, peer)).await,
            Ok(Ok(false)) => {}
            _ => return,
        }
    }
    speak_h1(edge, stream, peer).await;
}

/// Does the client begin with HTTP/2's preface (RFC 9113, 3.4)? Looks without taking. What it has begun and will not
/// end, since it sends no more, is none.
async fn begins_with_h2_preface(stream: &TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut seen = [0; PREFACE.len()];
    loop {
        // Looked at before the bytes, so that an end which comes between the two hides none of them.
        let has_ended = stream.ready(Interest::READABLE).await?.is_read_closed();
        let length = stream.peek(&mut seen).await?;
        let so_far = seen.get(..length).unwrap_or_default();
        if length == 0 || !PREFACE.starts_with(so_far) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        if has_ended {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn speak_h1<S: Transport>(edge: &Edge, stream: S, peer: SocketAddr) {
    let connection =
        Connection::new(stream, edge.thread.clone(), edge.worker.clone(), peer, edge.stop.clone());
    let mut connection = pin!(connection.run());
    if until_stopping(connection.as_mut(), &mut edge.stop.clone()).await {
        connection.await;
    }
}

async fn speak_h2<S>(edge: &Edge, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let config = edge.worker.config();
    let service = service_fn(|request: Request<Incoming>| {
        let worker = edge.worker.clone();
        async move {
            Ok::<_, Infallible>(match host::check_h2(&request) {
                Ok(()) => answer(&worker, Box::new(request.map(ClientBody::h2)), peer).await,
                Err(refusal) => turned_away(&worker, &refusal, Audience::of(request.uri().path().as_bytes())),
            })
        }
    });
    let stream = StallGuard::new(stream, config.send_idle_timeout);
    let io = TokioIo::new(OpeningGuard::new(stream, config.header_timeout));
    let mut connection = pin!(h2(&edge.worker).serve_connection(io, service));
    if until_stopping(connection.as_mut(), &mut edge.stop.clone()).await {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// Runs a connection to its end (false), or until the node stops (true). The stop is waited for once, not at every
/// wake of the connection: a task's waker stays the same.
async fn until_stopping(mut connection: Pin<&mut impl Future>, stop: &mut watch::Receiver<bool>) -> bool {
    let signal = stop.clone();
    let mut stopping = pin!(stop.wait_for(|is_stopping| *is_stopping));
    let mut is_waited_for = false;
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        if !is_waited_for || signal.has_changed().unwrap_or(true) {
            is_waited_for = true;
            return stopping.as_mut().poll(cx).map(|_| true);
        }
        Poll::Pending
    })
    .await
}

fn h2(worker: &Worker) -> http2::Builder<LocalExecutor> {
    let config = worker.config();
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(config.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MOST_H2_STREAMS)
        .max_pending_accept_reset_streams(MOST_H2_RESETS)
        .max_local_error_reset_streams(MOST_H2_RESETS)
        .max_send_buf_size(H2_SEND_BUFFER)
        .keep_alive_interval(config.send_idle_timeout)
        .keep_alive_timeout(config.header_timeout);
    builder
}

const MOST_H2_STREAMS: u32 = 100;
/// Rapid reset (CVE-2023-44487): a client that opens and resets more than this is cut off.
const MOST_H2_RESETS: usize = 50;
/// A slow reader of one stream holds at most this many bytes.
const H2_SEND_BUFFER: usize = 64 * 1024;

async fn answer(
    worker: &Rc<Worker>,
    request: Box<Request<ClientBody>>,
    peer: SocketAddr,
) -> Response<AnswerBody> {
    if is_of_models(request.uri().path()) {
        return travel(worker, request, peer.ip()).await;
    }
    let client = match manager(worker, request.headers(), peer) {
        Ok(client) => client,
        Err(refusal) => return turned_away(worker, &refusal, Audience::Management),
    };
    Box::pin(worker.parts().control.call(*request, client)).await.map(AnswerBody::Control)
}

/// From where a request of the control plane comes, whose labels are in the same lists as every request's.
fn manager(worker: &Worker, headers: &HeaderMap, peer: SocketAddr) -> Result<SocketAddr, Refusal> {
    sent_labels(headers).map_err(Refusal::BadLabel)?;
    Ok(SocketAddr::new(client_ip(worker, headers, peer.ip())?, peer.port()))
}

/// What is no request, or none of ours, is refused before its journey begins.
fn turned_away(worker: &Worker, refusal: &Refusal, audience: Audience) -> Response<AnswerBody> {
    let trail = Trail::new(worker);
    worker.parts().metrics.refused(&trail, refusal);
    match audience {
        Audience::Management => problem(&trail, refusal),
        Audience::Model(family) => {
            trail.family.set(family);
            refused(&trail, refusal)
        }
    }
}

/// Runs HTTP/2's tasks on the thread that has the connection.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// The open connections of a thread.
#[derive(Default)]
struct OpenConnections {
    count: Cell<usize>,
    changed: Notify,
}

impl OpenConnections {
    async fn none_left(&self) {
        while self.count.get() > 0 {
            self.changed.notified().await;
        }
    }
}

/// One connection's place among those that may be open.
struct Place {
    worker: Rc<Worker>,
    open: Rc<OpenConnections>,
    holder: Holder,
}

impl Place {
    fn take(worker: &Rc<Worker>, open: &Rc<OpenConnections>, peer: SocketAddr) -> Result<Self, Full> {
        let holder = if is_trusted(worker, peer.ip()) { Holder::Proxy } else { Holder::of(peer.ip()) };
        worker.gateway.places.take(holder)?;
        open.count.set(open.count.get() + 1);
        Ok(Self { worker: worker.clone(), open: open.clone(), holder })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.gateway.places.give_back(self.holder);
        self.open.count.set(self.open.count.get().saturating_sub(1));
        self.open.changed.notify_one();
    }
}
