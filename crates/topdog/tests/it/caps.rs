//! Caps and caching of a running server: what a kill does to them, what the other node knows, what `apply` makes of them.

use crate::engines::{Database, on_both_engines};
use crate::http::try_send;
use crate::limits::{Rush, ends};
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::{Value, json};

const CAP: usize = 100;
const ROUNDS: usize = 4;
const ROUND: usize = 15;
const POLICY: &str = "/organisations/acme/policies/organisation";

async fn capped(server: &Server<'_>) -> Tenant {
    let acme = server.organisation("acme", "TEAMS-LARGE").await;
    let document =
        json!({ "caps": [{ "requests": CAP, "per": "month" }, { "tokens": 100_000_000, "per": "month" }] });
    let body = json!({ "expected_version": 0, "document": document });
    assert_eq!(server.operator("PUT", POLICY, &body).await.status(), 201);
    acme
}

async fn used(server: &Server<'_>, limit: &str) -> u64 {
    let quota = server.operator("GET", "/organisations/acme/quota", &Value::Null).await.json();
    let lines = quota["data"].as_array().unwrap_or_else(|| panic!("{quota}"));
    lines.iter().find(|line| line["limit"] == limit).unwrap()["used"].as_u64().unwrap()
}

on_both_engines! {
    async fn kills_never_let_a_cap_be_passed_and_lose_little_of_it(database: &Database) {
        let mut upstream = Upstream::start(Reply::Completion).await;
        let place = Place::new();
        let setup = database.keep(Setup::with_upstream(&upstream));
        let mut server = place.start(&setup).await;
        let acme = capped(&server).await;
        for round in 1..=ROUNDS {
            let requests = Rush::ready(&server, &acme, ROUND).await.go();
            upstream.has_received(round * 5).await;
            server.kill();
            let _ = ends(requests).await;
            server = place.start(&setup).await;
        }
        let last = ends(Rush::ready(&server, &acme, 200).await.go()).await;
        assert!(last.refused > 0 && last.broken == 0, "{last:?}");
        let (seen, counted) = (upstream.requests().len(), used(&server, "organisation:requests_per_month").await);
        assert!(seen <= CAP && counted == CAP as u64, "{seen} were sent, {counted} are counted");
        // At each kill are lost: those that were let in and not sent yet, and a lease of two at the most.
        assert!(seen >= CAP - ROUNDS * (ROUND + 2), "{seen} were sent");
        let refused = try_send(server.gateway, &acme.chat(&chat())).await.unwrap().json();
        assert_eq!(refused["error"]["code"], "cap_exceeded", "{refused}");
        assert_eq!(refused["error"]["set_by"], "policy of organisation, version 1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_a_cap() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let (place, other_place) = (Place::new(), Place::new());
    let setup = database.keep(Setup::with_upstream(&upstream));
    let one = place.start(&setup).await;
    let acme = capped(&one).await;
    let root_key = place.data_dir().join("root.key");
    let setup = setup.config(&format!("[vault]\nroot_key = 'file:{}'", root_key.display()));
    // It starts with the policy in force.
    let two = other_place.start(&setup).await;
    let rushes = (Rush::ready(&one, &acme, 150).await, Rush::ready(&two, &acme, 150).await);
    let (here, there) = (rushes.0.go(), rushes.1.go());
    let (here, there) = (ends(here).await, ends(there).await);
    let admitted = here.admitted + there.admitted;
    assert!((CAP - 4..=CAP).contains(&admitted), "{here:?} {there:?}: a lease is two at the most");
    assert_eq!(upstream.requests().len(), admitted);
}

#[tokio::test]
async fn apply_puts_caps_and_caching_in_force_and_a_second_time_changes_nothing() {
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let server = place.start(&Setup::with_upstream(&upstream)).await;
    let acme = server.organisation("acme", "PRO-PLUS").await;
    let file = place.path().join("topdog.org.toml");
    let apply = |more: &[&str]| {
        let output = server.cli(&[&["apply", "-f", file.to_str().unwrap()], more].concat());
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let org = "[[organisation]]\nname = 'acme'\ntier = 'PRO-PLUS'\n";
    let policy = "[[organisation.policy]]\ncaps = [{ requests = 2, per = 'day' }]\ncache = { ttl_seconds = 60, sampled = true }\n";
    std::fs::write(&file, format!("{org}{policy}")).unwrap();
    let (is_done, told) = apply(&["--dry-run"]);
    assert!(is_done && told.contains("+ acme: policy organisation"), "{told}");
    assert!(server.operator("GET", POLICY, &Value::Null).await.status() == 404, "a dry run changes nothing");
    let (is_done, told) = apply(&[]);
    assert!(is_done, "{told}");
    let (is_done, told) = apply(&[]);
    assert!(is_done && told.contains("nothing to change"), "{told}");
    assert_eq!(server.operator("GET", POLICY, &Value::Null).await.json()["version"], 1);
    let ask = async |content: &str| {
        let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": content }] });
        try_send(server.gateway, &acme.chat(&body)).await.unwrap()
    };
    for (content, status, cache) in [
        ("a", 200, Some("miss")),
        ("a", 200, Some("hit")),
        ("b", 200, Some("miss")),
        ("c", 429, None),
        ("b", 200, Some("hit")),
    ] {
        let answer = ask(content).await;
        assert_eq!((answer.status(), answer.head.header("x-topdog-cache")), (status, cache), "{content}");
    }
    assert_eq!(upstream.requests().len(), 2);
    std::fs::write(&file, format!("{org}{}", policy.replace("requests = 2", "requests = 3"))).unwrap();
    let (is_done, told) = apply(&[]);
    assert!(is_done && told.contains("~ acme: policy organisation: caps"), "{told}");
    assert_eq!(ask("c").await.status(), 200, "what was used stays, and one more is let in");
    std::fs::write(&file, org).unwrap();
    let (is_done, told) = apply(&[]);
    assert!(is_done && told.contains("? acme: policy organisation"), "{told}");
    let (is_done, told) = apply(&["--prune"]);
    assert!(is_done && told.contains("- acme: policy organisation"), "{told}");
    assert_eq!(ask("c").await.head.header("x-topdog-cache"), None);
}
