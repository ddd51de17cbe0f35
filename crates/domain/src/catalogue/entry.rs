//! The catalogue's JSON form, read with no mercy: a word that is misspelt in a list of prices must not pass for a price
//! that is not known.

use super::dollars::Dollars;
use super::names;
use super::sheet::{Period, Rates, Sheet};
use crate::provider::ProviderName;
use crate::{Timestamp, UtcDay};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::HashSet;

/// A known model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its provider.
    pub provider: ProviderName,
    /// Its name, as the provider takes it.
    pub name: String,
    /// Other names of it; `NAME-*` stands for the dated snapshots of a name.
    pub also: Vec<String>,
    /// Tokens that it can take in, where that is known.
    pub context: Option<u64>,
    /// Does its provider say that it will go?
    pub is_deprecated: bool,
    /// When the provider brought it out, Unix seconds; 0 where that is not known.
    pub created: i64,
    /// The last that is in force holds.
    pub(super) prices: Vec<Period>,
}

impl Model {
    /// Its name and its other names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.name].into_iter().chain(&self.also).map(String::as_str)
    }
}

/// Models, and which providers make models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    pub(super) makers: Vec<ProviderName>,
    pub(super) models: Vec<Model>,
}

/// The catalogue's text can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BadCatalogue {
    /// It is no JSON, or holds what it may not.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// What it says of a model makes no sense.
    #[error("{provider}/{name}: {why}")]
    Entry {
        /// Its provider.
        provider: ProviderName,
        /// Its name.
        name: String,
        /// What is wrong, and what to do about it.
        why: &'static str,
    },
}

impl Entries {
    /// The entries of a text in the form of `models.json`: docs/prices.md.
    ///
    /// # Errors
    /// Where it is not of this form, with line and column, or the model.
    pub fn parse(text: &str) -> Result<Self, BadCatalogue> {
        let file: File = serde_json::from_str(text)?;
        let mut seen = HashSet::new();
        let mut models = Vec::with_capacity(file.models.len());
        for raw in file.models {
            let (provider, name) = (raw.provider.clone(), raw.name.clone());
            let bad = |why| BadCatalogue::Entry { provider: provider.clone(), name: name.clone(), why };
            let model = raw.checked().map_err(bad)?;
            for name in model.names() {
                if !seen.insert((model.provider.clone(), name.to_owned())) {
                    return Err(bad("one of its names is there twice; take one away"));
                }
            }
            models.push(model);
        }
        Ok(Self { makers: file.makers, models })
    }

    /// Its models.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Where it comes from, for people.
    #[serde(default, rename = "about")]
    _about: IgnoredAny,
    #[serde(default)]
    makers: Vec<ProviderName>,
    models: Vec<RawModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    provider: ProviderName,
    name: String,
    #[serde(default)]
    also: Vec<String>,
    context: Option<u64>,
    #[serde(default)]
    deprecated: bool,
    #[serde(default)]
    created: i64,
    #[serde(default)]
    prices: Vec<RawPrices>,
}

/// Prices of a time, of batches, or above a number of tokens; each may hold some of these only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrices {
    from: Option<Day>,
    hours: Option<(Hour, Hour)>,
    tokens: Option<u64>,
    input: Option<Dollars>,
    cache_read: Option<Dollars>,
    cache_write: Option<Dollars>,
    cache_write_1h: Option<Dollars>,
    output: Option<Dollars>,
    reasoning: Option<Dollars>,
    request: Option<Dollars>,
    #[serde(default)]
    above: Vec<RawPrices>,
    batch: Option<Box<RawPrices>>,
}

