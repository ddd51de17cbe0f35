use super::{CANARY, OPERATOR, World};
use serde_json::{Value, json};
use topdog_domain::audit::AuditOutcome;
use topdog_domain::ports::SealedSecrets;

const KEYS: &str = "/organisations/current/provider-keys";
const SCOPES: &[&str] = &["org:read", "org:write", "provider-keys:read", "provider-keys:write"];

fn openai(name: &str) -> Value {
    json!({ "provider": "openai", "name": name, "secret": CANARY })
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let owner = world.scoped(&org, SCOPES).await;
    let made = world.post(KEYS, &owner.secret, openai("main")).await.expect(201);
    assert_eq!(made.body["origin"], "https://api.openai.com");
    assert_eq!((&made.body["source"], &made.body["version"]), (&json!("sealed"), &json!(1)));
    let path = format!("{KEYS}/{}", made.id());
    let next = json!({ "secret": format!("{CANARY}-2") });
    let replies = [
        world.get(KEYS, &owner.secret).await.expect(200),
        world.get(&path, &owner.secret).await.expect(200),
        world.post(&format!("{path}/rotate"), &owner.secret, next).await.expect(200),
        world.get(&format!("/organisations/{org}/audit"), OPERATOR).await.expect(200),
        world.post(KEYS, &owner.secret, openai("main")).await.refused(409, "conflict"),
        made,
    ];
    for reply in &replies {
        assert!(!reply.text.contains("sk-canary"), "{}", reply.text);
        assert!(!format!("{:?}", reply.headers).contains("sk-canary"));
    }
    assert_eq!(replies[2].body["version"], 2);
    let id = replies[1].id().parse().unwrap();
    let sealed = world.store.secret_find(id, 2).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&sealed.ciphertext).contains("canary"));
    world.delete(&path, &owner.secret).await.expect(204);
    world.get(&path, &owner.secret).await.refused(404, "not_found");
    world.delete(&path, &owner.secret).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_tier_says_which_providers() {
    let world = World::new().await;
    let org = world.org("acme", "FREE").await;
    let owner = world.scoped(&org, SCOPES).await;
    let wish = json!({ "provider": "anthropic", "secret": CANARY });
    let refused = world.post(KEYS, &owner.secret, wish.clone()).await.refused(403, "tier_limit");
    assert_eq!(refused.body["limit"], "provider:anthropic");
    assert_eq!(refused.body["lifted_by"], "PRO");
    assert_eq!(world.spool.audits().len(), 1);
    world.post(KEYS, &owner.secret, openai("main")).await.expect(201);
    let by_operator = world.post(&format!("/organisations/{org}/provider-keys"), OPERATOR, wish).await;
    by_operator.refused(403, "tier_limit");
}

#[tokio::test]
async fn a_provider_that_is_not_here_is_named_so() {
    let world = World::new().await;
    let org = world.org("acme", "ENTERPRISE-ULTIMATE").await;
    for provider in ["anthropic", "nowhere", "test"] {
        let wish = json!({ "provider": provider, "secret": CANARY });
        let reply = world.post(&format!("/organisations/{org}/provider-keys"), OPERATOR, wish).await;
        let reply = reply.refused(422, "invalid_field");
        assert!(reply.body["detail"].as_str().unwrap().contains("openai"), "{}", reply.text);
    }
}

#[tokio::test]
async fn only_the_operator_refers_to_keys_elsewhere() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let owner = world.scoped(&org, SCOPES).await;
    let wish = |reference: &str| json!({ "provider": "openai", "name": reference, "reference": reference });
    let of_org = format!("/organisations/{org}/provider-keys");
    let (_, file) = world.key_file("key");
    for reference in ["env:OPENAI_API_KEY", file.as_str()] {
        world.post(KEYS, &owner.secret, wish(reference)).await.refused(403, "operator_only");
        let made = world.post(&of_org, OPERATOR, wish(reference)).await.expect(201);
        assert_eq!((&made.body["source"], &made.body["reference"]), (&json!("reference"), &json!(reference)));
    }
    for bad in ["file:/etc/../shadow", "env:", "env:A B", "https://example.com", "file:relative"] {
        let wish = json!({ "provider": "openai", "reference": bad });
        world.post(&of_org, OPERATOR, wish).await.refused(422, "invalid_field");
    }
    let made = world.post(KEYS, &owner.secret, openai("main")).await.expect(201);
    let rotate = format!("{KEYS}/{}/rotate", made.id());
    let by_reference = json!({ "reference": "env:OPENAI_API_KEY" });
    world.post(&rotate, &owner.secret, by_reference).await.refused(403, "operator_only");
}

