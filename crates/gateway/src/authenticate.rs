//! Step 2: whose request it is.

use crate::arrive::{Arrived, Trail};
use crate::worker::Worker;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::api_key::Token;
use topdog_domain::directory::Caller;
use topdog_domain::labels::Labels;

/// A request whose caller is known.
pub(crate) struct Authenticated {
    pub(crate) arrived: Box<Arrived>,
    pub(crate) caller: Arc<Caller>,
}

/// Where a Top Dog key may be, in the order in which they are looked at: SDKs of all dialects work as they are.
static OTHER_KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

pub(crate) fn authenticate(
    worker: &Worker,
    trail: &Trail,
    arrived: Box<Arrived>,
) -> Result<Authenticated, Refusal> {
    let text = presented(&arrived.headers)?;
    let token = Token::parse(text).ok_or(Refusal::UnknownKey)?;
    let snapshot = worker.parts().directory.snapshot();
    let caller = snapshot.shared_caller(token.public_id()).ok_or(Refusal::UnknownKey)?;
    if !worker.parts().hasher.verify(&token, &caller.key, &caller.secret) {
        return Err(Refusal::UnknownKey);
    }
    let caller = caller.clone();
    // Set once a request, here.
    let _ = trail.caller.set((caller.clone(), arrived.client_ip));
    trail.labels.set(Labels::of_tenant(
        arrived.sent_labels,
        arrived.is_front_trusted,
        caller.org.tier.plan(),
        segment_of(&caller),
        &worker.config().labels,
    ));
    let has_ended = |end: Option<_>| end.is_some_and(|end| end <= trail.at);
    if has_ended(caller.key.expires_at) || has_ended(caller.secret.not_after) {
        return Err(Refusal::ExpiredKey);
    }
    if !caller.key.allows_ip(arrived.client_ip) {
        return Err(Refusal::IpNotAllowed);
    }
    caller.require_place(&worker.parts().directory.tiers())?;
    Ok(Authenticated { arrived, caller })
}

/// The one key that was presented, in however many headers. Two different ones are refused: what stands in front
/// of us may have judged by the other.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    let bearers = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let text = value.to_str().map_err(|_| Refusal::BadHeader("authorization"))?;
        let (scheme, token) = text.split_once(' ').ok_or(Refusal::UnknownKey)?;
        if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Refusal::UnknownKey) }
    });
    let others = OTHER_KEY_HEADERS.iter().flat_map(|name| headers.get_all(name));
    let others = others.map(|value| value.to_str().map(str::trim).map_err(|_| Refusal::UnknownKey));
    let mut presented = bearers.chain(others);
    let first = presented.next().ok_or(Refusal::MissingKey)??;
    if presented.all(|other| other.as_ref() == Ok(&first)) { Ok(first) } else { Err(Refusal::UnknownKey) }
}

/// The stricter of what the organisation and the key's workspace have.
fn segment_of(caller: &Caller) -> Option<topdog_domain::labels::DataSegment> {
    let facts = &caller.org.facts;
    let workspace = caller.key.workspace.and_then(|id| facts.workspaces.iter().find(|w| w.id == id));
    facts.organisation.data_segment.max(workspace.and_then(|w| w.data_segment))
}
