use super::{CANARY, OPERATOR, World};
use serde_json::{Value, json};

const ENDPOINTS: &str = "/organisations/current/endpoints";
const SCOPES: &[&str] = &["org:read", "org:write", "provider-keys:read", "provider-keys:write"];

fn endpoint(base_url: &str) -> Value {
    json!({ "name": "mine", "base_url": base_url, "models": ["llama-3"] })
}

#[tokio::test]
async fn the_tier_says_whether_there_are_any() {
    let world = World::new().await;
    let (pro, teams) = (world.org("pro", "PRO").await, world.org("teams", "TEAMS-SMALL").await);
    let wish = || endpoint("https://llm.example.com/v1");
    let path = |org: &str| format!("/organisations/{org}/endpoints");
    let refused = world.post(&path(&pro), OPERATOR, wish()).await.refused(403, "tier_limit");
    assert_eq!(
        (&refused.body["limit"], &refused.body["lifted_by"]),
        (&json!("provider:mine"), &json!("TEAMS-SMALL"))
    );
    world.post(&path(&teams), OPERATOR, wish()).await.expect(201);
    world.post(&path(&teams), OPERATOR, wish()).await.refused(409, "conflict");
}

#[tokio::test]
async fn no_url_leads_where_policy_does_not() {
    let world = World::new().await;
    let org = world.org("acme", "ENTERPRISE-ULTIMATE").await;
    let owner = world.scoped(&org, SCOPES).await;
    for url in [
        "http://llm.example.com.invalid:x/v1",
        "http://llm.invalid/v1",
        "http://1.1.1.1/v1",
        "ftp://llm.example.com/v1",
        "https://169.254.169.254/v1",
        "https://metadata.google.internal/v1",
        "https://10.0.0.1/v1",
        "https://user:pw@llm.example.com/v1",
        "https://llm.example.com/v1?x=1",
        "https://llm.example.com/\r\nv1",
        "https://[::ffff:169.254.169.254]/v1",
        "",
        "https://2852039166/v1",
    ] {
        let reply = world.post(ENDPOINTS, &owner.secret, endpoint(url)).await;
        assert!(reply.status == 422, "{url}: {} {}", reply.status, reply.text);
        assert_eq!(reply.body["param"], "base_url");
    }
    for name in ["openai", "anthropic", "test", "custom"] {
        let wish = json!({ "name": name, "base_url": "https://llm.example.com/v1" });
        let reply = world.post(ENDPOINTS, &owner.secret, wish).await.refused(422, "invalid_field");
        assert_eq!(reply.body["param"], "name");
    }
    assert_eq!(world.get(ENDPOINTS, &owner.secret).await.body["data"], json!([]));
}

