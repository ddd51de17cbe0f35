//! The model catalogue: which models are known, whose they are, what they cost and since when.
//!
//! It is data ([`entry`]), read at start: what comes with this version, and over it what the operator has written. A
//! price is found once for a request, when it arrives, and is as small as a number from then on ([`Price`]); what
//! something cost is [`ModelCatalogue::cost`].

mod dollars;
mod entry;
mod names;
mod sheet;

pub(crate) use dollars::Dollars;
pub use entry::{BadCatalogue, Entries, Model};

use crate::provider::ProviderName;
use crate::usage::TokenUsage;
use crate::{Refusal, Timestamp};
use std::collections::{HashMap, HashSet};

/// All known models.
#[derive(Debug, Default)]
pub struct ModelCatalogue {
    models: Vec<Model>,
    makers: HashSet<ProviderName>,
    /// By `provider/name`.
    by_full_name: Names<usize>,
    /// By the name alone.
    by_plain_name: Names<Vec<usize>>,
}

/// Names, and what those of dated snapshots begin with.
#[derive(Debug)]
struct Names<T> {
    exact: HashMap<String, T>,
    dated: HashMap<String, T>,
}

/// Where a model name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The provider, or the name of a custom endpoint.
    pub provider: ProviderName,
    /// The model as that provider takes it.
    pub model: &'a str,
    /// Its price at that time, where it is known.
    pub price: Option<Price>,
}

/// Why a model name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// It is no known model's.
    Unknown,
    /// Providers have it that are not its maker, and which is meant is not for us to say.
    Ambiguous {
        /// The names to choose from, in the form `provider/name`.
        candidates: Vec<String>,
    },
}

impl Unresolved {
    /// What is said of it to who asked for the model, whose name is given in a form to be shown. The nearest names are
    /// looked for where the refusal is told ([`ModelCatalogue::advise`]): most are only asked whether they are there.
    #[must_use]
    pub fn refusal(self, model: String) -> Refusal {
        match self {
            Self::Unknown => Refusal::UnknownModel { model, nearest: Vec::new() },
            Self::Ambiguous { candidates } => Refusal::AmbiguousModel { model, candidates },
        }
    }
}

/// What a model costs at a time: a place in the catalogue that it was found in, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    model: u32,
    period: u16,
    service: Service,
}

/// How a request is served, which may change what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// At once.
    Standard,
    /// As part of a batch, within a day.
    Batch,
}

impl ModelCatalogue {
    /// The catalogue that comes with this version.
    ///
    /// # Errors
    /// None in a build whose tests pass.
    pub fn built_in() -> Result<Self, BadCatalogue> {
        Ok(Self::of([Entries::parse(include_str!("models.json"))?]))
    }

    /// The catalogue that comes with this version, but for what the operator says of the same models.
    ///
    /// # Errors
    /// None in a build whose tests pass.
    pub fn overridden_by(entries: Entries) -> Result<Self, BadCatalogue> {
        Ok(Self::of([entries, Entries::parse(include_str!("models.json"))?]))
    }

