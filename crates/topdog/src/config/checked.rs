use super::egress::{self, EgressConfig};
use super::error::ConfigError;
use super::limits::{self, LimitsConfig};
use super::providers::{self, ProviderConfig};
use super::reference::Reference;
use super::settings::Settings;
use super::store::{self, StoreConfig};
use super::{labels, prices, raw};
use ipnet::IpNet;
use serde::Deserialize;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Value;
use topdog_domain::catalogue::Entries;
use topdog_domain::labels::LabelDefaults;
use topdog_store::spool::RecorderPlace;

/// Everything the operator decides, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where everything of this node lies.
    pub(crate) data_dir: PathBuf,
    /// The public listener.
    pub(crate) server: ServerConfig,
    /// How much may be under way at a time.
    pub(crate) limits: LimitsConfig,
    /// The listener for metrics and health.
    pub(crate) admin_listen: SocketAddr,
    /// How patient we are with providers.
    pub(crate) upstream: UpstreamConfig,
    /// The database.
    pub(crate) store: StoreConfig,
    /// The root key, and references into a vault of the customer's.
    pub(crate) vault: VaultConfig,
    /// What may be reached.
    pub(crate) egress: EgressConfig,
    /// Providers that are on, by name.
    pub(crate) providers: Vec<ProviderConfig>,
    /// Models and prices that take the place of built-in ones.
    pub(crate) prices: Option<Entries>,
    /// Where records wait for the database.
    pub(crate) spool: SpoolConfig,
    /// What a request without labels gets.
    pub(crate) labels: LabelDefaults,
    /// Is `test/echo` there?
    pub(crate) is_test_provider_enabled: bool,
    /// What is logged, and how.
    pub(crate) log: LogConfig,
}

/// The public listener.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    /// Its address; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Data-plane threads; none: one a core.
    pub(crate) workers: Option<usize>,
    /// HTTP/2 without TLS.
    pub(crate) http2_cleartext: Cleartext,
    /// Open client connections.
    pub(crate) max_connections: usize,
    /// Those of one address.
    pub(crate) max_connections_per_ip: usize,
    /// Of a request's body.
    pub(crate) max_body_bytes: u64,
    /// Of a request's head.
    pub(crate) max_head_bytes: usize,
    /// For a request's head.
    pub(crate) header_timeout: Duration,
    /// For a pause within a request's body.
    pub(crate) body_idle_timeout: Duration,
    /// For leaving an answer unread.
    pub(crate) send_idle_timeout: Duration,
    /// Gateways in front that are believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How long requests may run on when stopping.
    pub(crate) drain_timeout: Duration,
    /// Certificate and key; none: no TLS.
    pub(crate) tls: Option<TlsFiles>,
}

/// When HTTP/2 is spoken without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleartext {
    /// On a loopback listener.
    Loopback,
    /// On any.
    Always,
    /// On none.
    Never,
}

/// PEM files.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The certificate chain.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// How patient we are with providers.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamConfig {
    /// For the answer's head.
    pub(crate) head_timeout: Duration,
    /// For a pause within the answer.
    pub(crate) idle_timeout: Duration,
}

/// The vault.
#[derive(Debug, Clone)]
pub(crate) struct VaultConfig {
    /// Where the root key is.
    pub(crate) root_key: RootKeySource,
    /// How long an opened provider key is used before it is opened anew.
    pub(crate) cache_ttl: Duration,
    /// How much longer where it can't be opened anew.
    pub(crate) stale_ttl: Duration,
    /// Where service accounts' keys are exchanged for access tokens; the egress policy judges it.
    pub(crate) google_token_url: String,
    /// Where `vault:` references are fetched.
    pub(crate) hashicorp: Option<HashicorpVault>,
}

/// Where the root key is.
#[derive(Debug, Clone)]
pub(crate) enum RootKeySource {
    /// In the data folder, where the first start makes it.
    DataDir(PathBuf),
    /// Where the operator put it; it is never made there.
    Given(Reference),
}

/// A KV version 2 store.
#[derive(Debug, Clone)]
pub(crate) struct HashicorpVault {
    /// Its address.
    pub(crate) address: String,
    /// Its token.
    pub(crate) token: Reference,
    /// Its namespace.
    pub(crate) namespace: Option<String>,
}

/// The spool.
#[derive(Debug, Clone)]
pub(crate) struct SpoolConfig {
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// How long a record may wait for the disk.
    pub(crate) commit_window: Duration,
    /// How much disk it may take.
    pub(crate) max_disk_bytes: u64,
    /// Where records outlive the process until they are on the disk.
    pub(crate) recorder: RecorderPlace,
    /// What is refused when records can't be kept.
    pub(crate) on_full: OnFull,
}

