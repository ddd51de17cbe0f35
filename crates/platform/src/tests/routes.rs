use super::{Key, NOBODY, OPERATOR, World, request};
use crate::describe::Access;
use crate::routes;
use crate::table::Method;
use serde_json::json;
use std::collections::HashSet;
use topdog_domain::api_key::Scope;

/// The route's path with things in it that could be there.
fn filled(path: &str, org: &str) -> String {
    let id = if path.contains("/api-keys/") { "key_" } else { "pk_" };
    path.replace("{org}", org)
        .replace("{id}", &format!("{id}{:032x}", 1))
        .replace("{name}", "PRO")
        .replace("{scope}", "organisation")
}

/// A key with every scope but this one.
async fn without(world: &World, org: &str, scope: Scope) -> Key {
    let scopes: Vec<&str> = Scope::ALL.iter().filter(|there| **there != scope).map(|s| s.name()).collect();
    world.scoped(org, &scopes).await
}

#[tokio::test]
async fn nobody_gets_in_anywhere_but_to_the_document() {
    let world = World::new().await;
    let org = world.org("acme", "ENTERPRISE-ULTIMATE").await;
    for route in routes::all() {
        let path = filled(route.path, &org);
        let wrong_operator = "td_operator_0123456789012345678901234567890123456789013";
        let unknown = "td_live_0123456789";
        for credential in [NOBODY, wrong_operator, unknown] {
            let reply = world.call(route.method.name(), &path, credential, None).await;
            if route.operation.access == Access::Anyone {
                assert_eq!(reply.status, 200, "{}", route.id.0);
            } else {
                assert_eq!(reply.status, 401, "{} as {credential:?}", route.id.0);
                assert_eq!(reply.header("www-authenticate"), "Bearer");
            }
        }
    }
    let open = routes::all().into_iter().filter(|route| route.operation.access == Access::Anyone);
    assert_eq!(open.map(|route| route.id.0).collect::<Vec<_>>(), ["document.show"]);
}

#[tokio::test]
async fn another_tenants_key_finds_nothing_and_changes_nothing() {
    let world = World::new().await;
    let (acme, other) = (world.org("acme", "ENTERPRISE-ULTIMATE").await, world.org("other", "PRO").await);
    let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    let key = world.scoped(&other, &all).await;
    for route in routes::all().into_iter().filter(|route| route.path.contains("{org}")) {
        for named in [acme.as_str(), "acme"] {
            let path = filled(route.path, named);
            let reply = world.call(route.method.name(), &path, &key.secret, Some(json!({}))).await;
            let expected = if route.operation.access == Access::Operator { 403 } else { 404 };
            assert_eq!(reply.status, expected, "{} {}", route.id.0, reply.text);
        }
    }
}

#[tokio::test]
async fn a_key_needs_the_scope_of_the_route_and_no_other() {
    let world = World::new().await;
    let org = world.org("acme", "ENTERPRISE-ULTIMATE").await;
    for scope in Scope::ALL {
        let (lacking, having) =
            (without(&world, &org, scope).await, world.scoped(&org, &[scope.name()]).await);
        let of_scope = |access| access == Access::Scope(scope);
        for route in routes::all().into_iter().filter(|route| of_scope(route.operation.access)) {
            let path = filled(route.path, "current");
            let denied = world.call(route.method.name(), &path, &lacking.secret, Some(json!({}))).await;
            denied.refused(403, "scope_missing");
            let tried = world.call(route.method.name(), &path, &having.secret, Some(json!({}))).await;
            assert_ne!(tried.body["code"], "scope_missing", "{}", route.id.0);
            assert!(![401, 405, 500].contains(&tried.status.as_u16()), "{} {}", route.id.0, tried.text);
        }
    }
}

#[tokio::test]
async fn no_key_does_what_is_the_operators() {
    let world = World::new().await;
    let org = world.org("acme", "ENTERPRISE-ULTIMATE").await;
    let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    let key = world.scoped(&org, &all).await;
    let mut count = 0;
    for route in routes::all().into_iter().filter(|route| route.operation.access == Access::Operator) {
        count += 1;
        let path = filled(route.path, &org);
        let reply = world.call(route.method.name(), &path, &key.secret, Some(json!({}))).await;
        reply.refused(403, "operator_only");
    }
    assert!(count >= 5, "{count} routes of the operator");
    world.get("/organisations/acme", OPERATOR).await.expect(200);
}

