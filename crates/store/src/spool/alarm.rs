use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How the committer is woken: for whoever appends, one load while it is awake.
#[derive(Default)]
pub(super) struct Alarm {
    sleeper: OnceLock<Thread>,
    is_asleep: AtomicBool,
    is_urgent: AtomicBool,
    /// Someone waits for what is written during the sync under way.
    is_urgent_after_sync: AtomicBool,
}

impl Alarm {
    /// Says whom to wake, before anyone can ring.
    pub(super) fn set_sleeper(&self, sleeper: Thread) {
        self.sleeper.get_or_init(|| sleeper);
    }

    /// There is work. Call it after the work can be seen.
    pub(super) fn ring(&self) {
        if self.is_asleep.load(Ordering::Acquire) && self.is_asleep.swap(false, Ordering::AcqRel) {
            self.unpark();
        }
    }

    /// There is work, and someone waits for it.
    pub(super) fn hurry(&self) {
        self.is_urgent.store(true, Ordering::Release);
        self.unpark();
    }

    /// Sleeps until [`Alarm::ring`] or [`Alarm::hurry`], where `has_work` says that there is none.
    pub(super) fn sleep(&self, has_work: impl FnOnce() -> bool) {
        // Raised before looking, and whoever appends looks at it after appending: one of the two sees the other.
        self.is_asleep.store(true, Ordering::Release);
        if !has_work() {
            while self.is_asleep.load(Ordering::Acquire) && !self.is_urgent.load(Ordering::Acquire) {
                thread::park();
            }
        }
        self.is_asleep.store(false, Ordering::Release);
    }

    /// There is work as soon as the sync under way has ended.
    pub(super) fn hurry_after_sync(&self) {
        self.is_urgent_after_sync.store(true, Ordering::Release);
    }

    /// A sync has ended.
    pub(super) fn after_sync(&self) {
        if self.is_urgent_after_sync.swap(false, Ordering::AcqRel) {
            self.hurry();
        }
    }

    /// Waits for `duration`, or until [`Alarm::hurry`]; whether it was that.
    pub(super) fn pause(&self, duration: Duration) -> bool {
        let end = Instant::now() + duration;
        while !self.is_urgent.swap(false, Ordering::AcqRel) {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return false;
            }
            thread::park_timeout(rest);
        }
        true
    }

    fn unpark(&self) {
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }
}
