//! A short plain answer is held until it is whole: one that breaks off before is still an error of its own, with a
//! status, and one that does not goes out in one write.

use super::silence::Silence;
use crate::settle::Settlement;
use crate::worker::Worker;
use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use topdog_domain::Refusal;
use topdog_egress::{BodyError, UpstreamBody};

/// The longest answer, or error, that is held, bytes.
pub(crate) const MOST_HELD_BYTES: usize = 256 * 1024;

/// What has come of an answer.
pub(super) enum Held {
    /// All of it.
    Whole(Bytes),
    /// Its beginning, and the rest is not waited for: it is too long, there is no room for it, or its provider sends
    /// white space to keep the connection alive, which the client's needs, too.
    Beginning(Bytes),
}

/// Holds an answer for as long as that is sensible.
pub(super) async fn answer(
    worker: &Worker,
    settlement: &mut Settlement,
    body: &mut UpstreamBody,
) -> Result<Held, Refusal> {
    let mut wait = Wait::new(worker, settlement);
    let Some(first) = wait.next(settlement, body).await? else { return Ok(Held::Whole(Bytes::new())) };
    if body.is_end_stream() {
        return Ok(Held::Whole(first));
    }
    let mut held = BytesMut::from(first);
    loop {
        let expected = held.len() + announced(body);
        if expected > MOST_HELD_BYTES || held.trim_ascii().is_empty() || !settlement.hold(expected) {
            return Ok(Held::Beginning(held.freeze()));
        }
        held.reserve(announced(body));
        match wait.next(settlement, body).await? {
            Some(piece) => held.extend_from_slice(&piece),
            None => return Ok(Held::Whole(held.freeze())),
        }
        if body.is_end_stream() {
            return Ok(Held::Whole(held.freeze()));
        }
    }
}

/// Holds an error to its end, however it comes; one that is too long to be one is taken for broken.
pub(super) async fn error(
    worker: &Worker,
    settlement: &mut Settlement,
    body: &mut UpstreamBody,
) -> Result<Bytes, Refusal> {
    let mut wait = Wait::new(worker, settlement);
    let mut held = BytesMut::new();
    while let Some(piece) = wait.next(settlement, body).await? {
        if held.len() + piece.len() > MOST_HELD_BYTES {
            return Err(Refusal::UpstreamBroken(settlement.provider()));
        }
        held.extend_from_slice(&piece);
    }
    Ok(held.freeze())
}

/// Holds an answer to its end, however long it takes and however it comes: what is to be translated must be whole.
pub(super) async fn whole(
    worker: &Worker,
    settlement: &mut Settlement,
    body: &mut UpstreamBody,
    most_bytes: usize,
) -> Result<Bytes, Refusal> {
    let mut wait = Wait::new(worker, settlement);
    let mut held = BytesMut::new();
    loop {
        let expected = held.len().saturating_add(announced(body));
        if expected > most_bytes {
            return Err(Refusal::UpstreamBroken(settlement.provider()));
        }
        if !settlement.hold(expected) {
            return Err(Refusal::Overloaded);
        }
        if body.is_end_stream() {
            return Ok(held.freeze());
        }
        held.reserve(announced(body));
        match wait.next(settlement, body).await? {
            Some(piece) => held.extend_from_slice(&piece),
            None => return Ok(held.freeze()),
        }
    }
}

/// The bytes that are known to come still.
pub(super) fn announced(body: &UpstreamBody) -> usize {
    body.size_hint().exact().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX))
}

/// Waits for pieces, and for each no longer than a provider may pause.
struct Wait(Silence);

impl Wait {
    fn new(worker: &Worker, settlement: &Settlement) -> Self {
        Self(Silence::of_answer(worker, settlement))
    }

    /// The next piece; none at the end.
    async fn next(
        &mut self,
        settlement: &mut Settlement,
        body: &mut UpstreamBody,
    ) -> Result<Option<Bytes>, Refusal> {
        loop {
            let Some(frame) = self.frame(settlement, body).await? else { return Ok(None) };
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => return Ok(Some(data)),
                // Trailers are of the connection between provider and us.
                Ok(Err(_)) => {}
                Err(_) => return Err(Refusal::UpstreamBroken(settlement.provider())),
            }
        }
    }

    async fn frame(
        &mut self,
        settlement: &mut Settlement,
        body: &mut UpstreamBody,
    ) -> Result<Option<Result<Frame<Bytes>, BodyError>>, Refusal> {
        let frame = poll_fn(|cx| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(Ok(frame));
            }
            // What has come already needs no clock.
            let since = settlement.waits();
            if self.0.poll_too_long(since, cx) { Poll::Ready(Err(())) } else { Poll::Pending }
        })
        .await;
        settlement.waits_no_more();
        frame.map_err(|()| Refusal::UpstreamTimeout(settlement.provider()))
    }
}
