use super::schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use topdog_domain::tier;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A membership tier, with the fields of the table `membership_tiers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tier(pub tier::Tier);

/// Read off the standard catalogue, so that it can't fall behind `domain`.
impl PartialSchema for Tier {
    fn schema() -> RefOr<Schema> {
        let tiers: Vec<Value> = tier::Tier::standard_catalogue()
            .iter()
            .filter_map(|tier| serde_json::to_value(tier).ok())
            .collect();
        let is_ever_unlimited = |field: &str| {
            tiers.iter().any(|tier| tier.get(field).and_then(Value::as_str) == Some("unlimited"))
        };
        let mut object = ObjectBuilder::new();
        for (field, value) in tiers.first().and_then(Value::as_object).into_iter().flatten() {
            let schema = match value {
                _ if is_ever_unlimited(field) || is_limit(field) => schema::limit(),
                Value::Bool(_) => ObjectBuilder::new().schema_type(Type::Boolean).into(),
                Value::Number(_) => ObjectBuilder::new().schema_type(Type::Integer).into(),
                _ => ObjectBuilder::new().schema_type(Type::String).into(),
            };
            object = object.property(field, schema).required(field);
        }
        object.additional_properties(Some(AdditionalProperties::FreeForm(false))).into()
    }
}

/// Limits that no standard tier lifts altogether.
fn is_limit(field: &str) -> bool {
    matches!(field, "storage_bytes" | "concurrent_jobs" | "key_management_calls_per_minute")
}

impl ToSchema for Tier {}
