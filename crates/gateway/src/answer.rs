//! The one table from every refusal and failure to what the caller sees, and the bodies of answers.

use crate::arrive::Trail;
use crate::cache::Keeping;
use crate::forward::Relay;
use crate::share::Share;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use serde::Serialize;
use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use topdog_domain::provider::Family;
use topdog_domain::tier::Limit;
use topdog_domain::{Refusal, Timestamp};
use topdog_wire::{LimitDetails, PublicError, error_body};

/// An answer of the data plane.
pub(crate) type Answer = Response<AnswerBody>;

/// The body of an answer of the control plane.
pub type ControlBody = UnsyncBoxBody<Bytes, BodyBroken>;

/// The body of any answer.
pub enum AnswerBody {
    /// Whole in memory.
    Full(Bytes),
    /// Whole in memory, and so long that a client that does not read it must not be forgotten.
    #[expect(private_interfaces, reason = "only the gateway makes one")]
    Long(Long),
    /// A provider's, on its way through.
    #[expect(private_interfaces, reason = "only the gateway makes and reads a relay")]
    Relay(Box<Relay>),
    /// One that is kept on its way, to be given again.
    #[expect(private_interfaces, reason = "only the gateway makes one")]
    Keeping(Box<Keeping>),
    /// The control plane's.
    Control(ControlBody),
}

/// An answer that goes out in pieces and keeps its share of the node until the last of them.
pub(crate) struct Long {
    left: Bytes,
    share: Share,
}

/// The most that is handed to a connection at a time, bytes: what it holds is in no share any more.
const PIECE: usize = 32 * 1024;

impl AnswerBody {
    /// A whole answer, whose request is settled.
    pub(crate) fn whole(bytes: Bytes, share: Option<Share>) -> Self {
        match share {
            Some(share) if bytes.len() > PIECE => Self::Long(Long { left: bytes, share }),
            _ => Self::Full(bytes),
        }
    }

    /// All of it, where it is there already.
    pub(crate) fn as_whole(&self) -> Option<Bytes> {
        match self {
            Self::Full(bytes) => Some(bytes.clone()),
            Self::Long(long) => Some(long.left.clone()),
            Self::Relay(_) | Self::Keeping(_) | Self::Control(_) => None,
        }
    }

    /// Has all of a provider's whole answer been handed on, and nothing gone wrong?
    pub(crate) fn has_completed(&self) -> bool {
        matches!(self, Self::Relay(relay) if relay.has_completed())
    }
}

impl Long {
    fn next(&mut self) -> Option<Bytes> {
        let piece = self.left.split_to(self.left.len().min(PIECE));
        // Where memory has run out for it, its place among the requests bounds it still.
        let _ = self.share.hold(self.left.len() as u64);
        (!piece.is_empty()).then_some(piece)
    }
}

/// An answer broke off; the connection is closed, so that its end can't be mistaken for a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer broke off")]
pub struct BodyBroken;

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyBroken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Long(long) => Poll::Ready(long.next().map(|piece| Ok(Frame::data(piece)))),
            Self::Relay(relay) => relay.poll_frame(cx),
            Self::Keeping(keeping) => keeping.poll_frame(cx),
            Self::Control(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Long(long) => long.left.is_empty(),
            Self::Relay(relay) => relay.is_over(),
            Self::Keeping(keeping) => keeping.is_end_stream(),
            Self::Control(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Long(long) => SizeHint::with_exact(long.left.len() as u64),
            Self::Relay(_) | Self::Keeping(_) => SizeHint::default(),
            Self::Control(body) => body.size_hint(),
        }
    }
}

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Anthropic's name for the same.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(crate) const X_ERROR_SOURCE: HeaderName = HeaderName::from_static("x-topdog-error-source");
/// How many attempts a policy's route has made.
pub(crate) const X_ATTEMPTS: HeaderName = HeaderName::from_static("x-topdog-attempts");
const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The answer to a refused request, in the caller's dialect.
pub(crate) fn refused(trail: &Trail, refusal: &Refusal) -> Answer {
    let error = PublicError {
        message: Cow::Owned(refusal.to_string()),
        param: refusal.param().map(|p| Cow::Owned(p.to_owned())),
        code: Cow::Borrowed(refusal.code()),
        details: details(refusal),
    };
    let body = error_body(trail.family.get(), refusal.status(), &error, trail.request_header.to_str().ok());
    let mut answer = json(refusal.status(), body, trail);
    let headers = answer.headers_mut();
    headers.insert(X_ERROR_SOURCE, HeaderValue::from_static("gateway"));
    if trail.attempts.get() > 0 {
        headers.insert(X_ATTEMPTS, HeaderValue::from(trail.attempts.get()));
    }
    advise(headers, refusal, trail.at);
    answer
}

