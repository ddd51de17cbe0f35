use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait after failures that follow each other: twice as long each time, up to a limit, and never
/// quite what other nodes wait, so that they don't all come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    pub(crate) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure: between half of what is due and all of it.
    pub(crate) fn failed(&mut self) -> Duration {
        let due = self.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        due.min(self.longest).mul_f64(0.5 + random_fraction() / 2.0)
    }

    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }
}

/// From 0 to 1. Good enough to scatter, and for nothing else.
fn random_fraction() -> f64 {
    let bits = RandomState::new().hash_one(());
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for due_ms in [100, 200, 400, 800, 1_000, 1_000] {
            let pause = backoff.failed();
            let due = Duration::from_millis(due_ms);
            assert!(pause >= due / 2 && pause <= due, "{pause:?} where {due:?} is due");
        }
        for _ in 0..100 {
            assert!(backoff.failed() <= Duration::from_secs(1));
        }
        backoff.succeeded();
        assert!(backoff.failed() <= Duration::from_millis(100));
    }

    #[test]
    fn no_two_nodes_come_back_together() {
        let pause = || Backoff::new(Duration::from_secs(1), Duration::from_secs(1)).failed();
        assert!((0..20).any(|_| pause() != pause()));
    }
}
