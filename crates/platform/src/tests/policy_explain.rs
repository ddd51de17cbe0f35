use super::{OPERATOR, World};
use serde_json::{Value, json};

const EXPLAIN: &str = "/organisations/current/policies/explain";

fn checks(told: &Value) -> Vec<&str> {
    told["steps"].as_array().unwrap().iter().map(|step| step["check"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn it_tells_each_step_and_where_the_request_would_go() {
    let world = World::new().await;
    let org = world.org("acme", "PRO-PLUS").await;
    let key = world.scoped(&org, &["llm", "policies:read"]).await;
    let provider_keys = format!("/organisations/{org}/provider-keys");
    let secret = json!({ "provider": "openai", "secret": "sk-0123456789" });
    let provider_key = world.post(&provider_keys, OPERATOR, secret).await.expect(201).id();
    let document = json!({ "aliases": { "fast": "gpt-4o-mini" }, "deny": ["anthropic/*"] });
    let put = json!({ "expected_version": 0, "document": document });
    let own = format!("/organisations/{org}/policies/organisation");
    world.call("PUT", &own, OPERATOR, Some(put)).await.expect(201);

    let told = world.post(EXPLAIN, &key.secret, json!({ "model": "fast" })).await.expect(200).body;
    assert_eq!(told["is_allowed"], true, "{told}");
    assert_eq!((&told["provider"], &told["model"]), (&json!("openai"), &json!("gpt-4o-mini")));
    assert_eq!(told["provider_key"], provider_key.as_str());
    let alias =
        json!({ "check": "alias", "scope": "organisation", "rule": "fast = gpt-4o-mini", "is_passed": true });
    assert_eq!(told["steps"][2], alias);
    let told = world.post(EXPLAIN, &key.secret, json!({ "model": "anthropic/x" })).await.expect(200).body;
    let last = told["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        last,
        &json!({ "check": "deny", "scope": "organisation", "rule": "anthropic/*", "is_passed": false })
    );
    assert_eq!((&told["refusal"]["status"], &told["provider"]), (&json!(403), &Value::Null));
    assert!(told["refusal"]["detail"].as_str().unwrap().contains("anthropic/*"));
    let test = world.post(EXPLAIN, &key.secret, json!({ "model": "test/echo" })).await.expect(200).body;
    assert_eq!((&test["is_allowed"], &test["provider"]), (&json!(true), &json!("test")));
    let unknown =
        world.post(EXPLAIN, &key.secret, json!({ "model": "nothing-like-it" })).await.expect(200).body;
    assert_eq!(
        (checks(&unknown).last(), &unknown["refusal"]["code"]),
        (Some(&"model"), &json!("model_not_found"))
    );
}

#[tokio::test]
async fn another_key_is_explained_to_whoever_may_read_keys() {
    let world = World::new().await;
    let org = world.org("acme", "PRO-PLUS").await;
    let narrow =
        world.key(&org, json!({ "name": "narrow", "scopes": ["llm"], "models": ["openai/secret"] })).await;
    let asks = world.scoped(&org, &["policies:read"]).await;
    let reads = world.scoped(&org, &["policies:read", "api-keys:read"]).await;
    let ask = || json!({ "model": "gpt-4o", "key": narrow.id });
    world.post(EXPLAIN, &asks.secret, ask()).await.refused(403, "scope_missing");
    for (path, credential) in [
        (EXPLAIN.to_owned(), reads.secret.as_str()),
        (format!("/organisations/{org}/policies/explain"), OPERATOR),
    ] {
        let told = world.post(&path, credential, ask()).await.expect(200).body;
        assert_eq!(told["refusal"]["code"], "model_not_allowed");
        assert_eq!(told["steps"].as_array().unwrap().last().unwrap()["rule"], "openai/secret");
    }
    let own = world.post(EXPLAIN, &asks.secret, json!({ "model": "gpt-4o" })).await.expect(200).body;
    assert_eq!(own["refusal"]["code"], "scope_missing", "its own key has no scope for models");
    let path = format!("/organisations/{org}/policies/explain");
    let nobody =
        world.post(&path, OPERATOR, json!({ "model": "gpt-4o" })).await.refused(422, "invalid_field");
    assert_eq!(nobody.body["param"], "key");
    world.delete(&format!("/organisations/{org}/api-keys/{}", narrow.id), OPERATOR).await.expect(204);
    world.post(EXPLAIN, &reads.secret, ask()).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_can_be_no_request_is_refused() {
    let world = World::new().await;
    let org = world.org("acme", "PRO-PLUS").await;
    let key = world.scoped(&org, &["policies:read"]).await;
    for model in [String::new(), "gpt 4".to_owned(), "x".repeat(257), "a\r\nb: c".to_owned()] {
        let refused =
            world.post(EXPLAIN, &key.secret, json!({ "model": model })).await.refused(422, "invalid_field");
        assert_eq!(refused.body["param"], "model");
    }
    let odd = json!({ "model": "gpt-4o", "operation": "telepathy" });
    world.post(EXPLAIN, &key.secret, odd).await.refused(400, "invalid_field");
    world.get(EXPLAIN, &key.secret).await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn a_route_is_told_with_all_that_would_be_tried() {
    let world = World::new().await;
    let org = world.org("acme", "PRO-PLUS").await;
    let key = world.scoped(&org, &["llm", "policies:read", "policies:write"]).await;
    let provider_keys = format!("/organisations/{org}/provider-keys");
    let secret = json!({ "provider": "openai", "secret": "sk-0123456789" });
    let provider_key = world.post(&provider_keys, OPERATOR, secret).await.expect(201).id();
    let route = json!({
        "for": ["fast"],
        "fallbacks": ["anthropic/claude-x", { "model": "openai/gpt-4o", "key": "gone" }, "openai/gpt-4o"],
        "retries": { "most": 2 },
    });
    let document = json!({ "aliases": { "fast": "openai/gpt-4o-mini" }, "routes": [route] });
    let own = "/organisations/current/policies/organisation";
    let put = json!({ "expected_version": 0, "document": document });
    let put = world.call("PUT", own, &key.secret, Some(put)).await.expect(201).body;
    let warnings = put["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 2, "{put}");
    assert!(warnings.iter().all(|warning| warning.as_str().unwrap().contains("is passed over")));
    assert_eq!(put["document"]["routes"][0]["retries"]["budget_percent"], 20, "what holds is shown");

    let told = world.post(EXPLAIN, &key.secret, json!({ "model": "fast" })).await.expect(200).body;
    let attempt = |model: &str| json!({ "provider": "openai", "model": model, "provider_key": provider_key });
    assert_eq!(told["attempts"], json!([attempt("gpt-4o-mini"), attempt("gpt-4o")]));
    let targets: Vec<_> = told["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["check"] == "target")
        .map(|step| (step["rule"].as_str().unwrap(), step["is_passed"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        targets,
        [
            ("openai/gpt-4o-mini", true),
            ("anthropic/claude-x: operation_unsupported", false),
            ("openai/gpt-4o by the key gone: no_provider_key", false),
            ("openai/gpt-4o", true),
        ]
    );
    let plain = world.post(EXPLAIN, &key.secret, json!({ "model": "openai/gpt-4" })).await.expect(200).body;
    assert_eq!((plain.get("attempts"), &plain["is_allowed"]), (None, &json!(true)), "no route is for it");
    let bad = json!({ "expected_version": 1, "document": { "routes": [{ "for": ["x"], "retries": { "most": 9 } }] } });
    let refused = world.call("PUT", own, &key.secret, Some(bad)).await.refused(422, "invalid_field");
    assert_eq!(refused.body["param"], "routes");
}
