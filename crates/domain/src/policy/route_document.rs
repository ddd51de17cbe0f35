//! How a route is written.

use crate::routing::{Balance, Failure};
use serde::{Deserialize, Serialize};

/// A route as it is written: for which names, where their requests go, and what is tried where that fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteDocument {
    /// Whose requests it is for: patterns of names that are asked for, of aliases on the way, and of models.
    #[serde(rename = "for")]
    pub names: Vec<String>,
    /// Where they go, one of these first; none: to the model itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetDocument>,
    /// Which of several targets comes first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub balance: Balance,
    /// Where they go after that, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<TargetDocument>,
    /// After which failures; none: those that nobody can be charged twice for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Vec<Failure>>,
    /// How often the same target is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<RetriesDocument>,
    /// How long is waited.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: TimeoutsDocument,
    /// When a target is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerDocument>,
    /// After how many milliseconds without an answer a second attempt joins the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge_after_ms: Option<u64>,
}

/// A target: `provider/model`, or that with more about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a target is `provider/model`, or a table of `model`, `key` and `weight`")]
pub enum TargetDocument {
    /// `provider/model`.
    Model(String),
    /// With more about it.
    Told(ToldTarget),
}

/// A target with more about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldTarget {
    /// `provider/model`.
    pub model: String,
    /// The provider key to use, by its name; none: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its share of the requests beside the others'.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

/// How often the same target is asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetriesDocument {
    /// At most so often a target and request.
    pub most: u32,
    /// And so often for a hundred requests.
    #[serde(default = "twenty")]
    pub budget_percent: u32,
    /// The first wait, at most.
    #[serde(default = "first_wait")]
    pub first_wait_ms: u64,
    /// Any wait, at most.
    #[serde(default = "longest_wait")]
    pub longest_wait_ms: u64,
    /// A target that asks for more is not asked again.
    #[serde(default = "longest_retry_after")]
    pub longest_retry_after_ms: u64,
}

/// How long is waited, milliseconds; none: as long as the node's configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsDocument {
    /// For an attempt's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_ms: Option<u64>,
    /// For the first piece of an attempt's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// For each further piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// For everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
}

/// When a target is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerDocument {
    /// After so many failures in a row.
    #[serde(default = "five")]
    pub failures: u32,
    /// For so long.
    #[serde(default = "half_a_minute")]
    pub open_ms: u64,
    /// Until so many probes in a row went well.
    #[serde(default = "one")]
    pub probes: u32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields by reference")]
const fn is_one(weight: &u32) -> bool {
    *weight == 1
}

const fn five() -> u32 {
    5
}

const fn twenty() -> u32 {
    20
}

const fn first_wait() -> u64 {
    250
}

const fn longest_wait() -> u64 {
    4_000
}

const fn longest_retry_after() -> u64 {
    10_000
}

const fn half_a_minute() -> u64 {
    30_000
}
