use super::breaker::{Admission, Breaker, BreakerRules, Ticket};
use super::retries::Budget;
use crate::ProviderKeyId;
use crate::provider::ProviderName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A model of a provider, asked with one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The provider, or the custom endpoint.
    pub provider: ProviderName,
    /// The provider key; none where it takes none.
    pub key: Option<ProviderKeyId>,
    /// The model.
    pub model: Arc<str>,
}

/// What one node knows of how an organisation's places fare: from its own attempts only, and for as long as it runs.
/// Only requests that a route is for look at it, so that its lock is nobody else's.
#[derive(Debug, Default)]
pub struct Health(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    places: HashMap<Place, Fare>,
    budget: Budget,
}

#[derive(Debug)]
struct Fare {
    breaker: Breaker,
    /// Time to the first byte, smoothed.
    latency: Option<Duration>,
    seen: Instant,
}

/// Names of models are callers' own text: an organisation can make a node remember so many, and no more.
const MOST_PLACES: usize = 256;
/// What was measured counts half as much each time that this has gone by: a place that was slow is tried again.
const HALF_LIFE: Duration = Duration::from_secs(30);

impl Health {
    /// May the place be asked? Without a breaker, always.
    pub fn admit(&self, place: &Place, rules: Option<&BreakerRules>, now: Instant) -> Admission {
        match rules {
            Some(rules) => self.known().fare(place, now).breaker.admit(rules, now),
            None => Admission::Yes(Ticket::Usual),
        }
    }

    /// The place answered; after which time, where that says how fast it is.
    pub fn went_well(
        &self,
        place: &Place,
        ticket: Ticket,
        rules: Option<&BreakerRules>,
        took: Option<Duration>,
        now: Instant,
    ) {
        let mut known = self.known();
        let fare = known.fare(place, now);
        if let Some(took) = took {
            // A quarter of the new and three of the old.
            fare.latency = Some(fare.latency.map_or(took, |old| (old * 3 + took) / 4));
        }
        fare.seen = now;
        if let Some(rules) = rules {
            fare.breaker.went_well(rules, ticket);
        }
    }

    /// The place failed.
    pub fn failed(&self, place: &Place, ticket: Ticket, rules: Option<&BreakerRules>, now: Instant) {
        if let Some(rules) = rules {
            self.known().fare(place, now).breaker.failed(rules, ticket, now);
        }
    }

    /// An attempt there was given up before it told anything.
    pub fn learnt_nothing(&self, place: &Place, ticket: Ticket) {
        if ticket == Ticket::Probe
            && let Some(fare) = self.known().places.get_mut(place)
        {
            fare.breaker.learnt_nothing(ticket);
        }
    }

    /// How long the place takes to begin an answer; none where that is not known, or was long ago.
    #[must_use]
    pub fn latency(&self, place: &Place, now: Instant) -> Option<Duration> {
        let known = self.known();
        let fare = known.places.get(place)?;
        let halvings = now.saturating_duration_since(fare.seen).as_secs() / HALF_LIFE.as_secs();
        let divisor = 1u32.checked_shl(u32::try_from(halvings).unwrap_or(u32::MAX))?;
        fare.latency?.checked_div(divisor)
    }

    /// A request was made that may be retried, so often for a hundred.
    pub fn pay_in(&self, percent: u32) {
        self.known().budget.pay_in(percent);
    }

    /// Takes one retry from what the organisation may have, if there is one.
    pub fn take_retry(&self) -> bool {
        self.known().budget.take()
    }

    /// How many places are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known().places.len()
    }

    /// Is nothing remembered?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn fare(&mut self, place: &Place, now: Instant) -> &mut Fare {
        if !self.places.contains_key(place) && self.places.len() >= MOST_PLACES {
            self.forget_one();
        }
        self.places.entry(place.clone()).or_insert_with(|| Fare {
            breaker: Breaker::default(),
            latency: None,
            seen: now,
        })
    }

    /// Forgets who was seen longest ago: one that is well, if there is any.
    fn forget_one(&mut self) {
        let oldest = self.places.iter().min_by_key(|(_, fare)| (!fare.breaker.is_well(), fare.seen));
        if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
            self.places.remove(&oldest);
        }
    }
}
