//! What a gateway is made of; the binary fills it in.

use crate::edge::ControlPlane;
use crate::metrics::Metrics;
use ipnet::IpNet;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::catalogue::ModelCatalogue;
use topdog_domain::directory::Directory;
use topdog_domain::labels::LabelDefaults;
use topdog_domain::ports::{CapLedger, Clock, QuotaLedger, Spool};
use topdog_domain::provider::{Manner, ProviderName};
use topdog_domain::response_cache::CacheRoom;
use topdog_egress::{BaseUrl, Egress};
use topdog_vault::{KeyHasher, Vault};

/// Limits and settings of the data plane.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Largest request body, bytes.
    pub max_body_bytes: u64,
    /// Largest request head, bytes.
    pub max_head_bytes: usize,
    /// A request's head must be whole within this time.
    pub header_timeout: Duration,
    /// A request's body may pause for this long, and take ten times as long in all.
    pub body_idle_timeout: Duration,
    /// A provider must begin its answer within this time.
    pub upstream_head_timeout: Duration,
    /// A provider may pause in its answer, or in reading what is sent to it, for this long.
    pub upstream_idle_timeout: Duration,
    /// A client may leave what is sent to it unread for this long.
    pub send_idle_timeout: Duration,
    /// Open client connections of all threads.
    pub max_connections: usize,
    /// Those of one address, or of one IPv6 network of 2^64; trusted proxies may have all.
    pub max_connections_per_ip: usize,
    /// How much may be under way at a time.
    pub limits: OccupancyLimits,
    /// How many bytes of answers may be kept to be given again.
    pub cache: CacheRoom,
    /// Is HTTP/2 without TLS accepted (prior knowledge)?
    pub is_h2c_allowed: bool,
    /// Gateways in front: only from these are `X-Forwarded-For` and `X-Plan` believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Labels of requests that carry none.
    pub labels: LabelDefaults,
    /// The providers that are known by name.
    pub providers: Vec<ProviderConfig>,
    /// Does the built-in provider `test` answer?
    pub is_test_provider_enabled: bool,
    /// When records can't be kept, are all requests refused, or only those of regulated segments?
    pub does_full_spool_refuse_all: bool,
}

/// A provider that is known by name.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// What models are prefixed with.
    pub name: ProviderName,
    /// What paths are joined to, as `docs/providers.md` says for each API.
    pub base: BaseUrl,
    /// How it is spoken to.
    pub manner: Manner,
    /// Does it know `stream_options.include_usage` of OpenAI's dialect? Where it does not, it is not asked.
    pub takes_stream_options: bool,
}

/// How much of a node may be taken at a time, by all and by one organisation.
#[derive(Debug, Clone)]
pub struct OccupancyLimits {
    /// Model requests under way.
    pub requests: u64,
    /// Those of one organisation.
    pub requests_per_organisation: u64,
    /// Bytes of bodies that are held whole in memory.
    pub body_bytes: u64,
    /// Those of one organisation's requests.
    pub body_bytes_per_organisation: u64,
}

/// What the data plane works with.
pub struct GatewayParts {
    /// All tenants.
    pub directory: Arc<Directory>,
    /// The ledger of daily limits.
    pub ledger: Arc<dyn QuotaLedger>,
    /// The ledger of customers' caps.
    pub caps: Arc<dyn CapLedger>,
    /// Provider keys.
    pub vault: Vault,
    /// Top Dog keys.
    pub hasher: Arc<KeyHasher>,
    /// Where records go.
    pub spool: Arc<dyn Spool>,
    /// The way out.
    pub egress: Egress,
    /// Known models.
    pub catalogue: Arc<ModelCatalogue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The service-level metrics.
    pub metrics: Arc<Metrics>,
    /// Everything that is not a model request.
    pub control: Arc<dyn ControlPlane>,
}
