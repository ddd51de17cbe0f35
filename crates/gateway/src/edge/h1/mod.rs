//! HTTP/1.1 to clients, spoken by one task a connection.
//!
//! hyper's server answers what is malformed, too large or too slow by itself, without a body or a request id, and
//! keeps two buffers for every connection. Here the task that answers reads and writes the socket itself: a request
//! is one read and its answer one write, buffers are the thread's, and every refusal is in the caller's dialect. It
//! is at least as strict as hyper where two readers could take a request in two ways (RFC 9112).
//!
//! [`Connection::run`] is a connection's life: a head ([`arrival`], [`head`]), its body on the way to whoever reads it
//! ([`upload`], [`inbox`], [`framing`]), the answer ([`answer`]). While an answer is awaited or sent, the client is
//! listened to ([`listen`]), even where it has sent more than anyone takes yet: its leaving drops everything. There is
//! no upgrade to another protocol yet; it would end [`Connection::exchange`].

mod answer;
mod arrival;
mod framing;
mod head;
mod inbox;
mod listen;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod property;
#[cfg(test)]
mod tests;
mod thread;
mod upload;
mod wire;

pub(crate) use inbox::Inbox;
pub(crate) use thread::Thread;
pub(crate) use wire::Transport;

use crate::answer::AnswerBody;
use crate::worker::Worker;
use answer::{Asked, Outgoing, Stage};
use arrival::{Arrival, NoRequest, Refused, arrive, take_unread};
use http::Response;
use listen::Heard;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use topdog_domain::Refusal;
use topdog_egress::Deadline;
use upload::Upload;
use wire::Wire;

/// A client's connection.
pub(super) struct Connection<S> {
    wire: Wire<S>,
    deadline: Deadline,
    worker: Rc<Worker>,
    peer: SocketAddr,
    stop: watch::Receiver<bool>,
}

/// How long the next head has been waited for.
#[derive(Default)]
struct Waiting {
    since: Option<Instant>,
    /// Has some of it come? Then it is waited for since its first byte: bytes that dribble in do not extend the time.
    is_begun: bool,
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Next,
    Close,
    /// The client may still be sending: closing at once would make its side drop the answer.
    Linger,
    /// The client has left.
    Gone,
}

impl<S: Transport> Connection<S> {
    pub(super) fn new(
        stream: S,
        thread: Rc<Thread>,
        worker: Rc<Worker>,
        peer: SocketAddr,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let wire = Wire::new(stream, thread, worker.config().send_idle_timeout);
        Self { wire, deadline: Deadline::default(), worker, peer, stop }
    }

