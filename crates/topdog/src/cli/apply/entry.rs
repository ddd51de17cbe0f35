use super::file::{KeyPlace, WantedApiKey};
use super::policy::PolicyPlace;
use serde::Serialize;
use std::borrow::Cow;
use topdog_domain::policy::{PolicyDocument, PolicyScope};
use topdog_domain::provider::ProviderName;
use topdog_domain::{ApiKeyId, ProviderKeyId};
use topdog_platform::api::{ChangeOrganisation, CreateEndpoint, CreateOrganisation, ReplaceEndpoint};

/// One thing that is wanted or there, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// In which organisation.
    pub(super) organisation: String,
    /// What it is.
    pub(super) kind: Kind,
    /// What it is called.
    pub(super) name: String,
    /// What comes of it.
    pub(super) verdict: Verdict,
}

/// What a file can describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// An organisation.
    Organisation,
    /// An endpoint of its own.
    Endpoint,
    /// A key for a provider.
    ProviderKey,
    /// A Top Dog API key.
    ApiKey,
    /// A policy.
    Policy,
}

/// What comes of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Create(Step),
    /// It is changed, in these ways.
    Change(Vec<FieldChange>, Step),
    /// It is as it should be; perhaps something is to be said about it.
    Keep(Option<String>),
    /// The file does not name it, and it is taken away.
    Prune(Step),
    /// The file does not name it, and it stays.
    Unlisted,
    /// It can't be made as the file says, which is why.
    Blocked(String),
}

/// A field that is to be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FieldChange {
    /// Its name in the file.
    pub(super) field: Cow<'static, str>,
    /// What it is.
    pub(super) from: String,
    /// What it is to be.
    pub(super) to: String,
}

/// What is done. No step holds a secret; one that needs a key says where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Makes the organisation.
    CreateOrganisation(CreateOrganisation),
    /// Changes it.
    ChangeOrganisation(ChangeOrganisation),
    /// Adds an endpoint.
    CreateEndpoint(CreateEndpoint),
    /// Replaces one.
    ReplaceEndpoint(ProviderName, ReplaceEndpoint),
    /// Deletes one.
    DeleteEndpoint(ProviderName),
    /// Adds a provider key.
    CreateProviderKey {
        /// For this provider.
        provider: ProviderName,
        /// With this name.
        name: String,
        /// Kept so.
        material: Material,
    },
    /// Gives one its next version.
    RotateProviderKey(ProviderKeyId, Material),
    /// Deletes one.
    DeleteProviderKey(ProviderKeyId),
    /// Makes a Top Dog API key.
    CreateApiKey(Box<WantedApiKey>),
    /// Revokes one.
    RevokeApiKey(ApiKeyId),
    /// Puts the next version of a policy in force.
    PutPolicy {
        /// For whose requests.
        place: PolicyPlace,
        /// What it is to say.
        document: Box<PolicyDocument>,
        /// The version that it was compared with; 0: none.
        expected_version: u32,
    },
    /// Deletes one.
    DeletePolicy {
        /// For whose requests it is.
        scope: PolicyScope,
        /// The version that was seen.
        expected_version: u32,
    },
}

/// How a provider key is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// Read from there now, and sealed.
    Sealed(KeyPlace),
    /// Fetched from there by the server.
    Reference(String),
}

impl Kind {
    /// What the file calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Endpoint => "endpoint",
            Self::ProviderKey => "provider_key",
            Self::ApiKey => "api_key",
            Self::Policy => "policy",
        }
    }
}

impl FieldChange {
    /// The field's change, where it is one.
    pub(super) fn of(
        field: impl Into<Cow<'static, str>>,
        from: impl ToString,
        to: impl ToString,
    ) -> Option<Self> {
        let (from, to) = (from.to_string(), to.to_string());
        (from != to).then(|| Self { field: field.into(), from, to })
    }
}

/// `field old -> new`
impl std::fmt::Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} -> {}", self.field, self.from, self.to)
    }
}
