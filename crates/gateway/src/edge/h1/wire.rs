//! The bytes of a client's connection, in the clear or not.

use super::thread::Thread;
use crate::edge::departure::Departure;
use crate::edge::stall::StallGuard;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A stream that can be cut off, so that its end can't be taken for an orderly one.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + 'static {
    /// What its bytes come over.
    fn socket(&self) -> &TcpStream;

    /// Makes its drop a reset.
    fn cut(&self) {
        // Where it fails the connection is dead already.
        let _ = self.socket().set_zero_linger();
    }
}

impl Transport for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A connection with what has been read and not used, and what is to be written.
pub(super) struct Wire<S> {
    stream: StallGuard<S>,
    /// Watched since it was first left unread, until the end of the exchange.
    departure: Option<Departure>,
    /// Read, and not used yet: the beginning of a head, or what the client sent ahead.
    pub(super) unread: Vec<u8>,
    out: Vec<u8>,
    /// A large piece, to be written behind `out` without being copied.
    piece: Bytes,
    /// What follows it.
    tail: &'static [u8],
    /// Bytes of `out` that have been sent.
    written: usize,
    /// Has a TLS session still to send what it was given?
    is_flushed: bool,
    thread: Rc<Thread>,
}

impl<S: Transport> Wire<S> {
    pub(super) fn new(stream: S, thread: Rc<Thread>, send_idle_timeout: Duration) -> Self {
        let stream = StallGuard::new(stream, send_idle_timeout);
        Self {
            stream,
            departure: None,
            unread: Vec::new(),
            out: Vec::new(),
            piece: Bytes::new(),
            tail: b"",
            written: 0,
            is_flushed: true,
            thread,
        }
    }

    pub(super) fn thread(&self) -> Rc<Thread> {
        self.thread.clone()
    }

    pub(super) fn cut(&self) {
        self.stream.get_ref().cut();
    }

    /// Reads up to `most` bytes and lets them be taken, together with what is unread; none at the client's end.
    pub(super) fn poll_read<T>(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Vec<u8>, &[u8], &Context<'_>) -> T,
    ) -> Poll<io::Result<T>> {
        let mut incoming = self.thread.incoming.borrow_mut();
        let most = most.min(incoming.len());
        let mut into = ReadBuf::new(incoming.get_mut(..most).unwrap_or_default());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into))?;
        Poll::Ready(Ok(take(&mut self.unread, into.filled(), cx)))
    }

    /// Waits for the client's end without reading; ready where it has left.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.departure.is_none() {
            // Without a file handle to watch it by, the client's leaving is seen at the next read or write.
            self.departure = Departure::of(self.stream.get_ref().socket()).ok();
        }
        let Some(departure) = &mut self.departure else { return Poll::Pending };
        ready!(departure.poll(cx));
        // Who asks again is told again, by a new watch.
        self.departure = None;
        Poll::Ready(())
    }

    /// The client is read again.
    pub(super) fn end_watch(&mut self) {
        self.departure = None;
    }

    /// Uses the first bytes of what is unread.
    pub(super) fn used(&mut self, count: usize) {
        if count >= self.unread.len() {
            self.unread = Vec::new();
        } else {
            self.unread.drain(..count);
        }
    }

    /// Where to write what is to be sent next.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = self.thread.take_buffer();
        }
        &mut self.out
    }

    /// Lets a piece and its end follow what was written to `out`; nothing may be written before they are sent.
    pub(super) fn send_behind(&mut self, piece: Bytes, tail: &'static [u8]) {
        self.piece = piece;
        self.tail = tail;
    }

    pub(super) const fn is_all_sent(&self) -> bool {
        self.is_all_written() && self.is_flushed
    }

    const fn is_all_written(&self) -> bool {
        self.out.is_empty() && self.piece.is_empty() && self.tail.is_empty()
    }

    /// Sends what is to be sent, and gives its buffer back.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_all_written() {
            let rest = self.out.get(self.written..).unwrap_or_default();
            let stream = Pin::new(&mut self.stream);
            let polled = if self.piece.is_empty() && self.tail.is_empty() {
                stream.poll_write(cx, rest)
            } else {
                let slices = [rest, &self.piece, self.tail].map(IoSlice::new);
                stream.poll_write_vectored(cx, &slices)
            };
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => self.sent(count),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.keep_rest();
                    return Poll::Pending;
                }
            }
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn sent(&mut self, count: usize) {
        self.is_flushed = false;
        let of_out = count.min(self.out.len() - self.written);
        let of_piece = (count - of_out).min(self.piece.len());
        self.written += of_out;
        let _ = self.piece.split_to(of_piece);
        self.tail = self.tail.get(count - of_out - of_piece..).unwrap_or_default();
        if self.written == self.out.len() && self.written > 0 {
            self.written = 0;
            self.thread.give_back(std::mem::take(&mut self.out));
        }
    }

    /// A client that does not read keeps what it is owed, not the thread's buffer.
    fn keep_rest(&mut self) {
        let rest = self.out.get(self.written..).unwrap_or_default();
        if self.out.capacity() > 2 * rest.len() {
            let rest = rest.to_vec();
            self.thread.give_back(std::mem::replace(&mut self.out, rest));
            self.written = 0;
        }
    }
}
