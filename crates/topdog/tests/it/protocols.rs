//! HTTP/2, with TLS and without.

use crate::http::soon;
use crate::server::{Place, Setup, Tenant, chat, streamed_chat};
use crate::upstream::{Reply, Upstream};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

#[expect(clippy::disallowed_methods, reason = "the test is the client, not the product")]
pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    soon(TcpStream::connect(address)).await.unwrap()
}

/// A chat over HTTP/2 on that transport: status and body.
async fn chat_over_h2<T>(transport: T, scheme: &str, acme: &Tenant, body: &serde_json::Value) -> (u16, String)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(transport)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("{scheme}://topdog.test/v1/chat/completions");
    whole(soon(sender.send_request(request(&uri, acme, body))).await.unwrap()).await
}

/// The same over HTTP/1.1.
async fn chat_over_h1<T>(transport: T, acme: &Tenant, body: &serde_json::Value) -> (u16, String)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(transport)).await.unwrap();
    tokio::spawn(connection);
    whole(soon(sender.send_request(request("/v1/chat/completions", acme, body))).await.unwrap()).await
}

fn request(uri: &str, acme: &Tenant, body: &serde_json::Value) -> Request<Full<Bytes>> {
    Request::post(uri)
        .header("host", "topdog.test")
        .header("authorization", format!("Bearer {}", acme.api_key))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

/// Status and body.
async fn whole(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn http2_without_tls_is_spoken_on_loopback() {
    let upstream = Upstream::start(Reply::Stream { events: 3, every: Duration::from_millis(1) }).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    let (status, body) = chat_over_h2(connect(server.gateway).await, "http", &acme, &streamed_chat()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("word2") && body.ends_with("data: [DONE]\n\n"), "{body}");
}

#[tokio::test]
async fn http2_without_tls_can_be_switched_off() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream).set(&["server.http2_cleartext=never"])).await;
    let transport = TokioIo::new(connect(server.gateway).await);
    let (mut sender, connection) =
        http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), transport).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://topdog.test/livez").body(Full::default()).unwrap();
    assert!(soon(sender.send_request(request)).await.is_err());
    drop(connection);
}

#[tokio::test]
async fn over_tls_http2_and_http1_are_offered_and_nothing_goes_in_the_clear() {
    let upstream = Upstream::start(Reply::Stream { events: 3, every: Duration::from_millis(1) }).await;
    let place = Place::new();
    let certificate = rcgen::generate_simple_self_signed(vec!["topdog.test".to_owned()]).unwrap();
    let (cert, key) = (place.path().join("cert.pem"), place.path().join("key.pem"));
    std::fs::write(&cert, certificate.cert.pem()).unwrap();
    std::fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
    let setup = Setup::with_upstream(&upstream).config(&format!(
        "[server.tls]\ncert_file = '{}'\nkey_file = '{}'",
        cert.display(),
        key.display()
    ));
    // The management API is behind TLS too, so what is needed is made by a server without it.
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO").await;
    assert!(server.stop().success());

    let server = place.start(&setup).await;
    assert!(server.url.starts_with("https://127.0.0.1:"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    for protocol in ["h2", "http/1.1"] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("topdog.test").unwrap();
        let transport = soon(connector.connect(name, connect(server.gateway).await)).await.unwrap();
        assert_eq!(transport.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let (status, body) = match protocol {
            "h2" => chat_over_h2(transport, "https", &acme, &streamed_chat()).await,
            _ => chat_over_h1(transport, &acme, &streamed_chat()).await,
        };
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("word2") && body.ends_with("data: [DONE]\n\n"), "{protocol}: {body}");
    }
    assert!(crate::http::try_send(server.gateway, &acme.chat(&chat())).await.is_none());
}
