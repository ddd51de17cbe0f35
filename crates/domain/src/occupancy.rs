//! What a node is busy with at this moment, as a whole and for each organisation: counted in memory, since it ends
//! with the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is taken of a node. A cache line of its own, so that threads that count for two organisations do not get
/// into each other's way.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Occupancy {
    /// Requests under way.
    pub requests: InUse,
    /// Bytes of bodies that are held whole in memory.
    pub body_bytes: InUse,
}

/// How much of something is in use, where only so much may be.
#[derive(Debug, Default)]
pub struct InUse(AtomicU64);

impl InUse {
    /// Takes `count` more if no more than `limit` are in use then; all or nothing. Who takes gives back.
    #[must_use]
    pub fn try_take(&self, count: u64, limit: u64) -> bool {
        // Nothing else is published by these counts, so no order is needed.
        let take = |in_use: u64| in_use.checked_add(count).filter(|all| *all <= limit);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Gives back `count` of what was taken.
    pub fn give_back(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    /// How much is in use now.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::InUse;

    #[test]
    fn never_more_than_the_limit_and_all_or_nothing() {
        let in_use = InUse::default();
        assert!(in_use.try_take(3, 5));
        assert!(!in_use.try_take(3, 5));
        assert!(!in_use.try_take(u64::MAX, u64::MAX), "no overflow lets more in");
        assert_eq!(in_use.now(), 3);
        in_use.give_back(2);
        assert!(in_use.try_take(4, 5));
        assert_eq!(in_use.now(), 5);
    }

    #[test]
    fn exact_between_threads() {
        let in_use = InUse::default();
        let taken = || (0..1000).filter(|_| in_use.try_take(1, 1500)).count();
        let counts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(taken)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!((counts, in_use.now()), (1500, 1500));
    }
}
