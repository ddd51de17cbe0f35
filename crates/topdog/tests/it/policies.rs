//! Policies of a running server: what the API and the command line say is what happens to requests, on every node.

use crate::engines::Database;
use crate::http::{Answer, request, try_send};
use crate::server::{Place, Server, Setup};
use crate::upstream::{Reply, Upstream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const POLICY: &str = "/organisations/acme/policies/organisation";

async fn chat(server: &Server<'_>, key: &str, model: &str) -> Answer {
    let body = json!({ "model": model, "messages": [] }).to_string();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let call = request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    try_send(server.gateway, &call).await.expect("an answer")
}

async fn put(server: &Server<'_>, expected: u32, document: Value) {
    let body = json!({ "expected_version": expected, "document": document });
    let made = server.operator("PUT", POLICY, &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
}

async fn key_id(server: &Server<'_>) -> String {
    let keys = server.operator("GET", "/organisations/acme/api-keys", &Value::Null).await.json();
    keys["data"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_explanation_says_what_happens_to_the_request() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO-PLUS").await;
    let document = json!({
        "aliases": { "fast": "small", "small": "openai/gpt-4o-mini", "sly": "openai/gpt-4", "lost": "nothing-like-it",
            "gpt-4-turbo": "gpt-4o" },
        "deny": ["openai/gpt-4", "gpt-3*", "mistral/*"]
    });
    put(&server, 0, document).await;
    let key = key_id(&server).await;
    let (mut sent, mut refused) = (0, 0);
    for tier in ["PRO-PLUS", "FREE"] {
        let changed = server.operator("PATCH", "/organisations/acme", &json!({ "tier": tier })).await;
        assert_eq!(changed.status(), 200, "{}", changed.text());
        for model in [
            "fast",
            "small",
            "sly",
            "lost",
            "gpt-4-turbo",
            "gpt-4o",
            "openai/gpt-4",
            "openai/GPT-4",
            "gpt-3.5-turbo",
            "openai/gpt-4o",
            "openai/brand-new",
            "mistral/large",
            "cohere/command",
            "nothing",
            "test/echo",
        ] {
            let asked = json!({ "model": model, "key": key });
            let told = server.operator("POST", "/organisations/acme/policies/explain", &asked).await.json();
            let answer = chat(&server, &acme.api_key, model).await;
            if answer.status() == 429 {
                continue;
            }
            assert_eq!(
                answer.status() == 200,
                told["is_allowed"] == true,
                "{model}: {told} {}",
                answer.text()
            );
            if answer.status() == 200 {
                sent += 1;
                let of = (answer.head.header("x-topdog-provider"), answer.head.header("x-topdog-model"));
                assert_eq!(of, (told["provider"].as_str(), told["model"].as_str()), "{model}");
            } else {
                refused += 1;
                let refusal = &told["refusal"];
                assert_eq!(
                    (&json!(answer.status()), &json!(answer.code())),
                    (&refusal["status"], &refusal["code"])
                );
                assert_eq!(answer.json()["error"]["message"], refusal["detail"], "{model}");
            }
        }
    }
    assert!(sent >= 6 && refused >= 14, "{sent} were sent and {refused} refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_learns_of_a_rule_within_a_second_or_so() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let (place, other_place) = (Place::new(), Place::new());
    let setup = database.keep(Setup::with_upstream(&upstream));
    let server = place.start(&setup).await;
    let root_key = place.data_dir().join("root.key");
    let setup = setup.config(&format!("[vault]\nroot_key = 'file:{}'", root_key.display()));
    let other = other_place.start(&setup).await;
    let acme = server.organisation("acme", "PRO-PLUS").await;
    let status = async |server: &Server<'_>| chat(server, &acme.api_key, "gpt-4o").await.status();
    other.until("the other node knows the key", async || status(&other).await == 200).await;
    put(&server, 0, json!({ "deny": ["gpt-4o"] })).await;
    let since = Instant::now();
    assert_eq!(status(&server).await, 403, "its own node knows at once");
    other.until("the other node denies it", async || status(&other).await == 403).await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    let deleted = server.operator("DELETE", POLICY, &Value::Null).await;
    assert_eq!(deleted.status(), 204, "{}", deleted.text());
    other.until("the other node allows it again", async || status(&other).await == 200).await;
}

#[tokio::test]
async fn the_command_line_sets_shows_rolls_back_and_explains() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    server.organisation("acme", "PRO-PLUS").await;
    let key = key_id(&server).await;
    let file = place.path().join("policy.toml");
    let run = |arguments: &[&str], code: i32| {
        let mut all = vec!["policies"];
        all.extend(arguments);
        all.extend(["--org", "acme"]);
        let output = server.cli(&all);
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    run(&["show"], 5);
    std::fs::write(&file, "deny = ['gpt-3*']\n[aliases]\nfast = 'openai/gpt-4o-mini'\n").unwrap();
    let file = file.to_str().unwrap();
    let set = run(&["set", file], 0);
    assert!(set.contains("fast=openai/gpt-4o-mini") && set.contains("gpt-3*"), "{set}");
    run(&["set", file, "--expect", "0"], 6);
    run(&["set", file], 0);
    std::fs::write(file, "fallbacks = []\n").unwrap();
    let refused = run(&["set", file], 2);
    assert!(refused.contains("unknown field `fallbacks`"), "{refused}");
    assert_eq!(run(&["rollback", "--to", "1"], 0).matches("gpt-3*").count(), 1);
    let history = run(&["history"], 0);
    assert_eq!(history.lines().count(), 4, "{history}");
    assert!(run(&["list"], 0).contains("organisation"));
    let document: Value = serde_json::from_str(&run(&["show", "--document"], 0)).unwrap();
    assert_eq!(document, json!({ "aliases": { "fast": "openai/gpt-4o-mini" }, "deny": ["gpt-3*"] }));
    let told = run(&["explain", "fast", "--key", &key], 0);
    assert!(told.contains("fast = openai/gpt-4o-mini") && told.contains("sent"), "{told}");
    let told = run(&["explain", "gpt-3.5-turbo", "--key", &key], 0);
    assert!(told.contains("403 policy_denied") && told.contains("refused"), "{told}");
    std::fs::write(file, "allow = ['openai/*']\n").unwrap();
    assert!(run(&["set", file, "--key", &key], 0).contains(&key));
    run(&["delete", "--key", &key], 0);
    run(&["delete"], 0);
    run(&["show"], 5);
}
