//! Giving up on a side that says nothing for too long.

use crate::settle::{Patience, Settlement};
use crate::worker::Worker;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Measures how long the other side has been silent; costs a timer only while it is.
pub(super) struct Silence {
    most: Duration,
    /// Whatever is said, it is over then.
    deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub(super) const fn new(most: Duration) -> Self {
        Self { most, deadline: None, timer: None }
    }

    /// For an answer: as the policy says, else as configured.
    pub(super) fn of_answer(worker: &Worker, settlement: &Settlement) -> Self {
        match settlement.patience() {
            Some(Patience { idle, deadline }) => Self { most: idle, deadline, timer: None },
            None => Self::new(worker.config().upstream_idle_timeout),
        }
    }

    /// Has the silence that began at `since` lasted too long? Wakes the task when it will have.
    pub(super) fn poll_too_long(&mut self, since: Instant, cx: &mut Context<'_>) -> bool {
        let now = tokio::time::Instant::now();
        let Some(timer) = &mut self.timer else {
            let until = ends(since, self.most, self.deadline);
            let left = until.saturating_duration_since(now.into_std());
            let timer = self.timer.insert(Box::pin(tokio::time::sleep(left)));
            return timer.as_mut().poll(cx).is_ready();
        };
        // A task's waker stays the same, so a timer that is set wakes it without being asked again.
        while timer.is_elapsed() {
            let until = ends(since, self.most, self.deadline);
            let left = until.saturating_duration_since(now.into_std());
            if left.is_zero() {
                return true;
            }
            timer.as_mut().reset(now + left);
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
        false
    }
}

/// The present moment, which tests may stop: whatever is compared with a timer is of this clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn ends(since: Instant, most: Duration, deadline: Option<Instant>) -> Instant {
    let silent = since.checked_add(most).unwrap_or(since);
    deadline.map_or(silent, |deadline| deadline.min(silent))
}