/// What is refused when records can't be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFull {
    /// Requests of regulated segments.
    RefuseRegulated,
    /// Every request.
    RefuseAll,
}

/// Logging.
#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    /// How.
    pub(crate) format: LogFormat,
    /// What: directives of a filter.
    pub(crate) level: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For programs.
    Json,
    /// For people.
    Text,
}

/// A setting whose value makes no sense; who reads it knows where it came from.
pub(super) struct Bad {
    key: Cow<'static, str>,
    why: String,
}

pub(super) type Checked<T> = Result<T, Bad>;

impl Bad {
    pub(super) fn new(key: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }
}

impl Config {
    pub(super) fn check(settings: &Settings, data_dir: &Path) -> Result<Self, ConfigError> {
        let raw = raw::Raw::deserialize(Value::Table(settings.table())).map_err(|error| {
            // Types are checked when the layers are read, so only an item of a list can be wrong here.
            ConfigError::BadValue {
                place: settings.source("egress.allow"),
                key: "egress.allow".to_owned(),
                why: error.message().to_owned(),
            }
        })?;
        check(&raw, data_dir).map_err(|bad| ConfigError::BadValue {
            place: settings.source(&bad.key),
            key: bad.key.into_owned(),
            why: bad.why,
        })
    }
}

fn check(raw: &raw::Raw, data_dir: &Path) -> Checked<Config> {
    let server = server(&raw.server)?;
    let test = &raw.test_provider;
    if test.enabled && !test.allow_non_loopback && !server.listen.ip().is_loopback() {
        return Err(Bad::new(
            "test_provider.enabled",
            "is refused because server.listen can be reached by others; listen on 127.0.0.1, or set \
             test_provider.allow_non_loopback",
        ));
    }
    Ok(Config {
        data_dir: data_dir.to_owned(),
        limits: limits::check(&raw.limits, &server)?,
        server,
        admin_listen: address("admin.listen", &raw.admin.listen)?,
        upstream: UpstreamConfig {
            head_timeout: millis("upstream.head_timeout_ms", raw.upstream.head_timeout_ms)?,
            idle_timeout: millis("upstream.idle_timeout_ms", raw.upstream.idle_timeout_ms)?,
        },
        store: store::check(&raw.store, data_dir)?,
        vault: vault(&raw.vault, data_dir)?,
        egress: egress::check(&raw.egress)?,
        providers: providers::check(&raw.providers)?,
        prices: prices::check(&raw.prices)?,
        spool: spool(&raw.spool, data_dir)?,
        labels: labels::check(&raw.labels)?,
        is_test_provider_enabled: test.enabled,
        log: LogConfig {
            format: one_of(
                "log.format",
                &raw.log.format,
                &[("json", LogFormat::Json), ("text", LogFormat::Text)],
            )?,
            level: log_level(&raw.log.level)?,
        },
    })
}

/// An address's part of the connections, where the operator says nothing else: three can't keep out a fourth.
const ADDRESS_PART: usize = 4;

fn server(raw: &raw::Server) -> Checked<ServerConfig> {
    let max_head_bytes = number("server.max_head_bytes", raw.max_head_bytes, 8192)?;
    let max_connections: usize = number("server.max_connections", raw.max_connections, 1)?;
    let max_connections_per_ip = match number("server.max_connections_per_ip", raw.max_connections_per_ip, 0)?
    {
        0 => (max_connections / ADDRESS_PART).max(1),
        given => given,
    };
    Ok(ServerConfig {
        listen: address("server.listen", &raw.listen)?,
        workers: Some(number("server.workers", raw.workers, 0)?).filter(|workers| *workers > 0),
        http2_cleartext: one_of(
            "server.http2_cleartext",
            &raw.http2_cleartext,
            &[("loopback", Cleartext::Loopback), ("always", Cleartext::Always), ("never", Cleartext::Never)],
        )?,
        max_connections,
        max_connections_per_ip,
        max_body_bytes: number("server.max_body_bytes", raw.max_body_bytes, 1)?,
        max_head_bytes,
        header_timeout: millis("server.header_timeout_ms", raw.header_timeout_ms)?,
        body_idle_timeout: millis("server.body_idle_timeout_ms", raw.body_idle_timeout_ms)?,
        send_idle_timeout: millis("server.send_idle_timeout_ms", raw.send_idle_timeout_ms)?,
        trusted_proxies: raw
            .trusted_proxies
            .iter()
            .map(|text| egress::network("server.trusted_proxies", text))
            .collect::<Checked<_>>()?,
        drain_timeout: Duration::from_millis(number("server.drain_timeout_ms", raw.drain_timeout_ms, 0)?),
        tls: tls(&raw.tls)?,
    })
}

