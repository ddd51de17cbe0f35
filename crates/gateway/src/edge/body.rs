//! Reading a client's body: within its size, within its time.

use crate::config::GatewayConfig;
use crate::edge::{BodyLost, ClientBody};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use topdog_domain::Refusal;

/// A client's body, piece by piece.
pub(crate) struct BodyReader {
    incoming: ClientBody,
    left: u64,
    limit: u64,
    idle: Duration,
    waited: Duration,
    began: Instant,
}

/// A body may take this many times its idle limit in all, so that dribbling does not keep it alive.
const MOST_IDLES: u32 = 10;

impl BodyReader {
    /// A reader of a body that says it is not too large.
    pub(crate) fn new(
        incoming: ClientBody,
        headers: &HeaderMap,
        config: &GatewayConfig,
    ) -> Result<Self, Refusal> {
        let limit = config.max_body_bytes;
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        if announced.is_some_and(|n| n > limit) {
            return Err(Refusal::BodyTooLarge(limit));
        }
        let idle = config.body_idle_timeout;
        Ok(Self { incoming, left: limit, limit, idle, waited: Duration::ZERO, began: Instant::now() })
    }

    /// How long the client let us wait.
    pub(crate) const fn waited(&self) -> Duration {
        self.waited
    }

    /// The length that the body says to have still to come.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next piece, for a reader that is polled; it measures no time, its caller does.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refusal>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.incoming).poll_frame(cx)) else {
                return Poll::Ready(Ok(None));
            };
            if let Some(data) = self.data_of(frame)? {
                return Poll::Ready(Ok(Some(data)));
            }
        }
    }

    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        // What has come already needs no clock.
        if let Poll::Ready(piece) = std::future::poll_fn(|cx| Poll::Ready(self.poll_next(cx))).await {
            return piece;
        }
        loop {
            let asked = Instant::now();
            if asked.duration_since(self.began) > self.idle * MOST_IDLES {
                return Err(Refusal::BodyTimeout);
            }
            let frame = timeout(self.idle, self.incoming.frame()).await.map_err(|_| Refusal::BodyTimeout)?;
            self.waited += asked.elapsed();
            let Some(frame) = frame else { return Ok(None) };
            if let Some(data) = self.data_of(frame)? {
                return Ok(Some(data));
            }
        }
    }

    /// The bytes of a frame, where it has any, within the limit.
    fn data_of(&mut self, frame: Result<Frame<Bytes>, BodyLost>) -> Result<Option<Bytes>, Refusal> {
        // The client broke off, or its framing is wrong: it will hardly read the answer.
        let Ok(data) = frame.map_err(|_| broken())?.into_data() else { return Ok(None) };
        self.left = self.left.checked_sub(data.len() as u64).ok_or(Refusal::BodyTooLarge(self.limit))?;
        Ok(Some(data))
    }
}

fn broken() -> Refusal {
    Refusal::BadBody {
        message: "the request body broke off; send it again".to_owned(),
        param: None,
        code: "incomplete_body",
    }
}

/// What a caller sent, made fit to be shown to it: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
