//! A client that speaks HTTP/2 must begin to in time; hyper alone would wait for its preface for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// HTTP/2's preface (RFC 9113, 3.4), bytes. What follows it is covered by keep-alive pings.
const PREFACE: usize = 24;

/// A stream whose preface must have come within a time.
pub(crate) struct OpeningGuard<S> {
    stream: S,
    awaited: usize,
    /// None once the preface is there.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> OpeningGuard<S> {
    pub(crate) fn new(stream: S, most: Duration) -> Self {
        Self { stream, awaited: PREFACE, timer: Some(Box::pin(sleep(most))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for OpeningGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        if let Some(timer) = &mut self.timer {
            if polled.is_pending() {
                return timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
            }
            self.awaited = self.awaited.saturating_sub(into.filled().len() - before);
            if self.awaited == 0 {
                self.timer = None;
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OpeningGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
