//! A scripted upstream on loopback, byte by byte, so that a test sees exactly what was sent and when the
//! other side hung up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use topdog_egress::{AllowRule, Egress, EgressPolicy, EgressSettings, Origin, RequestBody, Resolve};

pub(crate) struct Upstream {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Upstream {
    pub(crate) async fn bind() -> Self {
        Self::bind_at("127.0.0.1:0").await
    }

    pub(crate) async fn bind_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::parse(&format!("http://{}", self.address)).unwrap()
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (socket, _) = soon(self.listener.accept()).await.unwrap();
        Peer { socket, received: Vec::new() }
    }

    /// Whether nobody connects for a little while.
    pub(crate) async fn is_left_alone(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.listener.accept()).await.is_err()
    }
}

/// The upstream's end of one connection.
pub(crate) struct Peer {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Peer {
    /// Reads one request: its head, and as much body as its length says.
    pub(crate) async fn request(&mut self) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().unwrap());
                if body.len() >= length {
                    self.received.clear();
                    return text;
                }
            }
            let read = soon(self.socket.read_buf(&mut self.received)).await.unwrap();
            assert_ne!(read, 0, "connection closed in the middle of a request");
        }
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits for the other side to hang up, however it does.
    pub(crate) async fn closed(&mut self) {
        let mut rest = [0; 1024];
        while matches!(self.socket.read(&mut rest).await, Ok(1..)) {}
    }
}

/// A bound on everything a test waits for.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(5), future).await.expect("took more than 5 s")
}

pub(crate) fn loopback() -> EgressPolicy {
    ["127.0.0.1/32", "::1/128"].into_iter().fold(EgressPolicy::new(), |policy, net| {
        policy.allow(AllowRule { net: net.parse().unwrap(), ports: None, plain_http: true })
    })
}

pub(crate) fn egress_with(policy: EgressPolicy, resolver: impl Resolve + 'static) -> Egress {
    let settings = EgressSettings {
        connect_timeout: Duration::from_millis(500),
        tls_timeout: Duration::from_millis(500),
        http2: true,
    };
    Egress::with(policy, settings, resolver).unwrap()
}

pub(crate) fn egress() -> Egress {
    egress_with(loopback(), Answers::new([]))
}

/// A resolver that gives its answers in turn, the last one for ever.
#[derive(Clone)]
pub(crate) struct Answers {
    answers: Vec<Vec<&'static str>>,
    asked: Arc<AtomicUsize>,
}

impl Answers {
    pub(crate) fn new<const N: usize>(answers: [&[&'static str]; N]) -> Self {
        Self { answers: answers.iter().map(|answer| answer.to_vec()).collect(), asked: Arc::default() }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolve for Answers {
    async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(turn).or(self.answers.last()).expect("no name was to be resolved");
        Ok(answer.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect())
    }
}

pub(crate) fn post(path: &str, body: &'static str) -> Box<Request<RequestBody>> {
    Box::new(Request::post(path).body(RequestBody::Full(body.into())).unwrap())
}
