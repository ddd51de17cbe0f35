//! The settings in the shape of the file, before they are checked.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: Server,
    pub(super) limits: Limits,
    pub(super) admin: Admin,
    pub(super) upstream: Upstream,
    pub(super) store: Store,
    pub(super) vault: Vault,
    pub(super) egress: Egress,
    pub(super) providers: BTreeMap<String, Provider>,
    pub(super) prices: Prices,
    pub(super) spool: Spool,
    pub(super) labels: Labels,
    pub(super) test_provider: TestProvider,
    pub(super) log: Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) listen: String,
    pub(super) workers: i64,
    pub(super) http2_cleartext: String,
    pub(super) max_connections: i64,
    pub(super) max_connections_per_ip: i64,
    pub(super) max_body_bytes: i64,
    pub(super) max_head_bytes: i64,
    pub(super) header_timeout_ms: i64,
    pub(super) body_idle_timeout_ms: i64,
    pub(super) send_idle_timeout_ms: i64,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) drain_timeout_ms: i64,
    pub(super) tls: Tls,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) max_concurrent_requests: i64,
    pub(super) max_concurrent_requests_per_organisation: i64,
    pub(super) max_buffered_body_bytes: i64,
    pub(super) max_buffered_body_bytes_per_organisation: i64,
    pub(super) max_cached_answer_bytes: i64,
    pub(super) max_cached_answer_bytes_per_organisation: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert_file: String,
    pub(super) key_file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    pub(super) head_timeout_ms: i64,
    pub(super) idle_timeout_ms: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) max_connections: i64,
    pub(super) pooler: String,
    pub(super) stale_after_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vault {
    pub(super) root_key: String,
    pub(super) cache_ttl_seconds: i64,
    pub(super) stale_ttl_seconds: i64,
    pub(super) google_token_url: String,
    pub(super) hashicorp: Hashicorp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hashicorp {
    pub(super) address: String,
    pub(super) token: String,
    pub(super) namespace: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Egress {
    pub(super) extra_ca_file: String,
    pub(super) connect_timeout_ms: i64,
    pub(super) allow: Vec<Allow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    pub(super) net: String,
    #[serde(default)]
    pub(super) ports: Option<Ports>,
    #[serde(default)]
    pub(super) plain_http: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Ports {
    One(u16),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    pub(super) base_url: Option<String>,
    #[serde(default = "openai")]
    pub(super) dialect: String,
    #[serde(default = "yes")]
    pub(super) stream_options: bool,
    #[serde(default)]
    pub(super) api_version: String,
    #[serde(default)]
    pub(super) region: String,
}

fn openai() -> String {
    "openai".to_owned()
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spool {
    pub(super) dir: String,
    pub(super) commit_window_ms: i64,
    pub(super) max_disk_bytes: i64,
    pub(super) recorder_dir: String,
    pub(super) on_full: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labels {
    pub(super) default_plan: String,
    pub(super) default_data_segment: String,
    pub(super) enable_regulated_domains: bool,
    pub(super) default_regulated_segment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestProvider {
    pub(super) enabled: bool,
    pub(super) allow_non_loopback: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) level: String,
}
