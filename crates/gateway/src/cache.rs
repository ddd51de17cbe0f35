//! Between steps 3 and 4, where a policy turns caching on: an answer that is kept is given again, and one that comes is
//! kept. Who asks has passed steps 1 to 3 like everyone: what it may not ask for, it is not given. Others' requests cost
//! one comparison.

mod keeping;
mod replay;

pub(crate) use keeping::{Keeping, keep};
pub(crate) use replay::replay;

use crate::arrive::Trail;
use crate::entitle::{Destination, Entitled};
use crate::forward::stays_here;
use crate::worker::Worker;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::response_cache::{CacheKey, KeptAnswer, ResponseCache};
use topdog_wire::sameness::sameness;

pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-topdog-cache");

/// Where the answer of a request is kept, or will be.
pub(crate) struct Place {
    key: CacheKey,
    cache: Arc<ResponseCache>,
    ttl_seconds: u32,
    /// Does the client want a fresh one?
    is_fresh_wanted: bool,
    /// Whose answer it is to be: a fallback's is not kept in another's place.
    provider: ProviderName,
    model: Arc<str>,
}

impl Place {
    /// The place for the answer of a request; none where it may not be kept. The body is the client's own, before any
    /// translation.
    pub(crate) fn of(trail: &Trail, entitled: &Entitled, body: &[u8]) -> Option<Box<Self>> {
        let Entitled { caller, operation, route, headers, query, .. } = entitled;
        let caching = caller.caching.as_deref()?;
        let segment = trail.labels.get().segment;
        let wish = Wish::of(headers);
        if wish == Wish::Nothing || (segment.is_regulated() && !caching.regulated) {
            return None;
        }
        let same = sameness(body)?;
        let may_be_kept = match *operation {
            Operation::Embeddings | Operation::CohereEmbed | Operation::Rerank => true,
            Operation::Chat | Operation::Completions | Operation::Messages | Operation::CohereChat => {
                !same.stores.unwrap_or(false)
            }
            // It stores its answers unless it is told not to, and one can be gone on from by its id.
            Operation::Responses => same.stores == Some(false),
            _ => false,
        };
        let is_sampled = same.is_sampled && operation.answers_with_text();
        if !may_be_kept || same.has_state || (is_sampled && !caching.sampled) {
            return None;
        }
        let (place, provider_key) = match &route.destination {
            Destination::Upstream { target, key } => {
                (target.origin().to_string(), key.map(|key| key.to_string()).unwrap_or_default())
            }
            Destination::Test => Default::default(),
        };
        let shaping = shaping(headers);
        let key = CacheKey::of([
            caller.org.facts.organisation.id.to_string().as_bytes(),
            caching.group.as_bytes(),
            segment.name().as_bytes(),
            operation.name().as_bytes(),
            route.provider.as_str().as_bytes(),
            provider_key.as_bytes(),
            place.as_bytes(),
            route.model.as_bytes(),
            query.as_deref().unwrap_or_default().as_bytes(),
            shaping.as_slice(),
            same.text.as_slice(),
        ]);
        Some(Box::new(Self {
            key,
            cache: caller.org.cache.clone(),
            ttl_seconds: caching.ttl_seconds,
            is_fresh_wanted: wish == Wish::Fresh,
            provider: route.provider.clone(),
            model: route.model.clone(),
        }))
    }

    /// The answer that is kept.
    pub(crate) fn find(&self, trail: &Trail) -> Option<Arc<KeptAnswer>> {
        if self.is_fresh_wanted { None } else { self.cache.find(&self.key, trail.at) }
    }
}

/// What a client says of caching (RFC 9111, 5.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing that matters.
    Any,
    /// An answer from the provider, which may be kept.
    Fresh,
    /// That nothing is kept.
    Nothing,
}

impl Wish {
    fn of(headers: &HeaderMap) -> Self {
        let says = |word: &str| {
            let mut words = headers
                .get_all(header::CACHE_CONTROL)
                .iter()
                .filter_map(|line| line.to_str().ok())
                .flat_map(|line| line.split(','));
            words.any(|directive| directive.trim().eq_ignore_ascii_case(word))
        };
        match (says("no-store"), says("no-cache") || says("max-age=0")) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Fresh,
            (false, false) => Self::Any,
        }
    }
}

/// What goes on to a provider and shapes no answer: by what program it is asked, when, and how the bytes come.
const SHAPELESS: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::USER_AGENT,
    header::CACHE_CONTROL,
    header::DATE,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

const SHAPELESS_PREFIXES: [&str; 2] = ["x-forwarded-", "x-stainless-"];

fn shaping(headers: &HeaderMap) -> Vec<u8> {
    let is_shaping = |name: &HeaderName| {
        !stays_here(name)
            && !SHAPELESS.contains(name)
            && !SHAPELESS_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
    };
    let mut lines: Vec<(&str, &[u8])> = headers
        .iter()
        .filter(|(name, _)| is_shaping(name))
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    // Of one name they stay in their order.
    lines.sort_by_key(|(name, _)| *name);
    let mut shaping = Vec::new();
    for (name, value) in lines {
        // Neither holds a line's end.
        shaping.extend_from_slice(name.as_bytes());
        shaping.push(b':');
        shaping.extend_from_slice(value);
        shaping.push(b'\n');
    }
    shaping
}

/// Says that an answer of the provider could have been a kept one.
pub(crate) fn say_miss(headers: &mut HeaderMap) {
    headers.insert(X_CACHE, HeaderValue::from_static("miss"));
}

/// How much may be kept by this node.
fn limits(worker: &Worker) -> topdog_domain::response_cache::CacheRoom {
    worker.config().cache
}
