use super::clock::SystemClock;
use super::data_dir::DataDir;
use super::listeners::Listeners;
use super::{operator_token, root_key};
use crate::config::{self, Cleartext, Config, Environment, OnFull, Reference, RootKeySource, StoreUrl};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use topdog_domain::catalogue::ModelCatalogue;
use topdog_domain::directory::Directory;
use topdog_domain::ports::Clock;
use topdog_domain::provider::ProviderName;
use topdog_domain::response_cache::CacheRoom;
use topdog_domain::tier::TierCatalogue;
use topdog_egress::{Client, Egress, EgressPolicy, EgressSettings, SystemResolver, roots_from_pem};
use topdog_gateway::{ControlPlane, GatewayConfig, GatewayParts, Metrics, OccupancyLimits, ProviderConfig};
use topdog_jobs::{Follower, Following, PendingRewraps};
use topdog_platform::{Platform, PlatformParts, ProviderPlace, operator_token_hash};
use topdog_store::spool::{FileSpool, SpoolOptions};
use topdog_store::{Store, StoreOptions};
use topdog_vault::{KeyHasher, KvServer, References, SecretText, TokenServer, Vault, VaultParts};

/// Everything that a node is made of, opened in the order in which one needs the other.
pub(super) struct Node {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) directory: Arc<Directory>,
    pub(super) vault: Vault,
    pub(super) spool: Arc<FileSpool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) operator_token: String,
    /// Rung where a key rotation has begun.
    pub(super) rotation_begun: Arc<Notify>,
    pub(super) pending_rewraps: Arc<PendingRewraps>,
    hasher: Arc<KeyHasher>,
    egress: Egress,
    providers: Vec<ProviderConfig>,
    catalogue: Arc<ModelCatalogue>,
}

