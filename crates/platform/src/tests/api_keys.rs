use super::organisations::futures;
use super::{HOME, NOBODY, OPERATOR, World, from, request};
use serde_json::{Value, json};
use topdog_domain::audit::AuditOutcome;

const KEYS: &str = "/organisations/current/api-keys";

#[tokio::test]
async fn a_secret_is_shown_once_and_works_at_once() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["api-keys:read"]).await;
    assert!(key.secret.starts_with("td_live_") && key.secret.len() == 69);
    let shown = world.get(&format!("{KEYS}/{}", key.id), &key.secret).await.expect(200);
    let list = world.get(KEYS, &key.secret).await.expect(200);
    assert_eq!(list.body["data"][0], shown.body);
    assert!(key.secret.starts_with(shown.body["secrets"][0]["begins_with"].as_str().unwrap()));
    for reply in [shown, list] {
        assert!(!reply.text.contains(&key.secret[20..63]), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["api-keys:read"]).await;
    let path = format!("/organisations/{org}/api-keys/{}", key.id);
    world.get(KEYS, &key.secret).await.expect(200);
    world.delete(&path, OPERATOR).await.expect(204);
    world.get(KEYS, &key.secret).await.refused(401, "invalid_api_key");
    world.delete(&path, OPERATOR).await.refused(404, "not_found");
    let shown = world.get(&path, OPERATOR).await.expect(200);
    assert_ne!(shown.body["revoked_at"], Value::Null);
}

#[tokio::test]
async fn a_revoked_key_is_refused_also_where_the_rest_can_not_be_read_again() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let (key, other) = (world.scoped(&org, &["org:read"]).await, world.scoped(&org, &["org:read"]).await);
    world.feed.is_away.store(true, std::sync::atomic::Ordering::SeqCst);
    world.delete(&format!("/organisations/{org}/api-keys/{}", key.id), OPERATOR).await.expect(204);
    world.get("/organisations/current", &key.secret).await.refused(401, "invalid_api_key");
    world.get("/organisations/current", &other.secret).await.expect(200);
    world.delete(&format!("/organisations/{org}"), OPERATOR).await.expect(204);
    world.get("/organisations/current", &other.secret).await.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn rotation_leaves_the_old_secret_its_grace() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let old = world.scoped(&org, &["api-keys:read"]).await;
    let path = format!("/organisations/{org}/api-keys/{}/rotate", old.id);
    let new = world.post(&path, OPERATOR, json!({ "grace_seconds": 60 })).await.issued();
    assert_eq!(new.id, old.id);
    assert_ne!(new.secret, old.secret);
    world.get(KEYS, &old.secret).await.expect(200);
    world.get(KEYS, &new.secret).await.expect(200);
    world.clock.advance_seconds(60);
    world.get(KEYS, &old.secret).await.refused(401, "expired_api_key");
    world.get(KEYS, &new.secret).await.expect(200);
    let too_long = json!({ "grace_seconds": 30 * 24 * 3600 + 1 });
    world.post(&path, OPERATOR, too_long).await.refused(422, "invalid_field");
    let by_default = world.call("POST", &path, OPERATOR, None).await.issued();
    world.clock.advance_seconds(3599);
    world.get(KEYS, &new.secret).await.expect(200);
    world.clock.advance_seconds(1);
    world.get(KEYS, &new.secret).await.expect(401);
    world.get(KEYS, &by_default.secret).await.expect(200);
}

