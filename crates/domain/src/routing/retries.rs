use std::time::Duration;

/// How often the same place is asked again, and after which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// At most so many a place and request.
    pub most: u32,
    /// And so many for a hundred requests.
    pub budget_percent: u32,
    /// The first wait is no longer, each further one twice as long at the most.
    pub first: Duration,
    /// No wait of our own is longer.
    pub longest: Duration,
    /// A place that asks for more patience is not asked again.
    pub longest_retry_after: Duration,
}

impl Retries {
    /// How long to wait before retry number `retry`, counted from 0: anything up to a bound that doubles (full jitter),
    /// so that many who failed together don't come back together; never before the place has asked to be asked. None:
    /// it is not to be asked again.
    #[must_use]
    pub fn wait(&self, retry: u32, told: Option<Duration>, random: u64) -> Option<Duration> {
        if retry >= self.most {
            return None;
        }
        let doubled = self.first.saturating_mul(1u32.checked_shl(retry).unwrap_or(u32::MAX));
        let jitter = share(doubled.min(self.longest), random);
        match told {
            Some(told) if told > self.longest_retry_after => None,
            Some(told) => Some(told.saturating_add(share(self.first, random))),
            None => Some(jitter),
        }
    }
}

/// A part of the duration by chance, of up to all of it.
fn share(most: Duration, random: u64) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.checked_rem(micros.saturating_add(1)).unwrap_or(random))
}

/// What retries and hedges may be made of: each request pays in a share, each of them costs a whole. So a provider that
/// fails everything is asked for no more than that share beyond what it is asked for anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(u32);

/// What one retry costs.
const ONE: u32 = 100;
/// Saved up at the most, and there from the start: as much as ten.
const MOST: u32 = 10 * ONE;

impl Default for Budget {
    fn default() -> Self {
        Self(MOST)
    }
}

impl Budget {
    /// A request was made, by a policy that allows so many retries for a hundred.
    pub fn pay_in(&mut self, percent: u32) {
        self.0 = self.0.saturating_add(percent).min(MOST);
    }

    /// Takes what one costs, if it is there.
    pub fn take(&mut self) -> bool {
        let left = self.0.checked_sub(ONE);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}
