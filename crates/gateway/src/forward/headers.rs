//! Which headers go on to the provider, and which come back.

use super::Shape;
use crate::answer::{REQUEST_ID, X_ATTEMPTS, X_REQUEST_ID, identify};
use crate::arrive::{ANTHROPIC_VERSION, Trail};
use crate::settle::Settlement;
use crate::worker::Worker;
use http::header::{self, GetAll, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::cell::RefCell;
use topdog_domain::Timestamp;
use topdog_domain::provider::ProviderApi;
use topdog_domain::tier::Limit;
use topdog_wire::redact::KeyFinder;

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
const OURS: [HeaderName; 16] = [
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
    // A request is what its method says: by that it was judged.
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// Is it one of those that no provider is sent, whatever it says? Who asks, and from where; how the bytes come.
pub(crate) fn stays_here(name: &HeaderName) -> bool {
    OURS.contains(name) || HOP.contains(name)
}

/// What a provider says to us, or of its own origin, and not to the client: who may come in, above all.
const THEIRS: [HeaderName; 14] = [
    header::SET_COOKIE,
    header::SERVER,
    header::DATE,
    header::WWW_AUTHENTICATE,
    header::AUTHORIZATION,
    HeaderName::from_static("authentication-info"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("alt-svc"),
    // What a browser would keep, or do, for our origin.
    header::STRICT_TRANSPORT_SECURITY,
    header::LOCATION,
    header::REFRESH,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
];

const THEIR_PREFIXES: [&str; 4] = ["x-topdog-", "proxy-", "access-control-", "cross-origin-"];

const OUR_PREFIXES: [&str; 2] = ["x-forwarded-", "x-topdog-"];

const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
/// What Amazon calls a request.
const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
pub(crate) const X_PROVIDER: HeaderName = HeaderName::from_static("x-topdog-provider");
pub(crate) const X_MODEL: HeaderName = HeaderName::from_static("x-topdog-model");
const X_OVERHEAD: HeaderName = HeaderName::from_static("x-topdog-overhead-us");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The version of Anthropic's API that is asked for where the client names none (platform.claude.com, "Versions").
const DEFAULT_ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// The client's headers as they go on to a provider of its own dialect: the same map, less what is not for it.
pub(super) fn out(mut headers: HeaderMap, trail: &Trail, api: ProviderApi) -> HeaderMap {
    let is_ours = |name: &HeaderName| {
        OURS.contains(name) || OUR_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
    };
    remove(&mut headers, is_ours);
    headers.insert(X_REQUEST_ID, trail.request_header.clone());
    if api == ProviderApi::Anthropic {
        headers.entry(ANTHROPIC_VERSION).or_insert(DEFAULT_ANTHROPIC_VERSION);
    }
    headers
}

/// What goes to a provider that speaks another dialect than the client: what is of neither.
const OF_ANY_DIALECT: [HeaderName; 3] =
    [header::USER_AGENT, HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];

/// The headers of a translated request. What else the client sent means something in its own dialect only.
pub(super) fn out_translated(headers: &HeaderMap, trail: &Trail, api: ProviderApi) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in OF_ANY_DIALECT {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept.insert(header::CONTENT_TYPE, JSON);
    out(kept, trail, api)
}

/// What comes back of the headers of a translated answer: when, and whether, to try again, and the provider's id of the
/// request.
const OF_ANY_ANSWER: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-should-retry"),
    X_REQUEST_ID,
    REQUEST_ID,
    X_AMZN_REQUEST_ID,
];

/// The provider's headers of an answer that is told in another dialect. Its type is the same in all: JSON, or events.
pub(super) fn back_translated(theirs: &HeaderMap, secret: &[u8]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in OF_ANY_ANSWER {
        if let Some(value) = theirs.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    back(kept, false, secret)
}

/// The provider's headers as they go back to the client: the same map, less what is not for it, and less
/// every header that repeats a key.
pub(super) fn back(mut headers: HeaderMap, keeps_length: bool, secret: &[u8]) -> HeaderMap {
    let is_theirs = |name: &HeaderName| {
        THEIRS.contains(name)
            || (name == header::CONTENT_LENGTH && !keeps_length)
            || THEIR_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
    };
    remove(&mut headers, is_theirs);
    let keys = KeyFinder::new(secret);
    // A name with a key in it has digits, as hardly any other has.
    let may_be_key = |name: &HeaderName| name.as_str().bytes().any(|byte| byte.is_ascii_digit());
    let holds_key = |name: &HeaderName, value: &HeaderValue| {
        keys.is_in(value.as_bytes()) || (may_be_key(name) && keys.is_in(name.as_str().as_bytes()))
    };
    let telling: Vec<HeaderName> =
        headers.iter().filter(|(name, value)| holds_key(name, value)).map(|(name, _)| name.clone()).collect();
    for name in telling {
        headers.remove(name);
    }
    let named_by_anthropic = headers.remove(REQUEST_ID);
    let named_by_amazon = headers.remove(X_AMZN_REQUEST_ID);
    if let Some(id) = headers.remove(X_REQUEST_ID).or(named_by_anthropic).or(named_by_amazon) {
        headers.insert(X_UPSTREAM_REQUEST_ID, id);
    }
    headers
}

/// Removes what is of one connection only, and what else is unwanted.
fn remove(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    let named = Named::by(headers);
    let doomed: Vec<HeaderName> =
        headers.keys().filter(|name| is_unwanted(name) || named.is_hop(name)).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// What we say ourselves.
pub(crate) fn say(
    worker: &Worker,
    trail: &Trail,
    shape: &Shape,
    settlement: &Settlement,
    headers: &mut HeaderMap,
) {
    identify(headers, trail);
    headers.insert(X_PROVIDER, shape.provider_header.clone());
    if let Some(translation) = &shape.translation {
        translation.say(headers);
    }
    // Of what is passed through none may be known.
    let facts = settlement.facts().filter(|facts| !facts.model.is_empty());
    let model = facts.map(|facts| HeaderValue::from_str(&facts.model));
    if let Some(Ok(model)) = model {
        headers.insert(X_MODEL, model);
    }
    if trail.attempts.get() > 0 {
        headers.insert(X_ATTEMPTS, HeaderValue::from(trail.attempts.get()));
    }
    let overhead = u64::try_from(settlement.overhead().as_micros()).unwrap_or(u64::MAX);
    headers.insert(X_OVERHEAD, number(overhead));
    if let Some(org) = settlement.org()
        && let Limit::Of(limit) = org.tier.llm_requests_per_day
    {
        let remaining = org.meters.llm_requests.remaining(Limit::Of(limit), trail.at).unwrap_or_default();
        headers.insert(X_LIMIT, number(limit));
        headers.insert(X_REMAINING, number(remaining));
        headers.insert(X_RESET, worker.resets.header(trail.at));
    }
}

/// A number as a header's value, with one allocation of just its size.
fn number(mut number: u64) -> HeaderValue {
    let mut digits = [b'0'; MOST_DIGITS];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        // Below ten, and so a digit.
        *digit += (number % 10).to_le_bytes()[0];
        length += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(MOST_DIGITS - length..).unwrap_or_default();
    HeaderValue::from_bytes(digits).unwrap_or(HeaderValue::from_static("0"))
}

/// Of a number of 64 bits.
const MOST_DIGITS: usize = 20;

/// The seconds to the day's end as a header, made once a second.
pub(crate) struct Resets(RefCell<(u64, HeaderValue)>);

impl Resets {
    pub(crate) fn new() -> Self {
        Self(RefCell::new((u64::MAX, HeaderValue::from_static("0s"))))
    }

    fn header(&self, now: Timestamp) -> HeaderValue {
        let seconds = now.seconds_until(now.day().end());
        let mut made = self.0.borrow_mut();
        if made.0 != seconds
            && let Ok(header) = HeaderValue::try_from(format!("{seconds}s"))
        {
            *made = (seconds, header);
        }
        made.1.clone()
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
