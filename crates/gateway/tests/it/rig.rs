//! A gateway on a free port with one organisation in it.

use crate::upstream::{Script, Upstream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;
use topdog_domain::api_key::{ApiKey, KeyMode, KeySecret, Token};
use topdog_domain::catalogue::ModelCatalogue;
use topdog_domain::directory::{Directory, OrgFacts};
use topdog_domain::fakes::{FakeClock, MemoryLedger, MemorySpool, MemoryStore, samples};
use topdog_domain::labels::LabelDefaults;
use topdog_domain::ports::{Organisations, ProviderKeys, Spool};
use topdog_domain::provider::{Family, Manner, ProviderName};
use topdog_domain::response_cache::CacheRoom;
use topdog_domain::tenant::{Endpoint, KeySource, ProviderKey};
use topdog_domain::tier::{Tier, TierCatalogue};
use topdog_domain::usage::{Outcome, RequestRecord};
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};
use topdog_egress::{AllowRule, BaseUrl, Client, Egress, EgressPolicy};
use topdog_gateway::{
    ClientBody, ControlBody, ControlPlane, Gateway, GatewayConfig, GatewayParts, Metrics, OccupancyLimits,
    ProviderConfig,
};
use topdog_vault::{KeyHasher, References, RootKeyring, SecretText, Slot, TokenServer, Vault, VaultParts};

pub(crate) const SECRET: &str = "sk-customer-own-key-7f3a";

/// What a provider of that family is called with.
pub(crate) const fn secret_for(family: Family) -> &'static str {
    match family {
        Family::OpenAi => SECRET,
        Family::Anthropic => "sk-ant-own-key-41c9",
        Family::Cohere => "co-own-key-for-cohere-82e1",
        Family::Gemini => "aiza-own-key-for-gemini-d07b",
    }
}

/// The provider that is named as its family, and speaks its dialect.
fn provider(family: Family, origin: &str) -> ProviderConfig {
    let version = if matches!(family, Family::OpenAi | Family::Anthropic) { "/v1" } else { "" };
    ProviderConfig {
        name: ProviderName::parse(family.name()).unwrap(),
        base: BaseUrl::parse(&format!("{origin}{version}")).unwrap(),
        manner: Manner::of(family.into()),
        takes_stream_options: true,
    }
}

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Runs a test on one thread, as the data plane does.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// The same in virtual time: where all wait, the next timer is due at once.
pub(crate) fn run_paused(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) spool: MemorySpool,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) token: String,
    pub(crate) facts: OrgFacts,
    tenants: Tenants,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) abandon: watch::Sender<bool>,
}

pub(crate) struct Wish {
    pub(crate) tier: &'static str,
    pub(crate) script: Script,
    pub(crate) config: fn(&mut GatewayConfig),
    pub(crate) facts: fn(&mut OrgFacts),
    /// Where access tokens are asked for, if anywhere.
    pub(crate) token_url: Option<String>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { tier: "PRO", script: Script::json("{}"), config: |_| {}, facts: |_| {}, token_url: None }
    }
}

