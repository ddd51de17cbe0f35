//! Caps: how much may be spent, used or under way of what a policy is for, in a window of time.

use super::checked::BadPolicy;
use crate::Timestamp;
use crate::catalogue::Dollars;
use crate::time::Window;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A cap as it is written: one of `dollars`, `tokens`, `requests` and `concurrent`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapDocument {
    /// Dollars at the providers' list prices, as a text such as `"25.50"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dollars: Option<String>,
    /// Tokens, all kinds together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Requests that a provider accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Requests under way at a time, on each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u64>,
    /// The window; none for `concurrent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<CapPeriod>,
    /// What becomes of a request whose price is not known; for `dollars` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_price: Option<UnknownPrice>,
}

/// What a cap counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapUnit {
    /// Nano-dollars.
    Nanodollars,
    /// Tokens of all kinds.
    Tokens,
    /// Requests in a window.
    Requests,
    /// Requests under way at a time, on each node.
    ConcurrentRequests,
}

/// The window of a cap, by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapPeriod {
    /// The clock minute.
    Minute,
    /// The day.
    Day,
    /// The calendar month.
    Month,
}

/// What becomes of a request whose price is not known, where spending is capped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPrice {
    /// It is refused: what is not counted is not capped.
    #[default]
    Refuse,
    /// It is let through, and counts nothing.
    Allow,
}

/// A cap that is as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// What is counted.
    pub unit: CapUnit,
    /// How many of them there may be.
    pub most: u64,
    /// In which window; none where it is counted at a time.
    pub per: Option<CapPeriod>,
    /// For one of spending.
    pub unknown_price: UnknownPrice,
}

impl CapUnit {
    /// What is capped, as caps are called.
    #[must_use]
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Nanodollars => "spend",
            Self::Tokens => "tokens",
            Self::Requests => "requests",
            Self::ConcurrentRequests => "concurrent_requests",
        }
    }

    /// What its numbers are.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nanodollars => "nanodollars",
            Self::Tokens => "tokens",
            Self::Requests | Self::ConcurrentRequests => "requests",
        }
    }
}

impl CapPeriod {
    /// The window that an instant lies in.
    #[must_use]
    pub fn window(self, at: Timestamp) -> Window {
        match self {
            Self::Minute => at.minute().window(),
            Self::Day => at.day().window(),
            Self::Month => at.month(),
        }
    }

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl Cap {
    /// The stable name, such as `spend_per_day`: a policy has each at most once.
    #[must_use]
    pub fn name(&self) -> String {
        match self.per {
            Some(per) => format!("{}_per_{}", self.unit.resource(), per.name()),
            None => self.unit.resource().to_owned(),
        }
    }
}

/// The caps that are written so, if they are as they must be.
pub(super) fn check(written: &[CapDocument]) -> Result<Vec<Cap>, BadPolicy> {
    let mut names = HashSet::new();
    let mut caps = Vec::with_capacity(written.len());
    for (place, cap) in written.iter().enumerate() {
        let bad =
            |message: String| BadPolicy { field: FIELD, message: format!("number {}: {message}", place + 1) };
        let cap = one(cap).map_err(|why| bad(why.to_owned()))?;
        if !names.insert(cap.name()) {
            return Err(bad(format!("`{}` is there twice; give it once", cap.name())));
        }
        caps.push(cap);
    }
    Ok(caps)
}

const FIELD: &str = "caps";

fn one(written: &CapDocument) -> Result<Cap, &'static str> {
    let CapDocument { dollars, tokens, requests, concurrent, per, unknown_price } = written;
    let (unit, most) = match (dollars, tokens, requests, concurrent) {
        (Some(dollars), None, None, None) => (CapUnit::Nanodollars, nanodollars(dollars)?),
        (None, Some(tokens), None, None) => (CapUnit::Tokens, *tokens),
        (None, None, Some(requests), None) => (CapUnit::Requests, *requests),
        (None, None, None, Some(concurrent)) => (CapUnit::ConcurrentRequests, *concurrent),
        _ => return Err("a cap is one of `dollars`, `tokens`, `requests` and `concurrent`; write one a cap"),
    };
    if most > MOST {
        return Err("this is more than can be counted; leave the cap out");
    }
    if (unit == CapUnit::ConcurrentRequests) != per.is_none() {
        return Err("`per` is minute, day or month, and is left out for `concurrent` only");
    }
    if unit != CapUnit::Nanodollars && unknown_price.is_some() {
        return Err("`unknown_price` is for `dollars` only; leave it out");
    }
    Ok(Cap { unit, most, per: *per, unknown_price: unknown_price.unwrap_or_default() })
}

/// A million dollars in nano-dollars, and as many of anything else: far from where a sum could overflow.
const MOST: u64 = 1_000_000_000_000_000;

fn nanodollars(text: &str) -> Result<u64, &'static str> {
    let dollars = Dollars::parse(text).and_then(|dollars| u64::try_from(dollars.millionths()).ok());
    dollars.map(|millionths| millionths * 1_000).ok_or(
        "dollars are written in quotes, such as \"25.50\", with six digits at the most after the point, and a million at \
         the most",
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, PolicyDocument};
    use super::*;

    fn checked(json: &str) -> Result<Vec<Cap>, String> {
        let document: PolicyDocument = serde_json::from_str(json).map_err(|error| error.to_string())?;
        Policy::check(document).map(|policy| policy.caps().to_vec()).map_err(|bad| bad.to_string())
    }

    #[test]
    fn caps_are_read_exactly() {
        let caps = checked(
            r#"{"caps":[{"dollars":"25.5","per":"day"},{"dollars":"0.000001","per":"month","unknown_price":"allow"},
                {"tokens":7,"per":"minute"},{"requests":0,"per":"day"},{"concurrent":3}]}"#,
        )
        .unwrap();
        let told: Vec<_> = caps.iter().map(|cap| (cap.name(), cap.most)).collect();
        assert_eq!(
            told,
            [
                ("spend_per_day".to_owned(), 25_500_000_000),
                ("spend_per_month".to_owned(), 1_000),
                ("tokens_per_minute".to_owned(), 7),
                ("requests_per_day".to_owned(), 0),
                ("concurrent_requests".to_owned(), 3),
            ]
        );
        assert_eq!(
            (caps[0].unknown_price, caps[1].unknown_price),
            (UnknownPrice::Refuse, UnknownPrice::Allow)
        );
    }

    #[test]
    fn what_is_no_cap_is_refused() {
        for bad in [
            r#"{"caps":[{}]}"#,
            r#"{"caps":[{"per":"day"}]}"#,
            r#"{"caps":[{"dollars":"1","tokens":1,"per":"day"}]}"#,
            r#"{"caps":[{"dollars":1,"per":"day"}]}"#,
            r#"{"caps":[{"dollars":"-1","per":"day"}]}"#,
            r#"{"caps":[{"dollars":"1000001","per":"day"}]}"#,
            r#"{"caps":[{"tokens":1}]}"#,
            r#"{"caps":[{"tokens":18446744073709551615,"per":"day"}]}"#,
            r#"{"caps":[{"tokens":1,"per":"hour"}]}"#,
            r#"{"caps":[{"concurrent":1,"per":"day"}]}"#,
            r#"{"caps":[{"tokens":1,"per":"day","unknown_price":"allow"}]}"#,
            r#"{"caps":[{"requests":1,"per":"day"},{"requests":2,"per":"day"}]}"#,
            r#"{"caps":[{"requests":1,"per":"day","most":2}]}"#,
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
