//! The eight steps, in order.

use crate::answer::{self, Answer};
use crate::arrive::{Arrived, Trail, arrive};
use crate::attempts::attempts;
use crate::authenticate::{Authenticated, authenticate};
use crate::cache::{self, Place};
use crate::edge::ClientBody;
use crate::entitle::{Entitled, entitle};
use crate::forward::forward;
use crate::models;
use crate::open_key::open_key;
use crate::record;
use crate::reserve::{count_api_call, refuse_exhausted, reserve};
use crate::share::Share;
use crate::worker::Worker;
use http::Request;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use topdog_domain::Refusal;
use topdog_domain::api_key::Scope;

/// Answers a request of the data plane. Whatever happens, there is an answer, and it is measured.
pub(crate) async fn travel(worker: &Rc<Worker>, request: Box<Request<ClientBody>>, peer: IpAddr) -> Answer {
    let trail = Trail::new(worker);
    let answered = {
        let journey = pin!(journey(worker, &trail, request, peer));
        worker.cutoff.before(journey).await.unwrap_or(Err(Refusal::ShuttingDown))
    };
    match answered {
        Ok(answer) => answer,
        Err(refusal) => {
            let refusal = recorded(worker, &trail, refusal).await;
            worker.parts().metrics.refused(&trail, &refusal);
            record::refused(worker, &trail, &refusal);
            answer::refused(&trail, &refusal)
        }
    }
}

/// In a regulated segment the record of an admitted request is on the disk before its failure is told.
async fn recorded(worker: &Worker, trail: &Trail, refusal: Refusal) -> Refusal {
    let must_wait = trail.is_admitted.get() && trail.labels.get().segment.is_regulated();
    if must_wait && worker.spool.durable().await.is_err() { Refusal::RecordsUnavailable } else { refusal }
}

async fn journey(
    worker: &Rc<Worker>,
    trail: &Trail,
    request: Box<Request<ClientBody>>,
    peer: IpAddr,
) -> Result<Answer, Refusal> {
    let arrived: Box<Arrived> = arrive(worker, trail, request, peer)?;
    let authenticated = authenticate(worker, trail, arrived)?;
    let share = Share::take(worker, trail, &authenticated.caller)?;
    if authenticated.arrived.wanted.is_of_provider() {
        refuse_exhausted(worker, trail, &authenticated.caller)?;
    }
    let caller = authenticated.caller.clone();
    let api_call = count_api_call(worker, trail, &caller).await?;
    let answered = counted(worker, trail, authenticated, share).await;
    if let Err(refusal) = &answered
        && !trail.is_admitted.get()
        && refusal.takes_no_api_call()
    {
        caller.org.meters.api_calls.give_back(api_call);
    }
    answered
}

/// What follows once the API call is counted.
async fn counted(
    worker: &Rc<Worker>,
    trail: &Trail,
    authenticated: Authenticated,
    mut share: Share,
) -> Result<Answer, Refusal> {
    if !authenticated.caller.key.has(Scope::Llm) {
        return Err(Refusal::ScopeMissing(Scope::Llm));
    }
    if !authenticated.arrived.wanted.is_of_provider() {
        return models::models(worker, trail, &authenticated);
    }
    let mut entitled = entitle(worker, trail, authenticated, &mut share).await?;
    if let Some(place) = entitled.cache.take() {
        // Boxed: few policies have caching, and no other request is to carry its state.
        return Box::pin(by_cache(worker, trail, entitled, share, place)).await;
    }
    sent(worker, trail, entitled, share).await
}

/// An answer that is kept, or else the provider's, which is kept then.
async fn by_cache(
    worker: &Rc<Worker>,
    trail: &Trail,
    entitled: Box<Entitled>,
    share: Share,
    place: Box<Place>,
) -> Result<Answer, Refusal> {
    match place.find(trail) {
        Some(kept) => cache::replay(worker, trail, entitled, share, kept).await,
        None => {
            sent(worker, trail, entitled, share).await.map(|answer| cache::keep(worker, trail, place, answer))
        }
    }
}

/// Steps 4 to 8.
async fn sent(
    worker: &Rc<Worker>,
    trail: &Trail,
    entitled: Box<Entitled>,
    share: Share,
) -> Result<Answer, Refusal> {
    let reserved = reserve(worker, trail, entitled, share).await?;
    if reserved.entitled.plan.is_some() {
        // Boxed, as every other way off the common one.
        return Box::pin(attempts(worker, trail, reserved)).await;
    }
    let opened = open_key(worker, trail, reserved).await?;
    // Steps 7 and 8 happen where the answer's body ends, or is dropped.
    forward(worker, trail, opened).await
}
