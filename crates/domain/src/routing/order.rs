use serde::{Deserialize, Serialize};
use std::time::Duration;

/// By what several targets are put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// By chance, each as often first as its weight says.
    #[default]
    Weight,
    /// The one that answered fastest of late; one that nothing is known of comes first.
    Latency,
    /// The one with the lowest list price for a request of that size; unknown prices come last.
    Cost,
}

impl Balance {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Latency => "latency",
            Self::Cost => "cost",
        }
    }
}

/// One of several targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its share of the requests, beside the others'.
    pub weight: u32,
    /// How long it takes to begin an answer; none: not known.
    pub latency: Option<Duration>,
    /// What the request would cost there, nano-dollars; none: not known.
    pub cost: Option<i64>,
}

/// The places of the candidates, the one to be tried first at the front. Those that are alike by latency or cost are in
/// an order by chance and weight.
#[must_use]
pub fn order(balance: Balance, candidates: &[Candidate], mut random: impl FnMut() -> u64) -> Vec<usize> {
    let mut left: Vec<(usize, Candidate)> = candidates.iter().copied().enumerate().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let all: u64 = left.iter().map(|(_, candidate)| u64::from(candidate.weight)).sum();
        let mut drawn = random().checked_rem(all).unwrap_or(0);
        let place = left.iter().position(|(_, candidate)| {
            let weight = u64::from(candidate.weight);
            let is_it = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_it
        });
        ordered.push(left.swap_remove(place.unwrap_or(0)));
    }
    match balance {
        Balance::Weight => {}
        // `None` is less than any duration.
        Balance::Latency => ordered.sort_by_key(|(_, candidate)| candidate.latency),
        Balance::Cost => ordered.sort_by_key(|(_, candidate)| candidate.cost.unwrap_or(i64::MAX)),
    }
    ordered.into_iter().map(|(place, _)| place).collect()
}
