use super::{OPERATOR, World};
use serde_json::json;
use topdog_domain::fakes::samples::{NEW_YEAR, request_record};
use topdog_domain::ports::{Batch, RecordSink};

#[tokio::test]
async fn usage_is_summed_and_listed_for_its_own_organisation() {
    let world = World::new().await;
    let (acme, other) = (world.org("acme", "PRO").await, world.org("other", "PRO").await);
    let at = |seconds| request_record(acme.parse().unwrap(), NEW_YEAR.plus_seconds(seconds));
    let requests = vec![at(0), at(1), at(86_400)];
    world.store.ship(&Batch { requests, audits: Vec::new() }).await.unwrap();
    let path = format!("/organisations/{acme}");
    let today = world.get(&format!("{path}/usage"), OPERATOR).await.expect(200);
    assert_eq!(
        (&today.body["from"], &today.body["to"]),
        (&json!("2026-01-01T00:00:00Z"), &json!("2026-01-02T00:00:00Z"))
    );
    assert_eq!(today.body["data"][0]["requests"], 2);
    assert_eq!(today.body["data"][0]["cache_write_tokens"], 14);
    let span = "from=2026-01-01T00:00:01Z&to=2026-01-03T00:00:00Z";
    let both = world.get(&format!("{path}/usage?{span}"), OPERATOR).await.expect(200);
    assert_eq!(both.body["data"][0]["requests"], 2);
    for list in ["usage/events", "debug-logs"] {
        let first = world.get(&format!("{path}/{list}?limit=2"), OPERATOR).await.expect(200);
        let cursor = first.body["next_cursor"].as_str().unwrap().to_owned();
        let second = world.get(&format!("{path}/{list}?limit=2&cursor={cursor}"), OPERATOR).await.expect(200);
        assert_eq!(first.body["data"].as_array().unwrap().len(), 2);
        assert_eq!(second.body["data"].as_array().unwrap().len(), 1);
        let theirs = world.get(&format!("/organisations/{other}/{list}"), OPERATOR).await.expect(200);
        assert_eq!(theirs.body["data"], json!([]));
    }
}

#[tokio::test]
async fn a_span_that_is_none_is_refused() {
    let world = World::new().await;
    let org = world.org("acme", "PRO").await;
    for span in [
        "from=2026-01-02T00:00:00Z",
        "to=2026-01-01T00:00:00Z",
        "from=yesterday",
        "form=2026-01-01T00:00:00Z",
    ] {
        let reply = world.get(&format!("/organisations/{org}/usage?{span}"), OPERATOR).await;
        reply.refused(400, "invalid_parameter");
    }
}
