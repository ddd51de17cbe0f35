use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;
use tokio::time::{Sleep, sleep_until};

/// A connection's only timer. It is set where someone is silent, and left to run when it isn't needed any more: it
/// fires once a limit at most, where setting and clearing it would cost every request twice.
#[derive(Default)]
pub(super) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Is it past `due`? Wakes the task when it will be.
    pub(super) fn has_passed(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        let Some(timer) = &mut self.0 else {
            let timer = self.0.insert(Box::pin(sleep_until(due.into())));
            return timer.as_mut().poll(cx).is_ready();
        };
        if timer.is_elapsed() || timer.deadline() > due.into() {
            if Instant::now() >= due {
                return true;
            }
            timer.as_mut().reset(due.into());
            return timer.as_mut().poll(cx).is_ready();
        }
        // A task's waker stays the same: the timer wakes it without being asked again.
        false
    }
}
