//! Nothing of one organisation can be reached with another's key: every route of the API, by its own document.

use crate::http::Answer;
use crate::server::{Place, Server, Setup};
use serde_json::{Value, json};

/// A route as the API's own document lists it.
struct Route {
    method: String,
    path: String,
}

impl Route {
    /// The path, with those names in its places.
    fn at(&self, org: &str, id: &str) -> String {
        self.path
            .replace("{org}", org)
            .replace("{id}", id)
            .replace("{name}", "private")
            .replace("{scope}", self.scope(id))
    }

    /// Whose policy: of the key, where a key is what the path can be about.
    fn scope<'a>(&self, id: &'a str) -> &'a str {
        if id.starts_with("key_") { id } else { "organisation" }
    }

    /// A body that the route takes, so that nothing but the caller can be what is refused.
    fn body(&self) -> Value {
        match (self.method.as_str(), self.path.rsplit('/').next().unwrap()) {
            ("POST", "api-keys") => json!({ "name": "mine" }),
            ("POST", "provider-keys") => json!({ "provider": "openai", "name": "mine", "secret": "sk-mine" }),
            ("POST", "endpoints") => json!({ "name": "mine", "base_url": "https://example.com/v1" }),
            ("PUT", "{name}") => json!({ "base_url": "https://example.com/v1" }),
            ("PATCH", _) => json!({ "data_segment": "general" }),
            ("POST", "rotate") if self.path.contains("provider-keys") => json!({ "secret": "sk-mine" }),
            ("PUT", "{scope}") => json!({ "expected_version": 1, "document": {} }),
            ("POST", "rollback") => json!({ "expected_version": 1, "to_version": 1 }),
            ("POST", "explain") => json!({ "model": "gpt-4o" }),
            ("POST", "organisations") => json!({ "name": "mine", "tier": "PRO" }),
            ("POST", _) => json!({}),
            _ => Value::Null,
        }
    }
}

/// An organisation with everything that can be named, and a key that may do everything in it.
struct Tenant {
    id: String,
    key: String,
    api_key_id: String,
    provider_key_id: String,
}

impl Tenant {
    async fn new(server: &Server<'_>, name: &str) -> Self {
        let body = json!({ "name": name, "tier": "ENTERPRISE-ULTIMATE" });
        let org = made(server.operator("POST", "/organisations", &body).await);
        let of_org = |path: &str| format!("/organisations/{name}/{path}");
        let body = json!({ "name": "all", "scopes": ["llm", "org:read", "org:write", "api-keys:read",
            "api-keys:write", "provider-keys:read", "provider-keys:write", "policies:read", "policies:write",
            "usage:read", "audit:read"] });
        let api_key = made(server.operator("POST", &of_org("api-keys"), &body).await);
        let body = json!({ "provider": "openai", "secret": "sk-theirs" });
        let provider_key = made(server.operator("POST", &of_org("provider-keys"), &body).await);
        let body = json!({ "name": "private", "base_url": "https://llm.example.com/v1" });
        made(server.operator("POST", &of_org("endpoints"), &body).await);
        let body = json!({ "expected_version": 0, "document": { "deny": ["gpt-4*"] } });
        for scope in ["organisation", &text(&api_key["key"]["id"])] {
            made(server.operator("PUT", &of_org(&format!("policies/{scope}")), &body).await);
        }
        Self {
            id: text(&org["organisation"]["id"]),
            key: text(&api_key["secret"]),
            api_key_id: text(&api_key["key"]["id"]),
            provider_key_id: text(&provider_key["id"]),
        }
    }

    /// The id of what a path is about.
    fn id_for(&self, path: &str) -> &str {
        if path.contains("provider-keys") { &self.provider_key_id } else { &self.api_key_id }
    }

    /// All that there is of it, as the operator sees it.
    async fn state(&self, server: &Server<'_>) -> Vec<Value> {
        let mut state = Vec::new();
        for part in ["", "/api-keys", "/provider-keys", "/endpoints", "/policies", "/vault", "/quota"] {
            let path = format!("/organisations/{}{part}", self.id);
            state.push(server.operator("GET", &path, &Value::Null).await.json());
        }
        state
    }
}

fn made(answer: Answer) -> Value {
    assert_eq!(answer.status(), 201, "{}", answer.text());
    answer.json()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

async fn routes(server: &Server<'_>) -> Vec<Route> {
    let document = server.operator("GET", "/openapi.json", &Value::Null).await.json();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let path = path.strip_prefix("/api/v1").unwrap_or(path).to_owned();
            routes.push(Route { method: method.to_uppercase(), path });
        }
    }
    assert!(routes.len() > 30, "{} routes", routes.len());
    routes
}

#[tokio::test]
async fn another_organisations_names_and_ids_lead_nowhere_on_any_route() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    let (mine, theirs) = (Tenant::new(&server, "mine-org").await, Tenant::new(&server, "theirs-org").await);
    let before = theirs.state(&server).await;
    let mut tried = 0;
    for route in routes(&server).await {
        if route.path.contains("{org}") {
            for org in ["theirs-org", &theirs.id] {
                let path = route.at(org, theirs.id_for(&route.path));
                let answer = server.manage(&mine.key, &route.method, &path, &route.body()).await;
                // What only the operator may do is refused before anyone looks whether it is there.
                assert!(matches!(answer.status(), 403 | 404), "{} {path}: {}", route.method, answer.text());
                if answer.status() == 403 {
                    assert_eq!(answer.code(), "operator_only", "{} {path}: {}", route.method, answer.text());
                }
                tried += 1;
            }
        }
        if route.path.contains("{id}") || route.path.contains("{scope}") {
            let path = route.at("mine-org", theirs.id_for(&route.path));
            let answer = server.manage(&mine.key, &route.method, &path, &route.body()).await;
            assert_eq!(answer.status(), 404, "{} {path}: {}", route.method, answer.text());
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried} tried");
    assert_eq!(theirs.state(&server).await, before, "something of theirs was changed");
}

#[tokio::test]
async fn what_is_not_there_looks_like_what_is_anothers() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    let (mine, theirs) = (Tenant::new(&server, "mine-org").await, Tenant::new(&server, "theirs-org").await);
    let seen = async |path: &str| {
        let mut problem = server.manage(&mine.key, "GET", path, &Value::Null).await.json();
        for own in ["request_id", "instance", "request"] {
            problem.as_object_mut().unwrap().remove(own);
        }
        problem
    };
    assert_eq!(seen("/organisations/theirs-org").await, seen("/organisations/nobodys-org").await);
    let invented = format!("key_{}", "0".repeat(32));
    assert_eq!(
        seen(&format!("/organisations/mine-org/api-keys/{}", theirs.api_key_id)).await,
        seen(&format!("/organisations/mine-org/api-keys/{invented}")).await
    );
}

#[tokio::test]
async fn without_a_key_no_route_does_anything() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    let theirs = Tenant::new(&server, "theirs-org").await;
    let before = theirs.state(&server).await;
    for route in routes(&server).await.iter().filter(|route| route.path != "/openapi.json") {
        for token in ["", "td_operator_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sk-theirs"] {
            let path = route.at("theirs-org", theirs.id_for(&route.path));
            let answer = server.manage(token, &route.method, &path, &route.body()).await;
            assert_eq!(answer.status(), 401, "{} {path}: {}", route.method, answer.text());
        }
    }
    assert_eq!(theirs.state(&server).await, before, "something was changed");
}
