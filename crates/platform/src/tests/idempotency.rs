use super::{OPERATOR, Reply, World, request};
use serde_json::{Value, json};
use topdog_domain::Timestamp;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::ports::{Idempotency, IdempotencyClaim, Remembered};

/// The operator's claim on the key `once`.
fn claim(at: Timestamp) -> IdempotencyClaim<'static> {
    IdempotencyClaim { caller: "operator", key: "once", at }
}

/// Sends a create with an idempotency key.
async fn create(world: &World, path: &str, credential: &str, key: &str, body: Value) -> Reply {
    let mut request = request("POST", path, credential, Some(body));
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    world.send(request).await
}

#[tokio::test]
async fn the_same_request_gives_the_same_answer_and_makes_one_thing() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/api-keys");
    let wish = json!({ "name": "ci" });
    let first = create(&world, &path, OPERATOR, "once", wish.clone()).await.expect(201);
    let second = create(&world, &path, OPERATOR, "once", wish).await.expect(201);
    assert_eq!(first.text, second.text);
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    let list = world.get(&path, OPERATOR).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_remembered_secret_is_sealed() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/api-keys");
    let made = create(&world, &path, OPERATOR, "once", json!({ "name": "ci" })).await.expect(201);
    let kept = world.store.idempotency_begin(claim(NEW_YEAR), [0; 32]).await.unwrap();
    let Remembered::Done { body, .. } = kept else { panic!("nothing is kept: {kept:?}") };
    let secret = made.body["secret"].as_str().unwrap().as_bytes();
    assert!(!body.windows(12).any(|window| secret.windows(12).any(|part| part == window)));
}

#[tokio::test]
async fn what_is_kept_of_a_body_tests_no_guess_without_the_pepper() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    let wish = json!({ "provider": "openai", "secret": "sk-guessable" });
    create(&world, &path, OPERATOR, "once", wish.clone()).await.expect(201);
    let kept = world.store.idempotency_begin(claim(NEW_YEAR), [0; 32]).await.unwrap();
    let Remembered::Done { fingerprint, .. } = kept else { panic!("nothing is kept: {kept:?}") };
    // All that who guesses has: the path and the body, which it makes of its guess.
    let (path, body) = (format!("/api/v1{path}"), wish.to_string());
    let length = |text: &str| (text.len() as u64).to_be_bytes().to_vec();
    for guess in [
        [length(&path), path.clone().into(), body.clone().into()].concat(),
        [length(&path), path.clone().into(), length(&body), body.clone().into()].concat(),
        body.clone().into(),
    ] {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &guess);
        assert_ne!(hash.as_ref(), fingerprint);
    }
}

#[tokio::test]
async fn a_provider_key_is_rotated_once_however_often_it_is_sent() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/provider-keys");
    let wish = json!({ "provider": "openai", "secret": "sk-1" });
    let made = world.post(&path, OPERATOR, wish).await.expect(201).id();
    let rotate = format!("{path}/{made}/rotate");
    let wish = json!({ "secret": "sk-2" });
    let first = create(&world, &rotate, OPERATOR, "once", wish.clone()).await.expect(200);
    let second = create(&world, &rotate, OPERATOR, "once", wish).await.expect(200);
    assert_eq!((first.body["version"].clone(), first.text), (json!(2), second.text.clone()));
    assert_eq!(second.header("idempotency-replayed"), "true");
    let wish = json!({ "secret": "sk-3" });
    create(&world, &rotate, OPERATOR, "once", wish).await.refused(422, "idempotency_mismatch");
    assert_eq!(world.get(&format!("{path}/{made}"), OPERATOR).await.body["version"], 2);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused() {
    let world = World::new().await;
    let (acme, other) = (world.org("acme", "PRO").await, world.org("other", "PRO").await);
    let path = |org: &str| format!("/organisations/{org}/api-keys");
    create(&world, &path(&acme), OPERATOR, "once", json!({ "name": "ci" })).await.expect(201);
    let wish = json!({ "name": "cd" });
    create(&world, &path(&acme), OPERATOR, "once", wish).await.refused(422, "idempotency_mismatch");
    let wish = json!({ "name": "ci" });
    create(&world, &path(&other), OPERATOR, "once", wish).await.refused(422, "idempotency_mismatch");
}

#[tokio::test]
async fn each_caller_has_its_own_keys() {
    let world = World::new().await;
    let mut made = Vec::new();
    for name in ["acme", "other"] {
        let org = world.org(name, "PRO").await;
        let key = world.scoped(&org, &["llm", "api-keys:write"]).await;
        let wish = json!({ "name": "ci" });
        let reply = create(&world, "/organisations/current/api-keys", &key.secret, "once", wish).await;
        made.push(reply.issued().id);
    }
    assert_ne!(made[0], made[1]);
}

#[tokio::test]
async fn what_came_to_nothing_can_be_tried_again() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/api-keys");
    let wish = json!({ "name": "ci" });
    let there = world.key(&org, wish.clone()).await;
    create(&world, &path, OPERATOR, "once", wish.clone()).await.refused(409, "conflict");
    world.delete(&format!("{path}/{}", there.id), OPERATOR).await.expect(204);
    create(&world, &path, OPERATOR, "once", wish).await.expect(201);
}

#[tokio::test]
async fn one_under_way_is_waited_for() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let begun = world.store.idempotency_begin(claim(NEW_YEAR), [0; 32]).await;
    assert_eq!(begun.unwrap(), Remembered::Fresh);
    let path = format!("/organisations/{org}/api-keys");
    let again = async || create(&world, &path, OPERATOR, "once", json!({ "name": "ci" })).await;
    world.clock.advance_seconds(59);
    again().await.refused(409, "idempotency_in_flight");
    // Whoever has not answered by now is gone.
    world.clock.advance_seconds(1);
    let made = again().await.expect(201);
    assert_eq!(again().await.expect(201).text, made.text);
}

#[tokio::test]
async fn odd_keys_are_refused() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let path = format!("/organisations/{org}/api-keys");
    for odd in ["", "with space", &"x".repeat(256)] {
        let reply = create(&world, &path, OPERATOR, odd, json!({ "name": "ci" })).await;
        reply.refused(400, "invalid_header");
    }
    create(&world, &path, OPERATOR, &"x".repeat(255), json!({ "name": "ci" })).await.expect(201);
}
