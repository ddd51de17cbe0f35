//! A policy in the file: for whom, what it is to say, and what differs.

use super::entry::{FieldChange, Kind, Step, Verdict};
use super::file::WantedOrg;
use super::plan::changed;
use super::present::Present;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;
use topdog_domain::policy::{Policy, PolicyDocument, PolicyScope};
use topdog_platform::api;

/// A policy: `workspace` or `api_key` where it is not for the whole organisation, and the fields of a policy's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedPolicy {
    /// Whose requests it is for.
    pub(super) place: PolicyPlace,
    /// What it is to say.
    pub(super) document: PolicyDocument,
}

/// Whose requests a policy is for, as the file names them: what it names may not be made yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PolicyPlace {
    /// All of the organisation's.
    Organisation,
    /// A workspace's, by its name or id.
    Workspace(String),
    /// An API key's, by its name.
    ApiKey(String),
}

impl<'de> Deserialize<'de> for WantedPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let mut named = |field| match table.remove(field) {
            None => Ok(None),
            Some(toml::Value::String(name)) => Ok(Some(name)),
            Some(_) => Err(D::Error::custom(format!("`{field}` is a name in quotes"))),
        };
        let place = match (named("workspace")?, named("api_key")?) {
            (None, None) => PolicyPlace::Organisation,
            (Some(workspace), None) => PolicyPlace::Workspace(workspace),
            (None, Some(key)) => PolicyPlace::ApiKey(key),
            (Some(_), Some(_)) => {
                return Err(D::Error::custom(
                    "a policy is for a workspace or for an api_key; name one of them",
                ));
            }
        };
        let document = PolicyDocument::deserialize(toml::Value::Table(table)).map_err(D::Error::custom)?;
        Ok(Self { place, document })
    }
}

impl WantedPolicy {
    /// Is it as a policy must be? The server asks the same, but when other things are done already.
    pub(super) fn check(&self) -> Result<(), String> {
        Policy::check(self.document.clone()).map(drop).map_err(|why| format!("policy {}: {why}", self.place))
    }

    /// What comes of it.
    pub(super) fn verdict(&self, wanted: &WantedOrg, present: Option<&Present>) -> Verdict {
        if let Some(missing) = self.place.missing(wanted, present) {
            return Verdict::Blocked(missing);
        }
        let there = present.and_then(|present| {
            let scope = self.place.scope(present)?;
            present.policies.iter().find(|policy| policy.scope == scope)
        });
        let step = Step::PutPolicy {
            place: self.place.clone(),
            document: Box::new(self.document.clone()),
            expected_version: there.map_or(0, |policy| policy.version),
        };
        match there {
            None => Verdict::Create(step),
            Some(there) => changed(differences(there, &self.document), step),
        }
    }
}

impl PolicyPlace {
    /// Why there can be no policy for it.
    fn missing(&self, wanted: &WantedOrg, present: Option<&Present>) -> Option<String> {
        let (is_there, what) = match (self, present) {
            (Self::Workspace(_), Some(present)) => (self.scope(present).is_some(), "workspace"),
            (Self::ApiKey(name), _) => {
                let is_wanted = wanted.api_key.iter().any(|key| key.name == *name);
                let is_present = present.is_some_and(|present| self.scope(present).is_some());
                (is_wanted || is_present, "api_key")
            }
            (Self::Organisation, _) | (Self::Workspace(_), None) => (true, ""),
        };
        (!is_there).then(|| format!("there is no such {what}, neither here nor in the file"))
    }

    /// The scope that it is, where what it names is there.
    fn scope(&self, present: &Present) -> Option<PolicyScope> {
        match self {
            Self::Organisation => Some(PolicyScope::Organisation),
            Self::Workspace(wish) => {
                let is_it = |there: &&api::Workspace| there.name == *wish || there.id.to_string() == *wish;
                present.workspaces.iter().find(is_it).map(|there| PolicyScope::Workspace(there.id))
            }
            Self::ApiKey(name) => {
                let key = present.api_keys.iter().find(|there| there.name == *name);
                key.map(|there| PolicyScope::Key(there.id))
            }
        }
    }

    /// What a policy that is there would be called in a file; by its id where what it is for is gone.
    fn of(scope: PolicyScope, present: &Present) -> Self {
        match scope {
            PolicyScope::Organisation => Self::Organisation,
            PolicyScope::Workspace(id) => {
                let there = present.workspaces.iter().find(|there| there.id == id);
                Self::Workspace(there.map_or_else(|| id.to_string(), |there| there.name.clone()))
            }
            PolicyScope::Key(id) => {
                let there = present.api_keys.iter().find(|there| there.id == id);
                Self::ApiKey(there.map_or_else(|| id.to_string(), |there| there.name.clone()))
            }
        }
    }
}

/// `organisation`, `workspace NAME` or `api_key NAME`.
impl fmt::Display for PolicyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation => f.write_str(Kind::Organisation.name()),
            Self::Workspace(name) => write!(f, "workspace {name}"),
            Self::ApiKey(name) => write!(f, "{} {name}", Kind::ApiKey.name()),
        }
    }
}

/// The policies that the file does not name, each with the step that deletes it.
pub(super) fn surplus(wanted: &WantedOrg, present: &Present) -> Vec<(String, Step)> {
    let is_wanted = |there: &api::Policy| {
        wanted.policy.iter().any(|policy| policy.place.scope(present) == Some(there.scope))
    };
    let step = |there: &api::Policy| {
        let step = Step::DeletePolicy { scope: there.scope, expected_version: there.version };
        (PolicyPlace::of(there.scope, present).to_string(), step)
    };
    present.policies.iter().filter(|there| !is_wanted(there)).map(step).collect()
}

/// Field by field, whatever fields there are.
fn differences(there: &api::Policy, wanted: &PolicyDocument) -> Vec<Option<FieldChange>> {
    let there = there.document.as_ref().map_or_else(Map::new, |document| fields(normal(document)));
    let wanted = fields(serde_json::to_value(wanted).unwrap_or_default());
    let names: std::collections::BTreeSet<&String> = there.keys().chain(wanted.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), Value::to_string);
    names
        .into_iter()
        .map(|name| FieldChange::of(name.clone(), shown(there.get(name)), shown(wanted.get(name))))
        .collect()
}

/// As this version of the command would write it, where it understands it: what a default leaves out makes no difference.
fn normal(document: &Value) -> Value {
    let understood = PolicyDocument::deserialize(document).and_then(serde_json::to_value);
    understood.unwrap_or_else(|_| document.clone())
}

fn fields(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
