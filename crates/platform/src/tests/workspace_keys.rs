//! A key that is bound to a workspace changes nothing of the whole organisation, whatever its scopes say.

use super::{OPERATOR, World};
use serde_json::{Value, json};
use topdog_domain::audit::AuditOutcome;

const ALL: [&str; 8] = [
    "org:read",
    "org:write",
    "api-keys:read",
    "api-keys:write",
    "provider-keys:read",
    "provider-keys:write",
    "policies:write",
    "llm",
];

#[tokio::test]
async fn nothing_of_the_whole_organisation_is_a_workspace_keys_to_change() {
    let world = World::new().await;
    let org = world.org("acme", "ENTERPRISE-STANDARD").await;
    let path = format!("/organisations/{org}");
    let workspaces = world.get(&format!("{path}/workspaces"), OPERATOR).await.expect(200);
    let workspace = workspaces.body["data"][0]["id"].clone();
    let bound = world.key(&org, json!({ "name": "bound", "scopes": ALL, "workspace": workspace })).await;
    let wide = world.key(&org, json!({ "name": "wide", "scopes": ["llm"] })).await;
    let openai = json!({ "provider": "openai", "secret": "sk-1" });
    let kept = world.post(&format!("{path}/provider-keys"), OPERATOR, openai.clone()).await.expect(201).id();
    let endpoint = json!({ "name": "own", "base_url": "https://1.1.1.1/v1" });
    world.post(&format!("{path}/endpoints"), OPERATOR, endpoint.clone()).await.expect(201);
    let replaced = json!({ "base_url": "https://1.0.0.1/v1" });

    let tries = [
        ("DELETE", format!("{path}/api-keys/{}", wide.id), None),
        ("POST", format!("{path}/provider-keys"), Some(openai)),
        ("POST", format!("{path}/provider-keys/{kept}/rotate"), Some(json!({ "secret": "sk-2" }))),
        ("POST", format!("{path}/provider-keys/{kept}/test"), Some(json!({}))),
        ("DELETE", format!("{path}/provider-keys/{kept}"), None),
        (
            "POST",
            format!("{path}/endpoints"),
            Some(json!({ "name": "more", "base_url": "https://1.1.1.1/v1" })),
        ),
        ("PUT", format!("{path}/endpoints/own"), Some(replaced)),
        ("DELETE", format!("{path}/endpoints/own"), None),
        ("PATCH", path.clone(), Some(json!({ "data_segment": "medical" }))),
        ("POST", format!("{path}/vault/rotate"), Some(json!({}))),
        (
            "PUT",
            format!("{path}/policies/organisation"),
            Some(json!({ "expected_version": 0, "document": {} })),
        ),
    ];
    let state = async || {
        let mut state: Vec<Value> = Vec::new();
        for part in ["", "/api-keys", "/provider-keys", "/endpoints", "/policies", "/vault"] {
            state.push(world.get(&format!("{path}{part}"), OPERATOR).await.expect(200).body);
        }
        state
    };
    let before = state().await;
    for (method, path, body) in tries.clone() {
        world.call(method, &path, &bound.secret, body).await.refused(403, "outside_workspace");
    }
    assert_eq!(state().await, before);
    let denied = world.spool.audits().iter().filter(|entry| entry.outcome == AuditOutcome::Denied).count();
    assert_eq!(denied, tries.len());

    let wish = json!({ "name": "own", "workspace": workspace });
    let own = world.post(&format!("{path}/api-keys"), &bound.secret, wish).await.issued();
    world.delete(&format!("{path}/api-keys/{}", own.id), &bound.secret).await.expect(204);
}
