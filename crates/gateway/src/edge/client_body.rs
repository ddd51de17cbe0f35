//! The body of a client's request, however it comes.

use super::h1::Inbox;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a client's request; it may be read on another runtime than the one that has the connection.
pub struct ClientBody(Kind);

enum Kind {
    /// It came with its head, or there is none.
    Whole(Bytes),
    /// It comes over HTTP/1.1, at the pace of its reader.
    Coming(Inbox),
    /// It comes over HTTP/2.
    H2(Incoming),
}

/// The client broke off within its body, or framed it wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request body broke off or is malformed")]
pub struct BodyLost;

impl ClientBody {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    pub(super) const fn coming(inbox: Inbox) -> Self {
        Self(Kind::Coming(inbox))
    }

    pub(super) const fn h2(incoming: Incoming) -> Self {
        Self(Kind::H2(incoming))
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BodyLost;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyLost>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Coming(inbox) => inbox.poll_piece(cx).map(|piece| piece.map(|p| p.map(Frame::data))),
            Kind::H2(incoming) => {
                Pin::new(incoming).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|_| BodyLost)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Coming(inbox) => inbox.is_over(),
            Kind::H2(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Coming(inbox) => inbox.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Kind::H2(incoming) => incoming.size_hint(),
        }
    }
}
