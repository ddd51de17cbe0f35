use super::{UtcTime, schema};
use serde::{Deserialize, Deserializer, Serialize};
use topdog_domain::labels::DataSegment;
use topdog_domain::tier::TierName;
use topdog_domain::{MemberId, OrgId, WorkspaceId, tenant};
use utoipa::ToSchema;

/// A new organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganisation {
    /// Its name, unique in the installation.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Its tier.
    #[schema(value_type = String, pattern = "^[A-Z0-9-]{1,40}$")]
    pub tier: TierName,
    /// What its owner is called.
    #[serde(default = "owner")]
    #[schema(min_length = 1, max_length = 100)]
    pub owner: String,
    /// Its data segment; no request of it is ever labelled laxer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::optional_data_segment)]
    pub data_segment: Option<DataSegment>,
}

fn owner() -> String {
    "owner".to_owned()
}

/// What is to change of an organisation; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOrganisation {
    /// Another tier; for the operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tier: Option<TierName>,
    /// Another data segment; null takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    #[schema(schema_with = schema::optional_data_segment)]
    pub data_segment: Option<Option<DataSegment>>,
}

fn null_is_a_value<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<DataSegment>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Organisation {
    /// Its id.
    #[schema(value_type = String)]
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// Its tier.
    #[schema(value_type = String)]
    pub tier: TierName,
    /// Its data segment.
    #[schema(schema_with = schema::optional_data_segment)]
    pub data_segment: Option<DataSegment>,
    /// When it was made.
    pub created_at: UtcTime,
}

impl From<tenant::Organisation> for Organisation {
    fn from(org: tenant::Organisation) -> Self {
        Self {
            id: org.id,
            name: org.name,
            tier: org.tier,
            data_segment: org.data_segment,
            created_at: org.created_at.into(),
        }
    }
}

/// A new organisation with what it has from the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedOrganisation {
    /// Itself.
    pub organisation: Organisation,
    /// Its owner's membership.
    #[schema(value_type = String)]
    pub owner: MemberId,
    /// Its workspace `default`.
    #[schema(value_type = String)]
    pub workspace: WorkspaceId,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    /// Its id.
    #[schema(value_type = String)]
    pub id: WorkspaceId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// Its data segment.
    #[schema(schema_with = schema::optional_data_segment)]
    pub data_segment: Option<DataSegment>,
    /// When it was made.
    pub created_at: UtcTime,
}

impl From<tenant::Workspace> for Workspace {
    fn from(workspace: tenant::Workspace) -> Self {
        Self {
            id: workspace.id,
            name: workspace.name,
            data_segment: workspace.data_segment,
            created_at: workspace.created_at.into(),
        }
    }
}
