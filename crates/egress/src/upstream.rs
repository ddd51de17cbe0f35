//! A response body that knows the connection it comes from.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::connect::Line;
use crate::error::{BodyError, Lost};
use crate::shelf::Shelf;

/// The response body of an upstream; dropped before its end, it cancels the upstream at once.
///
/// An HTTP/1 connection goes back to its pool only when the body was read to its end; an HTTP/2 stream is
/// reset and its connection lives on.
pub struct UpstreamBody {
    incoming: Incoming,
    /// `None` as soon as the connection was given back or given up.
    lease: Option<Lease>,
}

/// What a running exchange holds of the pool.
pub(crate) enum Lease {
    H1 {
        line: Line,
        home: Rc<Shelf>,
        /// A streamed request body may still be on its way when the response is over.
        streamed: bool,
    },
    #[expect(dead_code, reason = "held for its drop, which makes room on the shared connection")]
    H2(InFlight),
}

impl UpstreamBody {
    pub(crate) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self { incoming, lease: Some(lease) };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    fn give_back(&mut self) {
        if let Some(Lease::H1 { line, home, streamed }) = self.lease.take() {
            let is_over = line.is_ready() || !streamed;
            if is_over && !line.is_closed() {
                home.put(line);
            }
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
        match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => {
                // A reader that knows the length does not ask for the end.
                if self.incoming.is_end_stream() {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.lease = None;
                Poll::Ready(Some(Err(BodyError(Lost::of(&error)))))
            }
            None => {
                self.give_back();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
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
