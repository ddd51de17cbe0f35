//! A replica that has lost touch says so, and serves no regulated request by what may be revoked.

use super::{Replicas, places};
use crate::cable::Cable;
use crate::engines::Database;
use crate::http::{Line, try_send};
use crate::server::{Place, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;

const LIMIT: &str = "store.stale_after_seconds=2";

fn medical(tenant: &Tenant) -> Vec<u8> {
    let text = String::from_utf8(tenant.chat(&chat())).unwrap();
    text.replacen("\r\n", "\r\nx-data-segment: medical\r\n", 1).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_touch_it_says_so_and_refuses_regulated_requests_alone() {
    let Some(database) = Database::postgres().await else { return };
    let wire = database.wire().await;
    let upstream = Upstream::start(Reply::Completion).await;
    let place = Place::new();
    let setup = database.keep_behind(&wire, Setup::with_upstream(&upstream)).set(&[LIMIT]);
    let server = place.start(&setup).await;
    let acme = server.organisation("acme", "ENTERPRISE-STANDARD").await;
    let (general, regulated) = (acme.chat(&chat()), medical(&acme));
    let status = async |request: &[u8]| try_send(server.gateway, request).await.unwrap().status();
    // A change, its own too, makes a node forget the opened keys of the organisation: the last one is to be heard of
    // before the keys are opened that are to last.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let is_in_touch = async || !server.admin("/readyz").await.text().contains("can't be read");
    for cable in [Cable::Cut, Cable::Silent] {
        server
            .until("all is served", async || status(&general).await == 200 && status(&regulated).await == 200)
            .await;
        wire.be(cable);
        server.until("it says that it is out of touch", async || !is_in_touch().await).await;
        assert_eq!(server.admin("/readyz").await.status(), 200, "it goes on serving what it may");
        let refused = try_send(server.gateway, &regulated).await.unwrap();
        assert_eq!(
            (refused.status(), refused.code().as_str()),
            (503, "changes_unknown"),
            "{}",
            refused.text()
        );
        assert_eq!(refused.head.header("retry-after"), Some("1"));
        let served = try_send(server.gateway, &general).await.unwrap();
        assert_eq!(served.status(), 200, "{}", served.text());
        wire.be(Cable::Whole);
        server.until("it is in touch again", is_in_touch).await;
    }
    server.until("regulated requests are served again", async || status(&regulated).await == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_slept_through_a_revocation_wakes_up_refusing() {
    let Some(database) = Database::postgres().await else { return };
    let upstream = Upstream::start(Reply::Completion).await;
    let places = places(2);
    let replicas = Replicas::start(&places, &database, &upstream, &[LIMIT]).await;
    let acme = replicas.server(0).organisation("acme", "ENTERPRISE-STANDARD").await;
    let request = medical(&acme);
    replicas
        .server(1)
        .until("it knows the key", async || replicas.ask(1, &request).await.status() == 200)
        .await;

    replicas.server(1).signal(Signal::STOP);
    let path = "/organisations/acme/api-keys";
    let keys = replicas.server(0).operator("GET", path, &Value::Null).await.json();
    let id = keys["data"][0]["id"].as_str().unwrap();
    let gone = replicas.server(0).operator("DELETE", &format!("{path}/{id}"), &Value::Null).await;
    assert!(gone.status() < 300, "{}", gone.text());
    let before = upstream.requests().len();
    // These wait in the sleeper's socket: they are what it sees first.
    let mut lines = Vec::new();
    for _ in 0..20 {
        let mut line = Line::connect(replicas.server(1).gateway).await;
        assert!(line.send(&request).await);
        lines.push(line);
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    replicas.server(1).signal(Signal::CONT);
    for line in &mut lines {
        let answer = line.answer().await.unwrap();
        assert!(matches!(answer.status(), 401 | 503), "{}", answer.text());
    }
    assert_eq!(upstream.requests().len(), before, "a revoked key was served");
}
