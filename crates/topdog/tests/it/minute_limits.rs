//! Key-management calls are counted by the minute for all nodes together, and a restart begins nothing anew.

use crate::engines::{Database, on_both_engines};
use crate::server::{Place, Server, Setup, random};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What FREE allows a minute.
const LIMIT: usize = 5;
/// A round that a new minute came into is done again, by another organisation.
const ROUNDS: usize = 3;

on_both_engines! {
    async fn a_restart_begins_no_new_minute(database: &Database) {
        let place = Place::new();
        let setup = database.keep(Setup::new());
        let mut server = place.start(&setup).await;
        for _ in 0..ROUNDS {
            let key = key_of_a_new_organisation(&server).await;
            let minute = minute();
            let before = passed(&server, &key, 3).await;
            server.kill();
            server = place.start(&setup).await;
            let after = passed(&server, &key, LIMIT).await;
            if self::minute() == minute {
                assert_eq!((before, after), (3, LIMIT - 3));
                return;
            }
        }
        panic!("no round fits into a minute on this machine");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_count_together() {
    let Some(database) = Database::postgres().await else { return };
    let (place, other_place) = (Place::new(), Place::new());
    let setup = database.keep(Setup::new());
    let server = place.start(&setup).await;
    let root_key = place.data_dir().join("root.key");
    let setup = setup.config(&format!("[vault]\nroot_key = 'file:{}'", root_key.display()));
    let other = other_place.start(&setup).await;
    for _ in 0..ROUNDS {
        let key = key_of_a_new_organisation(&server).await;
        let is_known = async || other.manage(&key, "GET", "/organisations/current", &Value::Null).await;
        other.until("the other node knows the key", async || is_known().await.status() == 200).await;
        let minute = minute();
        let here = passed(&server, &key, 2).await;
        let there = passed(&other, &key, LIMIT).await;
        let again = passed(&server, &key, LIMIT).await;
        if self::minute() == minute {
            assert_eq!((here, there, again), (2, LIMIT - 2, 0));
            return;
        }
    }
    panic!("no round fits into a minute on this machine");
}

/// A key that may read its organisation and its keys.
async fn key_of_a_new_organisation(server: &Server<'_>) -> String {
    let name = format!("org-{}", random());
    let made = server.operator("POST", "/organisations", &json!({ "name": name, "tier": "FREE" })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let wish = json!({ "name": "reader", "scopes": ["org:read", "api-keys:read"] });
    let made = server.operator("POST", &format!("/organisations/{name}/api-keys"), &wish).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    made.json()["secret"].as_str().unwrap().to_owned()
}

/// How many of so many key-management calls passed; the others were told of the limit.
async fn passed(server: &Server<'_>, key: &str, calls: usize) -> usize {
    let mut passed = 0;
    for _ in 0..calls {
        let answer = server.manage(key, "GET", "/organisations/current/api-keys", &Value::Null).await;
        match answer.status() {
            200 => passed += 1,
            429 => assert_eq!(answer.json()["limit"], "key_management_calls_per_minute"),
            _ => panic!("{}", answer.text()),
        }
    }
    passed
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server under test has a clock of its own, which is this one"
)]
fn minute() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60
}
