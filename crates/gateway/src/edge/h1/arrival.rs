//! The next request on a connection, out of the bytes that have come.

use super::answer::Asked;
use super::framing::Framing;
use super::head::{self, Head};
use super::inbox::inbox;
use super::upload::Upload;
use crate::edge::audience::Audience;
use crate::edge::client_body::ClientBody;
use bytes::Bytes;
use http::Request;
use std::task::Context;
use topdog_domain::Refusal;

/// A request that has come, and the rest of it that may be coming.
pub(super) struct Arrival {
    pub(super) request: Box<Request<ClientBody>>,
    pub(super) upload: Upload,
    pub(super) asked: Asked,
}

/// Why there is no next request.
pub(super) enum NoRequest {
    Refused(Refused),
    /// The connection has ended, or is to end without a word.
    End,
}

/// A request that is refused before its head is understood.
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) audience: Audience,
    pub(super) is_head: bool,
}

impl Refused {
    /// The refusal of what these bytes begin.
    pub(super) fn new(refusal: Refusal, bytes: &[u8]) -> Self {
        Self { refusal, audience: head::audience(bytes), is_head: bytes.starts_with(b"HEAD ") }
    }
}

/// Takes what has just been read, behind what was unread; none where the head is not whole yet. What is not used
/// becomes unread.
pub(super) fn arrive(
    unread: &mut Vec<u8>,
    bytes: &[u8],
    most_head_bytes: usize,
    cx: &Context<'_>,
) -> Option<Result<Arrival, NoRequest>> {
    if bytes.is_empty() {
        return Some(Err(NoRequest::End));
    }
    if unread.is_empty() {
        let (next, used) = take(bytes, most_head_bytes, cx);
        unread.extend_from_slice(bytes.get(used..).unwrap_or_default());
        return next;
    }
    let before = unread.len();
    unread.extend_from_slice(bytes);
    let is_worth_reading = unread.len() >= most_head_bytes || head::may_end_behind(before, unread);
    if is_worth_reading { take_unread(unread, most_head_bytes, cx) } else { None }
}

/// Takes what was read before.
pub(super) fn take_unread(
    unread: &mut Vec<u8>,
    most_head_bytes: usize,
    cx: &Context<'_>,
) -> Option<Result<Arrival, NoRequest>> {
    let (next, used) = take(unread, most_head_bytes, cx);
    if used == unread.len() {
        *unread = Vec::new();
    } else {
        unread.drain(..used);
    }
    next
}

/// Takes a request from the beginning of `bytes`, and how many of them it takes.
fn take(
    bytes: &[u8],
    most_head_bytes: usize,
    cx: &Context<'_>,
) -> (Option<Result<Arrival, NoRequest>>, usize) {
    let head = match head::read(bytes, most_head_bytes) {
        Ok(Some(head)) => head,
        // Empty lines in front begin nothing yet (RFC 9112, 2.2).
        Ok(None) => return (None, empty_lines(bytes)),
        Err(refusal) => return (Some(Err(NoRequest::Refused(Refused::new(refusal, bytes)))), 0),
    };
    let Head { request, framing, is_persistent, expects_continue, length } = head;
    let asked = Asked::by(request.method(), request.version(), is_persistent);
    let rest = bytes.get(length..).unwrap_or_default();
    let (body, upload, used) = match framing {
        Framing::Over => (ClientBody::whole(Bytes::new()), Upload::Over, 0),
        Framing::Length(left) if left <= rest.len() as u64 => {
            let whole = rest.get(..usize::try_from(left).unwrap_or_default()).unwrap_or_default();
            (ClientBody::whole(Bytes::copy_from_slice(whole)), Upload::Over, whole.len())
        }
        framing => {
            let told = if let Framing::Length(left) = framing { Some(left) } else { None };
            let (feeder, inbox) = inbox(told);
            let mut upload = Upload::coming(framing, feeder, expects_continue);
            let used = if rest.is_empty() { 0 } else { upload.feed(rest, cx) };
            (ClientBody::coming(inbox), upload, used)
        }
    };
    (Some(Ok(Arrival { request: Box::new(request.map(|()| body)), upload, asked })), length + used)
}

/// The bytes of the empty lines at the beginning.
fn empty_lines(bytes: &[u8]) -> usize {
    2 * bytes.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count()
}