    /// A catalogue of these; what is said earlier of a name holds.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = Entries>) -> Self {
        let mut made = Self::default();
        for Entries { makers, models } in all {
            made.makers.extend(makers);
            for model in models {
                made.add(model);
            }
        }
        for (place, model) in made.models.iter().enumerate() {
            for name in model.names() {
                let key = full_name(&model.provider, name);
                // Another may have it, by an earlier word.
                if made.by_full_name.get_exactly(&key) == Some(&place) {
                    made.by_plain_name.entry(name).push(place);
                }
            }
        }
        made
    }

    fn add(&mut self, model: Model) {
        let full = full_name(&model.provider, &model.name);
        if self.by_full_name.exact.contains_key(&full) {
            return;
        }
        let place = self.models.len();
        for name in model.names() {
            self.by_full_name.insert_first(&full_name(&model.provider, name), place);
        }
        self.models.push(model);
    }

    /// All models.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.models.iter()
    }

    /// Where `name` leads at that time: `provider/model` to that provider whether or not the model is known, a plain
    /// name to the model's maker. `is_provider` says what counts as a provider's name.
    ///
    /// Who only hosts others' models is never led to by a plain name, so that a model that one more host takes in
    /// leads nobody elsewhere.
    ///
    /// # Errors
    /// [`Unresolved`], with the names to ask for instead.
    pub fn resolve<'a>(
        &self,
        name: &'a str,
        at: Timestamp,
        is_provider: impl Fn(&str) -> bool,
    ) -> Result<Resolved<'a>, Unresolved> {
        if let Some((provider, model)) = name.split_once('/')
            && !model.is_empty()
            && is_provider(provider)
            && let Ok(provider) = ProviderName::parse(provider)
        {
            let place = self.by_full_name.get(name).copied();
            let price = place.and_then(|place| self.price_of(place, at, Service::Standard));
            return Ok(Resolved { provider, model, price });
        }
        let Some(places) = self.by_plain_name.get(name) else {
            return Err(Unresolved::Unknown);
        };
        match self.maker_of(name) {
            Some((place, maker)) => Ok(Resolved {
                provider: maker.provider.clone(),
                model: name,
                price: self.price_of(place, at, Service::Standard),
            }),
            None => {
                let hosts = places.iter().filter_map(|place| self.models.get(*place));
                let mut candidates: Vec<_> = hosts.map(|host| full_name(&host.provider, name)).collect();
                candidates.sort();
                Err(Unresolved::Ambiguous { candidates })
            }
        }
    }

    /// The price at that time of a model of that provider, where it is known.
    #[must_use]
    pub fn price(&self, full_name: &str, at: Timestamp, service: Service) -> Option<Price> {
        self.price_of(*self.by_full_name.get(full_name)?, at, service)
    }

    /// What these tokens cost at the provider's list price, in nano-dollars, rounded up once at the end. None where
    /// something was used whose price is not known.
    #[must_use]
    pub fn cost(&self, price: Price, tokens: &TokenUsage) -> Option<i64> {
        let period = self.models.get(price.model as usize)?.prices.get(usize::from(price.period))?;
        let sheet = match price.service {
            Service::Standard => &period.standard,
            Service::Batch => period.batch.as_ref()?,
        };
        sheet.cost(tokens)
    }

    /// How many tokens the model of that price can take in and put out in all, where that is known.
    #[must_use]
    pub fn context(&self, price: Price) -> Option<u64> {
        self.models.get(price.model as usize)?.context
    }

    /// Does its name alone lead to a model of the catalogue?
    #[must_use]
    pub fn is_led_to(&self, model: &Model) -> bool {
        let places = self.by_plain_name.get_exactly(&model.name);
        let maker = places.and_then(|places| self.made_by(places));
        maker.is_some_and(|(_, maker)| maker.provider == model.provider)
    }

    /// A refusal as it is told: that of an unknown model with the names nearest to it.
    #[must_use]
    pub fn advise(&self, refusal: Refusal) -> Refusal {
        match refusal {
            Refusal::UnknownModel { model, nearest } if nearest.is_empty() => {
                Refusal::UnknownModel { nearest: self.nearest(&model), model }
            }
            other => other,
        }
    }

    /// The three known names nearest to one that is not known; none that is far off. Only of models that are led to by
    /// their names.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<String> {
        let led_to = self.models.iter().filter(|model| self.makers.contains(&model.provider));
        names::nearest(name, led_to.map(|model| model.name.as_str()))
    }

    /// The maker's model of that name alone. A host that lists a dated snapshot by its whole name does not hide that of
    /// the maker, which the catalogue may know by its beginning only.
    fn maker_of(&self, name: &str) -> Option<(usize, &Model)> {
        let makes =
            |place: &usize| self.models.get(*place).is_some_and(|m| self.makers.contains(&m.provider));
        let places = self.by_plain_name.all(name).find(|places| places.iter().any(makes))?;
        self.made_by(places)
    }

    /// The one model of these whose provider makes models; none where there are more.
    fn made_by(&self, places: &[usize]) -> Option<(usize, &Model)> {
        let models = places.iter().filter_map(|place| Some((*place, self.models.get(*place)?)));
        let mut made = models.filter(|(_, model)| self.makers.contains(&model.provider));
        made.next().filter(|_| made.next().is_none())
    }

    fn price_of(&self, place: usize, at: Timestamp, service: Service) -> Option<Price> {
        let prices = &self.models.get(place)?.prices;
        let period = prices.iter().rposition(|period| period.is_in_force(at))?;
        if service == Service::Batch && prices.get(period)?.batch.is_none() {
            return None;
        }
        Some(Price { model: u32::try_from(place).ok()?, period: u16::try_from(period).ok()?, service })
    }
}

impl<T> Names<T> {
    /// By the name itself, else by that of which it is a dated snapshot.
    fn get(&self, name: &str) -> Option<&T> {
        self.all(name).next()
    }

    /// By the name itself, then by that of which it is a dated snapshot.
    fn all(&self, name: &str) -> impl Iterator<Item = &T> {
        let dated = std::iter::once_with(move || self.dated.get(names::without_date(name)?));
        self.exact.get(name).into_iter().chain(dated.flatten())
    }

    /// By a name as the catalogue writes it.
    fn get_exactly(&self, name: &str) -> Option<&T> {
        match names::of_snapshots(name) {
            Some(base) => self.dated.get(base),
            None => self.exact.get(name),
        }
    }

    fn insert_first(&mut self, name: &str, value: T) {
        match names::of_snapshots(name) {
            Some(base) => self.dated.entry(base.to_owned()).or_insert(value),
            None => self.exact.entry(name.to_owned()).or_insert(value),
        };
    }
}

impl Names<Vec<usize>> {
    fn entry(&mut self, name: &str) -> &mut Vec<usize> {
        match names::of_snapshots(name) {
            Some(base) => self.dated.entry(base.to_owned()).or_default(),
            None => self.exact.entry(name.to_owned()).or_default(),
        }
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), dated: HashMap::new() }
    }
}

fn full_name(provider: &ProviderName, name: &str) -> String {
    format!("{provider}/{name}")
}
