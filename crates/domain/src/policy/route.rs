//! Routes: where the requests for a name go, and what is tried where that fails.

use super::checked::BadPolicy;
use super::effective::EffectivePolicy;
use super::pattern::Pattern;
use super::pick::Asking;
use super::route_document::{RouteDocument, TargetDocument, ToldTarget};
use super::scope::PolicyScope;
use crate::Refusal;
use crate::directory::OrgView;
use crate::entitlement::Feature;
use crate::provider::ProviderName;
use crate::routing::{BreakerRules, FailureSet, Retries, Rules, Timeouts};
use crate::tenant::ProviderKey;
use std::fmt;
use std::time::Duration;

/// The most routes of a policy.
pub const MOST_ROUTES: usize = 50;
/// The most targets, and the most fallbacks, of a route.
pub const MOST_TARGETS: usize = 10;
/// The most retries of a target.
pub const MOST_RETRIES: u32 = 5;
/// No time of a route is longer, milliseconds.
pub const LONGEST_MS: u64 = 3_600_000;

/// A route that is as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    names: Vec<Pattern>,
    targets: Vec<RouteTarget>,
    fallbacks: Vec<RouteTarget>,
    rules: Rules,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTarget {
    /// The provider, or the custom endpoint.
    pub provider: ProviderName,
    /// The model, as the provider takes it.
    pub model: Box<str>,
    /// The provider key by its name; none: the newest.
    pub key: Option<Box<str>>,
    /// Its share of the requests.
    pub weight: u32,
}

impl RouteTarget {
    /// The provider key that it is asked with; none where there is none, which an endpoint without keys may do without.
    ///
    /// # Errors
    /// [`Refusal::NoProviderKey`] where the key is named and not there: another must not stand in for it.
    pub fn provider_key<'a>(&self, org: &'a OrgView) -> Result<Option<&'a ProviderKey>, Refusal> {
        let provider = self.provider.as_str();
        let Some(name) = &self.key else { return Ok(org.provider_key(provider)) };
        let mut keys = org.facts.provider_keys.iter();
        let named = keys.find(|key| key.provider.as_str() == provider && key.name == **name);
        named.map(Some).ok_or_else(|| Refusal::NoProviderKey(self.provider.clone()))
    }
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)?;
        match &self.key {
            Some(key) => write!(f, " by the key {key}"),
            None => Ok(()),
        }
    }
}

impl Route {
    /// The route that is written so; `number` is its own, from 1.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn check(document: &RouteDocument, number: usize) -> Result<Self, BadPolicy> {
        let bad =
            |message: String| BadPolicy { field: "routes", message: format!("number {number}: {message}") };
        let names = &document.names;
        if names.is_empty() || names.len() > MOST_TARGETS {
            return Err(bad(format!("`for` has 1 to {MOST_TARGETS} patterns")));
        }
        let names = names.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>();
        let names = names.map_err(|why| bad(format!("`for`: {why}")))?;
        let targets = |field: &str, written: &[TargetDocument]| {
            if written.len() > MOST_TARGETS {
                return Err(bad(format!("`{field}` has {MOST_TARGETS} targets at the most")));
            }
            written
                .iter()
                .map(target)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|why| bad(format!("`{field}`: {why}")))
        };
        let (firsts, fallbacks) =
            (targets("targets", &document.targets)?, targets("fallbacks", &document.fallbacks)?);
        let rules = rules(document).map_err(bad)?;
        Ok(Self { names, targets: firsts, fallbacks, rules })
    }

    /// Where its requests go, one of these first; none: to the model itself.
    #[must_use]
    pub fn targets(&self) -> &[RouteTarget] {
        &self.targets
    }

    /// Where they go after that, in this order.
    #[must_use]
    pub fn fallbacks(&self) -> &[RouteTarget] {
        &self.fallbacks
    }

    /// What is tried, and for how long.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The pattern by which it is for a request, if it is.
    fn is_for(&self, names: &[&str], provider: &str, model: &str) -> Option<&Pattern> {
        let is_it = |pattern: &&Pattern| {
            pattern.allows(provider, model) || names.iter().any(|name| pattern.is_of_name(name))
        };
        self.names.iter().find(is_it)
    }
}

/// A route that is for a request.
#[derive(Debug, Clone, Copy)]
pub struct Routed<'a> {
    /// Whose policy it is of.
    pub scope: PolicyScope,
    /// By which of its patterns.
    pub pattern: &'a Pattern,
    /// It.
    pub route: &'a Route,
}

