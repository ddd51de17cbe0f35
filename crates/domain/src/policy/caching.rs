//! Caching: which answers of a provider a policy lets be given again, and for how long.

use super::checked::BadPolicy;
use super::effective::EffectivePolicy;
use crate::WorkspaceId;
use crate::api_key::ApiKey;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What a policy says of caching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheDocument {
    /// How long an answer may be given again, seconds; 0: not at all.
    pub ttl_seconds: u32,
    /// Also answers that were meant to vary: of any temperature but 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sampled: bool,
    /// Also in regulated segments.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub regulated: bool,
}

/// A day.
const LONGEST_TTL_SECONDS: u32 = 86_400;

pub(super) fn check(written: CacheDocument) -> Result<(), BadPolicy> {
    if written.ttl_seconds > LONGEST_TTL_SECONDS {
        let message = format!("`ttl_seconds` is {LONGEST_TTL_SECONDS} at the most; 0 turns caching off");
        return Err(BadPolicy { field: "cache", message });
    }
    Ok(())
}

/// What holds for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caching {
    /// How long an answer may be given again, seconds.
    pub ttl_seconds: u32,
    /// Also answers that were meant to vary.
    pub sampled: bool,
    /// Also in regulated segments.
    pub regulated: bool,
    /// Keys share answers where this is the same: they are of the same workspace, and under the same versions of the same
    /// policies. So a policy that changes ends what was kept under it.
    pub group: Box<str>,
}

impl Caching {
    /// What the policies that hold together say: caching is on where one of them turns it on and none off, and for as
    /// long and as much as all that speak of it let it.
    #[must_use]
    pub fn of(policy: &EffectivePolicy, key: &ApiKey) -> Option<Self> {
        let said = policy.layers().filter_map(|layer| layer.policy.as_ref()?.cache());
        let all = said.copied().reduce(|a, b| CacheDocument {
            ttl_seconds: a.ttl_seconds.min(b.ttl_seconds),
            sampled: a.sampled && b.sampled,
            regulated: a.regulated && b.regulated,
        })?;
        let CacheDocument { ttl_seconds, sampled, regulated } = all;
        (ttl_seconds > 0).then(|| Self {
            ttl_seconds,
            sampled,
            regulated,
            group: group(policy, key.workspace),
        })
    }
}

fn group(policy: &EffectivePolicy, workspace: Option<WorkspaceId>) -> Box<str> {
    let mut group = workspace.map_or_else(String::new, |id| id.to_string());
    for layer in policy.layers() {
        // Writing to a String can't fail.
        let _ = write!(group, " {}@{}", layer.scope, layer.version);
    }
    group.into()
}