    /// Answers one request after the other, until either side has had enough.
    pub(super) async fn run(mut self) {
        loop {
            let mut waiting = Waiting { since: None, is_begun: !self.wire.unread.is_empty() };
            let next = poll_fn(|cx| self.poll_next(&mut waiting, cx)).await;
            let then = match next {
                Ok(arrival) => self.exchange(arrival).await,
                Err(NoRequest::Refused(refused)) => self.refuse(refused).await,
                Err(NoRequest::End) => Then::Close,
            };
            self.wire.end_watch();
            match then {
                Then::Next => {}
                Then::Close => return self.close(0).await,
                Then::Linger => return self.close(LINGER_BYTES).await,
                Then::Gone => return,
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.has_changed().unwrap_or(true)
    }

    fn poll_next(&mut self, waiting: &mut Waiting, cx: &mut Context<'_>) -> Poll<Result<Arrival, NoRequest>> {
        let config = self.worker.config();
        let most = config.max_head_bytes;
        if waiting.since.is_none()
            && !self.wire.unread.is_empty()
            && let Some(next) = take_unread(&mut self.wire.unread, most, cx)
        {
            return Poll::Ready(next);
        }
        loop {
            let take = |unread: &mut Vec<u8>, bytes: &[u8], cx: &Context<'_>| arrive(unread, bytes, most, cx);
            match self.wire.poll_read(usize::MAX, cx, take) {
                Poll::Ready(Ok(Some(next))) => return Poll::Ready(next),
                Poll::Ready(Ok(None)) if waiting.is_begun => {}
                Poll::Ready(Ok(None)) => *waiting = Waiting { since: Some(Instant::now()), is_begun: true },
                Poll::Ready(Err(_)) => return Poll::Ready(Err(NoRequest::End)),
                Poll::Pending => break,
            }
        }
        let is_idle = self.wire.unread.is_empty();
        if is_idle && self.is_stopping() {
            return Poll::Ready(Err(NoRequest::End));
        }
        let due = *waiting.since.get_or_insert_with(Instant::now) + config.header_timeout;
        if !self.deadline.has_passed(due.into(), cx) {
            return Poll::Pending;
        }
        let timeout = || Refused::new(Refusal::HeadTimeout, &self.wire.unread);
        Poll::Ready(Err(if is_idle { NoRequest::End } else { NoRequest::Refused(timeout()) }))
    }

    /// Answers a request.
    async fn exchange(&mut self, arrival: Arrival) -> Then {
        let Arrival { request, mut upload, asked } = arrival;
        let answer = {
            let worker = self.worker.clone();
            // Boxed, so that a connection has no room for it while it waits or streams.
            let mut answering = Box::pin(super::answer(&worker, request, self.peer));
            poll_fn(|cx| self.poll_meanwhile(&mut upload, cx, |cx| answering.as_mut().poll(cx))).await
        };
        let Some(answer) = answer else { return Then::Gone };
        let may_persist = upload.leaves_connection_usable() && !self.is_stopping();
        let mut outgoing = self.begin(answer, asked, may_persist);
        let is_sent = poll_fn(|cx| self.poll_answer(&mut outgoing, &mut upload, cx)).await;
        if !is_sent || outgoing.must_be_cut() {
            self.wire.cut();
            return Then::Gone;
        }
        let is_whole = outgoing.stage() == Stage::Over;
        let is_persistent = outgoing.is_persistent;
        drop(outgoing);
        if is_whole && is_persistent {
            return self.pass_over(upload).await;
        }
        let is_sending = !upload.is_over() || !self.wire.unread.is_empty();
        if is_whole && is_sending { Then::Linger } else { Then::Close }
    }

    fn begin(&mut self, answer: Response<AnswerBody>, asked: Asked, may_persist: bool) -> Outgoing {
        let now = self.worker.parts().clock.now();
        Outgoing::begin(answer, asked, may_persist, now, &mut self.wire)
    }

    /// Sends an answer as it comes and as the client takes it; false where the client has left.
    fn poll_answer(
        &mut self,
        outgoing: &mut Outgoing,
        upload: &mut Upload,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        loop {
            let mut is_waiting = false;
            let is_all_sent = self.wire.is_all_sent();
            if is_all_sent && outgoing.stage() != Stage::Flowing {
                return Poll::Ready(true);
            }
            if is_all_sent || outgoing.is_head_alone() {
                // What is ready is sent before more is waited for.
                is_waiting = outgoing.poll_fill(&mut self.wire, cx).is_pending();
            }
            match self.wire.poll_send(cx) {
                Poll::Ready(Ok(())) if !is_waiting => continue,
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                _ => {}
            }
            if ready!(self.poll_listen(upload, cx)) == Heard::End {
                return Poll::Ready(false);
            }
        }
    }

    /// Reads the rest of a body that nobody has read, so that the next request can follow.
    async fn pass_over(&mut self, mut upload: Upload) -> Then {
        if upload.is_over() {
            return Then::Next;
        }
        let due = Instant::now() + self.worker.config().header_timeout;
        poll_fn(|cx| {
            while !upload.is_over() {
                match self.poll_listen(&mut upload, cx) {
                    Poll::Ready(Heard::More) => {}
                    Poll::Ready(Heard::End) => return Poll::Ready(Then::Gone),
                    Poll::Pending if self.deadline.has_passed(due.into(), cx) => {
                        return Poll::Ready(Then::Gone);
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Then::Next)
        })
        .await
    }

    /// Refuses what is no request, or none of ours, and ends the connection: what follows can't be understood.
    async fn refuse(&mut self, Refused { refusal, audience, is_head }: Refused) -> Then {
        let answer = super::turned_away(&self.worker, &refusal, audience);
        let asked = Asked { is_head, is_1_1: true, is_persistent: false };
        let mut outgoing = self.begin(answer, asked, false);
        let is_sent = poll_fn(|cx| {
            ready!(outgoing.poll_fill(&mut self.wire, cx));
            self.wire.poll_send(cx)
        })
        .await
        .is_ok();
        if is_sent { Then::Linger } else { Then::Gone }
    }

    /// Ends the connection, reading on for a while: what is unread at its end would make the client's side drop
    /// the answer.
    async fn close(mut self, most: usize) {
        let due = Instant::now() + LINGER_TIME;
        let mut left = most;
        let mut is_shut = false;
        poll_fn(|cx| {
            if !is_shut {
                match self.wire.poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => is_shut = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            while is_shut && left > 0 {
                match self.wire.poll_read(left, cx, |_, bytes, _| bytes.len()) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(count)) => left -= count,
                    Poll::Pending if self.deadline.has_passed(due.into(), cx) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if is_shut || self.deadline.has_passed(due.into(), cx) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// What is still read of a client that has its last answer, at the most.
const LINGER_BYTES: usize = 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);
