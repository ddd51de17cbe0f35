//! Giving up on a side that says nothing for too long.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Measures how long the other side has been silent; costs a timer only while it is.
pub(super) struct Silence {
    most: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub(super) const fn new(most: Duration) -> Self {
        Self { most, timer: None }
    }

    /// Has the silence that began at `since` lasted too long? Wakes the task when it will have.
    pub(super) fn poll_too_long(&mut self, since: Instant, cx: &mut Context<'_>) -> bool {
        let most = self.most;
        let Some(timer) = &mut self.timer else {
            let timer = self.timer.insert(Box::pin(tokio::time::sleep(most)));
            return timer.as_mut().poll(cx).is_ready();
        };
        // A task's waker stays the same, so a timer that is set wakes it without being asked again.
        while timer.is_elapsed() {
            let silent = since.elapsed();
            if silent >= most {
                return true;
            }
            timer.as_mut().reset(tokio::time::Instant::now() + (most - silent));
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        false
    }
}
