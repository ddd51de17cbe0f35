use super::UtcTime;
use serde::{Deserialize, Serialize};
use topdog_domain::EndpointId;
use topdog_domain::provider::{ProviderApi, ProviderName};
use topdog_domain::tenant;
use utoipa::ToSchema;

/// A new endpoint of the organisation's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEndpoint {
    /// Its name: the provider part of its models' names.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    pub name: ProviderName,
    /// What the API's paths are added to, such as `https://llm.example.com/v1`.
    pub base_url: String,
    /// What it speaks.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(openai|anthropic|cohere|gemini|azure|bedrock|vertex)$", default = "openai")]
    pub dialect: ProviderApi,
    /// Azure's api-version, where deployments are in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Bedrock's region, where the host does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The models that `/v1/models` lists for it; others are passed on all the same.
    #[serde(default)]
    pub models: Vec<String>,
    /// Does it take requests without any key?
    #[serde(default)]
    pub is_keyless: bool,
}

/// What the endpoint of that name is to be from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceEndpoint {
    /// What the API's paths are added to.
    pub base_url: String,
    /// What it speaks.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(openai|anthropic|cohere|gemini|azure|bedrock|vertex)$", default = "openai")]
    pub dialect: ProviderApi,
    /// Azure's api-version, where deployments are in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Bedrock's region, where the host does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The models that `/v1/models` lists for it.
    #[serde(default)]
    pub models: Vec<String>,
    /// Does it take requests without any key?
    #[serde(default)]
    pub is_keyless: bool,
}

/// An endpoint of the organisation's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Its id.
    #[schema(value_type = String)]
    pub id: EndpointId,
    /// Its name.
    #[schema(value_type = String)]
    pub name: ProviderName,
    /// What the API's paths are added to.
    pub base_url: String,
    /// What it speaks.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(openai|anthropic|cohere|gemini|azure|bedrock|vertex)$", default = "openai")]
    pub dialect: ProviderApi,
    /// Azure's api-version, where deployments are in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Bedrock's region, where the host does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The models that `/v1/models` lists for it.
    pub models: Vec<String>,
    /// Does it take requests without any key?
    pub is_keyless: bool,
    /// When it was made.
    pub created_at: UtcTime,
    /// Which keys a change has made unusable, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

impl From<tenant::Endpoint> for Endpoint {
    fn from(endpoint: tenant::Endpoint) -> Self {
        Self {
            id: endpoint.id,
            name: endpoint.name,
            base_url: endpoint.base_url,
            dialect: endpoint.manner.api(),
            api_version: endpoint.manner.api_version().map(str::to_owned),
            region: endpoint.manner.region().map(str::to_owned),
            models: endpoint.models,
            is_keyless: endpoint.is_keyless,
            created_at: endpoint.created_at.into(),
            warning: None,
        }
    }
}
