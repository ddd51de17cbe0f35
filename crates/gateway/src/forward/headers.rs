//! Which headers go on to the provider, and which come back.

use super::Shape;
use crate::answer::X_REQUEST_ID;
use crate::arrive::Trail;
use http::header::{self, GetAll, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::time::Duration;
use topdog_domain::tier::Limit;

/// Headers of one connection only (RFC 9110, 7.6.1), and such as are made anew.
const HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What the client says to us, not to the provider. Encodings are not asked for: usage must be readable.
const OURS: [HeaderName; 13] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::ACCEPT_ENCODING,
    header::COOKIE,
    header::EXPECT,
    header::FORWARDED,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-plan"),
    HeaderName::from_static("x-data-segment"),
    HeaderName::from_static("x-real-ip"),
];

/// What a provider says to us, not to the client.
const THEIRS: [HeaderName; 5] = [
    header::SET_COOKIE,
    header::SERVER,
    header::DATE,
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("alt-svc"),
];

const OUR_PREFIXES: [&str; 2] = ["x-forwarded-", "x-topdog-"];

const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
const X_PROVIDER: HeaderName = HeaderName::from_static("x-topdog-provider");
const X_MODEL: HeaderName = HeaderName::from_static("x-topdog-model");
const X_OVERHEAD: HeaderName = HeaderName::from_static("x-topdog-overhead-us");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");

/// The client's headers as they go on to the provider.
pub(super) fn out(client: &HeaderMap, trail: &Trail) -> HeaderMap {
    let named = Named::by(client);
    let mut headers = HeaderMap::with_capacity(client.len() + 2);
    for (name, value) in client {
        let is_ours =
            OURS.contains(name) || OUR_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        if !is_ours && !named.is_hop(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(X_REQUEST_ID, trail.request_header.clone());
    headers
}

/// The provider's headers as they go back to the client.
pub(super) fn back(provider: &HeaderMap, keeps_length: bool) -> HeaderMap {
    let named = Named::by(provider);
    let mut headers = HeaderMap::with_capacity(provider.len() + 8);
    for (name, value) in provider {
        if THEIRS.contains(name) || named.is_hop(name) || (name == header::CONTENT_LENGTH && !keeps_length) {
            continue;
        }
        let name = if name == X_REQUEST_ID { X_UPSTREAM_REQUEST_ID } else { name.clone() };
        if !name.as_str().starts_with("x-topdog-") {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// What we say ourselves.
pub(crate) fn say(trail: &Trail, shape: &Shape, overhead: Duration, headers: &mut HeaderMap) {
    headers.insert(X_REQUEST_ID, trail.request_header.clone());
    if let Ok(provider) = HeaderValue::from_str(shape.provider.as_str()) {
        headers.insert(X_PROVIDER, provider);
    }
    if let Ok(model) = HeaderValue::from_str(&shape.model) {
        headers.insert(X_MODEL, model);
    }
    headers.insert(X_OVERHEAD, HeaderValue::from(u64::try_from(overhead.as_micros()).unwrap_or(u64::MAX)));
    let org = &shape.caller.org;
    if let Limit::Of(limit) = org.tier.llm_requests_per_day {
        let remaining = org.meters.llm_requests.remaining(Limit::Of(limit), trail.at).unwrap_or_default();
        headers.insert(X_LIMIT, HeaderValue::from(limit));
        headers.insert(X_REMAINING, HeaderValue::from(remaining));
        if let Ok(reset) = HeaderValue::try_from(format!("{}s", trail.at.seconds_until(trail.at.day().end())))
        {
            headers.insert(X_RESET, reset);
        }
    }
}

/// Headers that `Connection` names: they are of one connection only, too.
struct Named<'a>(GetAll<'a, HeaderValue>);

impl<'a> Named<'a> {
    fn by(headers: &'a HeaderMap) -> Self {
        Self(headers.get_all(header::CONNECTION))
    }

    fn is_hop(&self, name: &HeaderName) -> bool {
        let is_named = |line: &str| line.split(',').any(|n| n.trim().eq_ignore_ascii_case(name.as_str()));
        HOP.contains(name) || self.0.iter().filter_map(|value| value.to_str().ok()).any(is_named)
    }
}
