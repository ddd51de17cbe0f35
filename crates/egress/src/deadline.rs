//! The timer of a connection, a client's or a provider's, which outlives its exchanges.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep, sleep_until};

/// A connection's only timer. Set for the first exchange that has to wait, and left to run when it is answered: where it fires, it is set anew for
/// the exchange that is waiting then. Setting and clearing it would cost every request twice.
#[derive(Default)]
pub struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Is it past `due`? Wakes the task that asks when it will be, and perhaps before.
    pub fn has_passed(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        // Asked each time: another task may have the connection by now.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            timer.as_mut().reset(due);
        }
        false
    }
}