#[tokio::test]
async fn every_scope_but_llm_opens_a_route() {
    let used: HashSet<&str> = routes::all()
        .iter()
        .filter_map(|route| match route.operation.access {
            Access::Scope(scope) => Some(scope.name()),
            _ => None,
        })
        .collect();
    let unused: Vec<&str> = Scope::ALL.iter().map(|s| s.name()).filter(|name| !used.contains(name)).collect();
    assert_eq!(unused, ["llm"]);
}

#[tokio::test]
async fn route_names_and_places_are_unique() {
    let (mut names, mut places) = (HashSet::new(), HashSet::new());
    for route in routes::all() {
        assert!(names.insert(route.id.0), "{} is there twice", route.id.0);
        assert!(places.insert((route.method.name(), route.path)), "{} is taken", route.path);
        assert!(route.id.0.split_once('.').is_some());
    }
    assert!(routes::all().iter().any(|route| route.method == Method::Put));
}

#[tokio::test]
async fn no_odd_path_is_more_than_not_found() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let odd = [
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff%fe",
        "key_%0d%0ax-evil:1",
        "..",
        "%2e%2e",
        "key_",
        "KEY_00",
        "org_ffffffffffffffffffffffffffffffffff",
        "%F0%9F%90%95",
        "'%20OR%201=1",
        "{id}",
        "current",
    ];
    for route in routes::all().into_iter().filter(|route| route.path.contains('{')) {
        for text in odd {
            let paths = [
                route.path.replace("{org}", text).replace("{id}", text).replace("{name}", text),
                route.path.replace("{org}", &org).replace("{id}", text).replace("{name}", text),
            ];
            for path in
                paths.into_iter().filter(|path| path.contains(text) && path != "/organisations/current")
            {
                let reply = world.call(route.method.name(), &path, OPERATOR, Some(json!({}))).await;
                let is_refused = [400, 404, 405, 422].contains(&reply.status.as_u16());
                assert!(is_refused, "{} {path}: {} {}", route.id.0, reply.status, reply.text);
            }
        }
    }
    assert_eq!(world.get("/organisations", OPERATOR).await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_no_route_takes_is_a_problem_too() {
    let world = World::new().await;
    world.get("/nothing", OPERATOR).await.refused(404, "not_found");
    let reply = world.call("PUT", "/organisations", OPERATOR, None).await.refused(405, "method_not_allowed");
    assert!(reply.header("allow").contains("POST"), "{}", reply.header("allow"));
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_is_not_stored() {
    let world = World::new().await;
    for (path, credential) in [("/openapi.json", NOBODY), ("/organisations", OPERATOR), ("/nothing", NOBODY)]
    {
        let reply = world.get(path, credential).await;
        assert!(reply.header("x-request-id").starts_with("req_"), "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
    let named = |id: &[u8]| {
        let mut request = request("GET", "/nothing", NOBODY, None);
        request.headers_mut().insert("x-request-id", http::HeaderValue::from_bytes(id).unwrap());
        request
    };
    let reply = world.send(named(b"my-request/7")).await;
    assert_eq!(reply.header("x-request-id"), "my-request/7");
    assert_eq!(reply.body["instance"], "my-request/7");
    for odd in [b"with space".as_slice(), b"\xe9", b"", &[b'x'; 129]] {
        let reply = world.send(named(odd)).await;
        assert!(reply.header("x-request-id").starts_with("req_"), "{odd:?}");
    }
}

#[tokio::test]
async fn two_credentials_that_differ_are_refused() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    let key = world.scoped(&org, &["org:read"]).await;
    let both = |other: &str| {
        let mut request = request("GET", "/organisations/current", &key.secret, None);
        request.headers_mut().insert("x-api-key", other.parse().unwrap());
        request
    };
    world.send(both(OPERATOR)).await.refused(400, "invalid_header");
    world.send(both(&key.secret)).await.expect(200);
    for header in ["x-api-key", "api-key", "x-goog-api-key"] {
        let mut alone = request("GET", "/organisations/current", NOBODY, None);
        alone.headers_mut().insert(header, key.secret.parse().unwrap());
        world.send(alone).await.expect(200);
    }
}
