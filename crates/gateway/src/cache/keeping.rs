use super::{Place, limits, say_miss};
use crate::answer::{Answer, AnswerBody, BodyBroken};
use crate::arrive::Trail;
use crate::forward::{X_MODEL, X_PROVIDER};
use crate::worker::Worker;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, StatusCode};
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
use topdog_domain::Timestamp;
use topdog_domain::response_cache::{CacheRoom, KeptAnswer, Room};
use topdog_wire::sameness::tells_of_an_error;

/// A longer answer is not kept, bytes.
const LONGEST_BYTES: usize = 256 * 1024;

/// An answer that is kept beside its way to the client, if it comes to its end.
pub(crate) struct Keeping {
    inner: AnswerBody,
    /// None: it is not kept, any more.
    kept: Option<Kept>,
}

struct Kept {
    place: Box<Place>,
    room: Room,
    limits: CacheRoom,
    headers: Vec<(Box<str>, Box<[u8]>)>,
    at: Timestamp,
    pieces: Vec<Bytes>,
    length: usize,
    is_json: bool,
}

/// Keeps an answer that has just been made: now where it is whole, else when its end has come. Only a plain success is
/// one that may be given again.
pub(crate) fn keep(worker: &Worker, trail: &Trail, place: Box<Place>, mut answer: Answer) -> Answer {
    say_miss(answer.headers_mut());
    if answer.status() != StatusCode::OK || !is_of(&place, answer.headers()) {
        return answer;
    }
    let Some(mut kept) = Kept::new(worker, trail, place, answer.headers()) else { return answer };
    if let Some(whole) = answer.body().as_whole() {
        if kept.add(whole) {
            kept.fill();
        }
        return answer;
    }
    answer.map(|inner| AnswerBody::Keeping(Box::new(Keeping { inner, kept: Some(kept) })))
}

/// Did the model answer that was to, and no fallback of it?
fn is_of(place: &Place, headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, what: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes() == what.as_bytes())
    };
    says(X_PROVIDER, place.provider.as_str()) && says(X_MODEL, &place.model)
}

impl Keeping {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(kept), Some(piece)) = (&mut self.kept, frame.data_ref())
                    && !kept.add(piece.clone())
                {
                    self.kept = None;
                }
            }
            Poll::Ready(Some(Err(BodyBroken))) => self.kept = None,
            Poll::Ready(None) | Poll::Pending => {}
        }
        // Who was told the length does not ask for the end.
        if self.inner.has_completed()
            && let Some(kept) = self.kept.take()
        {
            kept.fill();
        }
        polled
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

impl Kept {
    fn new(worker: &Worker, trail: &Trail, place: Box<Place>, headers: &HeaderMap) -> Option<Self> {
        let limits = limits(worker);
        let room = place.cache.room(limits)?;
        let is_json = headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().trim_ascii_start().starts_with(b"application/json"));
        Some(Self {
            place,
            room,
            limits,
            headers: lasting(headers),
            at: trail.at,
            pieces: Vec::new(),
            length: 0,
            is_json,
        })
    }

    /// False where there is no room for it.
    fn add(&mut self, piece: Bytes) -> bool {
        self.length += piece.len();
        if self.length > LONGEST_BYTES || !self.room.grow(piece.len() as u64, self.limits) {
            return false;
        }
        self.pieces.push(piece);
        true
    }

    fn fill(self) {
        let body = self.pieces.concat();
        if self.is_json && tells_of_an_error(&body) {
            return;
        }
        let Place { key, ttl_seconds, .. } = *self.place;
        self.room.fill(
            key,
            KeptAnswer { headers: self.headers, body: body.into(), at: self.at },
            ttl_seconds,
        );
    }
}

/// What of a head is about the answer, and not about this one request.
fn lasting(headers: &HeaderMap) -> Vec<(Box<str>, Box<[u8]>)> {
    const PASSING: [&str; 4] =
        ["x-topdog-overhead-us", "x-topdog-cache", "x-topdog-attempts", "x-topdog-error-source"];
    let lasts = |name: &str| {
        name == CONTENT_TYPE.as_str() || (name.starts_with("x-topdog-") && !PASSING.contains(&name))
    };
    let lasting = headers.iter().filter(|(name, _)| lasts(name.as_str()));
    lasting.map(|(name, value)| (name.as_str().into(), value.as_bytes().into())).collect()
}