impl Rig {
    pub(crate) async fn start(wish: Wish) -> Self {
        let upstream = Upstream::start(wish.script).await;
        let clock = Arc::new(FakeClock::at(Timestamp::from_micros(1)));
        clock.set(Timestamp::from_micros(1_764_028_800_000_000));
        let store = Arc::new(MemoryStore::new());
        let rule = AllowRule { net: "127.0.0.0/8".parse().unwrap(), ports: None, plain_http: true };
        let egress = Egress::new(EgressPolicy::new().allow(rule)).unwrap();
        let mut references = References::new();
        if let Some(url) = wish.token_url {
            let url = BaseUrl::parse(&url).unwrap();
            let server = TokenServer::new(Client::new(egress.clone()), url).unwrap();
            references = references.with_token_server(server);
        }
        let vault = Vault::new(VaultParts {
            root: RootKeyring::from_text(ROOT).unwrap(),
            org_keys: store.clone(),
            secrets: store.clone(),
            installation: store.clone(),
            references,
            cache_ttl: Duration::from_secs(60),
            stale_ttl: Duration::ZERO,
        });
        let hasher = Arc::new(KeyHasher::load_or_create(&vault).await.unwrap());
        let origin = format!("http://{}", upstream.address);
        let tenants = Tenants { store, vault: vault.clone(), hasher: hasher.clone(), origin: origin.clone() };
        let (token, mut facts) = tenants.create("acme", wish.tier).await;
        (wish.facts)(&mut facts);
        let org = facts.organisation.id;
        let directory = Arc::new(Directory::new(TierCatalogue::new(Tier::standard_catalogue())));
        directory.replace_org(org, Some(facts.clone()));
        let spool = MemorySpool::new();
        let ledger = Arc::new(MemoryLedger::new());
        let metrics = Metrics::new();
        let mut config = GatewayConfig {
            max_body_bytes: 1 << 20,
            max_head_bytes: 16 * 1024,
            header_timeout: Duration::from_millis(300),
            body_idle_timeout: Duration::from_millis(200),
            upstream_head_timeout: Duration::from_secs(5),
            upstream_idle_timeout: Duration::from_secs(5),
            send_idle_timeout: Duration::from_secs(5),
            max_connections: 5000,
            max_connections_per_ip: 5000,
            limits: OccupancyLimits {
                requests: 5000,
                requests_per_organisation: 2500,
                body_bytes: 64 << 20,
                body_bytes_per_organisation: 16 << 20,
            },
            cache: CacheRoom { node: 4 << 20, organisation: 1 << 20 },
            is_h2c_allowed: true,
            trusted_proxies: Vec::new(),
            labels: LabelDefaults::default(),
            providers: Family::ALL.map(|family| provider(family, &origin)).to_vec(),
            is_test_provider_enabled: true,
            does_full_spool_refuse_all: false,
        };
        (wish.config)(&mut config);
        let parts = GatewayParts {
            directory: directory.clone(),
            ledger: ledger.clone(),
            caps: ledger.clone(),
            vault,
            hasher,
            spool: Arc::new(spool.clone()) as Arc<dyn Spool>,
            egress,
            catalogue: Arc::new(ModelCatalogue::built_in().unwrap()),
            clock: clock.clone(),
            metrics: metrics.clone(),
            control: Arc::new(Elsewhere),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (abandon, abandoned) = watch::channel(false);
        tokio::task::spawn_local(Gateway::new(config, parts).serve(listener, None, stopped, abandoned));
        Self {
            address,
            upstream,
            spool,
            ledger,
            directory,
            clock,
            metrics,
            token,
            facts,
            tenants,
            stop,
            abandon,
        }
    }

    /// What is known of the organisation is now this.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut OrgFacts)) {
        change(&mut self.facts);
        self.directory.replace_org(self.facts.organisation.id, Some(self.facts.clone()));
    }

    /// When it is at the start.
    pub(crate) const fn clock_start(&self) -> Timestamp {
        Timestamp::from_micros(1_764_028_800_000_000)
    }

    /// The upstream as an endpoint of the organisation's own, below that path, and the key for it.
    pub(crate) async fn endpoint(&mut self, name: &str, path: &str, manner: Manner, secret: &str) {
        let org = self.facts.organisation.id;
        let secret = SecretText::from(secret.to_owned()).into_key_for(manner.api()).unwrap();
        // Under a name of its own: the store keeps that of a key which was taken out of the directory.
        let key = self.tenants.key(org, name, &ProviderKeyId::new().to_string(), &secret).await;
        let base_url = format!("{}{path}", self.tenants.origin);
        let endpoint = Endpoint { base_url, manner, ..samples::endpoint(org, name) };
        self.change(|facts| {
            facts.provider_keys.push(key);
            facts.endpoints.push(endpoint);
        });
    }

