//! The API over fakes of every port: what a caller sends, and what comes back.

mod api_keys;
mod audit;
mod bodies;
mod document;
mod endpoints;
mod idempotency;
mod key_test;
mod limits;
mod organisations;
mod policies;
mod policy_explain;
mod provider_keys;
mod routes;
mod tiers;
mod usage;
mod workspace_keys;

use crate::{ClientAddress, Platform, PlatformParts, ProviderPlace, operator_token_hash};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Notify;
use topdog_domain::OrgId;
use topdog_domain::catalogue::ModelCatalogue;
use topdog_domain::directory::{Directory, OrgFacts};
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::fakes::{FakeClock, MemoryLedger, MemorySpool, MemoryStore};
use topdog_domain::ports::{Change, ChangeFeed, PortError};
use topdog_domain::provider::{Manner, ProviderName};
use topdog_domain::tier::{Tier, TierCatalogue};
use topdog_egress::{AllowRule, BaseUrl, Client, Egress, EgressPolicy};
use topdog_vault::{KeyHasher, References, RootKeyring, SecretText, Vault, VaultParts};
use tower::ServiceExt;

/// The operator's token.
const OPERATOR: &str = "td_operator_0123456789012345678901234567890123456789012";
/// Nobody's.
const NOBODY: &str = "";
/// What must never come back.
const CANARY: &str = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz";
const HOME: &str = "192.0.2.7";

/// One installation.
struct World {
    router: Router,
    store: Arc<MemoryStore>,
    feed: Arc<Feed>,
    ledger: Arc<MemoryLedger>,
    spool: MemorySpool,
    clock: Arc<FakeClock>,
    rotation_begun: Arc<Notify>,
    /// For files that references name; `data` in it is the installation's own.
    folder: TempDir,
}

/// The change feed, which can be away while the rest of the store is there.
struct Feed {
    store: Arc<MemoryStore>,
    is_away: AtomicBool,
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn newest_change(&self) -> Result<i64, PortError> {
        self.store.newest_change().await
    }

    async fn changes_since(&self, seq: i64) -> Result<Vec<Change>, PortError> {
        self.store.changes_since(seq).await
    }

    async fn load_all(&self) -> Result<Vec<OrgFacts>, PortError> {
        self.store.load_all().await
    }

    async fn load_org(&self, org: OrgId) -> Result<Option<OrgFacts>, PortError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(PortError::Unavailable("the test took it away".into()));
        }
        self.store.load_org(org).await
    }
}

/// An answer.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    body: Value,
}

/// A Top Dog API key that a test holds.
struct Key {
    id: String,
    secret: String,
}

impl World {
    async fn new() -> Self {
        Self::with_openai("https://api.openai.com/v1").await
    }

