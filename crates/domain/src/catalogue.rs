//! The model catalogue: which models are known by plain name, whose they are, what they cost.

use crate::provider::ProviderName;
use crate::usage::TokenUsage;
use serde::Deserialize;
use std::collections::HashMap;

/// A known model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its provider.
    pub provider: ProviderName,
    /// Its name, as the provider takes it.
    pub name: String,
    /// When the provider brought it out, Unix seconds; 0 where that is not known.
    #[serde(default)]
    pub created: i64,
    /// What it costs, where that is known.
    #[serde(default)]
    pub price: Option<Price>,
}

/// List price in nano-dollars for a thousand tokens (the same number as micro-dollars a million).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Fresh input.
    pub input: i64,
    /// Output, reasoning included.
    pub output: i64,
    /// Input read from the cache; as fresh input where it is not stated.
    #[serde(default)]
    pub cache_read: Option<i64>,
}

impl Price {
    /// The cost in nano-dollars, rounded up once at the end.
    #[must_use]
    pub fn of(&self, tokens: &TokenUsage) -> i64 {
        let count = |n: u64| i128::from(n);
        let fresh = count(tokens.input) + count(tokens.cache_write_5m) + count(tokens.cache_write_1h);
        let thousandths = fresh * i128::from(self.input)
            + count(tokens.cache_read) * i128::from(self.cache_read.unwrap_or(self.input))
            + (count(tokens.output) + count(tokens.reasoning)) * i128::from(self.output);
        i64::try_from(thousandths.div_euclid(1000) + i128::from(thousandths.rem_euclid(1000) != 0))
            .unwrap_or(i64::MAX)
    }
}

/// The catalogue's text can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the model catalogue can't be read")]
pub struct BadCatalogue(#[from] serde_json::Error);

/// All known models.
#[derive(Debug, Default)]
pub struct ModelCatalogue {
    models: Vec<Model>,
    by_name: HashMap<String, usize>,
}

/// Where a model name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The provider, or the name of a custom endpoint.
    pub provider: ProviderName,
    /// The model as that provider takes it.
    pub model: &'a str,
    /// Its price, where it is known.
    pub price: Option<Price>,
}

impl ModelCatalogue {
    /// The catalogue in its JSON form: a list of [`Model`]s.
    ///
    /// # Errors
    /// Where the text is no such list.
    pub fn from_json(text: &str) -> Result<Self, BadCatalogue> {
        let models: Vec<Model> = serde_json::from_str(text)?;
        let by_name = models.iter().enumerate().map(|(i, m)| (m.name.clone(), i)).collect();
        Ok(Self { models, by_name })
    }

    /// The catalogue that comes with this version.
    ///
    /// # Errors
    /// None in a build whose tests pass.
    pub fn built_in() -> Result<Self, BadCatalogue> {
        Self::from_json(include_str!("models.json"))
    }

    /// All models.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// Where `name` leads: `provider/model` to that provider whether or not the model is known, a plain name
    /// to the provider of the model of that name. `is_provider` says what counts as a provider's name.
    #[must_use]
    pub fn resolve<'a>(&self, name: &'a str, is_provider: impl Fn(&str) -> bool) -> Option<Resolved<'a>> {
        if let Some((provider, model)) = name.split_once('/')
            && is_provider(provider)
            && !model.is_empty()
        {
            let provider = ProviderName::parse(provider).ok()?;
            let price = self.find(model).filter(|m| m.provider == provider).and_then(|m| m.price);
            return Some(Resolved { provider, model, price });
        }
        self.find(name).map(|m| Resolved { provider: m.provider.clone(), model: name, price: m.price })
    }

    /// The three known names nearest to one that is not known; none that is far off.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<String> {
        let name: String = name.chars().take(64).collect();
        let most = (name.chars().count() / 2).max(3);
        let mut near: Vec<_> = self
            .models
            .iter()
            .map(|m| (distance(&name, &m.name), &m.name))
            .filter(|(d, _)| *d <= most)
            .collect();
        near.sort();
        near.into_iter().take(3).map(|(_, name)| name.clone()).collect()
    }

    fn find(&self, name: &str) -> Option<&Model> {
        self.by_name.get(name).and_then(|i| self.models.get(*i))
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = substituted.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
