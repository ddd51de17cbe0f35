//! The caps that hold for a key, each with its meter, and what is said where one is reached.

use super::caps::{Cap, CapUnit};
use super::effective::EffectivePolicy;
use super::scope::PolicyScope;
use crate::Timestamp;
use crate::cap_meter::{CapMeter, CapMeters};
use crate::quota::Exhausted;
use std::fmt;
use std::sync::Arc;

/// A cap that is in force, with what counts for it on this node.
pub struct CapInForce {
    /// The cap.
    pub cap: Cap,
    /// Whose requests count together.
    pub scope: PolicyScope,
    /// The version of the policy that says so.
    pub version: u32,
    /// What is used of it: the same meter through all versions.
    pub meter: Arc<CapMeter>,
}

impl CapInForce {
    /// Those of all policies that hold together, narrowest first; none where there are none, so that a request need not
    /// ask.
    #[must_use]
    pub fn of(policy: &EffectivePolicy, meters: &CapMeters) -> Option<Arc<[Self]>> {
        let mut all = Vec::new();
        for layer in policy.layers() {
            for cap in layer.policy.iter().flat_map(|policy| policy.caps()) {
                let meter = meters.of(&meter_name(layer.scope, cap));
                all.push(Self { cap: *cap, scope: layer.scope, version: layer.version, meter });
            }
        }
        (!all.is_empty()).then(|| all.into())
    }

    /// The refusal of a request that found it reached.
    #[must_use]
    pub fn reached(&self, wanted: u64, Exhausted { limit, used, resets_at }: Exhausted) -> CapRefusal {
        let Self { cap, scope, version, .. } = self;
        CapRefusal {
            cap: cap.name(),
            unit: cap.unit,
            scope: *scope,
            version: *version,
            allowed: limit,
            used,
            wanted,
            resets_at: cap.per.is_some().then_some(resets_at),
        }
    }
}

/// What the ledger calls a cap: by whose requests it counts and what, so that changing its size keeps what is used.
#[must_use]
pub fn meter_name(scope: PolicyScope, cap: &Cap) -> String {
    format!("{scope}:{}", cap.name())
}

/// A cap that the customer has set is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapRefusal {
    /// Its name, such as `spend_per_day`.
    pub cap: String,
    /// What its numbers are.
    pub unit: CapUnit,
    /// Whose policy set it.
    pub scope: PolicyScope,
    /// Which version of it.
    pub version: u32,
    /// Its size.
    pub allowed: u64,
    /// How much is used, or on its way.
    pub used: u64,
    /// How much the request might have used.
    pub wanted: u64,
    /// When it resets; none for what is counted at a time.
    pub resets_at: Option<Timestamp>,
}

impl fmt::Display for CapRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cap, unit, scope, version, allowed, used, wanted, resets_at } = self;
        let owner = scope.owner();
        let (allowed, used) = (Amount(*unit, *allowed), Amount(*unit, *used));
        write!(
            f,
            "the cap {cap} of the policy of {owner} (version {version}) is reached: {used} of {allowed} used"
        )?;
        if matches!(unit, CapUnit::Nanodollars | CapUnit::Tokens) {
            write!(f, ", and this request may use {}", Amount(*unit, *wanted))?;
        }
        match resets_at {
            Some(at) => write!(f, "; it resets at {at}"),
            None => f.write_str("; try again when a request has ended"),
        }
    }
}

/// A number of a cap, for people.
struct Amount(CapUnit, u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CapUnit::Nanodollars => {
                let micros = self.1.div_ceil(1_000);
                write!(f, "${}.{:06}", micros / 1_000_000, micros % 1_000_000)
            }
            _ => write!(f, "{}", self.1),
        }
    }
}
