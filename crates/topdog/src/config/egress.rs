use super::checked::{Bad, Checked, millis, optional_path};
use super::raw;
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use topdog_egress::AllowRule;

/// What may be reached, and whom we believe.
#[derive(Debug, Clone)]
pub(crate) struct EgressConfig {
    /// PEM file of more certificate authorities.
    pub(crate) extra_ca_file: Option<PathBuf>,
    /// For the name look-up and connecting.
    pub(crate) connect_timeout: Duration,
    /// What may be reached beside the public internet over TLS.
    pub(crate) allow: Vec<AllowRule>,
}

pub(super) fn check(raw: &raw::Egress) -> Checked<EgressConfig> {
    Ok(EgressConfig {
        extra_ca_file: optional_path(&raw.extra_ca_file),
        connect_timeout: millis("egress.connect_timeout_ms", raw.connect_timeout_ms)?,
        allow: raw.allow.iter().map(rule).collect::<Checked<_>>()?,
    })
}

/// A network in CIDR form, or one address.
pub(super) fn network(key: &'static str, text: &str) -> Checked<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse()
        .ok()
        .or_else(single)
        .ok_or_else(|| Bad::new(key, format!("takes networks such as 10.20.0.0/16, not `{text}`")))
}

fn rule(raw: &raw::Allow) -> Checked<AllowRule> {
    let ports = match &raw.ports {
        None => None,
        Some(raw::Ports::One(port)) => Some(*port..=*port),
        Some(raw::Ports::Text(text)) => Some(range(text)?),
    };
    Ok(AllowRule { net: network("egress.allow", &raw.net)?, ports, plain_http: raw.plain_http })
}

fn range(text: &str) -> Checked<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(Bad::new("egress.allow", format!("takes ports such as \"8000-8100\", not `{text}`"))),
    }
}
