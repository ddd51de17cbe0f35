use super::{OPERATOR, World, request};
use crate::api::AuditLog;
use serde_json::{Value, json};
use topdog_domain::audit::{ChainHash, ChainVerifier};

#[tokio::test]
async fn every_change_is_in_a_chain_that_holds() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    let scopes = ["llm", "audit:read", "api-keys:write", "provider-keys:write", "org:write"];
    let key = world.scoped(&org, &scopes).await;
    let path = "/organisations/current";
    let mut named = request("POST", &format!("{path}/api-keys"), &key.secret, Some(json!({ "name": "ci" })));
    named.headers_mut().insert("x-request-id", "my-request".parse().unwrap());
    let made = world.send(named).await.issued();
    world.post(&format!("{path}/api-keys/{}/rotate", made.id), &key.secret, json!({})).await.expect(201);
    world.delete(&format!("{path}/api-keys/{}", made.id), &key.secret).await.expect(204);
    let wish = json!({ "provider": "openai", "secret": "sk-1" });
    let kept = world.post(&format!("{path}/provider-keys"), &key.secret, wish).await.expect(201);
    world.delete(&format!("{path}/provider-keys/{}", kept.id()), &key.secret).await.expect(204);
    world.call("PATCH", path, &key.secret, Some(json!({ "data_segment": "medical" }))).await.expect(200);

    let (mut log, mut after) = (Vec::new(), 0);
    let head = loop {
        let reply = world.get(&format!("{path}/audit?limit=3&after={after}"), &key.secret).await.expect(200);
        let part: AuditLog = serde_json::from_str(&reply.text).unwrap();
        log.extend(part.data);
        match part.next_after {
            Some(next) => after = next,
            None => break part.head,
        }
    };
    let id = org.parse().unwrap();
    let mut verifier = ChainVerifier::new(id);
    for entry in &log {
        verifier.next(&entry.to_chain(id).unwrap()).unwrap();
    }
    verifier.finish(head.seq, ChainHash::parse(&head.hash).unwrap()).unwrap();
    let bodies: Vec<Value> = log.iter().map(|entry| serde_json::from_str(&entry.body).unwrap()).collect();
    let actions: Vec<&str> = bodies.iter().map(|body| body["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "organisation.create",
            "api_key.create",
            "api_key.create",
            "api_key.rotate",
            "api_key.revoke",
            "provider_key.create",
            "provider_key.delete",
            "organisation.change"
        ]
    );
    assert_eq!(bodies[0]["actor"], json!({ "kind": "operator" }));
    assert_eq!(bodies[2]["actor"], json!({ "kind": "api_key", "id": key.id }));
    assert_eq!((&bodies[2]["target"], &bodies[2]["ip"]), (&json!(made.id), &json!("192.0.2.7")));
    assert_eq!(bodies[2]["detail"]["client_request_id"], "my-request");
    assert!(bodies[2]["request"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn a_customer_sees_it_where_its_tier_has_it_and_the_operator_always() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["audit:read"]).await;
    let refused = world.get("/organisations/current/audit", &key.secret).await.refused(403, "tier_limit");
    assert_eq!(
        (&refused.body["limit"], &refused.body["lifted_by"]),
        (&json!("audit_logs"), &json!("TEAMS-SMALL"))
    );
    world.get(&format!("/organisations/{org}/audit"), OPERATOR).await.expect(200);
    let unknown = format!("/organisations/org_{:032x}/audit", 7);
    world.get(&unknown, OPERATOR).await.refused(404, "not_found");
    world.get(&unknown, &key.secret).await.refused(404, "not_found");
    for after in ["-1", "x", "99999999999999999999"] {
        let reply = world.get(&format!("/organisations/{org}/audit?after={after}"), OPERATOR).await;
        reply.refused(400, "invalid_parameter");
    }
    let beyond =
        world.get(&format!("/organisations/{org}/audit?after={}", u64::MAX), OPERATOR).await.expect(200);
    assert_eq!(beyond.body["data"], json!([]));
}

#[tokio::test]
async fn the_chain_of_what_is_destroyed_stays_readable() {
    let world = World::new().await;
    let org = world.org("acme", "TEAMS-SMALL").await;
    world.delete(&format!("/organisations/{org}"), OPERATOR).await.expect(204);
    let log = world.get(&format!("/organisations/{org}/audit"), OPERATOR).await.expect(200);
    assert_eq!(log.body["head"]["seq"], 2);
    assert!(log.body["data"][1]["body"].as_str().unwrap().contains("organisation.destroy"));
}

#[tokio::test]
async fn what_concerns_the_installation_has_a_chain_of_its_own() {
    let world = World::new().await;
    let tier = world.get("/tiers/PRO", OPERATOR).await.expect(200).body;
    world.call("PUT", "/tiers/PRO", OPERATOR, Some(tier.clone())).await.expect(200);
    let log = world.get("/audit", OPERATOR).await.expect(200).body;
    assert_eq!(log["head"]["seq"], 1);
    let entry: Value = serde_json::from_str(log["data"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&entry["action"], &entry["target"]), (&json!("tier.put"), &json!("PRO")));
    // It is with the change, and so needs no record elsewhere.
    world.spool.set_healthy(false);
    world.call("PUT", "/tiers/PRO", OPERATOR, Some(tier)).await.expect(200);
    assert!(world.spool.audits().is_empty());
}

#[tokio::test]
async fn the_operator_lists_whose_chains_there_are_and_reads_each() {
    let world = World::new().await;
    let (acme, gone) = (world.org("acme", "PRO").await, world.org("gone", "PRO").await);
    world.delete(&format!("/organisations/{gone}"), OPERATOR).await.expect(204);
    let tier = world.get("/tiers/PRO", OPERATOR).await.expect(200).body;
    world.call("PUT", "/tiers/PRO", OPERATOR, Some(tier)).await.expect(200);
    let (mut chains, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/audit/chains?limit=2{cursor}"), OPERATOR).await.expect(200).body;
        chains.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let installation = topdog_domain::OrgId::INSTALLATION.to_string();
    let said: Vec<_> = chains.iter().map(|chain| (&chain["org"], &chain["name"])).collect();
    let null = Value::Null;
    let all = [(json!(installation), null.clone()), (json!(acme), json!("acme")), (json!(gone), null)];
    assert_eq!(said, all.iter().map(|(org, name)| (org, name)).collect::<Vec<_>>());
    assert_eq!(chains[0]["is_of_installation"], true);
    for (org, _) in said {
        let path = format!("/organisations/{}/audit", org.as_str().unwrap());
        assert!(world.get(&path, OPERATOR).await.expect(200).body["head"]["seq"].as_u64().unwrap() > 0);
    }
    let key = world.scoped(&acme, &["audit:read"]).await;
    world.get("/audit/chains", &key.secret).await.refused(403, "operator_only");
}
