//! How the policies of several scopes hold together for one key.

use super::checked::Policy;
use super::scope::PolicyScope;
use crate::api_key::ApiKey;
use crate::guardrail::RuleSet;
use crate::ports::PolicyVersion;
use crate::{Timestamp, WorkspaceId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A policy that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInForce {
    /// Whose requests it is for.
    pub scope: PolicyScope,
    /// Its version, from 1.
    pub version: u32,
    /// Since when.
    pub since: Timestamp,
    /// What it says. None: this version of Top Dog does not understand it, and so it denies everything, since what it
    /// denies is not known.
    pub policy: Option<Arc<Policy>>,
}

impl PolicyInForce {
    /// As it is stored.
    #[must_use]
    pub fn stored(version: &PolicyVersion) -> Self {
        Self {
            scope: version.scope,
            version: version.version,
            since: version.created_at,
            policy: version.document.as_deref().and_then(Policy::stored).map(Arc::new),
        }
    }
}

/// What holds for a key: its own policy, its workspace's, its organisation's, as far as there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectivePolicy {
    /// Narrowest first.
    layers: Vec<Arc<PolicyInForce>>,
    /// The guardrails of all of them; none where none has any, so that a request need not ask.
    guardrails: Option<Arc<RuleSet>>,
}

impl EffectivePolicy {
    /// The policies that hold together, in any order; none where there are none.
    #[must_use]
    pub fn of(mut layers: Vec<Arc<PolicyInForce>>) -> Option<Self> {
        layers.sort_by_key(|layer| std::cmp::Reverse(layer.scope));
        let guardrails = RuleSet::of(layers.iter().filter_map(|layer| {
            let policy = layer.policy.as_ref()?;
            Some((layer.scope, policy.guardrails()?))
        }));
        (!layers.is_empty()).then_some(Self { layers, guardrails: guardrails.map(Arc::new) })
    }

    /// Each, narrowest first.
    pub fn layers(&self) -> impl Iterator<Item = &PolicyInForce> {
        self.layers.iter().map(|layer| &**layer)
    }

    /// Has any of them a route?
    #[must_use]
    pub fn has_routes(&self) -> bool {
        self.layers().any(|layer| layer.policy.as_ref().is_some_and(|policy| !policy.routes().is_empty()))
    }

    /// What judges the texts of a request; none where no policy has guardrails.
    #[must_use]
    pub const fn guardrails(&self) -> Option<&Arc<RuleSet>> {
        self.guardrails.as_ref()
    }

    /// Every alias that can be asked for, and since when.
    #[must_use]
    pub fn aliases(&self) -> BTreeMap<&str, Timestamp> {
        let mut aliases = BTreeMap::new();
        for layer in &self.layers {
            let policy = layer.policy.iter();
            for (name, _) in policy.flat_map(|policy| &policy.document().aliases.0) {
                aliases.entry(name.as_str()).or_insert(layer.since);
            }
        }
        aliases
    }
}

/// An organisation's policies, for finding what holds for a key.
#[derive(Debug, Default)]
pub struct OrgPolicies {
    of_scope: BTreeMap<PolicyScope, Arc<PolicyInForce>>,
    /// What holds for keys without a policy of their own, by workspace: shared by all of them.
    shared: BTreeMap<Option<WorkspaceId>, Arc<EffectivePolicy>>,
}

impl OrgPolicies {
    /// Those in force.
    #[must_use]
    pub fn new(in_force: &[PolicyInForce]) -> Self {
        let of_scope: BTreeMap<_, _> =
            in_force.iter().map(|policy| (policy.scope, Arc::new(policy.clone()))).collect();
        let mut policies = Self { of_scope, shared: BTreeMap::new() };
        let workspaces = policies.of_scope.keys().filter_map(|scope| match scope {
            PolicyScope::Workspace(id) => Some(*id),
            _ => None,
        });
        let workspaces: Vec<_> = workspaces.map(Some).chain([None]).collect();
        for workspace in workspaces {
            if let Some(effective) = EffectivePolicy::of(policies.outside_of_keys(workspace)) {
                policies.shared.insert(workspace, Arc::new(effective));
            }
        }
        policies
    }

    /// What holds for the key; none where nothing does, so that a request need not ask.
    #[must_use]
    pub fn of_key(&self, key: &ApiKey) -> Option<Arc<EffectivePolicy>> {
        match self.of_scope.get(&PolicyScope::Key(key.id)) {
            Some(own) => {
                let mut layers = self.outside_of_keys(key.workspace);
                layers.push(own.clone());
                EffectivePolicy::of(layers).map(Arc::new)
            }
            None => self.shared.get(&key.workspace).or_else(|| self.shared.get(&None)).cloned(),
        }
    }

    /// Has the key a policy of its own?
    #[must_use]
    pub fn has_own(&self, key: &ApiKey) -> bool {
        self.of_scope.contains_key(&PolicyScope::Key(key.id))
    }

    fn outside_of_keys(&self, workspace: Option<WorkspaceId>) -> Vec<Arc<PolicyInForce>> {
        let workspace = workspace.and_then(|id| self.of_scope.get(&PolicyScope::Workspace(id)));
        let organisation = self.of_scope.get(&PolicyScope::Organisation);
        workspace.into_iter().chain(organisation).cloned().collect()
    }
}
