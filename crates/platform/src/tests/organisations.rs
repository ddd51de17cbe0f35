use super::{OPERATOR, World};
use serde_json::{Value, json};

#[tokio::test]
async fn the_operator_makes_one_and_finds_it_by_id_and_name() {
    let world = World::new().await;
    let made =
        json!({ "name": "acme corp", "tier": "TEAMS-SMALL", "owner": "Ada", "data_segment": "medical" });
    let made = world.post("/organisations", OPERATOR, made).await.expect(201);
    let id = made.body["organisation"]["id"].as_str().unwrap();
    for named in [id, "acme%20corp"] {
        let shown = world.get(&format!("/organisations/{named}"), OPERATOR).await.expect(200);
        assert_eq!(shown.body, made.body["organisation"]);
    }
    let workspaces = world.get(&format!("/organisations/{id}/workspaces"), OPERATOR).await.expect(200);
    assert_eq!(workspaces.body["data"][0]["id"], made.body["workspace"]);
    assert_eq!(workspaces.body["data"][0]["name"], "default");
}

#[tokio::test]
async fn names_that_would_mean_something_else_are_refused() {
    let world = World::new().await;
    for name in
        ["", " acme", "current", "a\r\nx-evil: 1", "a\u{0}b", &"x".repeat(101), &format!("org_{:032x}", 7)]
    {
        let reply = world.post("/organisations", OPERATOR, json!({ "name": name, "tier": "PRO" })).await;
        let reply = reply.refused(422, "invalid_field");
        assert_eq!(reply.body["param"], "name");
        assert!(reply.headers.get("x-evil").is_none());
    }
    let unknown = world.post("/organisations", OPERATOR, json!({ "name": "a", "tier": "GOLD" })).await;
    let unknown = unknown.refused(422, "invalid_field");
    assert!(unknown.body["detail"].as_str().unwrap().contains("PRO-PLUS"), "{}", unknown.text);
}

#[tokio::test]
async fn a_name_is_taken_once_however_many_want_it() {
    let world = World::new().await;
    let wish = || world.post("/organisations", OPERATOR, json!({ "name": "acme", "tier": "PRO" }));
    let replies = futures(50, wish).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    let refused = replies.iter().filter(|reply| reply.body["code"] == "conflict").count();
    assert_eq!((made, refused), (1, 49));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for n in 0..5 {
        world.org(&format!("org {n}"), "PRO").await;
    }
    let (mut names, mut path) = (Vec::new(), "/organisations?limit=2".to_owned());
    loop {
        let page = world.get(&path, OPERATOR).await.expect(200);
        let rows = page.body["data"].as_array().unwrap();
        names.extend(rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Value::String(next) = &page.body["next_cursor"] else { break };
        path = format!("/organisations?limit=2&cursor={next}");
    }
    names.sort();
    assert_eq!(names, ["org 0", "org 1", "org 2", "org 3", "org 4"]);
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=%00", "limt=2", "limit=1&limit=2"] {
        let reply = world.get(&format!("/organisations?{bad}"), OPERATOR).await;
        reply.refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn a_key_changes_the_data_segment_and_never_the_tier() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["org:read", "org:write"]).await;
    let path = "/organisations/current";
    let change = |credential: String, body: Value| {
        let world = &world;
        let path = if credential == OPERATOR { format!("/organisations/{org}") } else { path.to_owned() };
        async move { world.call("PATCH", &path, &credential, Some(body)).await }
    };
    let key = key.secret;
    let changed = change(key.clone(), json!({ "data_segment": "scientific" })).await.expect(200);
    assert_eq!(changed.body["data_segment"], "scientific");
    assert_eq!(world.get(path, &key).await.body["data_segment"], "scientific");
    let changed = change(key.clone(), json!({ "data_segment": null })).await.expect(200);
    assert_eq!(changed.body["data_segment"], Value::Null);
    change(key.clone(), json!({ "tier": "ENTERPRISE-ULTIMATE" })).await.refused(403, "operator_only");
    change(key.clone(), json!({ "data_segment": "secret" })).await.expect(400);
    assert_eq!(world.get(path, &key).await.body["tier"], "PRO");
    change(OPERATOR.to_owned(), json!({ "tier": "PRO-PLUS" })).await.expect(200);
    assert_eq!(world.get(path, &key).await.body["tier"], "PRO-PLUS");
}

#[tokio::test]
async fn what_is_destroyed_is_gone_at_once() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["org:read"]).await;
    world.get("/organisations/current", &key.secret).await.expect(200);
    world.delete(&format!("/organisations/{org}"), OPERATOR).await.expect(204);
    world.get("/organisations/current", &key.secret).await.refused(401, "invalid_api_key");
    world.get(&format!("/organisations/{org}"), OPERATOR).await.refused(404, "not_found");
    world.delete(&format!("/organisations/{org}"), OPERATOR).await.refused(404, "not_found");
    world.org("acme", "PRO").await;
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be() {
    let world = World::new().await;
    world.store.set_away(true);
    world.get("/organisations", OPERATOR).await.refused(503, "store_unavailable");
    let wish = json!({ "name": "acme", "tier": "PRO" });
    world.post("/organisations", OPERATOR, wish).await.refused(503, "store_unavailable");
    world.store.set_away(false);
    world.org("acme", "PRO").await;
}

/// So many of them at once.
pub(super) async fn futures<F: Future>(count: usize, make: impl Fn() -> F) -> Vec<F::Output> {
    let mut running: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut done: Vec<Option<F::Output>> = (0..count).map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
