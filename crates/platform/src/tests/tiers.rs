use super::{OPERATOR, World};
use serde_json::{Value, json};

#[tokio::test]
async fn a_key_reads_them_and_the_operator_changes_them_at_once() {
    let world = World::new().await;
    let org = world.org("acme", "FREE").await;
    let key = world.scoped(&org, &["org:read"]).await;
    let list = world.get("/tiers", &key.secret).await.expect(200);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 9);
    let mut free = world.get("/tiers/FREE", &key.secret).await.expect(200).body;
    assert_eq!(free["api_keys_limit"], 1);
    let path = format!("/organisations/{org}/api-keys");
    world.post(&path, OPERATOR, json!({ "name": "second" })).await.refused(429, "tier_limit");
    free["api_keys_limit"] = json!(2);
    world.call("PUT", "/tiers/FREE", &key.secret, Some(free.clone())).await.refused(403, "operator_only");
    world.call("PUT", "/tiers/FREE", OPERATOR, Some(free)).await.expect(200);
    world.post(&path, OPERATOR, json!({ "name": "second" })).await.expect(201);
    world.get("/tiers/NONE", OPERATOR).await.refused(404, "not_found");
    let log = world.get("/audit", OPERATOR).await.expect(200).body;
    assert_eq!(log["head"]["seq"], 1, "one entry, with the change, of the one change that was made");
    let entry: Value = serde_json::from_str(log["data"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&entry["action"], &entry["target"]), (&json!("tier.put"), &json!("FREE")));
    assert_eq!(entry["detail"], json!({ "api_keys_limit": "1 -> 2" }));
}

#[tokio::test]
async fn a_change_that_is_kept_is_told_as_kept_and_one_that_is_not_leaves_no_entry() {
    let world = World::new().await;
    let mut pro = world.get("/tiers/PRO", OPERATOR).await.expect(200).body;
    pro["api_keys_limit"] = json!(6);
    world.spool.set_healthy(false);
    world.call("PUT", "/tiers/PRO", OPERATOR, Some(pro.clone())).await.expect(200);
    assert_eq!(world.get("/audit", OPERATOR).await.expect(200).body["head"]["seq"], 1);
    world.store.set_away(true);
    pro["api_keys_limit"] = json!(7);
    world.call("PUT", "/tiers/PRO", OPERATOR, Some(pro)).await.refused(503, "store_unavailable");
    world.store.set_away(false);
    assert_eq!(world.get("/audit", OPERATOR).await.expect(200).body["head"]["seq"], 1);
    assert_eq!(world.get("/tiers/PRO", OPERATOR).await.expect(200).body["api_keys_limit"], 6);
}

#[tokio::test]
async fn no_change_breaks_what_holds_for_every_tier() {
    let world = World::new().await;
    let pro = world.get("/tiers/PRO", OPERATOR).await.expect(200).body;
    for (field, value) in [
        ("byok_llm_enabled", json!(false)),
        ("platform_managed_llm_enabled", json!(true)),
        ("first_response_hours", json!(0)),
        ("name", json!("PRO-PLUS")),
    ] {
        let mut broken = pro.clone();
        broken[field] = value;
        world.call("PUT", "/tiers/PRO", OPERATOR, Some(broken)).await.refused(422, "invalid_field");
    }
    let mut misspelt = pro.clone();
    misspelt["api_key_limit"] = json!(9);
    let reply = world.call("PUT", "/tiers/PRO", OPERATOR, Some(misspelt)).await.refused(400, "unknown_field");
    assert!(reply.body["detail"].as_str().unwrap().contains("api_keys_limit"), "{}", reply.text);
    assert_eq!(world.get("/tiers/PRO", OPERATOR).await.body, pro);
}
