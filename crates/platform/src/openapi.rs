//! The OpenAPI 3.1 document, made of the table of routes.

use crate::api::ProblemBody;
use crate::describe::{Access, Operation};
use crate::routes;
use crate::table::{BASE, Route};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut common = Operation::default();
    let problem = common.refer::<ProblemBody>();
    schemas.append(&mut common.schemas);
    for mut route in routes::all() {
        schemas.append(&mut route.operation.schemas);
        let path = format!("{BASE}{}", route.path);
        let operation = operation(&route);
        paths.entry(path).or_default().insert(route.method.name().to_owned(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Top Dog management API",
            "version": "1",
            "description": "What customers and operators manage. `{org}` is an organisation's id or name, or `current` for the key's own.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "What went wrong, why, and what to do next.",
                    "content": { "application/problem+json": { "schema": problem } }
                }
            },
            "securitySchemes": {
                "operator": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "td_operator_…",
                    "description": "The operator's token, which lies in the data folder. It may do everything."
                },
                "api_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "td_live_…",
                    "description": "A Top Dog API key with the scope that is named, for its own organisation."
                }
            }
        }
    })
}

fn operation(route: &Route) -> Value {
    let Operation { access, parameters, body, status, answer, .. } = &route.operation;
    let mut success = json!({ "description": "Done." });
    if let (Some(schema), Some(success)) = (answer, success.as_object_mut()) {
        success.insert("content".to_owned(), json!({ "application/json": { "schema": schema } }));
    }
    let mut parameters: Vec<Value> = path_parameters(route.path).chain(parameters.iter().cloned()).collect();
    parameters.sort_by_key(|parameter| parameter.get("in").map(ToString::to_string));
    let mut operation = json!({
        "operationId": route.id.0,
        "summary": route.summary,
        "tags": [route.id.0.split('.').next()],
        "parameters": parameters,
        "security": security(*access),
        "responses": {
            status.to_string(): success,
            "default": { "$ref": "#/components/responses/Problem" }
        }
    });
    if let (Some((schema, is_required)), Some(operation)) = (body, operation.as_object_mut()) {
        let content = json!({ "application/json": { "schema": schema } });
        operation.insert("requestBody".to_owned(), json!({ "required": is_required, "content": content }));
    }
    operation
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let description = match name {
            "org" => "An organisation's id or name, or `current` for the key's own.",
            "id" => "The id.",
            "scope" => {
                "Whose requests the policy is for: `organisation`, a workspace's id or an API key's id."
            }
            _ => "The name.",
        };
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": description,
            "schema": { "type": "string" }
        })
    })
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::Operator => json!([{ "operator": [] }]),
        Access::Scope(scope) => json!([{ "operator": [] }, { "api_key": [scope.name()] }]),
    }
}
