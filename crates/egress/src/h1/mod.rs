//! HTTP/1.1 to a provider, spoken by the very task that waits for the answer.
//!
//! hyper's client has a task for each connection and hands every piece over a channel, which costs a gateway more
//! than all it does itself; here a request is one write, and a piece of an answer one read. It is as strict as
//! hyper where an answer could be read in two ways (RFC 9112, 6.3), and keeps no connection of which it isn't sure.

mod body;
mod framing;
#[doc(hidden)]
pub mod fuzzing;
mod head;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use body::Body;
pub(crate) use wire::Wire;

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body as _;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep};

use crate::body::RequestBody;
use crate::deadline::Deadline;
use crate::error::Lost;
use head::AnswerHead;

/// A connection between two exchanges; dropping it closes the socket at once.
pub struct Line {
    wire: Wire,
    read: BytesMut,
    write: Vec<u8>,
    /// How much the next read asks for: small for events of a stream, large for a large answer.
    read_size: usize,
    deadline: Deadline,
}

/// How long a peer may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// From the request to the head of its answer.
    pub(crate) head: Duration,
    /// Without taking anything of the request.
    pub(crate) send_idle: Duration,
}

/// Longer than any exchange.
const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

/// Why there is no answer.
pub(crate) enum Failure {
    /// Nothing of the request was written: here it is, whole.
    Unsent(Box<Request<RequestBody>>),
    /// The request may have been acted upon.
    Lost(Lost),
    /// No head came in time; the request may be acted upon.
    Late,
}

impl Line {
    pub(crate) fn new(wire: Wire) -> Self {
        Self {
            wire,
            read: BytesMut::new(),
            write: Vec::new(),
            read_size: SMALLEST_READ,
            deadline: Deadline::default(),
        }
    }

    /// Whether the peer has said nothing since the last exchange: neither its end, nor anything unasked for.
    /// Costs a system call only where the runtime has seen something.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.read.is_empty() && self.poll_read(&mut context).is_pending()
    }

    /// Sends an origin-form request that carries its `Host`, and waits for the head of the answer.
    pub(crate) async fn send(
        mut self: Box<Self>,
        mut request: Box<Request<RequestBody>>,
        patience: Patience,
    ) -> Result<Response<Body>, Failure> {
        let now = Instant::now();
        let due = now.checked_add(patience.head).unwrap_or(now + FOR_EVER);
        let mut outgoing = Outgoing::begin(&mut request, patience.send_idle, &mut self.write);
        let answered = poll_fn(|cx| match self.poll_exchange(&mut outgoing, cx) {
            Poll::Ready(answered) => Poll::Ready(Some(answered)),
            Poll::Pending if self.deadline.has_passed(due, cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        match answered.ok_or(Failure::Late)? {
            Ok(head) => {
                let is_reusable = head.is_persistent && outgoing.is_sent(&self.write);
                self.write.clear();
                self.write.shrink_to(LARGEST_KEPT_WRITE);
                Ok(head.answer.map(|framing| Body::new(self, framing, is_reusable)))
            }
            Err(Lost::Closed) if outgoing.written == 0 => match outgoing.taken_back() {
                Some(body) => {
                    *request.body_mut() = body;
                    Err(Failure::Unsent(request))
                }
                None => Err(Failure::Lost(Lost::Closed)),
            },
            Err(lost) => Err(Failure::Lost(lost)),
        }
    }

    /// Writes what is to be written, and looks for an answer meanwhile: a server may refuse a body that it has
    /// not read to its end.
    fn poll_exchange(
        &mut self,
        outgoing: &mut Outgoing,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, Lost>> {
        if let Poll::Ready(Err(lost)) = self.poll_write_out(outgoing, cx) {
            // What the server said before it closed may say why.
            return match self.poll_head(cx) {
                Poll::Ready(Ok(head)) => Poll::Ready(Ok(head)),
                _ => Poll::Ready(Err(lost)),
            };
        }
        self.poll_head(cx)
    }

    fn poll_write_out(&mut self, outgoing: &mut Outgoing, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        loop {
            while let Some(rest) = self.write.get(outgoing.flushed..).filter(|rest| !rest.is_empty()) {
                match Pin::new(&mut self.wire).poll_write(cx, rest) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Lost::Closed)),
                    Poll::Ready(Ok(count)) => outgoing.wrote(count),
                    Poll::Pending => return outgoing.poll_stalled(cx).map(|()| Err(Lost::Stalled)),
                }
            }
            self.write.clear();
            outgoing.flushed = 0;
            if !std::task::ready!(outgoing.poll_refill(&mut self.write, cx))? {
                return Pin::new(&mut self.wire).poll_flush(cx).map_err(|_| Lost::Closed);
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<AnswerHead, Lost>> {
        loop {
            if let Some(head) = head::take(&mut self.read)? {
                return Poll::Ready(Ok(head));
            }
            if std::task::ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Err(Lost::Closed));
            }
        }
    }

    /// Reads more; 0 at the peer's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Lost>> {
        self.read.reserve(self.read_size);
        let count =
            std::task::ready!(self.wire.poll_read_into(&mut self.read, cx)).map_err(|_| Lost::Closed)?;
        if count >= self.read_size {
            self.read_size = (self.read_size * 2).min(LARGEST_READ);
        } else if count < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(SMALLEST_READ);
        }
        Poll::Ready(Ok(count))
    }
}

