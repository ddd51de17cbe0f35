//! Whoever writes into the database gets no key opened that is not where it was put, and spoils nobody else's.

#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod provider_keys;

use crate::http::try_send;
use crate::server::{Place, Server, Setup, Tenant, chat};
use crate::upstream::{Reply, Upstream};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use std::path::PathBuf;

/// Two organisations whose keys have been used, and a server that is stopped.
struct Bed {
    upstream: Upstream,
    place: Place,
    acme: Tenant,
    other: Tenant,
}

impl Bed {
    async fn new() -> Self {
        Self::with(async |_| ()).await
    }

    /// The same, with something done before the server stops.
    async fn with(prepare: impl AsyncFnOnce(&Server<'_>)) -> Self {
        let upstream = Upstream::start(Reply::Completion).await;
        let place = Place::new();
        let server = place.start(&setup(&upstream)).await;
        let acme = server.organisation("acme", "PRO").await;
        let other = server.organisation("other", "PRO").await;
        for tenant in [&acme, &other] {
            assert_eq!(status_and_code(&server, tenant).await, (200, String::new()));
        }
        prepare(&server).await;
        assert!(server.stop().success());
        Self { upstream, place, acme, other }
    }

    /// What someone does who can write into the file.
    async fn tamper(&self, statement: &str) {
        let mut connection = sqlite_connection(&self.place).await;
        let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "nothing was changed: {statement}");
        connection.close().await.unwrap();
    }

    async fn start(&self) -> Server<'_> {
        self.place.start(&setup(&self.upstream)).await
    }

    fn database(&self) -> PathBuf {
        sqlite_file(&self.place)
    }

    /// Starts a server on what these statements make of the database, lets it be looked at, and puts everything back.
    async fn tampered(&self, statements: &[&str], look: impl AsyncFnOnce(&Server<'_>)) {
        let before = std::fs::read(self.database()).unwrap();
        for statement in statements {
            self.tamper(statement).await;
        }
        let server = self.start().await;
        look(&server).await;
        assert!(server.stop().success());
        for leftover in ["topdog.db-wal", "topdog.db-shm"] {
            assert!(!self.place.data_dir().join(leftover).exists(), "{leftover} holds more of the database");
        }
        std::fs::write(self.database(), before).unwrap();
    }

    /// A request is refused, nothing goes to the provider, and the audit log says why.
    async fn is_unreadable(&self, server: &Server<'_>, name: &str, tenant: &Tenant) {
        let before = self.upstream.requests().len();
        let (status, code) = status_and_code(server, tenant).await;
        assert_eq!(code, "provider_key_unreadable");
        assert!((500..600).contains(&status), "{status}");
        assert_eq!(self.upstream.requests().len(), before, "a request went to the provider all the same");
        server
            .until("the failed opening is audited", async || {
                let entries = server.audit(name).await;
                entries
                    .iter()
                    .map(body_of)
                    .any(|body| body["action"] == "provider_key.open" && body["outcome"] == "failure")
            })
            .await;
    }
}

fn sqlite_file(place: &Place) -> PathBuf {
    place.data_dir().join("topdog.db")
}

/// The file itself, past the server and all that the tables demand.
async fn sqlite_connection(place: &Place) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(sqlite_file(place)).foreign_keys(false);
    SqliteConnection::connect_with(&file).await.unwrap()
}

/// A second provider at the same address, and a key for each organisation that references can name.
fn setup(upstream: &Upstream) -> Setup {
    Setup::with_upstream(upstream)
        .config(&format!("[providers.anthropic]\nbase_url = '{}'", upstream.url()))
        .variable("ACME_KEY", "sk-of-acme")
        .variable("OTHER_KEY", "sk-of-other")
}

async fn status_and_code(server: &Server<'_>, tenant: &Tenant) -> (u16, String) {
    let answer = try_send(server.gateway, &tenant.chat(&chat())).await.unwrap();
    (answer.status(), answer.code())
}

fn body_of(entry: &Value) -> Value {
    serde_json::from_str(entry["body"].as_str().unwrap()).unwrap()
}

/// The sealed secret of an organisation, as a condition.
fn of(name: &str) -> String {
    format!("org = (SELECT id FROM organisations WHERE name = '{name}')")
}

