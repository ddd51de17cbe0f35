//! Providers as data: an entry of the configuration is all that an OpenAI-compatible one needs.

use crate::server::{Place, Server, Setup};
use crate::upstream::{Reply, Upstream};
use serde_json::{Value, json};
use std::time::Duration;

fn setup(providers: &str) -> Setup {
    Setup::new().config(&format!("{providers}\n[[egress.allow]]\nnet = '127.0.0.0/8'\nplain_http = true\n"))
}

async fn organisation(server: &Server<'_>, provider: &str, secret: &str) -> String {
    let body = json!({ "name": "acme", "tier": "ENTERPRISE-STANDARD" });
    let made = server.operator("POST", "/organisations", &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let body = json!({ "provider": provider, "name": "default", "secret": secret });
    let made = server.operator("POST", "/organisations/acme/provider-keys", &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let body = json!({ "name": "test", "scopes": ["llm"] });
    let made = server.operator("POST", "/organisations/acme/api-keys", &body).await;
    made.json()["secret"].as_str().unwrap().to_owned()
}

async fn chat(server: &Server<'_>, key: &str, body: &Value) -> crate::http::Answer {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = body.to_string();
    let bytes = crate::http::request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    crate::http::try_send(server.gateway, &bytes).await.unwrap()
}

#[tokio::test]
async fn an_openai_compatible_provider_is_an_entry_of_the_configuration() {
    let newcomer = Upstream::start(Reply::Completion).await;
    let other = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = setup(&format!(
        "[providers.newcomer]\nbase_url = 'http://{}/llm/api/v3'\n[providers.groq]\nbase_url = '{}'\n",
        newcomer.address,
        other.url()
    ));
    let server = place.start(&setup).await;
    let secret = "nc-canary-0123456789abcdef0123456789";
    let key = organisation(&server, "newcomer", secret).await;
    let body =
        json!({ "model": "newcomer/maker/model-1", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = chat(&server, &key, &body).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let requests = newcomer.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0].head.starts_with("POST /llm/api/v3/chat/completions HTTP/1.1"),
        "{}",
        requests[0].head
    );
    assert_eq!(requests[0].header("authorization"), Some(format!("Bearer {secret}").as_str()));
    assert!(requests[0].body.contains(r#""model":"maker/model-1""#), "{}", requests[0].body);

    server.until("usage is recorded", async || server.usage_events("acme").await.len() == 1).await;
    let event = server.usage_events("acme").await.remove(0);
    assert_eq!(event["provider"], "newcomer");
    assert_eq!(event["cost_nanodollars"], Value::Null, "nobody knows its price, which is not 0");

    let body = json!({ "model": "groq/model-1", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = chat(&server, &key, &body).await;
    assert_eq!(answer.json()["error"]["code"], "no_provider_key", "{}", answer.text());
    assert!(other.requests().is_empty(), "a key is for its own provider");
}

#[tokio::test]
async fn a_host_of_others_models_is_asked_for_by_its_name() {
    let groq = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&setup(&format!("[providers.groq]\nbase_url = '{}'\n", groq.url()))).await;
    let key = organisation(&server, "groq", "gsk-canary-0123456789abcdef0123456789").await;
    let ask = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });

    let refused = chat(&server, &key, &ask("llama-3.3-70b-versatile")).await;
    assert_eq!((refused.status(), refused.code().as_str()), (404, "ambiguous_model"));
    assert!(refused.text().contains("groq/llama-3.3-70b-versatile"), "{}", refused.text());
    assert!(groq.requests().is_empty(), "nobody is asked on a guess");

    let answer = chat(&server, &key, &ask("groq/llama-3.3-70b-versatile")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    server.until("usage is recorded", async || server.usage_events("acme").await.len() == 1).await;
    let event = server.usage_events("acme").await.remove(0);
    assert_eq!(event["cost_nanodollars"], 7 * 590 + 3 * 790, "{event}");

    let authorization = format!("Bearer {key}");
    let get = async |path: &str| {
        let bytes = crate::http::request("GET", path, &[("authorization", authorization.as_str())], b"");
        crate::http::try_send(server.gateway, &bytes).await.unwrap()
    };
    let listed = get("/v1/models").await.json();
    let is_listed = |id: &str| listed["data"].as_array().unwrap().iter().any(|model| model["id"] == id);
    assert!(
        is_listed("groq/llama-3.3-70b-versatile") && !is_listed("together/moonshotai/Kimi-K3"),
        "{listed}"
    );
    assert_eq!(get("/v1/models/groq/llama-3.3-70b-versatile").await.status(), 200);
    assert_eq!(get("/v1/models/llama-3.3-70b-versatile").await.status(), 404);
}

#[tokio::test]
async fn a_provider_that_refuses_stream_options_is_not_sent_any() {
    let upstream = Upstream::start(Reply::Stream { events: 2, every: Duration::ZERO }).await;
    let place = Place::new();
    let table =
        |name: &str, more: &str| format!("[providers.{name}]\nbase_url = '{}'\n{more}\n", upstream.url());
    let providers = table("mistral", "") + &table("mine", "stream_options = false") + &table("groq", "");
    let server = place.start(&setup(&providers)).await;
    let key = organisation(&server, "mistral", "m-canary-0123456789abcdef0123456789").await;
    for provider in ["mine", "groq"] {
        let secret = format!("{provider}-canary-0123456789abcdef0123456789");
        let body = json!({ "provider": provider, "name": "default", "secret": secret });
        let made = server.operator("POST", "/organisations/acme/provider-keys", &body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
    }
    for (provider, is_asked) in [("mistral", false), ("mine", false), ("groq", true)] {
        let model = format!("{provider}/model-1");
        let body =
            json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
        let answer = chat(&server, &key, &body).await;
        assert!(answer.status() == 200 && answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
        let sent = upstream.requests().pop().unwrap().body;
        assert_eq!(sent.contains("stream_options"), is_asked, "{provider}: {sent}");
    }
}

#[tokio::test]
async fn a_provider_that_is_switched_off_takes_no_key() {
    let place = Place::new();
    let server = place.start(&setup("[providers.groq]\nbase_url = ''\n")).await;
    let body = json!({ "name": "acme", "tier": "ENTERPRISE-STANDARD" });
    assert_eq!(server.operator("POST", "/organisations", &body).await.status(), 201);
    let body = json!({ "provider": "groq", "name": "default", "secret": "gsk-canary-0123456789abcdef" });
    let made = server.operator("POST", "/organisations/acme/provider-keys", &body).await;
    assert!(
        made.status() >= 400 && made.text().contains("there is no such provider here"),
        "{}",
        made.text()
    );
    let body = json!({ "provider": "mistral", "name": "default", "secret": "m-canary-0123456789abcdef" });
    let made = server.operator("POST", "/organisations/acme/provider-keys", &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
}

#[test]
fn a_provider_that_cant_be_refuses_to_start_and_says_where() {
    let place = Place::new();
    let (status, said) = place.run_to_end(&setup("[providers.mine]\nbase_url = 'mine.example/v1'\n"));
    assert!(!status.success());
    assert!(said.contains("topdog.toml:2: `providers.mine.base_url` can't be used"), "{said}");
}

#[tokio::test]
async fn the_operators_prices_are_what_requests_cost() {
    let newcomer = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let prices = place.path().join("prices.json");
    let text = r#"{"models": [{"provider": "newcomer", "name": "model-1", "also": ["model-1-*"], "prices": [
        {"from": "2020-01-01", "input": "2", "output": "8"}, {"from": "2999-01-01", "input": "9", "output": "9"}]}]}"#;
    std::fs::write(&prices, text).unwrap();
    let setup = setup(&format!(
        "[prices]\nfile = '{}'\n[providers.newcomer]\nbase_url = '{}'\n",
        prices.display(),
        newcomer.url()
    ));
    let server = place.start(&setup).await;
    let key = organisation(&server, "newcomer", "nc-canary-0123456789abcdef0123456789").await;
    for model in ["newcomer/model-1", "newcomer/model-1-2026-11-28"] {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        assert_eq!(chat(&server, &key, &body).await.status(), 200);
    }
    server.until("usage is recorded", async || server.usage_events("acme").await.len() == 2).await;
    for event in server.usage_events("acme").await {
        assert_eq!(event["cost_nanodollars"], 7 * 2_000 + 3 * 8_000, "{event}");
    }
    let checked =
        server.cli(&["config", "check", "--config", place.path().join("topdog.toml").to_str().unwrap()]);
    let said = String::from_utf8(checked.stderr).unwrap() + &String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success() && said.contains("prices.file holds for newcomer/model-1"), "{said}");
}

#[tokio::test]
async fn an_organisations_own_azure_is_an_endpoint_with_its_own_key() {
    let azure = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&setup("")).await;
    let body = json!({ "name": "acme", "tier": "TEAMS-SMALL" });
    assert_eq!(server.operator("POST", "/organisations", &body).await.status(), 201);
    let base_url = format!("http://{}/openai", azure.address);
    let said = |more: &[&str]| {
        let arguments = ["endpoints", "add", "--org", "acme", "azure", "--base-url", &base_url, "--dialect"];
        let added = server.cli(&[&arguments[..], more].concat());
        let told = String::from_utf8(added.stdout).unwrap() + &String::from_utf8(added.stderr).unwrap();
        (added.status.success(), told)
    };
    let (is_done, told) = said(&["bedrock", "--region", "evil.com#"]);
    assert!(!is_done && told.contains("lower-case letters, digits"), "{told}");
    let (is_done, told) = said(&["azure", "--api-version", "2024-10-21"]);
    assert!(is_done && told.contains("azure 2024-10-21"), "{told}");
    let secret = "az-canary-0123456789abcdef0123456789";
    let body = json!({ "provider": "azure", "name": "default", "secret": secret });
    let made = server.operator("POST", "/organisations/acme/provider-keys", &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let body = json!({ "name": "test", "scopes": ["llm"] });
    let made = server.operator("POST", "/organisations/acme/api-keys", &body).await;
    let key = made.json()["secret"].as_str().unwrap().to_owned();

    let body = json!({ "model": "azure/my-gpt", "messages": [{ "role": "user", "content": "hi" }] });
    let answer = chat(&server, &key, &body).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let request = azure.requests().remove(0);
    let line = "POST /openai/deployments/my-gpt/chat/completions?api-version=2024-10-21 HTTP/1.1";
    assert!(request.head.starts_with(line), "{}", request.head);
    assert_eq!((request.header("api-key"), request.header("authorization")), (Some(secret), None));
    server.until("usage is recorded", async || server.usage_events("acme").await.len() == 1).await;
    let event = server.usage_events("acme").await.remove(0);
    assert_eq!((&event["provider"], &event["cost_nanodollars"]), (&json!("azure"), &Value::Null));
}
