//! Which model a request gets: aliases, the key's own list, and the rules of every scope.

use super::effective::{EffectivePolicy, PolicyInForce};
use super::scope::PolicyScope;
use crate::Refusal;
use crate::api_key::{ApiKey, KeyMode};
use crate::catalogue::Resolved;
use crate::directory::{Caller, OrgView};
use crate::entitlement::Feature;
use crate::tier::TierCatalogue;
use std::fmt;

/// A rule that refused a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDenial {
    /// As it was asked for.
    pub model: String,
    /// Whose policy it is.
    pub scope: PolicyScope,
    /// Which of its rules.
    pub rule: DenyingRule,
}

/// What of a policy refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenyingRule {
    /// A pattern of `deny`.
    Deny(String),
    /// `allow` does not hold the model.
    Allow,
    /// This version does not understand the policy.
    Unreadable,
}

impl fmt::Display for PolicyDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (model, owner) = (&self.model, self.scope.owner());
        match &self.rule {
            DenyingRule::Deny(pattern) => {
                write!(
                    f,
                    "the policy of {owner} denies the model `{model}` by its rule deny `{pattern}`; GET /v1/models lists those you may use"
                )
            }
            DenyingRule::Allow => {
                write!(
                    f,
                    "the policy of {owner} does not have the model `{model}` in its list allow; GET /v1/models lists those you may use"
                )
            }
            DenyingRule::Unreadable => {
                write!(
                    f,
                    "the policy of {owner} can't be understood by this version of Top Dog, and so denies every model; put it again or delete it"
                )
            }
        }
    }
}

/// What was looked at, for one who wants to know why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was asked.
    pub check: Check,
    /// Whose policy it was asked of, where it was a policy.
    pub scope: Option<PolicyScope>,
    /// The rule, or what was found.
    pub rule: String,
    /// Did the request get past it?
    pub is_passed: bool,
}

/// What a request is asked on its way to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Has the key the scope for models?
    KeyScope,
    /// Has the tier this kind of request?
    TierOperation,
    /// Is it an alias, and for what?
    Alias,
    /// Which provider's model is it?
    Model,
    /// Is the key for it: its mode, its own list of models?
    KeyModels,
    /// Is it in a policy's `deny`?
    Deny,
    /// Is it in a policy's `allow`?
    Allow,
    /// May the tier use the provider?
    TierProvider,
    /// Has the provider an address here?
    Provider,
    /// Is there a provider key for it?
    ProviderKey,
    /// Is a route for it?
    Route,
    /// Can a route's target be used?
    Target,
}

impl Check {
    /// Every check.
    pub const ALL: [Self; 12] = [
        Self::KeyScope,
        Self::TierOperation,
        Self::Alias,
        Self::Model,
        Self::KeyModels,
        Self::Deny,
        Self::Allow,
        Self::TierProvider,
        Self::Provider,
        Self::ProviderKey,
        Self::Route,
        Self::Target,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyScope => "key_scope",
            Self::TierOperation => "tier_operation",
            Self::Alias => "alias",
            Self::Model => "model",
            Self::KeyModels => "key_models",
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::TierProvider => "tier_provider",
            Self::Provider => "provider",
            Self::ProviderKey => "provider_key",
            Self::Route => "route",
            Self::Target => "target",
        }
    }
}

/// Who is told of every step. A request that nobody asks about has `()`, and costs nothing for it.
pub trait Witness {
    /// Is told of a step.
    fn saw(&mut self, step: impl FnOnce() -> Step);
}

impl Witness for () {
    fn saw(&mut self, _: impl FnOnce() -> Step) {}
}

impl Witness for Vec<Step> {
    fn saw(&mut self, step: impl FnOnce() -> Step) {
        self.push(step());
    }
}

/// Who asks: a key in its organisation, with the policies that hold for it.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The organisation.
    pub org: &'a OrgView,
    /// The key.
    pub key: &'a ApiKey,
    /// What holds for the key; none where no policy does.
    pub policy: Option<&'a EffectivePolicy>,
    /// For telling which tier lifts a refusal.
    pub tiers: &'a TierCatalogue,
}

impl Caller {
    /// The caller as one who asks for a model.
    #[must_use]
    pub fn asking<'a>(&'a self, tiers: &'a TierCatalogue) -> Asking<'a> {
        Asking { org: &self.org, key: &self.key, policy: self.policy.as_deref(), tiers }
    }
}

impl<'a> Asking<'a> {
    /// The model that `asked` gets. `resolve` says where a name that is no alias leads, `is_test` which provider is the
    /// built-in one for tests.
    ///
    /// # Errors
    /// What `resolve` says; [`Refusal::ModelNotAllowed`] and [`Refusal::PolicyDenied`]; [`Refusal::Tier`] where the
    /// name is an alias and the tier has no policies (any more): it must not fall to a model of the same name.
    pub fn pick(
        &self,
        asked: &'a str,
        is_test: impl Fn(&str) -> bool,
        resolve: impl FnOnce(&'a str) -> Result<Resolved<'a>, Refusal>,
        witness: &mut impl Witness,
    ) -> Result<Resolved<'a>, Refusal> {
        let name = match self.policy {
            Some(policy) => self.follow_aliases(policy, asked, witness)?,
            None => asked,
        };
        let resolved = resolve(name);
        witness.saw(|| Step {
            check: Check::Model,
            scope: None,
            rule: match &resolved {
                Ok(found) => format!("{}/{}", found.provider, found.model),
                Err(_) => name.to_owned(),
            },
            is_passed: resolved.is_ok(),
        });
        let resolved = resolved?;
        self.judge(resolved.provider.as_str(), resolved.model, asked, is_test, witness)?;
        Ok(resolved)
    }