#[tokio::test]
async fn a_changed_address_leaves_keys_behind_and_says_so() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let owner = world.scoped(&org, SCOPES).await;
    let owner = owner.secret.as_str();
    world.post(ENDPOINTS, owner, endpoint("https://llm.example.com/v1")).await.expect(201);
    let keys = "/organisations/current/provider-keys";
    let key = world.post(keys, owner, json!({ "provider": "mine", "secret": CANARY })).await.expect(201);
    assert_eq!(key.body["origin"], "https://llm.example.com");
    let path = format!("{ENDPOINTS}/mine");
    let replace = |url: &str| {
        let (world, path, body) = (&world, &path, json!({ "base_url": url }));
        async move { world.call("PUT", path, owner, Some(body)).await.expect(200) }
    };
    assert_eq!(replace("https://llm.example.com/other/v1").await.body.get("warning"), None);
    let moved = replace("https://evil.example.com/v1").await;
    assert!(moved.body["warning"].as_str().unwrap().starts_with("1 provider keys"), "{}", moved.text);
    let shown = world.get(&format!("{keys}/{}", key.id()), owner).await.expect(200);
    assert_eq!(shown.body["origin"], "https://llm.example.com");
    assert!(shown.body["warning"].as_str().unwrap().contains("https://evil.example.com"));
    let test = format!("{keys}/{}/test", key.id());
    world.post(&test, owner, json!({})).await.refused(409, "conflict");
    world.delete(&path, owner).await.expect(204);
    world.delete(&path, owner).await.refused(404, "not_found");
    world
        .call("PUT", &path, owner, Some(json!({ "base_url": "https://a.example.com" })))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn an_endpoint_says_what_it_speaks() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let owner = world.scoped(&org, SCOPES).await.secret;
    let bedrock = json!({ "name": "bedrock", "base_url": "https://bedrock-runtime.eu-central-1.amazonaws.com", "dialect": "bedrock" });
    let made = world.post(ENDPOINTS, &owner, bedrock).await.expect(201);
    assert_eq!((&made.body["dialect"], &made.body["region"]), (&json!("bedrock"), &json!("eu-central-1")));
    let azure = json!({ "name": "azure", "base_url": "https://acme.openai.azure.com/openai", "dialect": "azure", "api_version": "2024-10-21" });
    let made = world.post(ENDPOINTS, &owner, azure).await.expect(201);
    assert_eq!(made.body["api_version"], "2024-10-21");
    let plain = world.post(ENDPOINTS, &owner, endpoint("https://llm.example.com/v1")).await.expect(201);
    assert_eq!(plain.body["dialect"], "openai");
    assert!(plain.body.get("api_version").is_none() && plain.body.get("region").is_none());

    // Whatever is put there is all of it.
    let moved = json!({ "base_url": "https://acme.openai.azure.com/openai/v1", "dialect": "azure" });
    let path = format!("{ENDPOINTS}/azure");
    let replaced = world.call("PUT", &path, &owner, Some(moved)).await.expect(200);
    assert!(replaced.body.get("api_version").is_none(), "{}", replaced.text);
    let audit = world.get(&format!("/organisations/{org}/audit"), OPERATOR).await.expect(200);
    assert!(audit.text.contains(r#"\"dialect\":\"azure\""#), "{}", audit.text);
}

#[tokio::test]
async fn what_an_endpoint_speaks_can_be_no_way_to_elsewhere() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let owner = world.scoped(&org, SCOPES).await.secret;
    let amazon = "https://bedrock-runtime.eu-central-1.amazonaws.com";
    for (base_url, dialect, field, value) in [
        (amazon, "bedrock", "region", "us-east-1"),
        ("https://proxy.example.com", "bedrock", "region", "evil.com#"),
        ("https://proxy.example.com", "bedrock", "region", "a/../b"),
        ("https://proxy.example.com", "bedrock", "region", "a@b"),
        ("https://proxy.example.com", "bedrock", "region", "a\r\nx: y"),
        ("https://proxy.example.com", "bedrock", "region", ""),
        ("https://proxy.example.com", "azure", "api_version", "1&x=y"),
        ("https://proxy.example.com", "azure", "api_version", "1#"),
        ("https://proxy.example.com", "openai", "api_version", "2024-10-21"),
        ("https://proxy.example.com", "gemini", "region", "eu-central-1"),
    ] {
        let mut wish = json!({ "name": "mine", "base_url": base_url, "dialect": dialect });
        wish[field] = json!(value);
        let reply = world.post(ENDPOINTS, &owner, wish).await.refused(422, "invalid_field");
        assert_eq!(reply.body["param"], field, "{value}: {}", reply.text);
    }
    let unknown = json!({ "name": "mine", "base_url": amazon, "dialect": "soap" });
    let reply = world.post(ENDPOINTS, &owner, unknown).await;
    assert!(reply.status.is_client_error(), "{}", reply.text);
    assert_eq!(world.get(ENDPOINTS, &owner).await.body["data"], json!([]));
}

#[tokio::test]
async fn a_key_is_checked_for_what_its_endpoint_speaks() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let owner = world.scoped(&org, SCOPES).await.secret;
    let bedrock = json!({ "name": "bedrock", "base_url": "https://bedrock-runtime.eu-central-1.amazonaws.com", "dialect": "bedrock" });
    world.post(ENDPOINTS, &owner, bedrock).await.expect(201);
    let keys = "/organisations/current/provider-keys";
    let wish = |secret: &str| json!({ "provider": "bedrock", "secret": secret });
    for bad in ["AKIAEXAMPLE12345", "AKIAEXAMPLE12345:canary"] {
        let refused = world.post(keys, &owner, wish(bad)).await.refused(422, "invalid_field");
        assert_eq!(refused.body["param"], "secret");
        assert!(!refused.text.contains("canary") && !refused.text.contains("AKIA"), "{}", refused.text);
    }
    let pair = "AKIAEXAMPLE12345:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let made = world.post(keys, &owner, wish(pair)).await.expect(201);
    assert!(!made.text.contains("AKIA"), "{}", made.text);
}
