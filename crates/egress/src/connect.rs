//! One new connection: resolve, check, connect to what was checked, check again, encrypt, speak HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::body::RequestBody;
use crate::error::{EgressError, Lost};
use crate::h1::{Line, Wire};
use crate::origin::{Origin, Place, Scheme};
use crate::policy::EgressPolicy;
use crate::resolve::{Resolve, SystemResolver};
use crate::tls;

/// Makes connections that policy allows; cheap to clone and shared by every thread.
#[derive(Clone)]
pub struct Egress(Arc<Gate>);

struct Gate {
    policy: EgressPolicy,
    settings: EgressSettings,
    resolver: Box<dyn Resolve>,
    tls: TlsConnector,
}

/// How patient a connection attempt is, and what it offers.
#[derive(Debug, Clone, Copy)]
pub struct EgressSettings {
    /// For resolving the name and for connecting, shared between all the name's addresses.
    pub connect_timeout: Duration,
    /// For the TLS handshake after it.
    pub tls_timeout: Duration,
    /// Whether HTTP/2 is offered; only ever over TLS.
    pub http2: bool,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), tls_timeout: Duration::from_secs(5), http2: true }
    }
}

/// A connection ready for requests; its task runs on the runtime that made it.
pub enum Connection {
    /// One request at a time.
    H1(Box<Line>),
    /// Many at a time; the connection ends when the last clone and the last body are dropped.
    H2(http2::SendRequest<RequestBody>),
}

impl Egress {
    /// With the operating system's resolver and default settings.
    ///
    /// # Errors
    /// [`EgressError::InvalidRoots`].
    pub fn new(policy: EgressPolicy) -> Result<Self, EgressError> {
        Self::with(policy, EgressSettings::default(), SystemResolver)
    }

    /// With settings and a resolver of the caller's.
    ///
    /// # Errors
    /// [`EgressError::InvalidRoots`].
    pub fn with(
        policy: EgressPolicy,
        settings: EgressSettings,
        resolver: impl Resolve + 'static,
    ) -> Result<Self, EgressError> {
        let tls = TlsConnector::from(tls::client_config(policy.extra_roots(), settings.http2)?);
        Ok(Self(Arc::new(Gate { policy, settings, resolver: Box::new(resolver), tls })))
    }

    /// The policy in force.
    pub fn policy(&self) -> &EgressPolicy {
        &self.0.policy
    }

    /// Says whether the origin may be kept as a target: what its text shows, and for plain HTTP to a name also where
    /// the name leads now, as that is let through to some addresses only. Every connection is judged again.
    ///
    /// # Errors
    /// [`EgressError::Forbidden`]; for plain HTTP also where the name does not resolve in time.
    pub async fn check(&self, origin: &Origin) -> Result<(), EgressError> {
        self.0.policy.check_origin(origin)?;
        if origin.scheme() == Scheme::Https {
            return Ok(());
        }
        let addresses = self.addresses(origin, Instant::now() + self.0.settings.connect_timeout).await?;
        self.0.policy.check_answers(origin, &addresses)
    }

    /// Opens a connection to the origin.
    ///
    /// # Errors
    /// Every [`EgressError`] but those about an answer.
    pub async fn connect(&self, origin: &Origin) -> Result<Connection, EgressError> {
        self.0.policy.check_origin(origin)?;
        let deadline = Instant::now() + self.0.settings.connect_timeout;
        let addresses = self.addresses(origin, deadline).await?;
        self.0.policy.check_answers(origin, &addresses)?;
        let tcp = dial(&addresses, deadline).await?;
        let (local, peer) = match (tcp.local_addr(), tcp.peer_addr()) {
            (Ok(local), Ok(peer)) => (local, peer),
            _ => return Err(EgressError::ConnectFailed),
        };
        self.0.policy.check_connected(local, peer, origin)?;
        tune(&tcp).map_err(|_| EgressError::ConnectFailed)?;
        match origin.scheme() {
            Scheme::Http => Ok(Connection::H1(Box::new(Line::new(Wire::Plain(tcp))))),
            Scheme::Https => {
                let tls = self.encrypt(origin, tcp).await?;
                if tls.get_ref().1.alpn_protocol() == Some(tls::H2) {
                    speak_h2(tls).await
                } else {
                    Ok(Connection::H1(Box::new(Line::new(Wire::Tls(Box::new(tls))))))
                }
            }
        }
    }

    async fn addresses(&self, origin: &Origin, deadline: Instant) -> Result<Vec<SocketAddr>, EgressError> {
        let name = match origin.place() {
            Place::Address(ip) => return Ok(vec![SocketAddr::new(*ip, origin.port())]),
            Place::Name(name) => name,
        };
        let patience = deadline.saturating_duration_since(Instant::now());
        match timeout(patience, self.0.resolver.resolve(name, origin.port())).await {
            Err(_) => Err(EgressError::ConnectTimeout),
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err(EgressError::Unresolvable),
        }
    }

    async fn encrypt(&self, origin: &Origin, tcp: TcpStream) -> Result<TlsStream<TcpStream>, EgressError> {
        let handshake = self.0.tls.connect(origin.server_name().clone(), tcp);
        match timeout(self.0.settings.tls_timeout, handshake).await {
            Err(_) => Err(EgressError::ConnectTimeout),
            Ok(handshake) => handshake.map_err(|_| EgressError::Tls),
        }
    }
}

/// Tries the addresses in turn; each gets an equal share of what time is left, so that a silent first one
/// leaves time for the next.
async fn dial(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, EgressError> {
    let mut failure = EgressError::ConnectTimeout;
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        #[expect(clippy::disallowed_methods, reason = "this is the guarded egress; the address is checked")]
        let attempt = TcpStream::connect(*address);
        match timeout(share, attempt).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(_)) => failure = EgressError::ConnectFailed,
            Err(_) => failure = EgressError::ConnectTimeout,
        }
    }
    Err(failure)
}

/// A model may think for minutes without a byte; probes keep middleboxes from forgetting the connection, and
/// tell us when the peer is gone.
fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    SockRef::from(tcp)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY))
}

const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);

async fn speak_h2<T>(io: T) -> Result<Connection, EgressError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(H2_PING_EVERY)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| EgressError::Protocol(Lost::of(&error)))?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connection::H2(sender))
}

const MAX_HEAD_BYTES: usize = 64 * 1024;
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Finds out that a peer is gone while streams wait on it.
const H2_PING_EVERY: Duration = Duration::from_secs(20);
