//! What an operator sees of a running server: the manual, rotations, the node's own metrics.

use crate::engines::{Database, on_both_engines};
use crate::http::{request, try_send};
use crate::server::{Place, Setup};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_refusals_plans_url_leads_to_the_manual() {
    let place = Place::new();
    let server = place.start(&Setup::new()).await;
    server.organisation("acme", "FREE").await;
    let body = json!({ "name": "second", "scopes": ["llm"] });
    let refused = server.operator("POST", "/organisations/acme/api-keys", &body).await;
    assert_eq!(refused.code(), "tier_limit", "{}", refused.text());
    let url = refused.json()["plans_url"].as_str().unwrap().to_owned();

    let page = try_send(server.gateway, &request("GET", &url, &[], b"")).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("<h1 id=\"quotas\">Quotas</h1>"), "{}", page.text());
    assert!(page.head.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let contents = try_send(server.gateway, &request("GET", "/docs", &[], b"")).await.unwrap();
    assert!(contents.text().contains(&format!("<a href=\"{url}\">")));
    let nothing = try_send(server.gateway, &request("GET", "/docs/nothing", &[], b"")).await.unwrap();
    assert_eq!(nothing.status(), 404);
}

on_both_engines! {
    async fn a_rotation_begins_at_once_and_shows_how_far_it_is(database: &Database) {
        let place = Place::new();
        let server = place.start(&database.keep(Setup::new())).await;
        server.organisation("acme", "PRO").await;
        let begun = Instant::now();
        for command in [&["vault", "rotate-org", "--org", "acme", "--wait"][..], &["vault", "rotate-root", "--wait"]] {
            let output = server.cli(command);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        // A worker that only looked now and then would take a minute.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let status = server.operator("GET", "/organisations/acme/vault", &Value::Null).await.json();
        assert_eq!((&status["version"], &status["pending"], &status["done"]), (&json!(2), &json!(0), &json!(1)));
        let all = server.operator("GET", "/vault", &Value::Null).await.json();
        assert_eq!((&all["under_old_root"], &all["under_old_org_key"]), (&json!(0), &json!(0)));
        assert_eq!((&all["under_present_root"], &all["under_newest_org_key"]), (&json!(3), &json!(1)));
        let shown = server.cli(&["vault", "status"]);
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("root key: pending           0\n"), "{shown}");
        let metrics = server.admin("/metrics").await.text();
        for line in [
            "topdog_rewrap_pending{by=\"root\"} 0\n",
            "topdog_rewrap_pending{by=\"organisation\"} 0\n",
            "topdog_spool_lost_records_total 0\n",
            "topdog_spool_refused_records_total 0\n",
        ] {
            assert!(metrics.contains(line), "{line}{metrics}");
        }
        assert_eq!(metrics.matches("# EOF").count(), 1);
        assert!(metrics.ends_with("# EOF\n"));
    }
}