#[tokio::test]
async fn the_tiers_limit_holds_under_fifty_at_once() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let count = std::sync::atomic::AtomicU32::new(0);
    let replies = futures(50, || {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let wish = json!({ "name": format!("key {n}") });
        let path = format!("/organisations/{org}/api-keys");
        let world = &world;
        async move { world.post(&path, OPERATOR, wish).await }
    })
    .await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(made, 5);
    for refused in replies.into_iter().filter(|reply| reply.status != 201) {
        let refused = refused.refused(429, "tier_limit");
        assert_eq!(refused.body["limit"], "api_keys");
        assert_eq!((&refused.body["allowed"], &refused.body["used"]), (&json!(5), &json!(5)));
        assert_eq!(refused.body["lifted_by"], "PRO-PLUS");
        assert_eq!(refused.body["plans_url"], "https://example.com/plans");
    }
    let list = world.get(&format!("/organisations/{org}/api-keys"), OPERATOR).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn no_key_makes_or_learns_a_wider_one() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let workspaces = world.get(&format!("/organisations/{org}/workspaces"), OPERATOR).await;
    let workspace = workspaces.body["data"][0]["id"].clone();
    let bounds = json!({
        "name": "narrow",
        "scopes": ["llm", "api-keys:write"],
        "models": ["openai/*"],
        "ip_allow": ["192.0.2.0/24"],
        "workspace": workspace,
        "expires_in_seconds": 3600,
        "llm_requests_per_day": 10,
    });
    let narrow = world.key(&org, bounds.clone()).await;
    let with = |field: &str, value: Value| {
        let mut wish = bounds.clone();
        wish["name"] = json!(format!("with another {field}"));
        wish[field] = value;
        wish
    };
    for (field, value) in [
        ("scopes", json!(["llm", "audit:read"])),
        ("models", json!([])),
        ("models", json!(["anthropic/claude"])),
        ("ip_allow", json!([])),
        ("ip_allow", json!(["192.0.2.0/23"])),
        ("workspace", Value::Null),
        ("expires_in_seconds", json!(3601)),
        ("expires_in_seconds", Value::Null),
        ("llm_requests_per_day", json!("unlimited")),
    ] {
        let wide = with(field, value);
        world.post(KEYS, &narrow.secret, wide).await.refused(403, "wider_than_own_key");
    }
    let denied = world.spool.audits();
    assert_eq!(denied.len(), 9);
    assert!(
        denied.iter().all(|entry| entry.outcome == AuditOutcome::Denied && entry.action == "api_key.create")
    );
    world.post(KEYS, &narrow.secret, with("models", json!(["openai/gpt-4o"]))).await.expect(201);

    let wide = world.key(&org, json!({ "name": "wide", "scopes": ["audit:read"] })).await;
    let rotate = format!("{KEYS}/{}/rotate", wide.id);
    world.post(&rotate, &narrow.secret, json!({})).await.refused(403, "wider_than_own_key");
    let own = format!("{KEYS}/{}/rotate", narrow.id);
    world.post(&own, &narrow.secret, json!({})).await.expect(201);
}

#[tokio::test]
async fn a_key_keeps_to_its_addresses_and_its_time() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let wish =
        json!({ "name": "bound", "scopes": ["org:read"], "ip_allow": [HOME], "expires_in_seconds": 10 });
    let key = world.key(&org, wish).await;
    let show = || request("GET", "/organisations/current", &key.secret, None);
    world.send(show()).await.expect(200);
    world.send(from(show(), "::ffff:192.0.2.7")).await.expect(200);
    world.send(from(show(), "192.0.2.8")).await.refused(403, "ip_not_allowed");
    let mut from_nowhere = show();
    from_nowhere.extensions_mut().clear();
    world.send(from_nowhere).await.refused(403, "ip_not_allowed");
    world.clock.advance_seconds(10);
    world.send(show()).await.refused(401, "expired_api_key");
}

#[tokio::test]
async fn what_a_key_can_not_be_is_refused_by_field() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let path = format!("/organisations/{org}/api-keys");
    let past = "2020-01-01T00:00:00Z";
    for (param, wish) in [
        ("name", json!({ "name": "a\nb" })),
        ("scopes", json!({ "name": "a", "scopes": [] })),
        ("models", json!({ "name": "a", "models": ["gpt 4"] })),
        ("models", json!({ "name": "a", "models": ["gpt\r\nx: y"] })),
        ("ip_allow", json!({ "name": "a", "ip_allow": ["10.0.0.0/99"] })),
        ("workspace", json!({ "name": "a", "workspace": format!("ws_{:032x}", 1) })),
        ("expires_at", json!({ "name": "a", "expires_at": past })),
        ("expires_at", json!({ "name": "a", "expires_at": "2027-01-01T00:00:00Z", "expires_in_seconds": 1 })),
        ("expires_in_seconds", json!({ "name": "a", "expires_in_seconds": 0 })),
    ] {
        let reply = world.post(&path, OPERATOR, wish).await.refused(422, "invalid_field");
        assert_eq!(reply.body["param"], param);
    }
    let list = world.get(&path, OPERATOR).await;
    assert_eq!(list.body["data"], json!([]));
}

