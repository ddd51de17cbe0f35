//! Google's own form of schema, read as JSON Schema.
//!
//! `parameters` and `responseSchema` are OpenAPI 3.0 as protocol buffers have it: types in capitals,
//! `nullable` beside the type, counts as strings, names in either case. `parametersJsonSchema` and
//! `responseJsonSchema` are JSON Schema and need none of this.

use crate::translate::json::{Json, Node, Value};
use crate::translate::model::Raw;
use std::borrow::Cow;

pub(super) fn read<'a>(schema: &Node<'a>) -> Raw<'a> {
    let mut json = Json::with_capacity(schema.raw.len());
    put(&mut json, schema);
    let text = String::from_utf8(json.into_bytes()).unwrap_or_default();
    Raw::new(Cow::Owned(text)).unwrap_or_else(|| Raw::borrowed(schema.raw))
}

fn put(json: &mut Json, schema: &Node<'_>) {
    let Value::Object(members) = &schema.value else {
        json.raw(schema.raw);
        return;
    };
    let is_nullable = schema.member("nullable").is_some_and(|node| matches!(node.value, Value::Bool(true)));
    json.open('{');
    for (name, node) in members {
        match name.as_ref() {
            // It orders the answer's fields, and means nothing elsewhere; `nullable` is part of the type.
            "nullable" | "propertyOrdering" | "property_ordering" => {}
            "type" => {
                let kind = node.text().unwrap_or_default().to_ascii_lowercase();
                json.key("type");
                if is_nullable {
                    json.open('[').string(&kind).string("null").close(']');
                } else {
                    json.string(&kind);
                }
            }
            "properties" | "defs" => put_each(json, name, node),
            "items" => {
                json.key("items");
                put(json, node);
            }
            "anyOf" | "any_of" | "prefixItems" | "prefix_items" => {
                json.key(if name.starts_with("any") { "anyOf" } else { "prefixItems" }).open('[');
                if let Value::List(schemas) = &node.value {
                    for schema in schemas {
                        put(json, schema);
                    }
                }
                json.close(']');
            }
            _ => match (count_name(name), node.text()) {
                (Some(name), Some(count)) if count.parse::<u64>().is_ok() => {
                    json.key(name).raw(&count);
                }
                (Some(name), _) => {
                    json.key(name).raw(node.raw);
                }
                (None, _) => {
                    json.key(name).raw(node.raw);
                }
            },
        }
    }
    json.close('}');
}

fn put_each(json: &mut Json, name: &str, schemas: &Node<'_>) {
    json.key(name);
    let Value::Object(members) = &schemas.value else {
        json.raw(schemas.raw);
        return;
    };
    json.open('{');
    for (name, schema) in members {
        json.key(name);
        put(json, schema);
    }
    json.close('}');
}

/// The name of a limit that protocol buffers write as a string.
fn count_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "minItems" | "min_items" => "minItems",
        "maxItems" | "max_items" => "maxItems",
        "minLength" | "min_length" => "minLength",
        "maxLength" | "max_length" => "maxLength",
        "minProperties" | "min_properties" => "minProperties",
        "maxProperties" | "max_properties" => "maxProperties",
        _ => return None,
    })
}
