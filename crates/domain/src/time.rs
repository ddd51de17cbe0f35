//! Time as Top Dog keeps it: UTC microseconds, UTC days, and the windows that limits are counted in.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by whole seconds, either way; stops at the ends of the range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The UTC day that this instant lies in.
    #[must_use]
    pub const fn day(self) -> UtcDay {
        UtcDay(self.0.div_euclid(MICROS_A_DAY))
    }

    /// The clock minute that this instant lies in.
    #[must_use]
    pub const fn minute(self) -> UtcMinute {
        UtcMinute(self.0.div_euclid(MICROS_A_MINUTE))
    }

    /// The calendar month, by UTC, that this instant lies in.
    #[must_use]
    pub const fn month(self) -> Window {
        let day = self.day().number();
        let (year, month) = year_and_month(day);
        let next = if month == 12 { first_day(year + 1, 1) } else { first_day(year, month + 1) };
        Window { start: UtcDay(first_day(year, month)).start(), end: UtcDay(next).start() }
    }

    /// Whole seconds from here to `later`, rounded up; 0 where that is past.
    #[must_use]
    pub const fn seconds_until(self, later: Self) -> u64 {
        let micros = later.0.saturating_sub(self.0);
        if micros <= 0 { 0 } else { (micros as u64).div_ceil(1_000_000) }
    }

    /// The instant written in RFC 3339, UTC.
    ///
    /// # Errors
    /// Where the text is no RFC 3339 instant.
    pub fn parse(text: &str) -> Result<Self, BadTimestamp> {
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_microsecond())).map_err(|_| BadTimestamp)
    }
}

/// A span of time that something is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// Year and month (1 to 12) of a day since 1970-01-01. Years are counted from March on, so that a leap day comes last
/// in one: a day of such a year then has its month by a straight line (Gregorian calendar, 400 years of 146,097 days).
const fn year_and_month(day: i64) -> (i64, i64) {
    let day = day + DAYS_TO_1970;
    let era = day.div_euclid(DAYS_AN_ERA);
    let of_era = day.rem_euclid(DAYS_AN_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let since_march = (5 * of_year + 2) / 153;
    let month = if since_march < 10 { since_march + 3 } else { since_march - 9 };
    (era * 400 + year_of_era + (month <= 2) as i64, month)
}

/// The first day of a month, since 1970-01-01.
const fn first_day(year: i64, month: i64) -> i64 {
    let year = year - (month <= 2) as i64;
    let year_of_era = year.rem_euclid(400);
    let since_march = (month + 9) % 12;
    let of_year = (153 * since_march + 2) / 5;
    let of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + of_year;
    year.div_euclid(400) * DAYS_AN_ERA + of_era - DAYS_TO_1970
}

const DAYS_AN_ERA: i64 = 146_097;
/// From the first of March of the year 0.
const DAYS_TO_1970: i64 = 719_468;

/// The text is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an RFC 3339 instant such as 2026-11-24T09:00:00Z is expected here")]
pub struct BadTimestamp;

const MICROS_A_DAY: i64 = 86_400_000_000;
const MICROS_A_MINUTE: i64 = 60_000_000;

/// RFC 3339 in UTC, to the microsecond where it has any.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => fmt::Display::fmt(&t, f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// A UTC day, counted from 1970-01-01; the window of every daily limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcDay(i64);

impl UtcDay {
    /// The day that many days after 1970-01-01.
    #[must_use]
    pub const fn from_number(days: i64) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The first instant of the day.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(MICROS_A_DAY))
    }

    /// The first instant after the day: when its limits reset.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Self(self.0.saturating_add(1)).start()
    }

    /// From its first instant to its last.
    #[must_use]
    pub const fn window(self) -> Window {
        Window { start: self.start(), end: self.end() }
    }
}

/// The date, as 2026-11-24.
impl fmt::Display for UtcDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.start().to_string();
        f.write_str(start.get(..10).unwrap_or(&start))
    }
}

/// A clock minute, counted from 1970-01-01T00:00Z; the window of every limit by the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMinute(i64);

impl UtcMinute {
    /// The minute that many minutes after the Unix epoch.
    #[must_use]
    pub const fn from_number(minutes: i64) -> Self {
        Self(minutes)
    }

    /// Minutes since the Unix epoch.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// From its first instant to its last.
    #[must_use]
    pub const fn window(self) -> Window {
        Window { start: Timestamp(self.0.saturating_mul(MICROS_A_MINUTE)), end: self.end() }
    }

    /// The first instant after the minute: when its limits reset.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Timestamp(self.0.saturating_add(1).saturating_mul(MICROS_A_MINUTE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> (String, String) {
        let window = Timestamp::parse(text).unwrap().month();
        (window.start.to_string(), window.end.to_string())
    }

    #[test]
    fn a_month_is_the_calendars() {
        for (at, start, end) in [
            ("2026-11-28T12:00:00Z", "2026-11-01", "2026-12-01"),
            ("2026-12-31T23:59:59.999999Z", "2026-12-01", "2027-01-01"),
            ("2027-01-01T00:00:00Z", "2027-01-01", "2027-02-01"),
            ("2024-02-29T23:59:59Z", "2024-02-01", "2024-03-01"),
            ("2100-02-28T00:00:00Z", "2100-02-01", "2100-03-01"),
            ("2000-02-29T00:00:00Z", "2000-02-01", "2000-03-01"),
            ("1970-01-01T00:00:00Z", "1970-01-01", "1970-02-01"),
        ] {
            assert_eq!(month(at), (format!("{start}T00:00:00Z"), format!("{end}T00:00:00Z")), "{at}");
        }
    }

    #[test]
    fn every_day_is_in_its_month_and_months_follow_each_other() {
        let mut window = Timestamp::from_micros(0).month();
        for day in 0..60_000 {
            let at = UtcDay::from_number(day).start();
            if at == window.end {
                let next = at.month();
                assert_eq!(next.start, window.end);
                window = next;
            }
            assert_eq!(at.month(), window, "{at}");
            assert!(at.to_string()[..7] == window.start.to_string()[..7], "{at}");
        }
    }
}
