use super::{OPERATOR, World, request};
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::Frame;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

fn post(content_type: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut post = request("POST", "/organisations", OPERATOR, None).map(|_| body.into());
    if let Some(content_type) = content_type {
        post.headers_mut().insert("content-type", content_type.parse().unwrap());
    }
    post
}

#[tokio::test]
async fn only_json_is_taken() {
    let world = World::new().await;
    let body = json!({ "name": "acme", "tier": "PRO" }).to_string();
    for other in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
    {
        world.send(post(other, body.clone())).await.refused(415, "unsupported_media_type");
    }
    world.send(post(Some("Application/JSON; charset=utf-8"), body)).await.expect(201);
}

#[tokio::test]
async fn a_megabyte_is_enough() {
    let world = World::new().await;
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(1024 * 1024));
    world.send(post(Some("application/json"), large.clone())).await.refused(413, "body_too_large");
    let unannounced = Body::new(Pieces(large.into_bytes()));
    world.send(post(Some("application/json"), unannounced)).await.refused(413, "body_too_large");
}

#[tokio::test]
async fn what_is_no_json_or_the_wrong_json_is_said_to_be() {
    let world = World::new().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, code) in [
        (r#"{"name": "acme""#, "invalid_json"),
        ("not json", "invalid_json"),
        ("\u{feff}{}", "invalid_json"),
        (r#"{"name": "a", "tier": "PRO"} {}"#, "invalid_json"),
        (deep.as_str(), "invalid_field"),
        ("null", "invalid_field"),
        (r#"{"name": 7, "tier": "PRO"}"#, "invalid_field"),
        (r#"{"name": "a", "tier": "pro"}"#, "invalid_field"),
        (r#"{"name": "a", "tier": "PRO", "teir": "PRO"}"#, "unknown_field"),
        (r#"{"name": "a", "name": "b", "tier": "PRO"}"#, "duplicate_field"),
        ("", "missing_field"),
    ] {
        let reply = world.send(post(Some("application/json"), body.to_owned())).await;
        let reply = reply.refused(400, code);
        assert!(reply.body["detail"].as_str().unwrap().len() > 10, "{}", reply.text);
    }
    assert_eq!(world.get("/organisations", OPERATOR).await.body["data"], json!([]));
}

/// A body that comes in pieces and says nothing of its length.
struct Pieces(Vec<u8>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.len().min(65_536);
        let piece: Bytes = self.0.drain(..length).collect();
        Poll::Ready((length > 0).then(|| Ok(Frame::data(piece))))
    }
}