#[tokio::test]
async fn a_limit_of_its_own_needs_the_tier() {
    let world = World::new().await;
    let (pro, teams) = (world.org("pro", "PRO").await, world.org("teams", "TEAMS-SMALL").await);
    let wish = json!({ "name": "a", "llm_requests_per_day": 5 });
    let path = |org: &str| format!("/organisations/{org}/api-keys");
    let refused = world.post(&path(&pro), OPERATOR, wish.clone()).await.refused(403, "tier_limit");
    assert_eq!(refused.body["limit"], "resource_quotas");
    assert_eq!(refused.body["lifted_by"], "TEAMS-SMALL");
    let made = world.post(&path(&teams), OPERATOR, wish).await.expect(201);
    assert_eq!(made.body["key"]["llm_requests_per_day"], 5);
}

#[tokio::test]
async fn another_organisations_key_is_not_there() {
    let world = World::new().await;
    let (acme, other) = (world.org("acme", "PRO").await, world.org("other", "PRO").await);
    let theirs = world.scoped(&acme, &["llm"]).await;
    let mine = world.scoped(&other, &["llm", "api-keys:read", "api-keys:write"]).await;
    let path = format!("{KEYS}/{}", theirs.id);
    world.get(&path, &mine.secret).await.refused(404, "not_found");
    world.delete(&path, &mine.secret).await.refused(404, "not_found");
    world.post(&format!("{path}/rotate"), &mine.secret, json!({})).await.refused(404, "not_found");
    let shown = world.get(&format!("/organisations/{acme}/api-keys/{}", theirs.id), OPERATOR).await;
    assert_eq!(shown.body["revoked_at"], Value::Null);
    world.get(KEYS, NOBODY).await.refused(401, "missing_api_key");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_cut_a_change_in_half() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/api-keys");
    let mut leaving = Box::pin(world.call("POST", &path, OPERATOR, Some(json!({ "name": "ci" }))));
    std::future::poll_fn(|context| {
        assert!(leaving.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(leaving);
    let mut made = Value::Null;
    for _ in 0..100 {
        tokio::task::yield_now().await;
        made = world.get(&path, OPERATOR).await.body["data"].clone();
        if made != json!([]) {
            break;
        }
    }
    assert_eq!(made[0]["name"], "ci");
    let quota = world.get(&format!("/organisations/{org}/quota"), OPERATOR).await;
    assert!(quota.text.contains(r#""limit":"api_keys","allowed":5,"used":1"#), "{}", quota.text);
}

#[tokio::test]
async fn keys_beyond_a_lower_tiers_number_are_refused_and_the_oldest_works() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(world.scoped(&org, &["org:read", "api-keys:read"]).await);
        world.clock.advance_seconds(1);
    }
    let set_tier = async |tier: &str| {
        let body = Some(json!({ "tier": tier }));
        world.call("PATCH", &format!("/organisations/{org}"), OPERATOR, body).await.expect(200)
    };
    set_tier("FREE").await;
    world.get(KEYS, &keys[0].secret).await.expect(200);
    for key in &keys[1..] {
        let refused = world.get("/organisations/current", &key.secret).await.refused(403, "tier_limit");
        assert_eq!((&refused.body["limit"], &refused.body["tier"]), (&json!("api_keys"), &json!("FREE")));
        assert_eq!((&refused.body["allowed"], &refused.body["used"]), (&json!(1), &json!(3)));
        assert_eq!(refused.body["lifted_by"], "PRO");
    }
    let over_limit = async || {
        let list = world.get(&format!("/organisations/{org}/api-keys"), OPERATOR).await.expect(200);
        let of = |key: &super::Key| {
            let shown = list.body["data"].as_array().unwrap().iter().find(|shown| shown["id"] == *key.id);
            shown.unwrap()["over_limit"].as_bool().unwrap()
        };
        keys.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(over_limit().await, [false, true, true]);
    // A new secret makes no place.
    let path = |key: &super::Key| format!("/organisations/{org}/api-keys/{}", key.id);
    let rotated = world.post(&format!("{}/rotate", path(&keys[2])), OPERATOR, json!({})).await.issued();
    world.get(KEYS, &rotated.secret).await.refused(403, "tier_limit");

    world.delete(&path(&keys[0]), OPERATOR).await.expect(204);
    world.get(KEYS, &keys[1].secret).await.expect(200);
    world.get(KEYS, &keys[2].secret).await.refused(403, "tier_limit");
    assert_eq!(over_limit().await, [false, false, true]);
    set_tier("PRO").await;
    world.get(KEYS, &keys[2].secret).await.expect(200);
    assert_eq!(over_limit().await, [false, false, false]);
}
