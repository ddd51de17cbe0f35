use std::time::{SystemTime, UNIX_EPOCH};
use topdog_domain::Timestamp;
use topdog_domain::ports::Clock;

/// The machine's own clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the binary's clock")]
    fn now(&self) -> Timestamp {
        // Before 1970 the clock is wrong anyway.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
