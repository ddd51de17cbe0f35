use crate::arrive::Trail;
use crate::entitle::{Destination, Entitled, Outgoing, Route, find, is_test, lead, resolve};
use crate::forward::now;
use crate::share::Share;
use crate::translation::Way;
use crate::worker::Worker;
use topdog_domain::directory::Caller;
use topdog_domain::policy::RouteTarget;
use topdog_domain::provider::Operation;
use topdog_domain::routing::{Balance, Candidate, Place, Rules, order};
use topdog_domain::usage::TokenUsage;
use topdog_domain::{Refusal, Timestamp};
use topdog_wire::usage::estimate_input;

/// What a policy's route makes of a request: where it may go, in the order that is tried, and by which rules.
pub(crate) struct Plan {
    pub(super) rules: Rules,
    /// Each may be used: its model by this key and its policies, its provider by this tier, with a provider key.
    pub(crate) routes: Vec<Route>,
    /// The first that the request can be said to.
    pub(super) first: usize,
    /// As it came, for all attempts but the first.
    pub(super) original: Option<Box<Entitled>>,
}

impl Plan {
    /// The plan, where a route is for the request. What may not be used is left out of it; where nothing is left, the
    /// reason of the first.
    pub(crate) fn of(
        worker: &Worker,
        caller: &Caller,
        operation: Operation,
        asked: &str,
        at: Timestamp,
        body_bytes: usize,
    ) -> Result<Option<Box<Self>>, Refusal> {
        let tiers = worker.parts().directory.tiers();
        let asking = caller.asking(&tiers);
        let found = find(worker, &asking, asked, at)?;
        if is_test(worker, found.provider.as_str()) {
            return Ok(None);
        }
        let Some(routed) = asking.routed(asked, found.provider.as_str(), found.model) else {
            return Ok(None);
        };
        let (route, rules) = (routed.route, *routed.route.rules());
        let mut refused = None;
        let mut usable = |target: &RouteTarget| {
            let route = way(worker, caller, operation, target, at);
            route.map_err(|refusal| refused.get_or_insert(refusal).clone()).ok()
        };
        let own = route.targets().is_empty().then(|| RouteTarget {
            provider: found.provider.clone(),
            model: found.model.into(),
            key: None,
            weight: 1,
        });
        let firsts = own.iter().chain(route.targets());
        let (weights, firsts): (Vec<u32>, Vec<Route>) =
            firsts.filter_map(|target| Some((target.weight, usable(target)?))).unzip();
        let fallbacks: Vec<Route> = route.fallbacks().iter().filter_map(usable).collect();
        let mut routes = balanced(worker, caller, rules.balance, &weights, firsts, body_bytes);
        routes.extend(fallbacks);
        match refused {
            Some(refusal) if routes.is_empty() => Err(refusal),
            _ => Ok(Some(Box::new(Self { rules, routes, first: 0, original: None }))),
        }
    }

    /// Where the first attempt goes, if it can be said there.
    pub(crate) fn first_route(&self) -> Result<Route, Refusal> {
        self.routes.first().cloned().ok_or(Refusal::Internal)
    }

    /// The request on its way to the first place that it can be said to. What can't be said nowhere is refused with what
    /// the first place lacks.
    pub(crate) fn begin(
        mut self: Box<Self>,
        trail: &Trail,
        mut original: Box<Entitled>,
        share: &mut Share,
    ) -> Result<Box<Entitled>, Refusal> {
        if matches!(original.outgoing, Outgoing::Form { .. }) {
            // A form streams: it can't be sent twice.
            let native = self.routes.into_iter().find(|route| route.way == Way::Native);
            original.route =
                native.ok_or_else(|| Refusal::OperationUnsupported(original.route.provider.clone()))?;
            return Ok(original);
        }
        let mut refused = None;
        for (place, route) in self.routes.iter().enumerate() {
            let mut entitled = original.again(route.clone()).ok_or(Refusal::Internal)?;
            match entitled.translate(trail, share) {
                Ok(()) => {
                    share.hold(held(&original, &entitled))?;
                    self.first = place;
                    self.original = Some(original);
                    entitled.plan = Some(self);
                    return Ok(entitled);
                }
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        Err(refused.unwrap_or(Refusal::Internal))
    }
}

/// Bytes that are held while an attempt is made: what came, and what it was translated to.
pub(super) fn held(original: &Entitled, entitled: &Entitled) -> u64 {
    let translated = match &entitled.outgoing {
        Outgoing::Translated { body, .. } | Outgoing::Addressed { body, .. } => body.len(),
        Outgoing::Json { .. } | Outgoing::Through(_) | Outgoing::Form { .. } => 0,
    };
    (original.outgoing.len() + translated) as u64
}

/// Who is asked there, for what, and by which key.
pub(super) fn place(route: &Route) -> Place {
    let key = match route.destination {
        Destination::Upstream { key, .. } => key,
        Destination::Test => None,
    };
    Place { provider: route.provider.clone(), key, model: route.model.clone() }
}

/// The way to a target, if the caller may use it: the same rules as for a model that was asked for.
fn way(
    worker: &Worker,
    caller: &Caller,
    operation: Operation,
    target: &RouteTarget,
    at: Timestamp,
) -> Result<Route, Refusal> {
    let name = format!("{}/{}", target.provider, target.model);
    let tiers = worker.parts().directory.tiers();
    let asking = caller.asking(&tiers);
    asking.judge(target.provider.as_str(), &target.model, &name, |_| false, &mut ())?;
    let resolved = resolve(worker, &caller.org, &name, at)?;
    let key = target.provider_key(&caller.org)?.map(|key| key.id);
    lead(worker, caller, operation, resolved, key)
}

/// The targets in the order that they are tried in.
fn balanced(
    worker: &Worker,
    caller: &Caller,
    balance: Balance,
    weights: &[u32],
    routes: Vec<Route>,
    body_bytes: usize,
) -> Vec<Route> {
    if routes.len() < 2 {
        return routes;
    }
    let (now, catalogue) = (now(), &worker.parts().catalogue);
    let tokens =
        TokenUsage { input: estimate_input(body_bytes), output: USUAL_OUTPUT, ..TokenUsage::default() };
    let candidate = |(route, weight): (&Route, &u32)| Candidate {
        weight: *weight,
        latency: match balance {
            Balance::Latency => caller.org.health.latency(&place(route), now),
            Balance::Weight | Balance::Cost => None,
        },
        cost: match balance {
            Balance::Cost => route.price.and_then(|price| catalogue.cost(price, &tokens)),
            Balance::Weight | Balance::Latency => None,
        },
    };
    let candidates: Vec<Candidate> = routes.iter().zip(weights).map(candidate).collect();
    let ordered = order(balance, &candidates, || worker.ids.random());
    ordered.into_iter().filter_map(|place| routes.get(place).cloned()).collect()
}

/// Tokens of an answer, where nothing is known of it yet.
const USUAL_OUTPUT: u64 = 256;