#[tokio::test]
async fn one_changed_byte_of_a_sealed_key_spoils_it_and_no_other() {
    for column in ["ciphertext", "wrapped_data_key"] {
        let bed = Bed::new().await;
        let last = format!("substr({column}, -1)");
        bed.tamper(&format!(
            "UPDATE sealed_secrets SET {column} = CAST(substr({column}, 1, length({column}) - 1) || \
             CASE {last} WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE {}",
            of("acme")
        ))
        .await;
        let server = bed.start().await;
        bed.is_unreadable(&server, "acme", &bed.acme).await;
        assert_eq!(status_and_code(&server, &bed.other).await.0, 200);
    }
}

#[tokio::test]
async fn a_key_moved_to_another_organisation_opens_for_nobody() {
    let bed = Bed::new().await;
    let from = |column: &str| format!("(SELECT {column} FROM sealed_secrets WHERE {})", of("acme"));
    bed.tamper(&format!(
        "UPDATE sealed_secrets SET (alg, wrapped_data_key, ciphertext) = ({}, {}, {}) WHERE {}",
        from("alg"),
        from("wrapped_data_key"),
        from("ciphertext"),
        of("other")
    ))
    .await;
    let server = bed.start().await;
    bed.is_unreadable(&server, "other", &bed.other).await;
    assert_eq!(status_and_code(&server, &bed.acme).await.0, 200);
}

#[tokio::test]
async fn two_keys_that_were_exchanged_open_for_neither() {
    let bed = Bed::new().await;
    bed.tamper(
        "WITH old AS MATERIALIZED (SELECT org, alg, wrapped_data_key, ciphertext FROM sealed_secrets) \
         UPDATE sealed_secrets SET (alg, wrapped_data_key, ciphertext) = (SELECT alg, wrapped_data_key, \
         ciphertext FROM old WHERE old.org <> sealed_secrets.org)",
    )
    .await;
    let server = bed.start().await;
    bed.is_unreadable(&server, "acme", &bed.acme).await;
    bed.is_unreadable(&server, "other", &bed.other).await;
}

#[tokio::test]
async fn an_exchanged_organisation_key_opens_nothing() {
    let bed = Bed::new().await;
    bed.tamper(
        "WITH old AS MATERIALIZED (SELECT org, wrapped FROM org_keys) \
         UPDATE org_keys SET wrapped = (SELECT wrapped FROM old WHERE old.org <> org_keys.org)",
    )
    .await;
    let server = bed.start().await;
    bed.is_unreadable(&server, "acme", &bed.acme).await;
    bed.is_unreadable(&server, "other", &bed.other).await;
}

#[tokio::test]
async fn a_key_never_follows_its_provider_to_another_address() {
    let bed = Bed::new().await;
    let elsewhere = Upstream::start(Reply::Completion).await;
    let moved = setup(&elsewhere);
    let server = bed.place.start(&moved).await;
    assert_eq!(status_and_code(&server, &bed.acme).await.1, "provider_key_unreadable");
    assert!(server.stop().success());

    // Nor where the database is made to say that it was for there all along.
    let origin = format!("http://{}", elsewhere.address);
    bed.tamper(&format!("UPDATE provider_keys SET origin = '{origin}'")).await;
    bed.tamper(&format!("UPDATE sealed_secrets SET origin = '{origin}'")).await;
    let server = bed.place.start(&moved).await;
    bed.is_unreadable(&server, "acme", &bed.acme).await;
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn an_audit_entry_that_was_changed_is_found() {
    let bed = Bed::new().await;
    // The entry of its making names the organisation.
    bed.tamper(
        "UPDATE audit_runs SET bodies = replace(bodies, 'provider_key', 'provider_kex') \
         WHERE org = (SELECT org FROM audit_runs WHERE bodies LIKE '%\"acme\"%')",
    )
    .await;
    let server = bed.start().await;
    let acme = server.cli(&["audit", "verify", "--org", "acme"]);
    assert!(!acme.status.success(), "{}", String::from_utf8_lossy(&acme.stdout));
    let other = server.cli(&["audit", "verify", "--org", "other"]);
    assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
}
