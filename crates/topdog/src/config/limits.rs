use super::checked::{Bad, Checked, ServerConfig, number};
use super::raw;

/// How much of this node may be taken at a time, by all and by one organisation.
#[derive(Debug, Clone)]
pub(crate) struct LimitsConfig {
    /// Model requests under way.
    pub(crate) max_concurrent_requests: u64,
    /// Those of one organisation.
    pub(crate) max_concurrent_requests_per_organisation: u64,
    /// Bytes of bodies that are held whole.
    pub(crate) max_buffered_body_bytes: u64,
    /// Those of one organisation.
    pub(crate) max_buffered_body_bytes_per_organisation: u64,
    /// Bytes of answers that are kept to be given again; 0: none.
    pub(crate) max_cached_answer_bytes: u64,
    /// Those of one organisation.
    pub(crate) max_cached_answer_bytes_per_organisation: u64,
}

/// An organisation's part of the node, where the operator says nothing else: three can't keep out a fourth.
const PART: u64 = 4;

/// What is 0 is derived: from the connections, and an organisation's part from the node's.
pub(super) fn check(raw: &raw::Limits, server: &ServerConfig) -> Checked<LimitsConfig> {
    let requests = number("limits.max_concurrent_requests", raw.max_concurrent_requests, 0)?;
    let requests = or(requests, server.max_connections as u64);
    let of_org = number(
        "limits.max_concurrent_requests_per_organisation",
        raw.max_concurrent_requests_per_organisation,
        0,
    )?;
    let body_bytes: u64 = number("limits.max_buffered_body_bytes", raw.max_buffered_body_bytes, 0)?;
    if body_bytes < server.max_body_bytes {
        return Err(Bad::new("limits.max_buffered_body_bytes", too_small(server)));
    }
    let bytes_of_org = number(
        "limits.max_buffered_body_bytes_per_organisation",
        raw.max_buffered_body_bytes_per_organisation,
        0,
    )?;
    let bytes_of_org = or(bytes_of_org, (body_bytes / PART).max(server.max_body_bytes));
    if bytes_of_org < server.max_body_bytes {
        return Err(Bad::new("limits.max_buffered_body_bytes_per_organisation", too_small(server)));
    }
    let cached: u64 = number("limits.max_cached_answer_bytes", raw.max_cached_answer_bytes, 0)?;
    let cached_of_org = number(
        "limits.max_cached_answer_bytes_per_organisation",
        raw.max_cached_answer_bytes_per_organisation,
        0,
    )?;
    Ok(LimitsConfig {
        max_concurrent_requests: requests,
        max_concurrent_requests_per_organisation: or(of_org, (requests / PART).max(1)),
        max_buffered_body_bytes: body_bytes,
        max_buffered_body_bytes_per_organisation: bytes_of_org,
        max_cached_answer_bytes: cached,
        max_cached_answer_bytes_per_organisation: or(cached_of_org, cached / PART),
    })
}

fn or(value: u64, derived: u64) -> u64 {
    if value == 0 { derived } else { value }
}

fn too_small(server: &ServerConfig) -> String {
    format!("must hold one body of server.max_body_bytes, {} bytes, at the least", server.max_body_bytes)
}
