//! Listening to the client while an answer is awaited or sent.

use super::Connection;
use super::upload::Upload;
use super::wire::Transport;
use std::task::{Context, Poll, ready};

/// What was heard of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// More of the body.
    More,
    /// Its end: it has left, or has at least said that it sends no more, which counts as much.
    End,
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<S: Transport> Connection<S> {
    /// Polls what the client waits for, and hands its body on meanwhile; none where it has left.
    pub(super) fn poll_meanwhile<T>(
        &mut self,
        upload: &mut Upload,
        cx: &mut Context<'_>,
        mut awaited: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        loop {
            if let Poll::Ready(value) = awaited(cx) {
                return Poll::Ready(Some(value));
            }
            if upload.takes_up_continue(cx) {
                self.wire.out().extend_from_slice(CONTINUE);
            }
            if !self.wire.is_all_sent() && matches!(self.wire.poll_send(cx), Poll::Ready(Err(_))) {
                return Poll::Ready(None);
            }
            let was_coming = upload.is_coming();
            match ready!(self.poll_listen(upload, cx)) {
                Heard::More => {}
                // Whoever reads the body may have an answer to its end.
                Heard::End if was_coming => {
                    let answer = awaited(cx);
                    return Poll::Ready(if let Poll::Ready(answer) = answer { Some(answer) } else { None });
                }
                Heard::End => return Poll::Ready(None),
            }
        }
    }

    /// Reads what the body still has to say, or else what comes too early. Where the body's reader has enough, or so
    /// much has come too early that it fills a head's room, nothing more is read: the client's leaving is then seen by
    /// its connection's state.
    pub(super) fn poll_listen(&mut self, upload: &mut Upload, cx: &mut Context<'_>) -> Poll<Heard> {
        if upload.is_coming() {
            return self.poll_body(upload, cx);
        }
        let most = self.worker.config().max_head_bytes;
        while self.wire.unread.len() < most {
            let room = most - self.wire.unread.len();
            let read = self.wire.poll_read(room, cx, |unread, bytes, _| {
                unread.extend_from_slice(bytes);
                bytes.len()
            });
            if matches!(ready!(read), Ok(0) | Err(_)) {
                return Poll::Ready(Heard::End);
            }
        }
        self.wire.poll_gone(cx).map(|()| Heard::End)
    }

    fn poll_body(&mut self, upload: &mut Upload, cx: &mut Context<'_>) -> Poll<Heard> {
        if !self.wire.unread.is_empty() {
            let used = upload.feed(&self.wire.unread, cx);
            self.wire.used(used);
            return Poll::Ready(Heard::More);
        }
        if !upload.wants_more(cx) {
            // What is in the inbox stays good: whoever reads it hears of the end when this connection is dropped.
            return self.wire.poll_gone(cx).map(|()| Heard::End);
        }
        let read = self.wire.poll_read(usize::MAX, cx, |unread, bytes, cx| {
            let used = upload.feed(bytes, cx);
            unread.extend_from_slice(bytes.get(used..).unwrap_or_default());
            bytes.len()
        });
        match ready!(read) {
            Ok(1..) => Poll::Ready(Heard::More),
            Ok(0) | Err(_) => {
                upload.break_off();
                Poll::Ready(Heard::End)
            }
        }
    }
}