fn tls(raw: &raw::Tls) -> Checked<Option<TlsFiles>> {
    match (optional_path(&raw.cert_file), optional_path(&raw.key_file)) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Bad::new("server.tls.key_file", "must be set where cert_file is")),
        (None, Some(_)) => Err(Bad::new("server.tls.cert_file", "must be set where key_file is")),
    }
}

fn vault(raw: &raw::Vault, data_dir: &Path) -> Checked<VaultConfig> {
    let root_key = if raw.root_key.is_empty() {
        RootKeySource::DataDir(data_dir.join("root.key"))
    } else {
        RootKeySource::Given(reference("vault.root_key", &raw.root_key)?)
    };
    let fresh = number("vault.cache_ttl_seconds", raw.cache_ttl_seconds, 0)?;
    let stale = number("vault.stale_ttl_seconds", raw.stale_ttl_seconds, 0)?;
    Ok(VaultConfig {
        root_key,
        cache_ttl: Duration::from_secs(fresh),
        stale_ttl: Duration::from_secs(stale),
        google_token_url: raw.google_token_url.clone(),
        hashicorp: hashicorp(&raw.hashicorp)?,
    })
}

fn hashicorp(raw: &raw::Hashicorp) -> Checked<Option<HashicorpVault>> {
    if raw.address.is_empty() {
        return Ok(None);
    }
    Ok(Some(HashicorpVault {
        address: raw.address.clone(),
        token: reference("vault.hashicorp.token", &raw.token)?,
        namespace: (!raw.namespace.is_empty()).then(|| raw.namespace.clone()),
    }))
}

fn spool(raw: &raw::Spool, data_dir: &Path) -> Checked<SpoolConfig> {
    let window: u64 = number("spool.commit_window_ms", raw.commit_window_ms, 1)?;
    if window > 20 {
        return Err(Bad::new("spool.commit_window_ms", "must be 20 or less"));
    }
    Ok(SpoolConfig {
        dir: optional_path(&raw.dir).unwrap_or_else(|| data_dir.join("spool")),
        commit_window: Duration::from_millis(window),
        max_disk_bytes: number("spool.max_disk_bytes", raw.max_disk_bytes, 1)?,
        recorder: recorder_place(&raw.recorder_dir)?,
        on_full: one_of(
            "spool.on_full",
            &raw.on_full,
            &[("refuse_regulated", OnFull::RefuseRegulated), ("refuse_all", OnFull::RefuseAll)],
        )?,
    })
}

fn recorder_place(text: &str) -> Checked<RecorderPlace> {
    match text {
        "auto" => Ok(RecorderPlace::Auto),
        "off" => Ok(RecorderPlace::Off),
        path if Path::new(path).is_absolute() => Ok(RecorderPlace::In(path.into())),
        _ => Err(Bad::new("spool.recorder_dir", "must be auto, off or an absolute path")),
    }
}

fn log_level(text: &str) -> Checked<String> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Bad::new("log.level", "must be error, warn, info, debug or trace, or a list of filters")),
    }
}

/// A text that stands for one of a few values.
pub(super) fn one_of<T: Copy>(
    key: impl Into<Cow<'static, str>>,
    text: &str,
    choices: &[(&str, T)],
) -> Checked<T> {
    let found = choices.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        Bad::new(key, format!("must be one of {}", names.join(", ")))
    })
}

fn address(key: &'static str, text: &str) -> Checked<SocketAddr> {
    text.parse().map_err(|_| Bad::new(key, "takes an address with a port, such as 127.0.0.1:8080"))
}

fn reference(key: &'static str, text: &str) -> Checked<Reference> {
    Reference::parse(text).ok_or_else(|| Bad::new(key, "takes a reference, env:NAME or file:PATH"))
}

pub(super) fn number<T: TryFrom<i64>>(key: &'static str, value: i64, least: i64) -> Checked<T> {
    let number = T::try_from(value).ok().filter(|_| value >= least);
    number.ok_or_else(|| Bad::new(key, format!("must be a number from {least}")))
}

/// A time that must be longer than none.
pub(super) fn millis(key: &'static str, value: i64) -> Checked<Duration> {
    number(key, value, 1).map(Duration::from_millis)
}

/// A path; an empty text is none.
pub(super) fn optional_path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}
