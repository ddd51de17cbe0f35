//! Provider keys whose rows were changed, moved or made up: sealed ones, and references.

use super::{Bed, of, status_and_code};
use crate::server::{Server, Tenant};
use serde_json::{Value, json};

const OTHER: &str = "(SELECT id FROM organisations WHERE name = 'other')";
const NEW_ID: &str = "pk_0199d0000000700080000000000000bb";

/// Makes acme's key one by reference, and leaves the other organisation its sealed one.
async fn refer(server: &Server<'_>) {
    let list = server.operator("GET", "/organisations/acme/provider-keys", &Value::Null).await.json();
    let id = list["data"][0]["id"].as_str().unwrap();
    let rotate = format!("/organisations/acme/provider-keys/{id}/rotate");
    let rotated = server.operator("POST", &rotate, &json!({ "reference": "env:ACME_KEY" })).await;
    assert_eq!(rotated.status(), 200, "{}", rotated.text());
}

/// What is changed of acme's key, by who may write into the database.
fn change(what: &str) -> String {
    format!("UPDATE provider_keys SET {what} WHERE {}", of("acme"))
}

/// The same, of what is sealed.
fn change_sealed(what: &str) -> String {
    format!("UPDATE sealed_secrets SET {what} WHERE {}", of("acme"))
}

/// In each case, the one named gets no key opened, and nothing goes to the provider.
async fn each_is_unreadable(bed: &Bed, cases: Vec<(&str, &str, &Tenant, Vec<String>)>) {
    for (what, name, tenant, statements) in cases {
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        bed.tampered(&statements, async |server| {
            println!("{what}");
            bed.is_unreadable(server, name, tenant).await;
        })
        .await;
    }
    let used = bed.upstream.requests().len();
    bed.tampered(&[], async |server| {
        for tenant in [&bed.acme, &bed.other] {
            assert_eq!(status_and_code(server, tenant).await.0, 200);
        }
    })
    .await;
    assert_eq!(bed.upstream.requests().len(), used + 2);
}

/// The other organisation's own key makes room for acme's.
fn make_room() -> Vec<String> {
    vec![
        format!("DELETE FROM sealed_secrets WHERE {}", of("other")),
        format!("DELETE FROM provider_keys WHERE {}", of("other")),
    ]
}

/// Every way to move or change a row that holds for sealed keys and for references alike.
fn moves(bed: &Bed) -> Vec<(&'static str, &'static str, &Tenant, Vec<String>)> {
    let to_other = || [make_room(), vec![change(&format!("org = {OTHER}"))]].concat();
    let with_what_is_sealed = [to_other(), vec![change_sealed(&format!("org = {OTHER}"))]].concat();
    let id = || change(&format!("id = '{NEW_ID}'"));
    let sealed_id = change_sealed(&format!("provider_key = '{NEW_ID}'"));
    vec![
        ("moved to another organisation", "other", &bed.other, to_other()),
        ("moved with what is sealed of it", "other", &bed.other, with_what_is_sealed),
        ("under another id", "acme", &bed.acme, vec![id()]),
        ("under another id with what is sealed", "acme", &bed.acme, vec![id(), sealed_id]),
        ("of a version that is not there", "acme", &bed.acme, vec![change("version = version + 1")]),
        (
            "of another version with what is sealed",
            "acme",
            &bed.acme,
            vec![
                change("version = 9"),
                change_sealed(
                    "version = version + 9 - (SELECT MAX(version) FROM \
                  sealed_secrets AS s WHERE s.provider_key = sealed_secrets.provider_key)",
                ),
            ],
        ),
        (
            "without what is sealed",
            "acme",
            &bed.acme,
            vec![format!("DELETE FROM sealed_secrets WHERE {}", of("acme"))],
        ),
    ]
}

#[tokio::test]
async fn a_sealed_key_opens_in_its_own_row_only() {
    let bed = Bed::new().await;
    let token = format!("file:{}", bed.place.data_dir().join("operator.token").display());
    let mut cases = moves(&bed);
    for reference in ["env:OTHER_KEY", &token, "no reference at all"] {
        let statement = change(&format!("reference = '{reference}'"));
        cases.push(("made a reference", "acme", &bed.acme, vec![statement]));
    }
    each_is_unreadable(&bed, cases).await;
}

#[tokio::test]
async fn a_reference_is_followed_from_its_own_row_only() {
    let bed = Bed::with(refer).await;
    let token = format!("file:{}", bed.place.data_dir().join("operator.token").display());
    let mut cases = moves(&bed);
    for reference in ["env:OTHER_KEY", "env:ACME_KEY ", &token] {
        let statement = change(&format!("reference = '{reference}'"));
        cases.push(("changed", "acme", &bed.acme, vec![statement]));
    }
    cases.push(("made the key itself", "acme", &bed.acme, vec![change("reference = NULL")]));
    each_is_unreadable(&bed, cases).await;
    let keys: Vec<_> = bed
        .upstream
        .requests()
        .iter()
        .rev()
        .take(2)
        .map(|r| r.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(keys, [format!("Bearer {}", bed.other.provider_key), "Bearer sk-of-acme".to_owned()]);
}

#[tokio::test]
async fn a_reference_that_was_made_up_is_not_followed() {
    let bed = Bed::with(refer).await;
    let token = format!("file:{}", bed.place.data_dir().join("operator.token").display());
    let mut cases = Vec::new();
    for reference in ["env:ACME_KEY", "env:OTHER_KEY", &token] {
        let row = format!(
            "INSERT INTO provider_keys (id, org, provider, name, origin, reference, version, created_at, rotated_at) \
             SELECT '{NEW_ID}', org, provider, 'mine', origin, '{reference}', 1, created_at + 1, rotated_at \
             FROM provider_keys WHERE {}",
            of("other")
        );
        let sealed = format!(
            "INSERT INTO sealed_secrets (provider_key, version, org, provider, origin, org_key_version, alg, \
             wrapped_data_key, ciphertext) SELECT '{NEW_ID}', 1, org, provider, origin, org_key_version, alg, \
             wrapped_data_key, ciphertext FROM sealed_secrets WHERE {} LIMIT 1",
            of("other")
        );
        cases.push(("made up", "other", &bed.other, vec![row.clone()]));
        cases.push(("made up beside another's seal", "other", &bed.other, vec![row, sealed]));
    }
    each_is_unreadable(&bed, cases).await;
}

#[tokio::test]
async fn a_key_is_sent_for_its_own_provider_only() {
    let bed = Bed::with(refer).await;
    let ask = json!({
        "model": "anthropic/claude", "max_tokens": 9, "messages": [{ "role": "user", "content": "hello" }],
    });
    let ask = ask.to_string();
    for (name, tenant) in [("acme", &bed.acme), ("other", &bed.other)] {
        let renamed = format!("UPDATE provider_keys SET provider = 'anthropic' WHERE {}", of(name));
        let with_what_is_sealed =
            format!("UPDATE sealed_secrets SET provider = 'anthropic' WHERE {}", of(name));
        for statements in [vec![renamed.as_str()], vec![renamed.as_str(), with_what_is_sealed.as_str()]] {
            let sent = bed.upstream.requests().len();
            bed.tampered(&statements, async |server| {
                let request = tenant.post("/v1/messages", ask.as_bytes());
                let answer = crate::http::try_send(server.gateway, &request).await.unwrap();
                assert_eq!(answer.code(), "provider_key_unreadable", "{name}");
                assert_eq!(bed.upstream.requests().len(), sent);
            })
            .await;
        }
    }
}
