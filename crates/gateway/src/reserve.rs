//! Step 4: one LLM request, of the organisation and of the key, and what it may use of caps, all or nothing; and the API call, from step 2 on.

use crate::arrive::Trail;
use crate::caps::{self, TakenCaps};
use crate::entitle::Entitled;
use crate::settle::Settlement;
use crate::share::Share;
use crate::worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use topdog_domain::directory::{Caller, OrgView};
use topdog_domain::entitlement::Resource;
use topdog_domain::quota::{Exhausted, Meter, NotTaken, OrgMeters, Unit};
use topdog_domain::refusal::TierRefusal;
use topdog_domain::tier::Limit;
use topdog_domain::usage::TokenUsage;
use topdog_domain::{Refusal, Timestamp};

/// A request with its place in the limits.
pub(crate) struct Reserved {
    pub(crate) entitled: Box<Entitled>,
    pub(crate) settlement: Settlement,
}

/// The LLM request of one request. Its units are given back at drop, unless [`Reservation::keep`] made them facts.
///
/// Not `Clone`, and consumed by either end: neither a hang-up nor a failure leaks quota. A crash leaks at
/// most the node's lease, which the ledger has counted as spent.
pub(crate) struct Reservation {
    caller: Arc<Caller>,
    llm_request: Option<Unit>,
    key_request: Option<Unit>,
    caps: Option<Box<TakenCaps>>,
}

impl Reservation {
    const fn empty(caller: Arc<Caller>) -> Self {
        Self { caller, llm_request: None, key_request: None, caps: None }
    }

