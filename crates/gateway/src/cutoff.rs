//! The end of a stopping node's patience: what still runs then is told so, and ends.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::sync::Notify;

/// The moment after which a thread's requests may run no longer. It comes once, or never.
#[derive(Default)]
pub(crate) struct Cutoff {
    has_come: Cell<bool>,
    waiting: Notify,
}

impl Cutoff {
    /// It is now: everyone who waits hears of it.
    pub(crate) fn come(&self) {
        self.has_come.set(true);
        self.waiting.notify_waiters();
    }

    pub(crate) fn has_come(&self) -> bool {
        self.has_come.get()
    }

    /// Waits for it.
    pub(crate) async fn reached(&self) {
        if !self.has_come() {
            self.waiting.notified().await;
        }
    }

    /// What the future yields, or none where it is cut off before.
    pub(crate) async fn before<F: Future>(&self, mut future: Pin<&mut F>) -> Option<F::Output> {
        let mut reached = pin!(self.reached());
        let mut is_waiting = false;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            // A task's waker stays the same, so being waited for once is enough.
            let is_reached = if is_waiting { self.has_come() } else { reached.as_mut().poll(cx).is_ready() };
            is_waiting = true;
            if is_reached { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}
