//! What would happen to a request, without anyone being called.

use super::pick::{Asking, Check, Step, Witness};
use crate::api_key::Scope;
use crate::catalogue::Resolved;
use crate::provider::{Operation, ProviderName};
use crate::{ProviderKeyId, Refusal};

/// What this installation has, as far as it matters where a request goes.
pub struct Ground<'a> {
    /// Where a name that is no alias leads.
    pub resolve: &'a dyn for<'n> Fn(&'n str) -> Result<Resolved<'n>, Refusal>,
    /// Has a provider an address in the configuration?
    pub is_configured: &'a dyn Fn(&str) -> bool,
    /// Is the built-in test provider on?
    pub has_test_provider: bool,
}

/// What would happen.
#[derive(Debug)]
pub struct Explained {
    /// What was looked at, in order; where the request is refused, the last step says by what.
    pub steps: Vec<Step>,
    /// Where it would go.
    pub outcome: Result<Goal, Refusal>,
}

/// Where a request would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The provider, or the custom endpoint by its name.
    pub provider: ProviderName,
    /// The model, as the provider takes it.
    pub model: String,
    /// The provider key that would be used; none for an endpoint that takes none, and for the test provider.
    pub provider_key: Option<ProviderKeyId>,
}

/// What would happen to a request for `model`: the rules of the gateway's third step, in its order. Limits and the
/// provider itself are not asked.
#[must_use]
pub fn explain(asking: &Asking<'_>, operation: Operation, model: &str, ground: &Ground<'_>) -> Explained {
    let mut steps = Vec::new();
    let outcome = walk(asking, operation, model, ground, &mut steps);
    Explained { steps, outcome }
}

fn walk(
    asking: &Asking<'_>,
    operation: Operation,
    model: &str,
    ground: &Ground<'_>,
    steps: &mut Vec<Step>,
) -> Result<Goal, Refusal> {
    let (org, tiers) = (asking.org, asking.tiers);
    let tier = &*org.tier;
    let scope = asking.key.has(Scope::Llm).then_some(()).ok_or(Refusal::ScopeMissing(Scope::Llm));
    told(steps, Check::KeyScope, Scope::Llm.name(), scope)?;
    told(steps, Check::TierOperation, operation.name(), tiers.require_operation(tier, operation))?;
    let is_test = |provider: &str| provider == "test" && ground.has_test_provider;
    let picked = asking.pick(model, is_test, |name| (ground.resolve)(name), steps)?;
    let (provider, model) = (picked.provider, picked.model.to_owned());
    if is_test(provider.as_str()) {
        return Ok(Goal { provider, model, provider_key: None });
    }
    let is_configured = (ground.is_configured)(provider.as_str());
    let endpoint = if is_configured { None } else { org.endpoint(provider.as_str()) };
    let may_use = tiers.require_provider(tier, &provider, endpoint.is_some());
    told(steps, Check::TierProvider, provider.as_str(), may_use)?;
    let is_there = (is_configured || endpoint.is_some()).then_some(());
    let is_there = is_there.ok_or_else(|| Refusal::OperationUnsupported(provider.clone()));
    told(steps, Check::Provider, provider.as_str(), is_there)?;
    let key = org.provider_key(provider.as_str());
    let has_key = key.is_some() || endpoint.is_some_and(|endpoint| endpoint.is_keyless);
    let has_key = has_key.then_some(()).ok_or_else(|| Refusal::NoProviderKey(provider.clone()));
    let found = key.map_or_else(|| "none".to_owned(), |key| key.id.to_string());
    told(steps, Check::ProviderKey, &found, has_key)?;
    Ok(Goal { provider, model, provider_key: key.map(|key| key.id) })
}

fn told(steps: &mut Vec<Step>, check: Check, rule: &str, done: Result<(), Refusal>) -> Result<(), Refusal> {
    steps.saw(|| Step { check, scope: None, rule: rule.to_owned(), is_passed: done.is_ok() });
    done
}