    /// Whose units they are.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The request counts: nothing is given back but what caps had set aside beyond what `used` says of it, tokens and
    /// cost.
    pub(crate) fn keep(mut self, used: impl FnOnce() -> (TokenUsage, Option<i64>)) {
        self.llm_request = None;
        self.key_request = None;
        if let Some(caps) = self.caps.take() {
            let (tokens, cost) = used();
            caps.settle(&tokens, cost);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(unit) = self.llm_request.take() {
            self.caller.org.meters.llm_requests.give_back(unit);
        }
        if let (Some(meter), Some(unit)) = (&self.caller.key_meter, self.key_request.take()) {
            meter.give_back(unit);
        }
    }
}

pub(crate) async fn reserve(
    worker: &Rc<Worker>,
    trail: &Trail,
    entitled: Box<Entitled>,
    share: Share,
) -> Result<Reserved, Refusal> {
    require_ready(worker, trail)?;
    let mut reservation = Reservation::empty(entitled.caller.clone());
    let tier = &entitled.caller.org.tier;
    let limit = tier.llm_requests_per_day;
    let meter = &entitled.caller.org.meters.llm_requests;
    let unit = take(worker, meter, limit, trail.at).await;
    reservation.llm_request =
        Some(unit.map_err(|e| denied(worker, &entitled.caller, Resource::LlmRequestsPerDay, e))?);
    if let Some(meter) = &entitled.caller.key_meter {
        let unit = take(worker, meter, entitled.caller.key.llm_requests_per_day, trail.at).await;
        reservation.key_request = Some(unit.map_err(|e| denied_by_key(&entitled.caller, e))?);
    }
    if let Some(caps) = &entitled.caller.caps {
        // Boxed: few requests are held by a cap.
        let taken = Box::pin(caps::take(worker, trail, &entitled, caps)).await?;
        reservation.caps = Some(Box::new(taken));
    }
    top_up(worker, &entitled.caller.org, limit, trail.at, |meters| &meters.llm_requests);
    trail.is_admitted.set(true);
    let settlement = Settlement::new(worker, trail, &entitled, reservation, share);
    Ok(Reserved { entitled, settlement })
}

/// Refuses what this node may not answer just now: what must be recorded and can't be, and in a regulated segment what may
/// have been revoked.
pub(crate) fn require_ready(worker: &Worker, trail: &Trail) -> Result<(), Refusal> {
    let is_regulated = trail.labels.get().segment.is_regulated();
    let must_be_recorded = is_regulated || worker.config().does_full_spool_refuse_all;
    if must_be_recorded && !worker.parts().spool.is_healthy() {
        return Err(Refusal::RecordsUnavailable);
    }
    if is_regulated && !worker.parts().directory.is_current(trail.at) {
        return Err(Refusal::ChangesUnknown);
    }
    Ok(())
}

/// Refuses at once whose limit is known to be reached, before its body takes up memory.
pub(crate) fn refuse_exhausted(worker: &Worker, trail: &Trail, caller: &Caller) -> Result<(), Refusal> {
    let (tier, meters) = (&caller.org.tier, &caller.org.meters);
    let known = [
        (Resource::ApiCallsPerDay, &meters.api_calls, tier.api_calls_per_day),
        (Resource::LlmRequestsPerDay, &meters.llm_requests, tier.llm_requests_per_day),
    ];
    for (resource, meter, limit) in known {
        if let Some(exhausted) = meter.exhausted(limit, trail.at) {
            return Err(denied(worker, caller, resource, NotTaken::Exhausted(exhausted)));
        }
    }
    Ok(())
}

/// Fetches the next lease of a meter beside the requests, so that none waits for the ledger.
fn top_up(
    worker: &Rc<Worker>,
    org: &Arc<OrgView>,
    limit: Limit,
    now: Timestamp,
    of: fn(&OrgMeters) -> &Meter,
) {
    if of(&org.meters).wants_top_up(limit) {
        let (worker, org) = (worker.clone(), org.clone());
        tokio::task::spawn_local(async move {
            of(&org.meters).top_up(limit, worker.parts().ledger.as_ref(), now).await;
        });
    }
}

/// The API call of a request whose caller is known. It counts whatever comes of the request, also where the client
/// leaves; only a refusal by tier, or by a node that can't do its part, gives it back.
pub(crate) async fn count_api_call(
    worker: &Rc<Worker>,
    trail: &Trail,
    caller: &Caller,
) -> Result<Unit, Refusal> {
    let limit = caller.org.tier.api_calls_per_day;
    let unit = take(worker, &caller.org.meters.api_calls, limit, trail.at).await;
    let unit = unit.map_err(|e| denied(worker, caller, Resource::ApiCallsPerDay, e))?;
    top_up(worker, &caller.org, limit, trail.at, |meters| &meters.api_calls);
    Ok(unit)
}

async fn take(worker: &Worker, meter: &Meter, limit: Limit, now: Timestamp) -> Result<Unit, NotTaken> {
    match meter.try_take(limit, now) {
        Some(unit) => Ok(unit),
        // Boxed: the way to the ledger is rare, and must not weigh on the journey's state.
        None => Box::pin(meter.take(limit, worker.parts().ledger.as_ref(), now)).await,
    }
}

fn denied(worker: &Worker, caller: &Caller, resource: Resource, not_taken: NotTaken) -> Refusal {
    let tier = &caller.org.tier;
    match not_taken {
        NotTaken::Unavailable(error) => unavailable(&error),
        NotTaken::Exhausted(exhausted) => {
            let tiers = worker.parts().directory.tiers();
            let lifted_by = tiers.lifting(tier, |t| t.limit(resource).allows_one_more(exhausted.limit));
            refusal(caller, resource.name().into(), &exhausted, lifted_by)
        }
    }
}

fn denied_by_key(caller: &Caller, not_taken: NotTaken) -> Refusal {
    match not_taken {
        NotTaken::Unavailable(error) => unavailable(&error),
        NotTaken::Exhausted(exhausted) => {
            refusal(caller, "key_llm_requests_per_day".into(), &exhausted, None)
        }
    }
}

fn refusal(
    caller: &Caller,
    limit: std::borrow::Cow<'static, str>,
    exhausted: &Exhausted,
    lifted_by: Option<topdog_domain::tier::TierName>,
) -> Refusal {
    Refusal::tier(TierRefusal {
        limit,
        tier: caller.org.tier.name.clone(),
        allowed: Limit::Of(exhausted.limit),
        used: Some(exhausted.used),
        resets_at: Some(exhausted.resets_at),
        lifted_by,
    })
}

fn unavailable(error: &topdog_domain::ports::PortError) -> Refusal {
    tracing::error!(%error, "the ledger of limits can't be asked");
    Refusal::LedgerUnavailable
}
