//! Whole answers, TLS and HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use topdog_egress::{
    AnswerLimits, Client, EgressError, Lost, Origin, Pool, PoolSettings, RequestBody, UrlFault,
    roots_from_pem,
};

use crate::upstream::{Answers, Upstream, egress, egress_with, loopback, post, soon};

fn get(path: &str) -> Request<Bytes> {
    Request::get(path).body(Bytes::new()).unwrap()
}

async fn answered(answer: &str, limits: AnswerLimits) -> Result<Response<Bytes>, EgressError> {
    let upstream = Upstream::bind().await;
    let origin = upstream.origin();
    let client = Client::new(egress());
    let serve = async {
        let mut peer = upstream.accept().await;
        peer.request().await;
        peer.write(answer).await;
        soon(peer.closed()).await;
        assert!(upstream.is_left_alone().await);
    };
    tokio::join!(serve, client.request(&origin, get("/"), limits)).1
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Elsewhere\r\nlocation: http://169.254.169.254/latest/\r\ncontent-length: 0\r\n\r\n"
        );
        let response = answered(&answer, AnswerLimits::default()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["location"], "http://169.254.169.254/latest/");
    }
}

#[tokio::test]
async fn an_answer_is_taken_up_to_its_limit_and_not_a_byte_over() {
    let limits = AnswerLimits { max_body_bytes: 4, ..AnswerLimits::default() };
    let exact = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour";
    assert_eq!(answered(exact, limits).await.unwrap().into_body(), "four");
    for over in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfive5",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n",
        "HTTP/1.1 200 OK\r\n\r\nunending",
    ] {
        assert_eq!(answered(over, limits).await.unwrap_err(), EgressError::BodyTooLarge, "{over}");
    }
}

#[tokio::test]
async fn heads_without_measure_are_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    for answer in [many, long] {
        let error = answered(&answer, AnswerLimits::default()).await.unwrap_err();
        assert_eq!(error, EgressError::Protocol(Lost::Malformed));
    }
}

#[tokio::test]
async fn time_is_limited_over_the_whole_exchange() {
    let limits = AnswerLimits { timeout: Duration::from_millis(40), ..AnswerLimits::default() };
    let drip = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nslow";
    assert_eq!(answered(drip, limits).await.unwrap_err(), EgressError::Timeout);
}

/// What the console and the API need: a future that any runtime's thread may take over.
#[test]
fn requests_may_move_between_threads() {
    fn assert_send<T: Send>(_: &T) {}
    let client = Client::new(egress());
    let origin = Origin::parse("https://example.com").unwrap();
    assert_send(&client.request(&origin, get("/"), AnswerLimits::default()));
}

/// An HTTP server by TLS that speaks what the client picks, and says which protocol and host it saw.
struct TlsUpstream {
    root: CertificateDer<'static>,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl TlsUpstream {
    async fn start(alpn: &[&[u8]]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["models.example.com".to_owned()]).unwrap();
        let root = made.cert.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![root.clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(tls), service_fn(echo)).await;
                });
            }
        });
        Self { root, address, connections }
    }

    fn origin(&self) -> Origin {
        Origin::parse(&format!("https://models.example.com:{}", self.address.port())).unwrap()
    }

    fn pool(&self) -> Pool {
        let policy = loopback().trust_roots([self.root.clone()]);
        Pool::new(egress_with(policy, Answers::new([&["127.0.0.1"]])), PoolSettings::default())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let host = match request.version() {
        Version::HTTP_2 => request.uri().authority().map(ToString::to_string),
        _ => request.headers().get("host").map(|host| host.to_str().unwrap().to_owned()),
    };
    let (version, path) = (request.version(), request.uri().path().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let seen = format!("{version:?} {} {path} {body}", host.unwrap_or_default());
    Ok(Response::new(Full::new(seen.into())))
}

async fn sent(pool: &Pool, origin: &Origin) -> String {
    let response = soon(pool.send(origin, post("/v1/chat", "{}"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn an_extra_root_is_trusted_and_http_1_connections_are_reused() {
    let upstream = TlsUpstream::start(&[b"http/1.1"]).await;
    let (pool, origin) = (upstream.pool(), upstream.origin());
    let expected = format!("HTTP/1.1 models.example.com:{} /v1/chat {{}}", upstream.address.port());
    for _ in 0..3 {
        assert_eq!(sent(&pool, &origin).await, expected);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_burst_of_first_requests_shares_one_http_2_connection() {
    let upstream = TlsUpstream::start(&[b"h2", b"http/1.1"]).await;
    let (pool, origin) = (upstream.pool(), upstream.origin());
    let expected = format!("HTTP/2.0 models.example.com:{} /v1/chat {{}}", upstream.address.port());
    let burst = futures_util::future::join_all((0..50).map(|_| sent(&pool, &origin))).await;
    assert!(burst.iter().all(|seen| *seen == expected), "{burst:?}");
    assert_eq!(sent(&pool, &origin).await, expected);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn more_streams_than_one_connection_should_carry_open_another() {
    let upstream = TlsUpstream::start(&[b"h2"]).await;
    let (pool, origin) = (upstream.pool(), upstream.origin());
    let mut held = Vec::new();
    for _ in 0..101 {
        held.push(soon(pool.send(&origin, post("/", "{}"))).await.unwrap());
    }
    assert_eq!(upstream.connections(), 2);
    drop(held);
    sent(&pool, &origin).await;
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_or_of_another_name_is_refused() {
    let upstream = TlsUpstream::start(&[b"h2"]).await;
    let stranger = egress_with(loopback(), Answers::new([&["127.0.0.1"]]));
    let error = stranger.connect(&upstream.origin()).await.err().unwrap();
    assert_eq!(error, EgressError::Tls);
    let trusting =
        egress_with(loopback().trust_roots([upstream.root.clone()]), Answers::new([&["127.0.0.1"]]));
    let other = Origin::parse(&format!("https://other.example.com:{}", upstream.address.port())).unwrap();
    assert_eq!(trusting.connect(&other).await.err().unwrap(), EgressError::Tls);
}

#[tokio::test]
async fn the_client_speaks_tls_with_either_protocol() {
    for (alpn, version) in [(&b"h2"[..], "HTTP/2.0"), (&b"http/1.1"[..], "HTTP/1.1")] {
        let upstream = TlsUpstream::start(&[alpn]).await;
        let policy = loopback().trust_roots([upstream.root.clone()]);
        let client = Client::new(egress_with(policy, Answers::new([&["127.0.0.1"]])));
        let answer = client.request(&upstream.origin(), get("/jwks"), AnswerLimits::default()).await.unwrap();
        let port = upstream.address.port();
        assert_eq!(answer.into_body(), format!("{version} models.example.com:{port} /jwks "));
    }
}

#[test]
fn roots_are_read_from_pem_or_refused() {
    assert_eq!(roots_from_pem(b"").unwrap_err(), EgressError::InvalidRoots);
    assert_eq!(roots_from_pem(b"not pem").unwrap_err(), EgressError::InvalidRoots);
    let broken = b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    assert_eq!(roots_from_pem(broken).unwrap_err(), EgressError::InvalidRoots);
}

#[test]
fn nothing_of_a_body_or_url_is_printed() {
    let secret = "sk-canary";
    let body = RequestBody::Full(secret.into());
    assert!(!format!("{body:?}").contains(secret));
    let error = Origin::parse(&format!("https://{secret}@example.com")).unwrap_err();
    assert_eq!(error, UrlFault::UserInfo.into());
    assert!(!format!("{error} {error:?}").contains(secret));
}