    pub(crate) async fn chat(&self, body: &str) -> Reply {
        self.post("/v1/chat/completions", body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        self.post_as(&self.token, path, body).await
    }

    /// A chat request of another tenant.
    pub(crate) async fn chat_as(&self, token: &str, body: &str) -> Reply {
        self.post_as(token, "/v1/chat/completions", body).await
    }

    async fn post_as(&self, token: &str, path: &str, body: &str) -> Reply {
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let token = &self.token;
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nhost: td\r\nx-api-key: {token}\r\nconnection: close\r\n\r\n"
        ))
        .await
    }

    /// A request as Anthropic's SDKs make it, with these header lines more, each with its end.
    pub(crate) async fn messages(&self, path: &str, lines: &str, body: &str) -> Reply {
        let token = &self.token;
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nhost: td\r\nx-api-key: {token}\r\ncontent-type: application/json\r\n{lines}\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    /// Sends these bytes, and reads until the connection is closed.
    pub(crate) async fn raw(&self, request: &str) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.unwrap();
        Reply::parse(&bytes)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// A connection on which that was sent, and whose answer has come as far as that text.
    pub(crate) async fn heard_of(&self, request: &str, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let mut piece = [0; 1024];
            let n = stream.read(&mut piece).await.unwrap();
            assert!(n > 0, "it ended before: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..n]);
        }
        stream
    }

    /// The records of admitted requests, once there are so many.
    pub(crate) async fn records(&self, count: usize) -> Vec<RequestRecord> {
        for _ in 0..500 {
            if self.admitted().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let records = self.admitted();
        assert_eq!(records.len(), count);
        records
    }
}

impl Rig {
    pub(crate) fn admitted(&self) -> Vec<RequestRecord> {
        self.spool.requests().into_iter().filter(|r| r.outcome != Outcome::Refused).collect()
    }
}

impl Rig {
    /// One more tenant, by the token of its key.
    pub(crate) async fn tenant(&self, name: &str, tier: &str) -> String {
        let (token, facts) = self.tenant_facts(name, tier).await;
        self.directory.replace_org(facts.organisation.id, Some(facts));
        token
    }

    /// The same, that the directory is still to be told of.
    pub(crate) async fn tenant_facts(&self, name: &str, tier: &str) -> (String, OrgFacts) {
        self.tenants.create(name, tier).await
    }
}

/// What makes organisations, each with a key of its own and one for every provider.
struct Tenants {
    store: Arc<MemoryStore>,
    vault: Vault,
    hasher: Arc<KeyHasher>,
    /// The providers'.
    origin: String,
}

impl Tenants {
    async fn create(&self, name: &str, tier: &str) -> (String, OrgFacts) {
        let new = samples::organisation(name, tier);
        let org = new.organisation.id;
        let now = Timestamp::from_micros(1);
        self.store.organisation_create(&new, &samples::audit(org, "organisation.create")).await.unwrap();
        self.vault.create_org_key(org, now).await.unwrap();
        let mut provider_keys = Vec::new();
        for family in Family::ALL {
            let secret = SecretText::from(secret_for(family).to_owned());
            provider_keys.push(self.key(org, family.name(), "main", &secret).await);
        }
        let (token, api_key) = issue(&self.hasher, samples::api_key(org, "ci"));
        let facts = OrgFacts {
            organisation: new.organisation,
            workspaces: vec![new.workspace],
            api_keys: vec![api_key],
            provider_keys,
            endpoints: Vec::new(),
            policies: Vec::new(),
        };
        (token, facts)
    }

    /// A key for the provider of that name, sealed and stored.
    async fn key(&self, org: OrgId, provider: &str, name: &str, secret: &SecretText) -> ProviderKey {
        let now = Timestamp::from_micros(1);
        let key = ProviderKey {
            id: ProviderKeyId::new(),
            org,
            provider: ProviderName::parse(provider).unwrap(),
            name: name.to_owned(),
            origin: self.origin.clone(),
            source: KeySource::Sealed,
            version: 1,
            created_at: now,
            rotated_at: now,
        };
        let sealed = self.vault.seal(&Slot::from(&key), secret, now).await.unwrap();
        let created = samples::audit(org, "provider_key.create");
        self.store.provider_key_create(&key, &sealed, &created).await.unwrap();
        key
    }
}

/// A token, and the key that it opens.
pub(crate) fn issue(hasher: &KeyHasher, mut key: ApiKey) -> (String, ApiKey) {
    let issued = hasher.issue(KeyMode::Live).unwrap();
    let text = issued.token.expose().to_owned();
    let (hash, pepper_version) = hasher.hash(&Token::parse(&text).unwrap(), &key);
    key.secrets = vec![KeySecret { public_id: issued.public_id, hash, pepper_version, not_after: None }];
    (text, key)
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let head = head.to_ascii_lowercase();
        let body =
            if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
        Self { status, head, body }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 || after.len() < size {
            break;
        }
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}

/// A control plane that answers everything the same.
struct Elsewhere;

impl ControlPlane for Elsewhere {
    fn call(
        &self,
        _: Request<ClientBody>,
        client: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = Response<ControlBody>> + Send>> {
        Box::pin(async move {
            let body = Full::new(bytes::Bytes::from(format!("control of {}", client.ip())))
                .map_err(|never| match never {})
                .boxed_unsync();
            Response::new(body)
        })
    }
}

impl Rig {
    /// A chat request with one more header line.
    pub(crate) async fn raw_with(&self, header: &str) -> Reply {
        let body = r#"{"model":"gpt-4o-mini"}"#;
        self.raw(&format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\n{header}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        ))
        .await
    }
}