    /// May the key use that model, wherever it comes from? `asked` is what a refusal calls it.
    ///
    /// # Errors
    /// [`Refusal::ModelNotAllowed`] and [`Refusal::PolicyDenied`].
    pub fn judge(
        &self,
        provider: &str,
        model: &str,
        asked: &str,
        is_test: impl Fn(&str) -> bool,
        witness: &mut impl Witness,
    ) -> Result<(), Refusal> {
        let is_for_it =
            self.key.allows_model(provider, model) && (self.key.mode == KeyMode::Live || is_test(provider));
        witness.saw(|| Step {
            check: Check::KeyModels,
            scope: None,
            rule: list_of(self.key),
            is_passed: is_for_it,
        });
        if !is_for_it {
            return Err(Refusal::ModelNotAllowed(shown(asked)));
        }
        if let Some(policy) = self.policy {
            for layer in policy.layers() {
                judge(layer, provider, model, asked, witness)?;
            }
        }
        Ok(())
    }

    /// The name at the end of all aliases. It ends: no policy has a circle, and a target is looked up in its own policy
    /// and wider ones only.
    fn follow_aliases(
        &self,
        policy: &'a EffectivePolicy,
        asked: &'a str,
        witness: &mut impl Witness,
    ) -> Result<&'a str, Refusal> {
        refuse_name(policy, asked, asked, witness)?;
        let mut name = asked;
        for layer in policy.layers() {
            while let Some(target) = layer.policy.as_ref().and_then(|policy| policy.alias(name)) {
                let has_policies = self.tiers.require(&self.org.tier, Feature::ByokPolicies);
                witness.saw(|| Step {
                    check: Check::Alias,
                    scope: Some(layer.scope),
                    rule: format!("{name} = {target}"),
                    is_passed: has_policies.is_ok(),
                });
                has_policies?;
                name = target;
                refuse_name(policy, name, asked, witness)?;
            }
        }
        Ok(name)
    }
}

/// A `deny` without a provider is about names, too: those of aliases as those of models.
fn refuse_name(
    policy: &EffectivePolicy,
    name: &str,
    asked: &str,
    witness: &mut impl Witness,
) -> Result<(), Refusal> {
    if name.contains('/') {
        return Ok(());
    }
    for layer in policy.layers() {
        let rules = layer.policy.iter().flat_map(|policy| policy.deny());
        if let Some(pattern) = rules.into_iter().find(|pattern| pattern.denies_name(name)) {
            return Err(denied(layer, DenyingRule::Deny(pattern.to_string()), asked, witness));
        }
    }
    Ok(())
}

/// Whether one scope's policy lets the model through.
fn judge(
    layer: &PolicyInForce,
    provider: &str,
    model: &str,
    asked: &str,
    witness: &mut impl Witness,
) -> Result<(), Refusal> {
    let Some(policy) = &layer.policy else {
        return Err(denied(layer, DenyingRule::Unreadable, asked, witness));
    };
    if let Some(pattern) = policy.deny().iter().find(|pattern| pattern.denies(provider, model)) {
        return Err(denied(layer, DenyingRule::Deny(pattern.to_string()), asked, witness));
    }
    let Some(allow) = policy.allow() else {
        witness.saw(|| Step {
            check: Check::Deny,
            scope: Some(layer.scope),
            rule: "no rule denies it".to_owned(),
            is_passed: true,
        });
        return Ok(());
    };
    let Some(pattern) = allow.iter().find(|pattern| pattern.allows(provider, model)) else {
        return Err(denied(layer, DenyingRule::Allow, asked, witness));
    };
    witness.saw(|| Step {
        check: Check::Allow,
        scope: Some(layer.scope),
        rule: pattern.to_string(),
        is_passed: true,
    });
    Ok(())
}

fn denied(layer: &PolicyInForce, rule: DenyingRule, asked: &str, witness: &mut impl Witness) -> Refusal {
    witness.saw(|| {
        let (check, rule) = match &rule {
            DenyingRule::Deny(pattern) => (Check::Deny, pattern.clone()),
            DenyingRule::Allow => (Check::Allow, "no rule allows it".to_owned()),
            DenyingRule::Unreadable => (Check::Deny, "the policy can't be understood".to_owned()),
        };
        Step { check, scope: Some(layer.scope), rule, is_passed: false }
    });
    Refusal::PolicyDenied(Box::new(PolicyDenial { model: shown(asked), scope: layer.scope, rule }))
}

fn list_of(key: &ApiKey) -> String {
    match (key.mode, key.models.is_empty()) {
        (KeyMode::Test, _) => "the built-in test provider only".to_owned(),
        (KeyMode::Live, true) => "all models".to_owned(),
        (KeyMode::Live, false) => key.models.join(", "),
    }
}

/// A name in a message: not all of a long one.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(120).collect()
}
