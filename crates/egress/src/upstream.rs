//! A response body that knows the connection it comes from.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::error::{BodyError, Lost};
use crate::h1;
use crate::shelf::Shelf;

/// The response body of an upstream; dropped before its end, it cancels the upstream at once.
///
/// An HTTP/1 connection goes back to its pool only when the body was read to its end; an HTTP/2 stream is
/// reset and its connection lives on.
pub struct UpstreamBody(Inner);

enum Inner {
    H1 {
        body: h1::Body,
        home: Rc<Shelf>,
    },
    H2 {
        incoming: Incoming,
        /// Dropped, it makes room on the shared connection.
        in_flight: Option<InFlight>,
    },
}

impl UpstreamBody {
    pub(crate) fn h1(body: h1::Body, home: Rc<Shelf>) -> Self {
        let mut inner = Inner::H1 { body, home };
        inner.give_back();
        Self(inner)
    }

    pub(crate) fn h2(incoming: Incoming, in_flight: InFlight) -> Self {
        let mut inner = Inner::H2 { incoming, in_flight: Some(in_flight) };
        inner.give_back();
        Self(inner)
    }
}

impl Inner {
    /// A reader that knows the length does not ask for the end, so the connection goes back as soon as it is known.
    fn give_back(&mut self) {
        match self {
            Self::H1 { body, home } => {
                if let Some(line) = body.take_line() {
                    home.put(line);
                }
            }
            Self::H2 { incoming, in_flight } => {
                if incoming.is_end_stream() {
                    *in_flight = None;
                }
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::H1 { body, .. } => Pin::new(body).poll_frame(cx),
            Self::H2 { incoming, .. } => Pin::new(incoming)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|error| BodyError(Lost::of(&error))))),
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.0.poll_frame(cx));
        self.0.give_back();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::H1 { body, .. } => body.is_end_stream(),
            Inner::H2 { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::H1 { body, .. } => body.size_hint(),
            Inner::H2 { incoming, .. } => incoming.size_hint(),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").finish_non_exhaustive()
    }
}

/// One stream of a shared HTTP/2 connection, counted from before its request until after its body.
pub(crate) struct InFlight(Rc<Cell<u32>>);

impl InFlight {
    pub(crate) fn enter(count: &Rc<Cell<u32>>) -> Self {
        count.set(count.get().saturating_add(1));
        Self(Rc::clone(count))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
