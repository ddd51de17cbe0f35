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
