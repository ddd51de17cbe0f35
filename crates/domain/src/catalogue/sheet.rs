//! What something costs: exact arithmetic over buckets that never overlap.

use crate::usage::TokenUsage;
use crate::{Timestamp, UtcDay};

/// What is charged from a day on, or at hours of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    /// The first day (UTC); none: always.
    pub(super) from: Option<UtcDay>,
    /// Minutes of the UTC day, from and until; the second may be past midnight. None: all of it.
    pub(super) hours: Option<(i64, i64)>,
    /// For what is served at once.
    pub(super) standard: Sheet,
    /// For batches, where it is known.
    pub(super) batch: Option<Sheet>,
}

impl Period {
    pub(super) fn is_in_force(&self, at: Timestamp) -> bool {
        let minute = at.minute().number().rem_euclid(MINUTES_A_DAY);
        let is_hour = self.hours.is_none_or(|(from, until)| {
            if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until }
        });
        is_hour && self.from.is_none_or(|day| at.day() >= day)
    }
}

const MINUTES_A_DAY: i64 = 24 * 60;

/// Prices, and those of large requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) base: Rates,
    /// More than so many input tokens, cached ones included, and all that the request used costs this instead.
    /// Ascending.
    pub(super) above: Vec<(u64, Rates)>,
}

/// Pico-dollars a token, by bucket; none where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) input: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) cache_write_1h: Option<i64>,
    pub(super) output: Option<i64>,
    /// Reasoning is output, and costs what output does where no price of its own is said.
    pub(super) reasoning: Option<i64>,
    /// For the request itself, millionths of a dollar.
    pub(super) request: Option<i64>,
}

impl Sheet {
    /// Nano-dollars, rounded up once; none where a bucket was used whose price is not known.
    pub(super) fn cost(&self, tokens: &TokenUsage) -> Option<i64> {
        let TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning } = *tokens;
        let all_input: u128 =
            [input, cache_read, cache_write_5m, cache_write_1h].into_iter().map(u128::from).sum();
        let is_reached = |(above, _): &&(u64, Rates)| all_input > u128::from(*above);
        let rates = self.above.iter().rev().find(is_reached).map_or(&self.base, |(_, rates)| rates);
        let buckets = [
            (input, rates.input),
            (cache_read, rates.cache_read),
            (cache_write_5m, rates.cache_write),
            (cache_write_1h, rates.cache_write_1h),
            (output, rates.output),
            (reasoning, rates.reasoning.or(rates.output)),
        ];
        let request = i128::from(rates.request.unwrap_or(0)) * PICOS_A_MILLIONTH;
        let picos = buckets.into_iter().try_fold(request, |sum, (count, rate)| match rate {
            _ if count == 0 => Some(sum),
            Some(rate) => Some(sum + i128::from(count) * i128::from(rate)),
            None => None,
        })?;
        let nanos = (picos + PICOS_A_NANO - 1) / PICOS_A_NANO;
        Some(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

const PICOS_A_NANO: i128 = 1000;
const PICOS_A_MILLIONTH: i128 = 1_000_000;
