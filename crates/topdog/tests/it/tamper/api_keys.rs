//! Top Dog keys whose rows were changed or moved.

use super::{Bed, of, status_and_code};
use crate::server::{Server, Tenant};
use serde_json::{Value, json};

/// The management API as that key sees it.
async fn managed(server: &Server<'_>, tenant: &Tenant) -> (u16, String) {
    let answer = server.manage(&tenant.api_key, "GET", "/organisations/current", &Value::Null).await;
    (answer.status(), answer.code())
}

/// The first secret of acme's key `test`.
fn of_test() -> String {
    format!("api_key = (SELECT id FROM api_keys WHERE name = 'test' AND {})", of("acme"))
}

#[tokio::test]
async fn a_moved_or_changed_row_is_a_key_to_nothing() {
    let bed = Bed::with(async |server| {
        let wider = json!({ "name": "wide", "scopes": ["llm", "org:read", "api-keys:write"] });
        let made = server.operator("POST", "/organisations/acme/api-keys", &wider).await;
        assert_eq!(made.status(), 201, "{}", made.text());
    })
    .await;
    let (acme, other) = (of("acme"), of("other"));
    let other_id = "(SELECT id FROM organisations WHERE name = 'other')";
    let free_the_name = format!("UPDATE api_keys SET name = 'elsewhere' WHERE {other}");
    let key = format!("UPDATE api_keys SET org = {other_id} WHERE name = 'test' AND {acme}");
    let secret = format!("UPDATE api_key_secrets SET org = {other_id} WHERE {}", of_test());
    let wide = format!("(SELECT id FROM api_keys WHERE name = 'wide' AND {acme})");
    let to_the_wider = format!(
        "UPDATE api_key_secrets SET api_key = {wide}, generation = 9, org = (SELECT org FROM api_keys WHERE id = \
         {wide}) WHERE {}",
        of_test()
    );
    let to_a_key_of_other = format!(
        "UPDATE api_key_secrets SET api_key = (SELECT id FROM api_keys WHERE {other}), generation = 9, org = \
         {other_id} WHERE {}",
        of_test()
    );
    let renamed = format!(
        "UPDATE api_keys SET id = 'key_0199d0000000700080000000000000bb' WHERE name = 'test' AND {acme}"
    );
    let follow = "UPDATE api_key_secrets SET api_key = 'key_0199d0000000700080000000000000bb' WHERE api_key NOT IN \
         (SELECT id FROM api_keys)";
    let of_secret = |change: &str| format!("UPDATE api_key_secrets SET {change} WHERE {}", of_test());
    let hash = of_secret(
        "hash = CAST(substr(hash, 1, 31) || CASE substr(hash, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)",
    );
    let others_hash = of_secret(&format!("hash = (SELECT hash FROM api_key_secrets WHERE {other})"));
    let (pepper, public_id) = (of_secret("pepper_version = 2"), of_secret("public_id = '0123456789ab'"));
    let cases: [(&str, Vec<&str>); 9] = [
        ("the key is moved to another organisation", vec![&free_the_name, &key]),
        ("the key is moved with its secret", vec![&free_the_name, &secret, &key]),
        ("the secret is moved to a wider key", vec![&to_the_wider]),
        ("the secret is moved to another organisation's key", vec![&to_a_key_of_other]),
        ("the key gets another id", vec![&renamed, follow]),
        ("the hash is changed", vec![&hash]),
        ("the hash is another's", vec![&others_hash]),
        ("the pepper is another", vec![&pepper]),
        ("the public id is another", vec![&public_id]),
    ];
    for (what, statements) in cases {
        let sent = bed.upstream.requests().len();
        bed.tampered(&statements, async |server| {
            let refused = (401, "invalid_api_key".to_owned());
            assert_eq!(status_and_code(server, &bed.acme).await, refused, "{what}");
            assert_eq!(managed(server, &bed.acme).await, refused, "{what}");
            assert_eq!(bed.upstream.requests().len(), sent, "{what}: something went to the provider");
            assert_eq!(status_and_code(server, &bed.other).await.0, 200, "{what}");
        })
        .await;
    }
    bed.tampered(&[], async |server| {
        assert_eq!(status_and_code(server, &bed.acme).await.0, 200);
    })
    .await;
}
