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
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(most)));
        while timer.as_mut().poll(cx).is_ready() {
            let silent = since.elapsed();
            if silent >= most {
                return true;
            }
            timer.as_mut().reset(tokio::time::Instant::now() + (most - silent));
        }
        false
    }
}