impl Node {
    /// Opens everything; whatever is missing or wrong is said here, before anything serves.
    pub(super) async fn open(
        config: Config,
        environment: &Environment,
        data_dir: &DataDir,
        listeners: &Listeners,
        spool: Arc<FileSpool>,
    ) -> anyhow::Result<(Self, Follower)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let egress = egress(&config, listeners)?;
        let providers = providers(&config, &egress)?;
        let catalogue = Arc::new(catalogue(&config)?);
        let store = store(&config, environment).await?;
        let root = root_key::load_or_create(&config.vault.root_key, environment, &store).await?;
        let shared = Arc::new(store.clone());
        let vault = Vault::new(VaultParts {
            root,
            org_keys: shared.clone(),
            secrets: shared.clone(),
            installation: shared,
            references: references(&config, environment, &egress, spool.recorder_dir())?,
            cache_ttl: config.vault.cache_ttl,
            stale_ttl: config.vault.stale_ttl,
        });
        let hasher = Arc::new(KeyHasher::load_or_create(&vault).await?);
        let directory = Arc::new(Directory::new(TierCatalogue::new([])));
        let follower = Follower::load(following(&config, &store, &directory, &vault, &clock)).await?;
        let node = Self {
            operator_token: operator_token::load_or_create(data_dir.path())?,
            metrics: Metrics::new(),
            rotation_begun: Arc::default(),
            pending_rewraps: Arc::default(),
            config,
            store,
            directory,
            vault,
            spool,
            clock,
            hasher,
            egress,
            providers,
            catalogue,
        };
        Ok((node, follower))
    }

    /// The management API.
    pub(super) fn platform(&self) -> Platform {
        let store = Arc::new(self.store.clone());
        Platform::new(PlatformParts {
            directory: self.directory.clone(),
            tiers: store.clone(),
            organisations: store.clone(),
            api_keys: store.clone(),
            provider_keys: store.clone(),
            endpoints: store.clone(),
            policies: store.clone(),
            org_keys: store.clone(),
            wrapped_key_counts: store.clone(),
            rotation_begun: self.rotation_begun.clone(),
            idempotency: store.clone(),
            records: store.clone(),
            ledger: store.clone(),
            caps: store.clone(),
            minutes: store.clone(),
            change_feed: store,
            spool: self.spool.clone(),
            vault: self.vault.clone(),
            hasher: self.hasher.clone(),
            egress: Client::new(self.egress.clone()),
            clock: self.clock.clone(),
            operator_token_hash: operator_token_hash(&self.operator_token),
            providers: self.providers.iter().map(place).collect(),
            catalogue: self.catalogue.clone(),
            is_test_provider_enabled: self.config.is_test_provider_enabled,
            plans_url: PLANS_URL.to_owned(),
        })
    }

    /// What the data plane is to be like.
    pub(super) fn gateway_config(&self) -> GatewayConfig {
        let (server, limits) = (&self.config.server, &self.config.limits);
        GatewayConfig {
            max_body_bytes: server.max_body_bytes,
            max_head_bytes: server.max_head_bytes,
            header_timeout: server.header_timeout,
            body_idle_timeout: server.body_idle_timeout,
            send_idle_timeout: server.send_idle_timeout,
            upstream_head_timeout: self.config.upstream.head_timeout,
            upstream_idle_timeout: self.config.upstream.idle_timeout,
            max_connections: server.max_connections,
            max_connections_per_ip: server.max_connections_per_ip,
            limits: OccupancyLimits {
                requests: limits.max_concurrent_requests,
                requests_per_organisation: limits.max_concurrent_requests_per_organisation,
                body_bytes: limits.max_buffered_body_bytes,
                body_bytes_per_organisation: limits.max_buffered_body_bytes_per_organisation,
            },
            cache: CacheRoom {
                node: limits.max_cached_answer_bytes,
                organisation: limits.max_cached_answer_bytes_per_organisation,
            },
            is_h2c_allowed: match server.http2_cleartext {
                Cleartext::Always => true,
                Cleartext::Loopback => server.listen.ip().is_loopback(),
                Cleartext::Never => false,
            },
            trusted_proxies: server.trusted_proxies.clone(),
            labels: self.config.labels,
            providers: self.providers.clone(),
            is_test_provider_enabled: self.config.is_test_provider_enabled,
            does_full_spool_refuse_all: self.config.spool.on_full == OnFull::RefuseAll,
        }
    }

    /// What the data plane works with.
    pub(super) fn gateway_parts(&self, control: Arc<dyn ControlPlane>) -> anyhow::Result<GatewayParts> {
        Ok(GatewayParts {
            directory: self.directory.clone(),
            ledger: Arc::new(self.store.clone()),
            caps: Arc::new(self.store.clone()),
            vault: self.vault.clone(),
            hasher: self.hasher.clone(),
            spool: self.spool.clone(),
            egress: self.egress.clone(),
            catalogue: self.catalogue.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            control,
        })
    }

    /// Has no organisation been made yet?
    pub(super) fn is_empty(&self) -> bool {
        self.directory.snapshot().orgs().next().is_none()
    }

    /// Gives back what was leased and not used.
    pub(super) async fn return_leases(&self) {
        let orgs: Vec<_> = self.directory.snapshot().orgs().cloned().collect();
        for org in orgs {
            let returned = match org.meters.return_leases(&self.store).await {
                Ok(()) => org.meters.caps.return_leases(&self.store).await,
                Err(error) => Err(error),
            };
            if let Err(error) = returned {
                tracing::warn!(%error, "leases can't be given back; they are lost until the day's end");
                return;
            }
        }
    }
}

const PLANS_URL: &str = "/docs/quotas";

fn egress(config: &Config, listeners: &Listeners) -> anyhow::Result<Egress> {
    let mut policy =
        EgressPolicy::new().deny_listener(listeners.gateway_address).deny_listener(listeners.admin_address);
    for rule in &config.egress.allow {
        policy = policy.allow(rule.clone());
    }
    if let Some(path) = &config.egress.extra_ca_file {
        let hint = || format!("egress.extra_ca_file: {}", path.display());
        let pem = std::fs::read(path).with_context(hint)?;
        policy = policy.trust_roots(roots_from_pem(&pem).with_context(hint)?);
    }
    let settings = EgressSettings { connect_timeout: config.egress.connect_timeout, ..Default::default() };
    Ok(Egress::with(policy, settings, SystemResolver)?)
}

fn providers(config: &Config, egress: &Egress) -> anyhow::Result<Vec<ProviderConfig>> {
    let checked = |provider: &config::ProviderConfig| {
        let config::ProviderConfig { name, base_url, manner, takes_stream_options } = provider;
        let base = egress.policy().check_base_url(base_url).with_context(|| {
            format!(
                "providers.{name}.base_url is {base_url}; where it is meant, let it through with [[egress.allow]]"
            )
        })?;
        let takes_stream_options = *takes_stream_options;
        Ok(ProviderConfig { name: name.clone(), base, manner: manner.clone(), takes_stream_options })
    };
    config.providers.iter().map(checked).collect()
}

fn place(provider: &ProviderConfig) -> (ProviderName, ProviderPlace) {
    let ProviderConfig { name, base, manner, .. } = provider;
    (name.clone(), ProviderPlace { base: base.clone(), manner: manner.clone() })
}

