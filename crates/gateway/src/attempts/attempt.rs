//! One attempt: sent, and heard as far as it must be to say whether it will do.

use super::verdict::{self, Beginning};
use crate::arrive::Trail;
use crate::entitle::Route;
use crate::forward::{MOST_HELD_BYTES, Shape, is_encoded, now, unanswered};
use crate::routes::Target;
use crate::worker::Worker;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use topdog_domain::Refusal;
use topdog_domain::routing::{Failure, Place, Rules, Ticket};
use topdog_domain::usage::KeyUse;
use topdog_egress::{RequestBody, UpstreamBody};
use topdog_vault::OpenedKey;

/// An attempt that can be sent.
pub(super) struct Sending {
    pub(super) target: Rc<Target>,
    pub(super) request: Box<Request<RequestBody>>,
    pub(super) to: Goal,
}

/// Where an attempt goes, and what its answer is read by.
pub(super) struct Goal {
    pub(super) place: Place,
    pub(super) ticket: Ticket,
    pub(super) route: Route,
    pub(super) shape: Shape,
    pub(super) key: Option<Arc<OpenedKey>>,
    pub(super) key_use: Option<KeyUse>,
}

/// How an attempt ended.
pub(super) struct Tried {
    pub(super) to: Goal,
    /// How long it took until that was known.
    pub(super) took: Duration,
    pub(super) heard: Heard,
}

/// What was heard.
pub(super) enum Heard {
    /// A success; of a stream its beginning, which was waited for.
    Success(Box<Response<UpstreamBody>>, Option<Bytes>),
    /// A stream that begins with an error of the place's, and that beginning.
    FailedStream(Box<Response<UpstreamBody>>, Bytes, Failure),
    /// An error of the provider's; where it is one of the place's, which, and how long it asks to be left alone.
    Error { parts: Box<Parts>, whole: Bytes, failure: Option<Failure>, told: Option<Duration> },
    /// No answer.
    Nothing { failure: Failure, refusal: Refusal },
}

impl Heard {
    /// What failed, if anything did.
    pub(super) const fn failure(&self) -> Option<Failure> {
        match self {
            Self::Success(..) => None,
            Self::Error { failure, .. } => *failure,
            Self::FailedStream(_, _, failure) | Self::Nothing { failure, .. } => Some(*failure),
        }
    }

    /// How long the place has asked to be left alone.
    pub(super) const fn told(&self) -> Option<Duration> {
        match self {
            Self::Error { told, .. } => *told,
            Self::Success(..) | Self::FailedStream(..) | Self::Nothing { .. } => None,
        }
    }
}

/// Makes an attempt. Dropped before its end, it closes the connection, which cancels it at the provider.
pub(super) async fn attempt(
    worker: &Rc<Worker>,
    trail: &Trail,
    rules: &Rules,
    deadline: Option<Instant>,
    Sending { target, request, to }: Sending,
) -> Tried {
    let began = now();
    let until = |most: Duration| {
        let until = began.checked_add(most).unwrap_or(began);
        deadline.map_or(until, |deadline| deadline.min(until))
    };
    let (of_attempt, of_first) = (rules.timeouts.attempt, rules.timeouts.first_token);
    let most = of_attempt.unwrap_or(worker.config().upstream_head_timeout);
    let for_head = until(of_first.map_or(most, |first| first.min(most))).saturating_duration_since(began);
    let heard = match worker.pool.send_within(for_head, target.origin(), request).await {
        Ok(response) => {
            let status = response.status();
            if status.is_success() && !is_encoded(response.headers()) {
                let is_of = |media_type| is_of_type(response.headers(), media_type);
                if is_of("text/event-stream") {
                    let by = until(of_first.unwrap_or(worker.config().upstream_idle_timeout));
                    stream(&to, response, of_first.is_some(), by).await
                } else if let Some(first) = of_first.filter(|_| is_of(EVENT_STREAM)) {
                    first_piece(&to, response, until(first)).await
                } else {
                    Heard::Success(Box::new(response), None)
                }
            } else if status.is_client_error() || status.is_server_error() {
                let by = until(most.max(worker.config().upstream_idle_timeout));
                error(worker, &to, response, by).await
            } else {
                nothing(Failure::Broken, &to)
            }
        }
        Err(error) => Heard::Nothing {
            failure: verdict::unsent(&error),
            refusal: unanswered(trail, to.route.provider.clone(), &error),
        },
    };
    Tried { to, took: now().saturating_duration_since(began), heard }
}

