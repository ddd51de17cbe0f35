//! What must hold for every input, tried by the tests and by cargo-fuzz.

use super::arrival::{Arrival, NoRequest, arrive};
use super::upload::Upload;
use http_body::Body as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// What a connection makes of what a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not enough to say.
    Partial,
    Refused(&'static str),
    Request {
        /// Method, target, version and fields.
        head: String,
        body: Vec<u8>,
        /// Has the body come to its end, or broken off, or neither?
        is_whole: Option<bool>,
        is_persistent: bool,
        /// What follows.
        rest: Vec<u8>,
    },
}

pub(crate) const MOST_HEAD_BYTES: usize = 8 * 1024;

/// Plays a connection that gets these pieces.
pub(crate) fn see(pieces: &[&[u8]]) -> Seen {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut unread = Vec::new();
    let mut pieces = pieces.iter().filter(|piece| !piece.is_empty());
    let mut arrival = loop {
        let Some(piece) = pieces.next() else { return Seen::Partial };
        match arrive(&mut unread, piece, MOST_HEAD_BYTES, cx) {
            None => {}
            Some(Ok(arrival)) => break arrival,
            Some(Err(NoRequest::Refused(refused))) => return Seen::Refused(refused.refusal.code()),
            Some(Err(NoRequest::End)) => return Seen::Partial,
        }
    };
    let mut body = Vec::new();
    read(&mut arrival, &mut body, cx);
    for piece in pieces {
        unread.extend_from_slice(piece);
        if arrival.upload.is_coming() {
            let used = arrival.upload.feed(&unread, cx);
            unread.drain(..used);
        }
        read(&mut arrival, &mut body, cx);
    }
    let Arrival { request, upload, asked } = arrival;
    let is_whole = match upload {
        Upload::Over => Some(true),
        Upload::Lost => Some(false),
        Upload::Coming(_) => None,
    };
    // Behind what can't be understood there is nothing.
    let rest = if is_whole == Some(false) { Vec::new() } else { unread };
    let head =
        format!("{} {} {:?} {:?}", request.method(), request.uri(), request.version(), request.headers());
    Seen::Request { head, body, is_whole, is_persistent: asked.is_persistent, rest }
}

/// Takes what has come of the body.
fn read(arrival: &mut Arrival, body: &mut Vec<u8>, cx: &mut Context<'_>) {
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(arrival.request.body_mut()).poll_frame(cx) {
        if let Ok(data) = frame.into_data() {
            body.extend_from_slice(&data);
        }
    }
}

/// However bytes are cut, a connection sees the same in them. The first byte of `data` says where to cut.
///
/// # Panics
/// Where it does not hold.
#[cfg_attr(
    not(feature = "fuzzing"),
    expect(unreachable_pub, reason = "only cargo-fuzz calls it from outside")
)]
pub fn h1_server(data: &[u8]) {
    let Some((cut, wire)) = data.split_first() else { return };
    let whole = see(&[wire]);
    let (first, second) = wire.split_at(usize::from(*cut).min(wire.len()));
    is_the_same(&whole, &see(&[first, second]));
    let dribbled: Vec<&[u8]> = wire.chunks(1 + usize::from(cut % 7)).collect();
    is_the_same(&whole, &see(&dribbled));
}

fn is_the_same(whole: &Seen, cut: &Seen) {
    match (whole, cut) {
        // What is wrong may be seen later, but not be overlooked; and of two faults the other may be seen first.
        (Seen::Refused(_), Seen::Partial | Seen::Refused(_)) => {}
        _ => assert_eq!(whole, cut),
    }
}