impl RawModel {
    fn checked(self) -> Result<Model, &'static str> {
        let is_name = |name: &str| {
            let name = names::of_snapshots(name).unwrap_or(name);
            (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if ![&self.name].into_iter().chain(&self.also).all(|name| is_name(name)) {
            return Err("a name is 1 to 256 visible ASCII characters; correct it");
        }
        if names::of_snapshots(&self.name).is_some() {
            return Err("its own name can't be a pattern; put it into `also`");
        }
        let prices: Vec<Period> = self.prices.into_iter().map(RawPrices::period).collect::<Result<_, _>>()?;
        if !prices.iter().filter_map(|period| period.from).is_sorted() {
            return Err("its prices are not in the order of their days; the later ones go last");
        }
        Ok(Model {
            provider: self.provider,
            name: self.name,
            also: self.also,
            context: self.context,
            is_deprecated: self.deprecated,
            created: self.created,
            prices,
        })
    }
}

/// Bytes, as of the names that requests may ask for.
const LONGEST_NAME: usize = 256;

impl RawPrices {
    fn period(mut self) -> Result<Period, &'static str> {
        let batch = self.batch.take().map(|batch| batch.sheet()).transpose()?;
        let from = self.from.take().map(|Day(day)| day);
        let hours = self.hours.take().map(|(Hour(from), Hour(until))| (from, until));
        if hours.is_some_and(|(from, until)| from == until) {
            return Err("`hours` from and until the same are none; leave them out");
        }
        Ok(Period { from, hours, standard: self.sheet()?, batch })
    }

    fn sheet(mut self) -> Result<Sheet, &'static str> {
        if self.from.is_some() || self.hours.is_some() || self.batch.is_some() || self.tokens.is_some() {
            return Err("`from`, `hours` and `batch` are for a price, `tokens` for what is in `above`");
        }
        let mut above = Vec::with_capacity(self.above.len());
        for large in std::mem::take(&mut self.above) {
            let Some(tokens) = large.tokens else {
                return Err("what is in `above` needs `tokens`, beyond which it holds");
            };
            if above.last().is_some_and(|(last, _)| *last >= tokens) {
                return Err("what is in `above` goes by `tokens`, the fewest first");
            }
            above.push((tokens, large.rates_above(&self)?));
        }
        Ok(Sheet { base: self.rates(), above })
    }

    /// What is not said of large requests is as of others.
    fn rates_above(&self, base: &Self) -> Result<Rates, &'static str> {
        let is_plain =
            self.from.is_none() && self.hours.is_none() && self.batch.is_none() && self.above.is_empty();
        if !is_plain || self.request.is_some() {
            return Err("what is in `above` holds `tokens` and prices of tokens only");
        }
        let (own, base) = (self.rates(), base.rates());
        Ok(Rates {
            input: own.input.or(base.input),
            cache_read: own.cache_read.or(base.cache_read),
            cache_write: own.cache_write.or(base.cache_write),
            cache_write_1h: own.cache_write_1h.or(base.cache_write_1h),
            output: own.output.or(base.output),
            reasoning: own.reasoning.or(base.reasoning),
            request: base.request,
        })
    }

    fn rates(&self) -> Rates {
        let rate = |dollars: Option<Dollars>| dollars.map(Dollars::millionths);
        Rates {
            input: rate(self.input),
            cache_read: rate(self.cache_read),
            cache_write: rate(self.cache_write),
            cache_write_1h: rate(self.cache_write_1h),
            output: rate(self.output),
            reasoning: rate(self.reasoning),
            request: rate(self.request),
        }
    }
}

/// A date, such as 2026-10-14.
struct Day(UtcDay);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        let day = Timestamp::parse(&format!("{text}T00:00:00Z")).map(Timestamp::day);
        let day = day.ok().filter(|day| day.to_string() == text);
        day.map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no date such as 2026-10-14")))
    }
}

/// A time of the day, such as 16:30; 24:00 is its end. Minutes since midnight.
struct Hour(i64);

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        let part = |part: &str| {
            let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i64>().ok().filter(|_| is_number)
        };
        let minutes = text.split_once(':').and_then(|(hour, minute)| Some((part(hour)?, part(minute)?)));
        let minutes = minutes.filter(|(_, minute)| *minute < 60).map(|(hour, minute)| hour * 60 + minute);
        let minutes = minutes.filter(|minutes| *minutes <= 24 * 60);
        minutes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time such as 16:30")))
    }
}
