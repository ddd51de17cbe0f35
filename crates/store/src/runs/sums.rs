//! What the counted records of a run used, by provider and model.

use super::MOST;
use super::column::{Column, columns_of, put_number, take_number};
use std::sync::Arc;
use topdog_domain::provider::ProviderName;
use topdog_domain::usage::{RequestRecord, UsageSource};

/// A record adds so many tokens, or nano-dollars, at the most: an endpoint that says more of a request must not make
/// every sum overflow that it is in.
pub(crate) const MOST_OF_A_REQUEST: u64 = 100_000_000_000_000;

/// What was used of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelSum {
    pub(crate) provider: ProviderName,
    /// The model, as the provider takes it.
    pub(crate) model: Arc<str>,
    /// Requests that the provider accepted.
    pub(crate) requests: u64,
    /// Those whose tokens are estimates.
    pub(crate) estimated_requests: u64,
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    /// Both kinds.
    pub(crate) cache_write: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
    /// Where it is known.
    pub(crate) cost_nanodollars: i64,
    /// Those whose cost is not.
    pub(crate) unpriced_requests: u64,
}

columns_of!(ModelSum {
    provider,
    model,
    requests,
    estimated_requests,
    input,
    cache_read,
    cache_write,
    output,
    reasoning,
    cost_nanodollars,
    unpriced_requests,
});

impl ModelSum {
    /// What one record used; none where it is not counted.
    pub(crate) fn of(record: &RequestRecord) -> Option<Self> {
        let tokens = &record.tokens;
        let most = |number: u64| number.min(MOST_OF_A_REQUEST);
        let most_cost = MOST_OF_A_REQUEST.cast_signed();
        record.is_counted.then(|| Self {
            provider: record.provider.clone(),
            model: record.model.clone(),
            requests: 1,
            estimated_requests: u64::from(record.source == UsageSource::Estimated),
            input: most(tokens.input),
            cache_read: most(tokens.cache_read),
            cache_write: most(tokens.cache_write_5m.saturating_add(tokens.cache_write_1h)),
            output: most(tokens.output),
            reasoning: most(tokens.reasoning),
            cost_nanodollars: record.cost_nanodollars.unwrap_or_default().clamp(-most_cost, most_cost),
            unpriced_requests: u64::from(record.cost_nanodollars.is_none()),
        })
    }

    /// Adds what was used of the same model.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.estimated_requests, other.estimated_requests),
            (&mut self.input, other.input),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write, other.cache_write),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.unpriced_requests, other.unpriced_requests),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.cost_nanodollars = self.cost_nanodollars.saturating_add(other.cost_nanodollars);
    }
}

/// What the counted ones of these records used, by provider and model.
pub(super) fn of(records: &[&RequestRecord]) -> Vec<ModelSum> {
    let mut sums: Vec<ModelSum> = Vec::new();
    // Neighbours are mostly of the same model, and a run of many models is rare.
    let mut last = 0;
    for new in records.iter().filter_map(|record| ModelSum::of(record)) {
        let is_same = |sum: &ModelSum| sum.model == new.model && sum.provider == new.provider;
        if !sums.get(last).is_some_and(is_same) {
            last = sums.iter().position(is_same).unwrap_or(sums.len());
        }
        match sums.get_mut(last) {
            Some(sum) => sum.add(&new),
            None => sums.push(new),
        }
    }
    sums
}

pub(super) fn put(sums: &[ModelSum], bytes: &mut Vec<u8>) {
    put_number(sums.len() as u64, bytes);
    Column::put(&sums.iter().collect::<Vec<_>>(), bytes);
}

pub(super) fn take(bytes: &mut &[u8]) -> Option<Vec<ModelSum>> {
    let count = usize::try_from(take_number(bytes)?).ok().filter(|count| *count <= MOST)?;
    Column::take(count, bytes)
}
