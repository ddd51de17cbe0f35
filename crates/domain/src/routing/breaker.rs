use std::time::{Duration, Instant};

/// When a place is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// It opens after so many failures in a row.
    pub failures: u32,
    /// It stays open for so long.
    pub open: Duration,
    /// It closes after so many probes in a row that went well.
    pub probes: u32,
}

/// Whether a place may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may; the ticket goes back with how it went.
    Yes(Ticket),
    /// It is left alone until then.
    OpenUntil(Instant),
}

/// As what a place is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticket {
    /// As always.
    Usual,
    /// To find out whether it is well again.
    Probe,
}

/// A circuit breaker: closed while all is well, open after failures in a row, half open to let single probes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// A probe that nothing is heard of in that time is taken for lost: its client may have gone.
    HalfOpen {
        probed_until: Option<Instant>,
        good: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// May the place be asked now?
    pub fn admit(&mut self, rules: &BreakerRules, now: Instant) -> Admission {
        let good = match self.0 {
            State::Closed { .. } => return Admission::Yes(Ticket::Usual),
            State::Open { until } if now < until => return Admission::OpenUntil(until),
            State::Open { .. } => 0,
            State::HalfOpen { probed_until: Some(until), .. } if now < until => {
                return Admission::OpenUntil(until);
            }
            State::HalfOpen { good, .. } => good,
        };
        self.0 = State::HalfOpen { probed_until: now.checked_add(rules.open), good };
        Admission::Yes(Ticket::Probe)
    }

    /// It went well. Only a probe closes it: what was sent before it opened says nothing of now.
    pub fn went_well(&mut self, rules: &BreakerRules, ticket: Ticket) {
        match (self.0, ticket) {
            (State::Closed { .. }, _) => self.0 = State::Closed { failures: 0 },
            (State::HalfOpen { good, .. }, Ticket::Probe) if good + 1 >= rules.probes => {
                self.0 = State::Closed { failures: 0 };
            }
            (State::HalfOpen { good, .. }, Ticket::Probe) => {
                self.0 = State::HalfOpen { probed_until: None, good: good + 1 };
            }
            _ => {}
        }
    }

    /// It failed.
    pub fn failed(&mut self, rules: &BreakerRules, ticket: Ticket, now: Instant) {
        let is_over = match (self.0, ticket) {
            (State::Closed { failures }, _) => {
                self.0 = State::Closed { failures: failures.saturating_add(1) };
                failures + 1 >= rules.failures
            }
            (State::HalfOpen { .. }, Ticket::Probe) => true,
            _ => false,
        };
        if is_over {
            self.0 = now.checked_add(rules.open).map_or(self.0, |until| State::Open { until });
        }
    }

    /// Nothing was learnt, as the attempt was given up: the next may be the probe.
    pub fn learnt_nothing(&mut self, ticket: Ticket) {
        if let (State::HalfOpen { good, .. }, Ticket::Probe) = (self.0, ticket) {
            self.0 = State::HalfOpen { probed_until: None, good };
        }
    }

    /// Is it neither open nor half open, with nothing held against it?
    #[must_use]
    pub const fn is_well(&self) -> bool {
        matches!(self.0, State::Closed { failures: 0 })
    }
}
