use super::{NOBODY, World};
use crate::{openapi, routes};
use serde_json::Value;
use std::path::Path;

/// Where the document lies in the repository.
fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let text = format!("{:#}\n", openapi());
    #[expect(clippy::disallowed_methods, reason = "the only way for a person to tell a test to write")]
    if std::env::var_os("TOPDOG_BLESS").is_some() {
        std::fs::write(committed(), &text).unwrap();
    }
    let there = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        there == text,
        "docs/openapi.json differs from the code; run this test with TOPDOG_BLESS=1 and look at the difference"
    );
}

#[test]
fn every_route_is_in_it_and_every_reference_leads_somewhere() {
    let document = openapi();
    for route in routes::all() {
        let operation = &document["paths"][format!("/api/v1{}", route.path)][route.method.name()];
        assert_eq!(operation["operationId"], route.id.0);
        assert!(route.operation.status >= 200, "{}", route.id.0);
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == "$ref" => references.push(text.clone()),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn it_is_served_to_anyone() {
    let world = World::new().await;
    let reply = world.get("/openapi.json", NOBODY).await.expect(200);
    assert_eq!(reply.body, openapi());
    assert_eq!(reply.body["openapi"], "3.1.0");
}
