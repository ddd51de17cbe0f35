use super::{Key, OPERATOR, Reply, World};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use topdog_domain::ports::RecordReader as _;

const ALL: &str = "/organisations/current/policies";
const OWN: &str = "/organisations/current/policies/organisation";
const SCOPES: &[&str] = &["policies:read", "policies:write", "llm"];

fn wish(expected: u32, document: Value) -> Value {
    json!({ "expected_version": expected, "document": document })
}

fn deny(expected: u32, pattern: &str) -> Value {
    wish(expected, json!({ "deny": [pattern] }))
}

impl World {
    async fn put(&self, path: &str, credential: &str, body: Value) -> Reply {
        self.call("PUT", path, credential, Some(body)).await
    }

    /// An organisation with policies, and a key that may change them.
    async fn with_policies(&self) -> (String, Key) {
        let org = self.org("acme", "PRO-PLUS").await;
        let key = self.scoped(&org, SCOPES).await;
        (org, key)
    }

    async fn explained(&self, credential: &str, model: &str) -> Value {
        let reply = self.post(&format!("{ALL}/explain"), credential, json!({ "model": model })).await;
        reply.expect(200).body
    }
}

#[tokio::test]
async fn a_policy_has_versions_and_a_way_back() {
    let world = World::new().await;
    let (_, key) = world.with_policies().await;
    let key = key.secret.as_str();
    world.get(OWN, key).await.refused(404, "not_found");
    world.get(&format!("{OWN}/versions"), key).await.refused(404, "not_found");
    let first = world.put(OWN, key, deny(0, "gpt-4*")).await.expect(201);
    assert_eq!((&first.body["version"], &first.body["scope"]), (&json!(1), &json!("organisation")));
    world.put(OWN, key, wish(1, json!({ "aliases": { "fast": "openai/gpt-4o-mini" } }))).await.expect(201);
    let shown = world.get(OWN, key).await.expect(200).body;
    assert_eq!(shown["document"], json!({ "aliases": { "fast": "openai/gpt-4o-mini" } }));
    let back = json!({ "to_version": 1, "expected_version": 2 });
    let back = world.post(&format!("{OWN}/rollback"), key, back).await.expect(201);
    assert_eq!((&back.body["version"], &back.body["document"]), (&json!(3), &json!({ "deny": ["gpt-4*"] })));
    assert_eq!(world.get(ALL, key).await.expect(200).body["data"].as_array().unwrap().len(), 1);
    let page = world.get(&format!("{OWN}/versions?limit=2"), key).await.expect(200).body;
    let versions = |page: &Value| {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["version"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(&page), [3, 2]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world.get(&format!("{OWN}/versions?limit=2&cursor={cursor}"), key).await.expect(200).body;
    assert_eq!((versions(&rest), &rest["next_cursor"]), (vec![1], &Value::Null));
    world.get(&format!("{OWN}/versions?cursor=x"), key).await.refused(400, "invalid_parameter");
    world.delete(&format!("{OWN}?expected_version=2"), key).await.refused(409, "conflict");
    world.delete(&format!("{OWN}?expected_version=3"), key).await.expect(204);
    world.delete(OWN, key).await.refused(404, "not_found");
    world.get(OWN, key).await.refused(404, "not_found");
    let history = world.get(&format!("{OWN}/versions"), key).await.expect(200).body;
    assert_eq!(history["data"][0]["document"], Value::Null, "the deletion is a version, too");
    let back = |to: u32| json!({ "to_version": to, "expected_version": 0 });
    world.post(&format!("{OWN}/rollback"), key, back(4)).await.refused(422, "invalid_field");
    world.post(&format!("{OWN}/rollback"), key, back(9)).await.refused(404, "not_found");
    world.post(&format!("{OWN}/rollback"), key, back(2)).await.expect(201);
}

#[tokio::test]
async fn it_holds_from_the_next_request_on() {
    let world = World::new().await;
    let (org, key) = world.with_policies().await;
    let key = key.secret.as_str();
    let provider_keys = format!("/organisations/{org}/provider-keys");
    world
        .post(&provider_keys, OPERATOR, json!({ "provider": "openai", "secret": "sk-0123456789" }))
        .await
        .expect(201);
    assert_eq!(world.explained(key, "gpt-4o").await["is_allowed"], true);
    world.put(OWN, key, deny(0, "gpt-4o")).await.expect(201);
    let told = world.explained(key, "gpt-4o").await;
    assert_eq!((&told["is_allowed"], &told["refusal"]["code"]), (&json!(false), &json!("policy_denied")));
    world.delete(OWN, key).await.expect(204);
    assert_eq!(world.explained(key, "gpt-4o").await["is_allowed"], true);
}

#[tokio::test]
async fn a_new_deny_holds_at_once_even_where_the_store_is_away_again() {
    let world = World::new().await;
    let (_, key) = world.with_policies().await;
    world.feed.is_away.store(true, Ordering::SeqCst);
    world.put(OWN, &key.secret, deny(0, "gpt-4o")).await.expect(201);
    assert_eq!(world.explained(&key.secret, "gpt-4o").await["refusal"]["code"], "policy_denied");
}

#[tokio::test]
async fn a_tier_without_policies_can_see_and_delete_them_and_make_none() {
    let world = World::new().await;
    let (org, key) = world.with_policies().await;
    let key = key.secret.as_str();
    let document = json!({ "aliases": { "gpt-4o": "openai/gpt-4o-mini" }, "deny": ["gpt-3*"] });
    world.put(OWN, key, wish(0, document)).await.expect(201);
    let tier = |tier: &'static str| {
        let (world, path) = (&world, format!("/organisations/{org}"));
        async move { world.call("PATCH", &path, OPERATOR, Some(json!({ "tier": tier }))).await.expect(200) }
    };
    tier("FREE").await;
    let refused = world.put(OWN, key, deny(1, "x")).await.refused(403, "tier_limit").body;
    assert_eq!((&refused["limit"], &refused["lifted_by"]), (&json!("byok_policies"), &json!("PRO-PLUS")));
    let back = json!({ "to_version": 1, "expected_version": 1 });
    world.post(&format!("{OWN}/rollback"), key, back).await.refused(403, "tier_limit");
    assert_eq!(world.explained(key, "gpt-3.5-turbo").await["refusal"]["code"], "policy_denied");
    let alias = world.explained(key, "gpt-4o").await;
    assert_eq!(alias["refusal"]["code"], "tier_limit", "it does not fall to the model of that name: {alias}");
    let shown = world.get(OWN, key).await.expect(200).body;
    assert!(shown["warnings"][0].as_str().unwrap().contains("the tier has no policies"), "{shown}");
    world.get(&format!("{OWN}/versions"), key).await.expect(200);
    tier("PRO-PLUS").await;
    assert_eq!(world.get(OWN, key).await.expect(200).body["version"], 1);
    tier("FREE").await;
    world.delete(OWN, key).await.expect(204);
}

#[tokio::test]
async fn nobody_reaches_another_organisation_s() {
    let world = World::new().await;
    let (acme, _) = world.with_policies().await;
    let own = world.scoped(&acme, SCOPES).await;
    let key_path = |id: &str| format!("{ALL}/{id}");
    world.put(OWN, &own.secret, deny(0, "gpt-4*")).await.expect(201);
    world.put(&key_path(&own.id), &own.secret, deny(0, "gpt-3*")).await.expect(201);
    let workspaces = world.get(&format!("/organisations/{acme}/workspaces"), OPERATOR).await.expect(200);
    let workspace = workspaces.body["data"][0]["id"].as_str().unwrap().to_owned();

    let other = world.org("other", "ENTERPRISE-ULTIMATE").await;
    let thief = world.scoped(&other, &["policies:read", "policies:write", "api-keys:read"]).await;
    let thief = thief.secret.as_str();
    for scope in ["organisation", own.id.as_str(), workspace.as_str()] {
        for org in [acme.as_str(), "acme"] {
            let path = format!("/organisations/{org}/policies/{scope}");
            world.get(&path, thief).await.refused(404, "not_found");
            world.get(&format!("{path}/versions"), thief).await.refused(404, "not_found");
            world.put(&path, thief, deny(1, "x")).await.refused(404, "not_found");
            let back = json!({ "to_version": 1, "expected_version": 1 });
            world.post(&format!("{path}/rollback"), thief, back).await.refused(404, "not_found");
            world.delete(&path, thief).await.refused(404, "not_found");
        }
    }
    // By its own organisation, with the other's ids.
    for scope in [&own.id, &workspace] {
        world.get(&key_path(scope), thief).await.refused(404, "not_found");
        world.get(&format!("{}/versions", key_path(scope)), thief).await.refused(404, "not_found");
        world.put(&key_path(scope), thief, deny(0, "x")).await.refused(404, "not_found");
        let back = json!({ "to_version": 1, "expected_version": 0 });
        world.post(&format!("{}/rollback", key_path(scope)), thief, back).await.refused(404, "not_found");
        world.delete(&key_path(scope), thief).await.refused(404, "not_found");
    }
    let asked = json!({ "model": "gpt-4o", "key": own.id });
    world.post(&format!("{ALL}/explain"), thief, asked).await.refused(404, "not_found");
    assert_eq!(world.get(ALL, thief).await.expect(200).body["data"], json!([]));
    let all = world.get(ALL, &own.secret).await.expect(200).body;
    assert!(all["data"].as_array().unwrap().iter().all(|row| row["version"] == 1), "{all}");
}

#[tokio::test]
async fn of_puts_at_the_same_time_one_wins() {
    let world = World::new().await;
    let (_, key) = world.with_policies().await;
    let put = |n: usize| world.put(OWN, &key.secret, deny(0, ["a", "b", "c", "d"][n]));
    let replies = tokio::join!(put(0), put(1), put(2), put(3));
    let replies = [replies.0, replies.1, replies.2, replies.3];
    let won: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert_eq!(won.len(), 1);
    assert!(replies.iter().all(|reply| reply.status == 201 || reply.body["code"] == "conflict"));
    assert_eq!(world.get(OWN, &key.secret).await.body["document"], won[0].body["document"]);
}

#[tokio::test]
async fn sent_again_with_its_idempotency_key_a_put_changes_nothing() {
    let world = World::new().await;
    let (_, key) = world.with_policies().await;
    let send = |body: Value| {
        let mut request = super::request("PUT", OWN, &key.secret, Some(body));
        request.headers_mut().insert("idempotency-key", "once".parse().unwrap());
        world.send(request)
    };
    let first = send(deny(0, "a")).await.expect(201);
    let again = send(deny(0, "a")).await.expect(201);
    assert_eq!((first.text, again.header("idempotency-replayed")), (again.text.clone(), "true"));
    send(deny(1, "b")).await.refused(422, "idempotency_mismatch");
    assert_eq!(world.get(OWN, &key.secret).await.body["version"], 1);
}

#[tokio::test]
async fn a_bad_document_is_refused_by_field_and_nothing_is_stored() {
    let world = World::new().await;
    let (_, key) = world.with_policies().await;
    let key = key.secret.as_str();
    let many: Vec<String> = (0..101).map(|n| format!("m{n}")).collect();
    for (document, status, code, param) in [
        (json!({ "fallbacks": [] }), 400, "unknown_field", "fallbacks"),
        (json!({ "aliases": { "a": "b", "b": "a" } }), 422, "invalid_field", "aliases"),
        (json!({ "aliases": { "openai/gpt-4o": "b" } }), 422, "invalid_field", "aliases"),
        (json!({ "allow": [] }), 422, "invalid_field", "allow"),
        (json!({ "deny": many }), 422, "invalid_field", "deny"),
        (json!({ "deny": ["x".repeat(201)] }), 422, "invalid_field", "deny"),
    ] {
        let refused = world.put(OWN, key, wish(0, document)).await.refused(status, code);
        assert_eq!(refused.body["param"], param, "{}", refused.text);
    }
    let huge = json!({ "deny": ["x".repeat(2 * 1024 * 1024)] });
    world.put(OWN, key, wish(0, huge)).await.refused(413, "body_too_large");
    world.put(OWN, key, json!({ "document": {} })).await.refused(400, "missing_field");
    for scope in ["key_1", "Organisation", "ws_", "%2e%2e", "org_00000000000000000000000000000001"] {
        world.put(&format!("{ALL}/{scope}"), key, deny(0, "a")).await.refused(404, "not_found");
    }
    world.get(OWN, key).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_has_no_effect_is_said() {
    let world = World::new().await;
    let (_, key) = world.with_policies().await;
    let document = json!({ "allow": ["openai/*"], "deny": ["opanai/gpt-4", "gpt-3"] });
    let put = world.put(OWN, &key.secret, wish(0, document)).await.expect(201).body;
    assert_eq!(put["warnings"], json!(["`opanai/gpt-4`: there is no provider `opanai` here"]));
}

#[tokio::test]
async fn a_key_of_a_workspace_changes_no_rule_of_others() {
    let world = World::new().await;
    let (org, free) = world.with_policies().await;
    let workspaces = world.get(&format!("/organisations/{org}/workspaces"), OPERATOR).await.expect(200);
    let workspace = workspaces.body["data"][0]["id"].as_str().unwrap().to_owned();
    let bound = json!({ "name": "bound", "scopes": SCOPES, "workspace": workspace });
    let bound = world.key(&org, bound).await;
    world.put(OWN, &free.secret, deny(0, "gpt-4*")).await.expect(201);
    for path in [OWN.to_owned(), format!("{ALL}/{}", free.id)] {
        world.put(&path, &bound.secret, deny(1, "x")).await.refused(403, "outside_workspace");
        world.delete(&path, &bound.secret).await.refused(403, "outside_workspace");
    }
    world.get(OWN, &bound.secret).await.expect(200);
    for path in [format!("{ALL}/{workspace}"), format!("{ALL}/{}", bound.id)] {
        world.put(&path, &bound.secret, deny(0, "gpt-3*")).await.expect(201);
        world.delete(&path, &bound.secret).await.expect(204);
    }
}

#[tokio::test]
async fn a_key_with_a_policy_of_its_own_makes_no_key_without_it() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let maker = world.scoped(&org, &["llm", "api-keys:write"]).await;
    let other = world.scoped(&org, &["llm"]).await;
    world
        .put(&format!("/organisations/{org}/policies/{}", maker.id), OPERATOR, deny(0, "gpt-4*"))
        .await
        .expect(201);
    let keys = "/organisations/current/api-keys";
    let wish = json!({ "name": "wider", "scopes": ["llm"] });
    world.post(keys, &maker.secret, wish.clone()).await.refused(403, "wider_than_own_key");
    let rotate = |id: &str| format!("{keys}/{id}/rotate");
    world.post(&rotate(&other.id), &maker.secret, json!({})).await.refused(403, "wider_than_own_key");
    world.post(&rotate(&maker.id), &maker.secret, json!({})).await.issued();
    let free = world.scoped(&org, &["llm", "api-keys:write"]).await;
    world.post(keys, &free.secret, wish).await.issued();
}

#[tokio::test]
async fn each_change_is_in_the_audit_log() {
    let world = World::new().await;
    let (org, key) = world.with_policies().await;
    let before = world.store.audit_head(org.parse().unwrap()).await.unwrap().0;
    world.put(OWN, &key.secret, deny(0, "gpt-4*")).await.expect(201);
    world
        .post(&format!("{OWN}/rollback"), &key.secret, json!({ "to_version": 1, "expected_version": 1 }))
        .await
        .expect(201);
    world.delete(OWN, &key.secret).await.expect(204);
    world.put(OWN, &key.secret, deny(7, "gpt-4*")).await.refused(409, "conflict");
    let entries = world.store.audit_list(org.parse().unwrap(), before, 10).await.unwrap();
    let told: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let body: Value = serde_json::from_str(&entry.body).unwrap();
            assert_eq!((&body["target"], &body["actor"]["id"]), (&json!("organisation"), &json!(key.id)));
            (
                body["action"].as_str().unwrap().to_owned(),
                body["detail"]["version"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [("policy.put", "1"), ("policy.roll_back", "2"), ("policy.delete", "3")];
    assert_eq!(told, expected.map(|(action, version)| (action.to_owned(), version.to_owned())));
}

#[tokio::test]
async fn caps_of_money_come_with_policies_and_quotas_of_a_key_with_their_tier() {
    let world = World::new().await;
    let (plus, teams) = (world.org("plus", "PRO-PLUS").await, world.org("teams", "TEAMS-SMALL").await);
    for (org, refused) in [(&plus, true), (&teams, false)] {
        let key = world.scoped(org, &["llm"]).await.id;
        let path = |scope: &str| format!("/organisations/{org}/policies/{scope}");
        let caps = |expected, caps: Value| wish(expected, json!({ "caps": caps }));
        let money = caps(0, json!([{ "dollars": "1.5", "per": "day" }]));
        world.put(&path(&key), OPERATOR, money).await.expect(201);
        let quotas = json!([{ "requests": 5, "per": "minute" }, { "concurrent": 2 }]);
        world.put(&path("organisation"), OPERATOR, caps(0, quotas.clone())).await.expect(201);
        let of_key = world.put(&path(&key), OPERATOR, caps(1, quotas)).await;
        if refused {
            assert_eq!(of_key.refused(403, "tier_limit").body["limit"], "resource_quotas");
        } else {
            of_key.expect(201);
        }
        let quota = world.get(&format!("/organisations/{org}/quota"), OPERATOR).await.expect(200).body;
        let minute = json!({ "limit": "organisation:requests_per_minute", "allowed": 5, "used": 0,
            "resets_at": "2026-01-01T00:01:00Z" });
        let at_a_time = json!({ "limit": "organisation:concurrent_requests", "allowed": 2, "used": 0,
            "resets_at": null });
        for line in [minute, at_a_time] {
            assert!(quota["data"].as_array().unwrap().contains(&line), "{line} in {quota}");
        }
    }
    let wrong = wish(2, json!({ "caps": [{ "dollars": "1.5" }] }));
    let path = format!("/organisations/{teams}/policies/organisation");
    let refused = world.put(&path, OPERATOR, wrong).await.refused(422, "invalid_field");
    assert_eq!(refused.body["param"], "caps");
}