#[tokio::test]
async fn a_reference_must_lead_to_a_key_when_it_is_given() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    let wish = |reference: &str| json!({ "provider": "openai", "reference": reference });
    let nowhere = format!("file:{}", world.folder.path().join("nowhere").display());
    for (reference, said) in [
        ("env:OPENAI_KEY", "the server's own environment has no variable OPENAI_KEY; set it where"),
        ("env:NO_KEY", "what is there is no key"),
        (nowhere.as_str(), "the server's machine has no file "),
        ("vault:secret/openai#key", "no vault server is configured"),
    ] {
        let refused =
            world.post(&path, OPERATOR, wish(reference)).await.refused(422, "reference_unreachable");
        assert_eq!(refused.body["param"], "reference");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains(said) && detail.contains("`seal = true`"), "{detail}");
    }
    let (_, own) = world.key_file("data/operator.token");
    let refused = world.post(&path, OPERATOR, wish(&own)).await.refused(422, "invalid_field");
    assert!(refused.body["detail"].as_str().unwrap().contains("Top Dog's own"), "{}", refused.text);
    assert_eq!(world.get(&path, OPERATOR).await.body["data"], json!([]));

    let made = world.post(&path, OPERATOR, wish("env:OPENAI_API_KEY")).await.expect(201);
    let rotate = format!("{path}/{}/rotate", made.id());
    let missing = json!({ "reference": "env:OPENAI_KEY" });
    world.post(&rotate, OPERATOR, missing).await.refused(422, "reference_unreachable");
    let shown = world.get(&format!("{path}/{}", made.id()), OPERATOR).await;
    assert_eq!((&shown.body["version"], &shown.body["reference"]), (&json!(1), &json!("env:OPENAI_API_KEY")));
}

#[tokio::test]
async fn a_reference_is_sealed_beside_what_is_shown_of_it() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    let by_reference = json!({ "reference": "env:OPENAI_API_KEY" });
    let made = world.post(&path, OPERATOR, openai("main")).await.expect(201);
    world.post(&format!("{path}/{}/rotate", made.id()), OPERATOR, by_reference).await.expect(200);
    let sealed = world.store.secret_find(made.id().parse().unwrap(), 2).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&sealed.ciphertext).contains("OPENAI"));
}

#[tokio::test]
async fn a_secret_that_is_no_header_value_is_refused_unsaid() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    for bad in
        ["", "sk-canary\r\nx-evil: 1", "sk-canary with space", "sk-canary\u{e9}", &"sk-canary".repeat(500)]
    {
        let reply = world.post(&path, OPERATOR, json!({ "provider": "openai", "secret": bad })).await;
        let reply = reply.refused(422, "invalid_field");
        assert_eq!(reply.body["param"], "secret");
        assert!(!reply.text.contains("sk-canary"), "{}", reply.text);
    }
    for both in [
        json!({ "provider": "openai" }),
        json!({ "provider": "openai", "secret": CANARY, "reference": "env:A" }),
    ] {
        world.post(&path, OPERATOR, both).await.refused(422, "invalid_field");
    }
    assert_eq!(world.get(&path, OPERATOR).await.body["data"], json!([]));
}

