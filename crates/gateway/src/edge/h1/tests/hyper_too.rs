//! hyper's parser has met more clients than ours: what it refuses, and what it makes of the rest, counts here too.

use super::super::property::Seen;
use super::seen;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Method, target and body of the first request, where hyper takes it whole.
fn hyper_sees(wire: &[u8]) -> Option<(String, Vec<u8>)> {
    let seen = Arc::new(Mutex::new(None));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(wire).await.unwrap();
        client.shutdown().await.unwrap();
        let service = service_fn(|request: Request<Incoming>| {
            let seen = seen.clone();
            async move {
                let head = format!("{} {}", request.method(), request.uri());
                if let Ok(body) = request.into_body().collect().await {
                    seen.lock().unwrap().get_or_insert((head, body.to_bytes().to_vec()));
                }
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }
        });
        let mut hyper = hyper::server::conn::http1::Builder::new();
        let serving =
            hyper.half_close(true).keep_alive(false).serve_connection(TokioIo::new(server), service);
        let _ = serving.await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    });
    let mut seen = seen.lock().unwrap();
    seen.take()
}

/// Sound heads with one thing changed.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let sound = prop::sample::select(vec![
        "POST /v1/x?y HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\nx: y z\r\n\r\nhello",
        "POST / HTTP/1.1\r\nhost: h\r\nx:\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
        "GET http://h/a HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        "POST / HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nab",
    ]);
    let odd = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        "\0",
        "0",
        "1",
        "a",
        ",",
        ";",
        "\u{7f}",
        "ü",
        "content-length: 5\r\n",
        "transfer-encoding: chunked\r\n",
        "host: h\r\n",
        "x: y\r\n",
        "#",
        "/",
        "*",
    ]);
    (sound, any::<prop::sample::Index>(), 0usize..3, odd).prop_map(|(sound, at, removed, odd)| {
        let mut wire = sound.as_bytes().to_vec();
        let at = at.index(wire.len());
        wire.splice(at..(at + removed).min(wire.len()), odd.bytes());
        wire
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_is_taken_here_hyper_takes_too_and_sees_the_same_in_it(wire in wire()) {
        if let Seen::Request { head, body, is_whole: Some(true), .. } = seen(&wire) {
            let (hypers_head, hypers_body) = hyper_sees(&wire).expect("hyper refuses it");
            prop_assert!(head.starts_with(&hypers_head), "{} is not {}", head, hypers_head);
            prop_assert_eq!(body, hypers_body);
        }
    }
}
