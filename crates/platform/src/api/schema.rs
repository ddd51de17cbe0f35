//! Schemas of what `domain` defines: it knows nothing of OpenAPI.

use serde_json::json;
use topdog_domain::api_key::Scope;
use topdog_domain::labels::DataSegment;
use topdog_domain::policy::checked::MOST_RULES;
use topdog_domain::provider::Operation;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};

/// A whole number, or the word `unlimited`.
pub(crate) fn limit() -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([json!("unlimited")]));
    RefOr::T(Schema::OneOf(OneOfBuilder::new().item(number).item(word).build()))
}

/// One of the data segments.
pub(crate) fn data_segment() -> Object {
    words(DataSegment::ALL.iter().map(|segment| segment.name()))
}

/// One of the data segments, or null.
pub(crate) fn optional_data_segment() -> Object {
    let mut values: Vec<_> = DataSegment::ALL.iter().map(|s| json!(s.name())).collect();
    values.push(json!(null));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .build()
}

/// One of the scopes.
pub(crate) fn scope() -> Object {
    words(Scope::ALL.iter().map(|scope| scope.name()))
}

/// Live or test.
pub(crate) fn key_mode() -> Object {
    words(["live", "test"].into_iter())
}

/// A kind of request.
pub(crate) fn operation() -> Object {
    words(Operation::ALL.iter().map(|operation| operation.name()))
}

/// A policy as it is written.
pub(crate) fn policy_document() -> Object {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let patterns = |description: &str| {
        ArrayBuilder::new().items(text()).max_items(Some(MOST_RULES)).description(Some(description))
    };
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "aliases",
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .description(Some("Other names for models: each with a model, or another alias."))
                .additional_properties(Some(text())),
        )
        .property(
            "allow",
            patterns("The only models that may be used: `provider/model`, or `model` for every provider; `*` at the end stands for any rest."),
        )
        .property("deny", patterns("Models that may not be used, as in `allow`."))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}
