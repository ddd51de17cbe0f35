use crate::{ApiKeyId, WorkspaceId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Whose requests a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyScope {
    /// All of the organisation's.
    Organisation,
    /// Those of keys that are bound to the workspace.
    Workspace(WorkspaceId),
    /// Those of the key.
    Key(ApiKeyId),
}

/// The text names no scope of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`organisation`, a workspace's id or an API key's id is expected here")]
pub struct BadScope;

const ORGANISATION: &str = "organisation";

impl PolicyScope {
    /// What a message calls it.
    #[must_use]
    pub const fn owner(self) -> &'static str {
        match self {
            Self::Organisation => "your organisation",
            Self::Workspace(_) => "your workspace",
            Self::Key(_) => "this API key",
        }
    }
}

/// `organisation`, or the id.
impl fmt::Display for PolicyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation => f.write_str(ORGANISATION),
            Self::Workspace(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
        }
    }
}

impl FromStr for PolicyScope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, BadScope> {
        if text == ORGANISATION {
            return Ok(Self::Organisation);
        }
        let workspace = || text.parse().map(Self::Workspace);
        text.parse().map(Self::Key).or_else(|_| workspace()).map_err(|_| BadScope)
    }
}

impl Serialize for PolicyScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PolicyScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
