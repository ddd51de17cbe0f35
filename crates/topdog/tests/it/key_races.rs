//! Limits of the management API, under many hands.

use crate::engines::{Database, on_both_engines};
use crate::http::{Answer, try_send};
use crate::server::{Place, Server, Setup, management_call};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Makes many calls at once, each on a connection of its own.
async fn at_once(server: &Server<'_>, calls: impl Iterator<Item = Vec<u8>>) -> Vec<Answer> {
    let mut answers = JoinSet::new();
    for call in calls {
        let gateway = server.gateway;
        answers.spawn(async move { try_send(gateway, &call).await.expect("an answer") });
    }
    answers.join_all().await
}

/// How many ended with that status.
fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status() == status).count()
}

async fn organisation(server: &Server<'_>, name: &str, tier: &str) {
    let made = server.operator("POST", "/organisations", &json!({ "name": name, "tier": tier })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
}

/// A key of the organisation's own that may make others.
async fn manager(server: &Server<'_>, org: &str) -> String {
    let body = json!({ "name": "manager", "scopes": ["llm", "api-keys:read", "api-keys:write"] });
    let made = server.operator("POST", &format!("/organisations/{org}/api-keys"), &body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.json()["secret"].as_str().unwrap().to_owned()
}

async fn live_keys(server: &Server<'_>, org: &str) -> usize {
    let path = format!("/organisations/{org}/api-keys?limit=200");
    let listed = server.operator("GET", &path, &Value::Null).await.json();
    listed["data"].as_array().unwrap().len()
}

on_both_engines! {
    async fn fifty_keys_wished_for_at_once_against_a_limit_of_five_are_five(database: &Database) {
        let place = Place::new();
        let server = place.start(&database.keep(Setup::new())).await;
        organisation(&server, "acme", "PRO").await;
        let call = |n| {
            let body = json!({ "name": format!("key {n}") });
            management_call(&server.operator_token, "POST", "/organisations/acme/api-keys", &body)
        };
        let answers = at_once(&server, (0..50).map(call)).await;
        assert_eq!(count(&answers, 201), 5, "{answers:?}");
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status() != 201).collect();
        for answer in refused {
            assert_eq!(answer.code(), "tier_limit", "{}", answer.text());
            assert_eq!(answer.json()["allowed"], 5, "{}", answer.text());
        }
        assert_eq!(live_keys(&server, "acme").await, 5);
    }

    async fn a_key_revoked_makes_room_for_one_and_not_for_two(database: &Database) {
        let place = Place::new();
        let server = place.start(&database.keep(Setup::new())).await;
        organisation(&server, "acme", "FREE").await;
        let manager = manager(&server, "acme").await;
        let keys = server.operator("GET", "/organisations/acme/api-keys", &Value::Null).await.json();
        let path = format!("/organisations/acme/api-keys/{}", keys["data"][0]["id"].as_str().unwrap());
        // It revokes itself while others are wished for.
        let revoke = management_call(&manager, "DELETE", &path, &Value::Null);
        let wish = |n| {
            let body = json!({ "name": format!("key {n}") });
            management_call(&server.operator_token, "POST", "/organisations/acme/api-keys", &body)
        };
        let mut answers = at_once(&server, std::iter::once(revoke).chain((0..10).map(wish))).await;
        answers.extend(at_once(&server, (10..20).map(wish)).await);
        assert_eq!(count(&answers, 201), 1, "{answers:?}");
        let after = try_send(server.gateway, &management_call(&manager, "GET", &path, &Value::Null)).await;
        assert_eq!(after.unwrap().status(), 401);
    }

    async fn of_fifty_calls_in_a_minute_free_gets_five(database: &Database) {
        let place = Place::new();
        let server = place.start(&database.keep(Setup::new())).await;
        for attempt in 0.. {
            let org = format!("acme{attempt}");
            organisation(&server, &org, "FREE").await;
            let manager = manager(&server, &org).await;
            let begun = minute();
            let list = |_| management_call(&manager, "GET", "/organisations/current/api-keys", &Value::Null);
            let answers = at_once(&server, (0..50).map(list)).await;
            if minute() != begun {
                continue;
            }
            assert_eq!((count(&answers, 200), count(&answers, 429)), (5, 45), "{answers:?}");
            for answer in answers.iter().filter(|answer| answer.status() == 429) {
                assert_eq!(answer.json()["limit"], "key_management_calls_per_minute", "{}", answer.text());
                let wait: u64 = answer.head.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=60).contains(&wait), "{wait}");
            }
            // What a tier refuses counts nothing.
            let path = format!("/organisations/{org}/quota");
            let quota = server.operator("GET", &path, &Value::Null).await.json();
            let lines = quota["data"].as_array().unwrap();
            let calls = lines.iter().find(|line| line["limit"] == "api_calls_per_day").unwrap();
            assert_eq!(calls["used"], 5, "{quota}");
            return;
        }
    }
}

/// The window that the limit counts in.
#[expect(clippy::disallowed_methods, reason = "the test must know when the server's minute ends")]
fn minute() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60
}