/// The same in the shape of the management API's errors (RFC 9457), for what never gets there.
pub(crate) fn problem(trail: &Trail, refusal: &Refusal) -> Answer {
    #[derive(Serialize)]
    struct Problem<'a> {
        #[serde(rename = "type")]
        kind: String,
        title: &'a str,
        status: u16,
        detail: String,
        code: &'a str,
        instance: String,
    }
    let (status, code) = (refusal.status(), refusal.code());
    let title = StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
    let problem = Problem {
        kind: format!("urn:topdog:{code}"),
        title,
        status,
        detail: refusal.to_string(),
        code,
        instance: trail.request.to_string(),
    };
    // Text only: writing it can't fail.
    let mut answer = json(status, serde_json::to_vec(&problem).unwrap_or_default().into(), trail);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(X_ERROR_SOURCE, HeaderValue::from_static("gateway"));
    answer
}

/// A whole JSON answer of our own.
pub(crate) fn json(status: u16, body: Bytes, trail: &Trail) -> Answer {
    let mut answer = Response::new(AnswerBody::Full(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    identify(answer.headers_mut(), trail);
    answer
}

/// Says which request it is, where the caller's SDK looks for that.
pub(crate) fn identify(headers: &mut HeaderMap, trail: &Trail) {
    headers.insert(X_REQUEST_ID, trail.request_header.clone());
    if trail.family.get() == Family::Anthropic {
        headers.insert(REQUEST_ID, trail.request_header.clone());
    }
}

fn details(refusal: &Refusal) -> Option<LimitDetails> {
    if let Refusal::CapExceeded(cap) = refusal {
        return Some(LimitDetails {
            limit: cap.cap.clone().into(),
            unit: Some(cap.unit.name()),
            allowed: Some(cap.allowed),
            used: Some(cap.used),
            resets_at: cap.resets_at.map(|at| at.to_string()),
            set_by: Some(format!("policy of {}, version {}", cap.scope, cap.version)),
            ..LimitDetails::default()
        });
    }
    let tier = refusal.by_tier()?;
    Some(LimitDetails {
        limit: tier.limit.clone(),
        allowed: match tier.allowed {
            Limit::Of(n) => Some(n),
            Limit::Unlimited => None,
        },
        used: tier.used,
        resets_at: tier.resets_at.map(|at| at.to_string()),
        lifted_by: tier.lifted_by.as_ref().map(ToString::to_string),
        plans_url: Some("/docs/quotas".to_owned()),
        ..LimitDetails::default()
    })
}

/// For so long an SDK may be left to wait by itself.
const SHORT_WAIT_SECONDS: u64 = 60;

/// When, and whether, to try again.
fn advise(headers: &mut HeaderMap, refusal: &Refusal, now: Timestamp) {
    match refusal {
        Refusal::Tier(tier) | Refusal::KeyOverLimit(tier) => {
            if let Some(resets_at) = tier.resets_at {
                headers.insert(RETRY_AFTER, HeaderValue::from(now.seconds_until(resets_at)));
            }
            // The SDKs would try again at once: the window is a day.
            headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        Refusal::CapExceeded(cap) => {
            let wait = cap.resets_at.map_or(1, |at| now.seconds_until(at));
            headers.insert(RETRY_AFTER, HeaderValue::from(wait));
            if wait > SHORT_WAIT_SECONDS {
                headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
            }
        }
        Refusal::LedgerUnavailable
        | Refusal::RecordsUnavailable
        | Refusal::ChangesUnknown
        | Refusal::ConcurrencyLimit(_)
        | Refusal::BodyMemoryLimit(_)
        | Refusal::Overloaded
        | Refusal::ShuttingDown => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Refusal::MethodNotAllowed(allow) => {
            headers.insert(http::header::ALLOW, HeaderValue::from_static(allow));
        }
        _ => {}
    }
}
