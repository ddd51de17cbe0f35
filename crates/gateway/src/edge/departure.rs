//! Noticing that a client leaves while nothing is read of it.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A watch of one client, for the time in which it is not read.
///
/// What a client sent before it left stays in front of its end, and as long as that is not read, the socket just stays
/// readable. The system tells of the end all the same (`EPOLLRDHUP`). The watch has a handle of its own, so that it can
/// be kept beside a stream that is read and written; it must be dropped with the stream, since the connection is open
/// as long as it has a handle.
pub(crate) struct Departure(Pin<Box<dyn Future<Output = ()>>>);

impl Departure {
    /// A watch of this client; fails where there are no file handles left.
    pub(crate) fn of(client: &TcpStream) -> io::Result<Self> {
        let handle = client.as_fd().try_clone_to_owned()?;
        let handle = TcpStream::from_std(handle.into())?;
        Ok(Self(Box::pin(async move {
            // This interest is told of the end, but not of data.
            let _ = handle.ready(Interest::PRIORITY).await;
        })))
    }

    /// Ready once the client has left, or has said that it sends no more; not to be polled again. An end that can't
    /// reach this machine, since there is no room for what the client sent before it, is not seen.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