    /// An installation whose OpenAI is there.
    async fn with_openai(base_url: &str) -> Self {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(VaultParts {
            root: RootKeyring::from_text("v1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap(),
            org_keys: store.clone(),
            secrets: store.clone(),
            installation: store.clone(),
            references: References::new()
                .with_env([("OPENAI_API_KEY", CANARY), ("NO_KEY", "two words")].map(variable))
                .without([folder.path().join("data")]),
            cache_ttl: Duration::from_secs(60),
            stale_ttl: Duration::ZERO,
        });
        let hasher = Arc::new(KeyHasher::load_or_create(&vault).await.unwrap());
        let feed = Arc::new(Feed { store: store.clone(), is_away: AtomicBool::new(false) });
        let (ledger, spool) = (Arc::new(MemoryLedger::new()), MemorySpool::new());
        let clock = Arc::new(FakeClock::at(NEW_YEAR));
        let rotation_begun = Arc::new(Notify::new());
        let loopback = AllowRule { net: "127.0.0.0/8".parse().unwrap(), ports: None, plain_http: true };
        let platform = Platform::new(PlatformParts {
            directory: Arc::new(Directory::new(TierCatalogue::new(Tier::standard_catalogue()))),
            tiers: store.clone(),
            organisations: store.clone(),
            api_keys: store.clone(),
            provider_keys: store.clone(),
            org_keys: store.clone(),
            wrapped_key_counts: store.clone(),
            rotation_begun: rotation_begun.clone(),
            endpoints: store.clone(),
            policies: store.clone(),
            idempotency: store.clone(),
            records: store.clone(),
            ledger: ledger.clone(),
            caps: ledger.clone(),
            minutes: ledger.clone(),
            change_feed: feed.clone(),
            spool: Arc::new(spool.clone()),
            vault,
            hasher,
            egress: Client::new(Egress::new(EgressPolicy::new().allow(loopback)).unwrap()),
            clock: clock.clone(),
            operator_token_hash: operator_token_hash(OPERATOR),
            catalogue: Arc::new(ModelCatalogue::built_in().unwrap()),
            is_test_provider_enabled: true,
            providers: vec![(
                ProviderName::openai(),
                ProviderPlace { base: BaseUrl::parse(base_url).unwrap(), manner: Manner::default() },
            )],
            plans_url: "https://example.com/plans".to_owned(),
        });
        Self { router: platform.router(), store, feed, ledger, spool, clock, rotation_begun, folder }
    }

    /// A file of the server's machine that holds a key, and the reference to it.
    fn key_file(&self, path: &str) -> (PathBuf, String) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, CANARY).unwrap();
        let reference = format!("file:{}", path.display());
        (path, reference)
    }

    /// Sends a request as it is.
    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    /// A request with that credential, from [`HOME`].
    async fn call(&self, method: &str, path: &str, credential: &str, body: Option<Value>) -> Reply {
        self.send(request(method, path, credential, body)).await
    }

    async fn get(&self, path: &str, credential: &str) -> Reply {
        self.call("GET", path, credential, None).await
    }

    async fn post(&self, path: &str, credential: &str, body: Value) -> Reply {
        self.call("POST", path, credential, Some(body)).await
    }

    async fn delete(&self, path: &str, credential: &str) -> Reply {
        self.call("DELETE", path, credential, None).await
    }

    /// A new organisation; its id.
    async fn org(&self, name: &str, tier: &str) -> String {
        let reply = self.post("/organisations", OPERATOR, json!({ "name": name, "tier": tier })).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.body["organisation"]["id"].as_str().unwrap().to_owned()
    }

    /// A new key of the organisation, made by the operator.
    async fn key(&self, org: &str, wish: Value) -> Key {
        let reply = self.post(&format!("/organisations/{org}/api-keys"), OPERATOR, wish).await;
        reply.issued()
    }

    /// A key with these scopes, under a name of its own.
    async fn scoped(&self, org: &str, scopes: &[&str]) -> Key {
        let name = format!("key {}", topdog_domain::RecordId::new());
        self.key(org, json!({ "name": name, "scopes": scopes })).await
    }
}

impl Reply {
    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// A problem with that status and code.
    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.body["code"], code, "{}", reply.text);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        reply
    }

    #[track_caller]
    fn issued(self) -> Key {
        let reply = self.expect(201);
        Key {
            id: reply.body["key"]["id"].as_str().unwrap().to_owned(),
            secret: reply.body["secret"].as_str().unwrap().to_owned(),
        }
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn variable((name, value): (&str, &str)) -> (String, SecretText) {
    (name.to_owned(), SecretText::new(value.to_owned()))
}

fn request(method: &str, path: &str, credential: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(format!("/api/v1{path}"));
    if !credential.is_empty() {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    let body = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    from(request.body(body).unwrap(), HOME)
}

/// The request, come from that address.
fn from(mut request: Request<Body>, address: &str) -> Request<Body> {
    request.extensions_mut().insert(ClientAddress(address.parse::<IpAddr>().unwrap()));
    request
}