/// What is built in, and over it what the operator says.
fn catalogue(config: &Config) -> anyhow::Result<ModelCatalogue> {
    let over = config.prices.clone().unwrap_or_default();
    ModelCatalogue::overridden_by(over).context("the built-in model catalogue can't be read")
}

/// The spool, on the disk before anything is recorded.
pub(super) fn spool(config: &Config) -> anyhow::Result<Arc<FileSpool>> {
    let defaults = SpoolOptions::default();
    let options = SpoolOptions {
        commit_window: config.spool.commit_window,
        max_disk_bytes: config.spool.max_disk_bytes,
        max_buffer_bytes: defaults
            .max_buffer_bytes
            .min(usize::try_from(config.spool.max_disk_bytes).unwrap_or(usize::MAX)),
        recorder: config.spool.recorder.clone(),
        ..defaults
    };
    Ok(FileSpool::open(&config.spool.dir, options)?)
}

/// Opens the configured database as it is.
pub(crate) async fn open_store(config: &Config, environment: &Environment) -> anyhow::Result<Store> {
    let url = match &config.store.url {
        StoreUrl::Plain(url) => url.clone(),
        StoreUrl::Secret(reference) => reference.resolve(environment).context("store.url")?,
    };
    let options = StoreOptions {
        max_connections: config.store.max_connections,
        is_behind_pooler: config.store.is_behind_pooler,
        ..StoreOptions::default()
    };
    Ok(Store::open(&url, &options).await?)
}

async fn store(config: &Config, environment: &Environment) -> anyhow::Result<Store> {
    let store = open_store(config, environment).await?;
    store.migrate().await?;
    Ok(store)
}

fn references(
    config: &Config,
    environment: &Environment,
    egress: &Egress,
    recorder_dir: Option<&Path>,
) -> anyhow::Result<References> {
    let variables = environment.iter().map(|(n, v)| (n.to_owned(), SecretText::new(v.to_owned())));
    let private_places = private_places(config).chain(recorder_dir.map(Path::to_owned));
    let mut references = References::new().with_env(variables).without(private_places);
    if !config.vault.google_token_url.is_empty() {
        let url = egress.policy().check_base_url(&config.vault.google_token_url);
        let url = url.context("vault.google_token_url")?;
        let server = TokenServer::new(Client::new(egress.clone()), url).context("vault.google_token_url")?;
        references = references.with_token_server(server);
    }
    if let Some(server) = &config.vault.hashicorp {
        let token = server.token.resolve(environment).context("vault.hashicorp.token")?;
        let base = egress.policy().check_base_url(&server.address).context("vault.hashicorp.address")?;
        let client = Client::new(egress.clone());
        let server = KvServer::new(client, base, &SecretText::new(token), server.namespace.as_deref())
            .context("vault.hashicorp.token or namespace")?;
        references = references.with_kv(server);
    }
    Ok(references)
}

/// Where secrets of the server itself are, none of which is anybody's provider key.
fn private_places(config: &Config) -> impl Iterator<Item = PathBuf> {
    let root_key = match &config.vault.root_key {
        RootKeySource::Given(reference) => Some(reference),
        RootKeySource::DataDir(_) => None,
    };
    let store = match &config.store.url {
        StoreUrl::Secret(reference) => Some(reference),
        StoreUrl::Plain(_) => None,
    };
    let vault_token = config.vault.hashicorp.as_ref().map(|server| &server.token);
    let tls_key = config.server.tls.as_ref().map(|files| files.key.clone());
    let files =
        [root_key, store, vault_token].into_iter().flatten().filter_map(|reference| match reference {
            Reference::File(path) => Some(path.clone()),
            Reference::Variable(_) => None,
        });
    [config.data_dir.clone(), config.spool.dir.clone()].into_iter().chain(tls_key).chain(files)
}

/// How the directory is kept up to date; where a tenant changes, the plaintext of its keys is forgotten.
fn following(
    config: &Config,
    store: &Store,
    directory: &Arc<Directory>,
    vault: &Vault,
    clock: &Arc<dyn Clock>,
) -> Following {
    let vault = vault.clone();
    Following {
        feed: Arc::new(store.clone()),
        tiers: Arc::new(store.clone()),
        directory: directory.clone(),
        doorbell: store.doorbell(),
        current_for: config.store.stale_after,
        on_change: Box::new(move |org| vault.forget_org(org)),
        clock: clock.clone(),
    }
}

/// How long the last words to the database may take when stopping.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);
