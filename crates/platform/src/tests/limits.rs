use super::{OPERATOR, World};
use serde_json::{Value, json};
use topdog_domain::entitlement::Resource;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::ports::MinuteLedger;
use topdog_domain::quota::MeterKey;

/// What the operator sees used of a limit.
async fn used(world: &World, org: &str, limit: &str) -> Value {
    let quota = world.get(&format!("/organisations/{org}/quota"), OPERATOR).await.expect(200);
    let lines = quota.body["data"].as_array().unwrap().clone();
    lines.into_iter().find(|line| line["limit"] == limit).unwrap()["used"].clone()
}

#[tokio::test]
async fn key_management_is_limited_by_the_minute() {
    let world = World::new().await;
    let org = world.org("acme", "FREE").await;
    let key = world.scoped(&org, &["api-keys:read", "org:read"]).await;
    let path = "/organisations/current/api-keys";
    for _ in 0..5 {
        world.get(path, &key.secret).await.expect(200);
    }
    world.clock.advance_seconds(20);
    let refused = world.get(path, &key.secret).await.refused(429, "tier_limit");
    assert_eq!(refused.body["limit"], "key_management_calls_per_minute");
    assert_eq!(refused.body["lifted_by"], "PRO");
    assert_eq!(refused.header("retry-after"), "40");
    world.get("/organisations/current", &key.secret).await.expect(200);
    world.get(&format!("/organisations/{org}/api-keys"), OPERATOR).await.expect(200);
    world.clock.advance_seconds(40);
    world.get(path, &key.secret).await.expect(200);
}

#[tokio::test]
async fn key_management_calls_are_counted_for_all_nodes() {
    let world = World::new().await;
    let org = world.org("acme", "FREE").await;
    let key = world.scoped(&org, &["api-keys:read", "org:read"]).await;
    let meter = MeterKey::of(org.parse().unwrap(), Resource::KeyManagementCallsPerMinute);
    for _ in 0..4 {
        world.ledger.minute_take(&meter, 5, NEW_YEAR).await.unwrap();
    }
    let path = "/organisations/current/api-keys";
    world.get(path, &key.secret).await.expect(200);
    let refused = world.get(path, &key.secret).await.refused(429, "tier_limit");
    assert_eq!((&refused.body["allowed"], &refused.body["used"]), (&json!(5), &json!(5)));
    assert_eq!(used(&world, &org, "api_calls_per_day").await, 1);
}

#[tokio::test]
async fn a_keys_calls_count_and_a_tiers_refusals_do_not() {
    let world = World::new().await;
    let org = world.org("acme", "FREE").await;
    let key = world.scoped(&org, &["org:read", "audit:read"]).await;
    for _ in 0..3 {
        world.get("/organisations/current", &key.secret).await.expect(200);
    }
    world.get("/organisations/current/workspaces/nothing", &key.secret).await.expect(404);
    for _ in 0..30 {
        world.get("/organisations/current/audit", &key.secret).await.refused(403, "tier_limit");
    }
    assert_eq!(used(&world, &org, "api_calls_per_day").await, 3);
    for _ in 0..2 {
        world.get("/organisations/current/usage", &key.secret).await.refused(403, "scope_missing");
        world.get("/organisations/another", &key.secret).await.expect(404);
    }
    assert_eq!(used(&world, &org, "api_calls_per_day").await, 7, "what a scope refuses is an API call");
    for _ in 7..20 {
        world.get("/tiers", &key.secret).await.expect(200);
    }
    let refused = world.get("/organisations/current", &key.secret).await.refused(429, "tier_limit");
    assert_eq!(refused.body["limit"], "api_calls_per_day");
    assert_eq!(refused.body["resets_at"], "2026-01-02T00:00:00Z");
    assert_eq!(refused.header("retry-after"), "86400");
    assert_eq!(used(&world, &org, "api_calls_per_day").await, 20);
    world.clock.advance_seconds(86_400);
    world.get("/organisations/current", &key.secret).await.expect(200);
}

#[tokio::test]
async fn without_a_ledger_no_key_is_let_in_and_the_operator_is() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["org:read", "api-keys:read"]).await;
    world.ledger.set_away(true);
    for path in ["/organisations/current", "/organisations/current/api-keys"] {
        world.get(path, &key.secret).await.refused(503, "ledger_unavailable");
    }
    world.get(&format!("/organisations/{org}"), OPERATOR).await.expect(200);
}

#[tokio::test]
async fn the_quota_says_every_limit_that_is_kept() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let key = world.key(&org, json!({ "name": "a", "llm_requests_per_day": 7 })).await;
    let quota = world.get(&format!("/organisations/{org}/quota"), OPERATOR).await.expect(200);
    assert_eq!((&quota.body["tier"], &quota.body["day"]), (&json!("TEAMS-SMALL"), &json!("2026-01-01")));
    let own = json!({
        "limit": format!("llm_requests_per_day:{}", key.id),
        "allowed": 7,
        "used": 0,
        "resets_at": "2026-01-02T00:00:00Z"
    });
    assert!(quota.body["data"].as_array().unwrap().contains(&own), "{}", quota.text);
    let keys = json!({ "limit": "api_keys", "allowed": "unlimited", "used": 1, "resets_at": null });
    assert!(quota.body["data"].as_array().unwrap().contains(&keys), "{}", quota.text);
}

#[tokio::test]
async fn denials_are_audited_and_can_not_fill_the_disk() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["org:read"]).await;
    for _ in 0..200 {
        world.get("/organisations/current/api-keys", &key.secret).await.refused(403, "scope_missing");
    }
    assert_eq!(world.spool.audits().len(), 60);
    world.clock.advance_seconds(60);
    world.get("/organisations/current/api-keys", &key.secret).await.expect(403);
    assert_eq!(world.spool.audits().len(), 61);
}
