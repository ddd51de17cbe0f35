//! Step 3 for what is passed through: may this caller have this, as far as can be seen?

use super::body::{Through, ThroughBody};
use super::named;
use crate::arrive::{Arrived, Trail};
use crate::authenticate::Authenticated;
use crate::edge::body::{BodyReader, shown};
use crate::entitle::{Destination, Entitled, Outgoing, bad_model, find, is_model_name, lead};
use crate::read_body::OutputBounds;
use crate::read_body::{is_media_type, read_json};
use crate::share::Share;
use crate::wanted::Wanted;
use crate::worker::Worker;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::api_key::KeyMode;
use topdog_domain::catalogue::{Price, Resolved};
use topdog_domain::directory::Caller;
use topdog_domain::guardrail::Side;
use topdog_domain::guardrail::decision::BlockCause;
use topdog_domain::policy::Policy;
use topdog_domain::provider::Family;

/// Entitles a passage. Its model, where one is named, is what the provider calls it: aliases lead nowhere here.
pub(crate) async fn entitle(
    worker: &Worker,
    trail: &Trail,
    Authenticated { arrived, caller }: Authenticated,
    share: &mut Share,
) -> Result<Box<Entitled>, Refusal> {
    let mut arrived = *arrived;
    let Wanted::Passage(passage) = arrived.wanted else { return Err(Refusal::Internal) };
    let operation = passage.operation();
    worker.parts().directory.tiers().require_operation(&caller.org.tier, operation)?;
    let provider = passage.provider.clone();
    let key = caller.org.provider_key(provider.as_str()).map(|key| key.id);
    let nameless = Resolved { provider: provider.clone(), model: "", price: None };
    let mut route = lead(worker, &caller, operation, nameless, key)?;
    let Destination::Upstream { target, .. } = &route.destination else {
        return Err(Refusal::OperationUnsupported(provider));
    };
    let family = target.manner.api().family().unwrap_or(Family::OpenAi);
    // Of an organisation's own endpoint it is not known before what it speaks.
    let query = arrived.query.as_deref().unwrap_or_default();
    if let Some(addressed) = passage.addressed(family, query, &mut arrived.headers) {
        let addressed = addressed?;
        trail.family.set(family);
        trail.operation.set(Some(addressed.operation));
        let query = arrived.query.filter(|_| family != Family::Gemini);
        let wanted = Wanted::Addressed(Box::new(addressed));
        let arrived = Box::new(Arrived { wanted, query, ..arrived });
        let authenticated = Authenticated { arrived, caller };
        return Box::pin(crate::entitle::entitle(worker, trail, authenticated, share)).await;
    }
    if target.names_models_in_paths() {
        // A body could name another model than the one that is asked.
        return Err(Refusal::OperationUnsupported(provider));
    }
    let uri = target.passage_uri(&passage.path, arrived.query.as_deref());
    let uri = uri.ok_or(Refusal::BadHeader("the query"))?;
    if is_restricted(&caller) {
        return Err(Refusal::ModelUnseen);
    }
    let mut names: Vec<String> = named::in_path(&passage.path, family);
    let mut reader = BodyReader::new(arrived.body, &arrived.headers, worker.config())?;
    require_unjudged(&caller, reader.announced())?;
    let is_empty = reader.announced() == Some(0) || passage.method == Method::GET;
    let body = match kind_of(&arrived.headers, is_empty) {
        Kind::None => ThroughBody::Whole(Bytes::new()),
        Kind::Json => {
            let json = read_json(&arrived.headers, &mut reader, share).await?;
            names.extend(json.model.map(|model| named::plain(&model, family)));
            ThroughBody::Whole(json.body)
        }
        Kind::Other => ThroughBody::Stream(Box::new(reader)),
    };
    for name in &names {
        let price = price_of(worker, trail, &caller, &format!("{provider}/{name}"), name)?;
        // Of several nobody knows which one is charged.
        route.price = if names.len() == 1 { price } else { None };
    }
    let model: Arc<str> = names.first().map_or_else(|| "".into(), |name| name.as_str().into());
    route.model = model.clone();
    Ok(Box::new(Entitled {
        caller,
        headers: arrived.headers,
        query: None,
        client_ip: arrived.client_ip,
        operation,
        is_stream: false,
        asks_usage: true,
        is_json_array: false,
        bounds: OutputBounds::default(),
        model_requested: model,
        route,
        outgoing: Outgoing::Through(Box::new(Through { method: passage.method.clone(), uri, body })),
        translation: None,
        plan: None,
        guard: None,
        client_wait: std::time::Duration::ZERO,
        cache: None,
    }))
}

/// What can't be read can't be judged: where a guardrail would keep something back, nothing is passed through, and
/// nothing that may be longer than its input.
fn require_unjudged(caller: &Caller, announced: Option<u64>) -> Result<(), Refusal> {
    let Some(rules) = caller.policy.as_deref().and_then(|policy| policy.guardrails()) else { return Ok(()) };
    for side in [Side::Input, Side::Output] {
        let rules = rules.on(side);
        if let Some(rule) = rules.first_acting() {
            return Err(rules.block(rule, BlockCause::Unreadable).into());
        }
    }
    Ok(rules.require_size(announced.unwrap_or(u64::MAX))?)
}

/// The price of a model that the caller may use, by its whole name.
fn price_of(
    worker: &Worker,
    trail: &Trail,
    caller: &Caller,
    whole: &str,
    name: &str,
) -> Result<Option<Price>, Refusal> {
    if !is_model_name(whole) {
        return Err(bad_model());
    }
    let tiers = worker.parts().directory.tiers();
    let found = find(worker, &caller.asking(&tiers), whole, trail.at)?;
    // An alias of that whole name leads elsewhere, where this can't go.
    let is_it = found.model == name && whole.strip_suffix(name) == Some(&format!("{}/", found.provider));
    if is_it { Ok(found.price) } else { Err(Refusal::ModelNotAllowed(shown(whole))) }
}

/// May the caller use some models only, or some not? What is passed through can run a model that stands in no field we
/// know, or in a file, and what a provider keeps is of all of the organisation's models: so nothing is passed then.
fn is_restricted(caller: &Caller) -> bool {
    let key = &caller.key;
    // A policy that can't be understood denies everything.
    let does_restrict = |policy: Option<&Policy>| {
        policy.is_none_or(|policy| policy.allow().is_some() || !policy.deny().is_empty())
    };
    let mut layers = caller.policy.iter().flat_map(|policy| policy.layers());
    !key.models.is_empty()
        || key.mode == KeyMode::Test
        || layers.any(|layer| does_restrict(layer.policy.as_deref()))
}

enum Kind {
    None,
    Json,
    Other,
}

fn kind_of(headers: &HeaderMap, is_empty: bool) -> Kind {
    let is_json = |value: &http::HeaderValue| is_media_type(value.as_bytes(), b"application/json");
    match headers.get(CONTENT_TYPE) {
        _ if is_empty => Kind::None,
        Some(kind) if !is_json(kind) => Kind::Other,
        _ => Kind::Json,
    }
}