/// Amazon's streams are binary: their errors come with a status, and are not looked for behind a good one.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(media_type.as_bytes())
}

fn nothing(failure: Failure, to: &Goal) -> Heard {
    let provider = to.route.provider.clone();
    let refusal = match failure {
        Failure::Timeout => Refusal::UpstreamTimeout(provider),
        _ => Refusal::UpstreamBroken(provider),
    };
    Heard::Nothing { failure, refusal }
}

/// Waits for the first event of a stream, since a head alone is no answer, and an error behind it is none either. Where
/// the policy limits the time to the first token, what only says that the connection lives is no event; else it passes
/// at once, for the client's connection lives by it, too.
async fn stream(to: &Goal, mut response: Response<UpstreamBody>, must_say: bool, by: Instant) -> Heard {
    let mut held = BytesMut::new();
    loop {
        match piece(response.body_mut(), by).await {
            Ok(Some(piece)) => held.extend_from_slice(&piece),
            Ok(None) => break,
            Err(failure) => return nothing(failure, to),
        }
        match verdict::beginning(&held) {
            Beginning::Failed(failure) => {
                return Heard::FailedStream(Box::new(response), held.freeze(), failure);
            }
            Beginning::Partial if held.len() < MOST_BEGINNING_BYTES => {}
            Beginning::Alive if must_say && held.len() < MOST_BEGINNING_BYTES => {}
            Beginning::Partial | Beginning::Alive | Beginning::Answer => break,
        }
    }
    Heard::Success(Box::new(response), Some(held.freeze()))
}

/// Waits for the first piece of a stream whose events are not read here.
async fn first_piece(to: &Goal, mut response: Response<UpstreamBody>, by: Instant) -> Heard {
    match piece(response.body_mut(), by).await {
        Ok(first) => Heard::Success(Box::new(response), first),
        Err(failure) => nothing(failure, to),
    }
}

/// A longer beginning is an answer, whatever it says.
const MOST_BEGINNING_BYTES: usize = 16 * 1024;

/// Reads an error to its end, to see what it is.
async fn error(worker: &Worker, to: &Goal, response: Response<UpstreamBody>, by: Instant) -> Heard {
    let (parts, mut body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut whole = BytesMut::new();
    loop {
        match piece(&mut body, by).await {
            Ok(Some(piece)) if whole.len() + piece.len() <= MOST_HELD_BYTES => {
                whole.extend_from_slice(&piece)
            }
            Ok(None) => break,
            // Its status is known all the same.
            Ok(Some(_)) | Err(Failure::Broken) => {
                return nothing(verdict::answered(status, b"").unwrap_or(Failure::Broken), to);
            }
            Err(failure) => return nothing(verdict::answered(status, b"").unwrap_or(failure), to),
        }
    }
    let now = worker.parts().clock.now();
    let told = verdict::told_to_wait(&parts.headers, &whole, to.shape.translation(), now);
    let failure = verdict::answered(status, &whole);
    Heard::Error { parts: Box::new(parts), whole: whole.freeze(), failure, told }
}

/// The next piece that is not empty; none at the end.
async fn piece(body: &mut UpstreamBody, by: Instant) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
        match timeout_at(by.into(), frame).await {
            Err(_) => return Err(Failure::Timeout),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(Failure::Broken),
            Ok(Some(Ok(frame))) => match Frame::into_data(frame) {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            },
        }
    }
}