const SMALLEST_READ: usize = 2 * 1024;
const LARGEST_READ: usize = 64 * 1024;
/// What a connection keeps of its write buffer from one exchange to the next.
const LARGEST_KEPT_WRITE: usize = 2 * 1024;
/// A body up to this size goes out in one write with its head.
const LARGEST_JOINED_BODY: usize = 32 * 1024;

/// A request on its way out.
struct Outgoing {
    body: Going,
    /// Bytes written of the buffer that is being written.
    flushed: usize,
    /// Bytes written in all.
    written: usize,
    most_idle: Duration,
    /// Runs while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

enum Going {
    /// In the write buffer with its head; kept, in case nothing of it goes out.
    Joined(Bytes),
    /// Whole, and too large to be copied.
    Whole { body: Bytes, left: Bytes },
    /// A stream, in chunks where its length is not known.
    Stream { body: RequestBody, is_chunked: bool },
    /// Nothing is left of it.
    Gone,
}

impl Outgoing {
    fn begin(request: &mut Request<RequestBody>, most_idle: Duration, write: &mut Vec<u8>) -> Self {
        write.clear();
        let body = match std::mem::replace(request.body_mut(), RequestBody::empty()) {
            RequestBody::Full(body) => {
                head::write(request, head::Length::Known(body.len() as u64), write);
                if body.len() <= LARGEST_JOINED_BODY {
                    write.extend_from_slice(&body);
                    Going::Joined(body)
                } else {
                    Going::Whole { left: body.clone(), body }
                }
            }
            body @ RequestBody::Stream(_) => {
                let length = body.size_hint().exact().map_or(head::Length::Chunked, head::Length::Known);
                head::write(request, length, write);
                Going::Stream { body, is_chunked: matches!(length, head::Length::Chunked) }
            }
        };
        Self { body, flushed: 0, written: 0, most_idle, stalled: None }
    }

    fn wrote(&mut self, count: usize) {
        self.flushed += count;
        self.written += count;
        self.stalled = None;
    }

    /// Has the peer taken nothing for too long? To be asked while it does not.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let most_idle = self.most_idle;
        self.stalled.get_or_insert_with(|| Box::pin(sleep(most_idle))).as_mut().poll(cx)
    }

    /// Puts the next part of the body into the empty buffer; false where there is none.
    fn poll_refill(&mut self, write: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Result<bool, Lost>> {
        match &mut self.body {
            Going::Joined(_) | Going::Gone => Poll::Ready(Ok(false)),
            Going::Whole { left, .. } if left.is_empty() => Poll::Ready(Ok(false)),
            Going::Whole { left, .. } => {
                let piece = left.split_to(left.len().min(LARGEST_READ));
                write.extend_from_slice(&piece);
                Poll::Ready(Ok(true))
            }
            Going::Stream { body, is_chunked } => {
                let is_chunked = *is_chunked;
                match std::task::ready!(Pin::new(body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            framing::write_piece(&data, is_chunked, write);
                        }
                    }
                    Some(Err(_)) => return Poll::Ready(Err(Lost::RequestBody)),
                    None => {
                        self.body = Going::Gone;
                        if is_chunked {
                            write.extend_from_slice(framing::LAST_CHUNK);
                        }
                    }
                }
                Poll::Ready(Ok(true))
            }
        }
    }

    /// Has all of it gone out? Otherwise the connection can't be used again.
    fn is_sent(&self, write: &[u8]) -> bool {
        let is_body_out = match &self.body {
            Going::Joined(_) | Going::Gone => true,
            Going::Whole { left, .. } => left.is_empty(),
            Going::Stream { .. } => false,
        };
        is_body_out && write.len() <= self.flushed
    }

    /// The body, where nothing of it is lost.
    fn taken_back(self) -> Option<RequestBody> {
        match self.body {
            Going::Joined(body) | Going::Whole { body, .. } => Some(RequestBody::Full(body)),
            Going::Stream { body, .. } => Some(body),
            Going::Gone => None,
        }
    }
}

/// What lies in the buffer of a connection that is to be used again is nothing anyone asked for.
fn is_clean(line: &Line) -> bool {
    !line.read.has_remaining()
}