#[tokio::test]
async fn another_organisations_key_is_not_there() {
    let world = World::new().await;
    let (acme, other) = (world.org("acme", "PRO").await, world.org("other", "PRO").await);
    let theirs = world.post(&format!("/organisations/{acme}/provider-keys"), OPERATOR, openai("main")).await;
    let mine = world.scoped(&other, SCOPES).await;
    let path = format!("{KEYS}/{}", theirs.id());
    world.get(&path, &mine.secret).await.refused(404, "not_found");
    world.delete(&path, &mine.secret).await.refused(404, "not_found");
    world.post(&format!("{path}/test"), &mine.secret, json!({})).await.refused(404, "not_found");
    let next = json!({ "secret": CANARY });
    world.post(&format!("{path}/rotate"), &mine.secret, next).await.refused(404, "not_found");
    let shown = world.get(&format!("/organisations/{acme}/provider-keys/{}", theirs.id()), OPERATOR).await;
    assert_eq!(shown.expect(200).body["version"], 1);
}

#[tokio::test]
async fn fifty_rotations_at_once_make_no_version_twice() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let made = world.post(&format!("/organisations/{org}/provider-keys"), OPERATOR, openai("main")).await;
    let path = format!("/organisations/{org}/provider-keys/{}", made.id());
    let rotate = format!("{path}/rotate");
    let replies =
        super::organisations::futures(50, || world.post(&rotate, OPERATOR, json!({ "secret": CANARY })))
            .await;
    let mut versions: Vec<u64> = Vec::new();
    for reply in replies {
        match reply.status.as_u16() {
            200 => versions.push(reply.body["version"].as_u64().unwrap()),
            _ => drop(reply.refused(409, "conflict")),
        }
    }
    versions.sort_unstable();
    let newest = world.get(&path, OPERATOR).await.body["version"].as_u64().unwrap();
    assert_eq!(versions, (2..=newest).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_organisations_key_is_rotated_online() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let owner = world.scoped(&org, SCOPES).await;
    world.post(KEYS, &owner.secret, openai("main")).await.expect(201);
    let path = "/organisations/current/vault";
    assert_eq!(world.get(path, &owner.secret).await.expect(200).body["version"], 1);
    let rotated = world.post(&format!("{path}/rotate"), &owner.secret, json!({})).await.expect(200);
    assert_eq!(rotated.body["version"], 2);
    // Whoever carries it on has been told.
    world.rotation_begun.notified().await;
    world.post(KEYS, &owner.secret, openai("second")).await.expect(201);
    let status = world.get(path, &owner.secret).await.expect(200).body;
    assert_eq!((&status["version"], &status["older_versions"]), (&json!(2), &json!([1])));
    assert_eq!((&status["pending"], &status["done"]), (&json!(1), &json!(1)));
    let status = world.get("/vault", OPERATOR).await.expect(200).body;
    assert_eq!((&status["under_old_org_key"], &status["under_newest_org_key"]), (&json!(1), &json!(1)));
    assert_eq!((&status["under_old_root"], &status["under_present_root"]), (&json!(0), &json!(3)));
    let log = world.get(&format!("/organisations/{org}/audit"), OPERATOR).await.expect(200).body;
    let mut bodies = log["data"].as_array().unwrap().iter().map(|entry| entry["body"].as_str().unwrap());
    // With the change, in its transaction: nothing had to be shipped.
    let rotation = bodies.find(|body| body.contains(r#""action":"org_key.rotate""#)).unwrap();
    assert!(rotation.contains(r#""detail":{"version":"2","version_before":"1"}"#), "{rotation}");
    world.post("/vault/rotate-root", OPERATOR, json!({})).await.refused(409, "conflict");
    // A file is in no transaction: the intention is recorded first, then what came of it.
    let audits = world.spool.audits();
    let steps: Vec<_> = audits.iter().filter(|entry| entry.action == "root_key.rotate").collect();
    let said: Vec<_> = steps.iter().map(|entry| (entry.detail["step"].as_str(), entry.outcome)).collect();
    assert_eq!(said, [("begin", AuditOutcome::Success), ("end", AuditOutcome::Failure)]);
}