impl<'a> Asking<'a> {
    /// The route for a request that `asked` for the picked model: of the narrowest scope that has one for it, the first.
    /// None in a tier without policies: the request goes to its model, once.
    #[must_use]
    pub fn routed(&self, asked: &str, provider: &str, model: &str) -> Option<Routed<'a>> {
        let policy = self.policy?;
        if !policy.has_routes() || self.tiers.require(&self.org.tier, Feature::ByokPolicies).is_err() {
            return None;
        }
        let names = names(policy, asked);
        policy.layers().find_map(|layer| {
            let routes = layer.policy.as_ref()?.routes();
            routes.iter().find_map(|route| {
                let pattern = route.is_for(&names, provider, model)?;
                Some(Routed { scope: layer.scope, pattern, route })
            })
        })
    }
}

/// The name that was asked for, and those of aliases on the way.
fn names<'n>(policy: &'n EffectivePolicy, asked: &'n str) -> Vec<&'n str> {
    let mut names = vec![asked];
    let mut name = asked;
    for layer in policy.layers() {
        while let Some(target) = layer.policy.as_ref().and_then(|policy| policy.alias(name)) {
            names.push(target);
            name = target;
        }
    }
    names
}

fn target(written: &TargetDocument) -> Result<RouteTarget, String> {
    let told = match written {
        TargetDocument::Model(model) => &ToldTarget { model: model.clone(), key: None, weight: 1 },
        TargetDocument::Told(told) => told,
    };
    let is_good = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
    let parts =
        told.model.split_once('/').filter(|(_, model)| (1..=200).contains(&model.len()) && is_good(model));
    let (provider, model) = parts
        .and_then(|(provider, model)| Some((ProviderName::parse(provider).ok()?, model)))
        .ok_or("a target is written `provider/model`, in visible ASCII characters without `*`")?;
    if told
        .key
        .as_ref()
        .is_some_and(|key| !(1..=100).contains(&key.len()) || key.chars().any(char::is_control))
    {
        return Err("`key` is the name of a provider key".to_owned());
    }
    if !(1..=1000).contains(&told.weight) {
        return Err("`weight` is 1 to 1000".to_owned());
    }
    Ok(RouteTarget {
        provider,
        model: model.into(),
        key: told.key.as_deref().map(Into::into),
        weight: told.weight,
    })
}

fn rules(document: &RouteDocument) -> Result<Rules, String> {
    let retries = document.retries.as_ref();
    if retries.is_some_and(|retries| !(1..=MOST_RETRIES).contains(&retries.most)) {
        return Err(format!("`retries.most` is 1 to {MOST_RETRIES}; leave `retries` out for none"));
    }
    if retries.is_some_and(|retries| !(1..=100).contains(&retries.budget_percent)) {
        return Err("`retries.budget_percent` is 1 to 100".to_owned());
    }
    if document.on.as_ref().is_some_and(Vec::is_empty) {
        return Err("`on` names a failure at least; leave it out for the usual ones".to_owned());
    }
    let breaker = document.breaker.as_ref();
    let is_count = |count: u32| (1..=1000).contains(&count);
    if breaker.is_some_and(|breaker| !is_count(breaker.failures) || !is_count(breaker.probes)) {
        return Err("`breaker.failures` and `breaker.probes` are 1 to 1000".to_owned());
    }
    let timeouts = &document.timeouts;
    Ok(Rules {
        balance: document.balance,
        on: document.on.as_deref().map_or_else(FailureSet::default, FailureSet::of),
        retries: retries
            .map(|retries| {
                Ok::<_, String>(Retries {
                    most: retries.most,
                    budget_percent: retries.budget_percent,
                    first: millis("retries.first_wait_ms", retries.first_wait_ms)?,
                    longest: millis("retries.longest_wait_ms", retries.longest_wait_ms)?,
                    longest_retry_after: millis(
                        "retries.longest_retry_after_ms",
                        retries.longest_retry_after_ms,
                    )?,
                })
            })
            .transpose()?,
        timeouts: Timeouts {
            attempt: optional("timeouts.attempt_ms", timeouts.attempt_ms)?,
            first_token: optional("timeouts.first_token_ms", timeouts.first_token_ms)?,
            idle: optional("timeouts.idle_ms", timeouts.idle_ms)?,
            total: optional("timeouts.total_ms", timeouts.total_ms)?,
        },
        breaker: breaker
            .map(|breaker| {
                Ok::<_, String>(BreakerRules {
                    failures: breaker.failures,
                    open: millis("breaker.open_ms", breaker.open_ms)?,
                    probes: breaker.probes,
                })
            })
            .transpose()?,
        hedge_after: optional("hedge_after_ms", document.hedge_after_ms)?,
    })
}

fn optional(field: &str, written: Option<u64>) -> Result<Option<Duration>, String> {
    written.map(|written| millis(field, written)).transpose()
}

fn millis(field: &str, written: u64) -> Result<Duration, String> {
    if (1..=LONGEST_MS).contains(&written) {
        Ok(Duration::from_millis(written))
    } else {
        Err(format!("`{field}` is 1 to {LONGEST_MS}"))
    }
}
