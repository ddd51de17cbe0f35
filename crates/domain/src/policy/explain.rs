//! What would happen to a request, without anyone being called.

use super::pick::{Asking, Check, Step, Witness};
use super::route::{RouteTarget, Routed};
use crate::api_key::Scope;
use crate::catalogue::Resolved;
use crate::provider::{Operation, ProviderName};
use crate::tenant::ProviderKey;
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
    /// Where it would go; where a route is for it, each target that it would try, in the order of the policy.
    pub outcome: Result<Vec<Goal>, Refusal>,
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
) -> Result<Vec<Goal>, Refusal> {
    let tiers = asking.tiers;
    let scope = asking.key.has(Scope::Llm).then_some(()).ok_or(Refusal::ScopeMissing(Scope::Llm));
    told(steps, Check::KeyScope, Scope::Llm.name(), scope)?;
    told(
        steps,
        Check::TierOperation,
        operation.name(),
        tiers.require_operation(&asking.org.tier, operation),
    )?;
    let is_test = |provider: &str| provider == "test" && ground.has_test_provider;
    let picked = asking.pick(model, is_test, |name| (ground.resolve)(name), steps)?;
    let provider = picked.provider;
    if is_test(provider.as_str()) {
        return Ok(vec![Goal { provider, model: picked.model.to_owned(), provider_key: None }]);
    }
    match asking.routed(model, provider.as_str(), picked.model) {
        None => {
            let key = asking.org.provider_key(provider.as_str());
            Ok(vec![reach(asking, provider, picked.model, key, ground, steps)?])
        }
        Some(routed) => along(asking, (provider, picked.model), &routed, ground, steps),
    }
}

/// Where a route leads: each of its targets that can be used, in its order.
fn along(
    asking: &Asking<'_>,
    (provider, model): (ProviderName, &str),
    routed: &Routed<'_>,
    ground: &Ground<'_>,
    steps: &mut Vec<Step>,
) -> Result<Vec<Goal>, Refusal> {
    let route = routed.route;
    steps.push(Step {
        check: Check::Route,
        scope: Some(routed.scope),
        rule: format!("for `{}`", routed.pattern),
        is_passed: true,
    });
    let own = RouteTarget { provider, model: model.into(), key: None, weight: 1 };
    let own = route.targets().is_empty().then_some(&own);
    let (mut goals, mut refused) = (Vec::new(), None);
    for target in own.into_iter().chain(route.targets()).chain(route.fallbacks()) {
        let name = format!("{}/{}", target.provider, target.model);
        let judged = asking.judge(target.provider.as_str(), &target.model, &name, |_| false, &mut ());
        let goal = judged.and_then(|()| {
            let key = target.provider_key(asking.org)?;
            reach(asking, target.provider.clone(), &target.model, key, ground, &mut Vec::new())
        });
        let rule = match &goal {
            Ok(_) => target.to_string(),
            Err(refusal) => format!("{target}: {}", refusal.code()),
        };
        steps.push(Step { check: Check::Target, scope: Some(routed.scope), rule, is_passed: goal.is_ok() });
        match goal {
            Ok(goal) => goals.push(goal),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    match refused {
        Some(refusal) if goals.is_empty() => Err(refusal),
        _ => Ok(goals),
    }
}

/// May the tier use the provider, is it there, and is there a key for it?
fn reach(
    asking: &Asking<'_>,
    provider: ProviderName,
    model: &str,
    key: Option<&ProviderKey>,
    ground: &Ground<'_>,
    steps: &mut Vec<Step>,
) -> Result<Goal, Refusal> {
    let (org, tiers) = (asking.org, asking.tiers);
    let is_configured = (ground.is_configured)(provider.as_str());
    let endpoint = if is_configured { None } else { org.endpoint(provider.as_str()) };
    let may_use = tiers.require_provider(&org.tier, &provider, endpoint.is_some());
    told(steps, Check::TierProvider, provider.as_str(), may_use)?;
    let is_there = (is_configured || endpoint.is_some()).then_some(());
    let is_there = is_there.ok_or_else(|| Refusal::OperationUnsupported(provider.clone()));
    told(steps, Check::Provider, provider.as_str(), is_there)?;
    let has_key = key.is_some() || endpoint.is_some_and(|endpoint| endpoint.is_keyless);
    let has_key = has_key.then_some(()).ok_or_else(|| Refusal::NoProviderKey(provider.clone()));
    let found = key.map_or_else(|| "none".to_owned(), |key| key.id.to_string());
    told(steps, Check::ProviderKey, &found, has_key)?;
    Ok(Goal { provider, model: model.to_owned(), provider_key: key.map(|key| key.id) })
}

fn told(steps: &mut Vec<Step>, check: Check, rule: &str, done: Result<(), Refusal>) -> Result<(), Refusal> {
    steps.saw(|| Step { check, scope: None, rule: rule.to_owned(), is_passed: done.is_ok() });
    done
}
