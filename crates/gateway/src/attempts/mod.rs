//! Steps 5 and 6 for a request that a policy's route is for: attempts, one after the other or two at a time, until one
//! will do or none is left. Other requests never get here.
//!
//! What is tried next is `topdog_domain::routing`'s to say; here it is done. Every attempt opens the key of the place it
//! goes to, with an audit entry of its own, and is judged before it is sent as a request of its own would be. Once an
//! answer has begun to pass, nothing is tried any more. The request settles once, by the attempt that answered.

mod attempt;
mod plan;
mod verdict;

pub(crate) use plan::Plan;

use crate::answer::Answer;
use crate::arrive::Trail;
use crate::entitle::{Destination, Entitled};
use crate::forward::{Shape, To, given_up, now, request};
use crate::open_key::find_key;
use crate::reserve::Reserved;
use crate::settle::{Patience, Settlement};
use crate::worker::Worker;
use attempt::{Goal, Heard, Sending, Tried, attempt};
use plan::{held, place};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::{sleep_until, timeout};
use topdog_domain::Refusal;
use topdog_domain::refusal::Blame;
use topdog_domain::routing::{Admission, Attempts, Failure, Health, Rules, Step, Ticket};
use topdog_domain::usage::Outcome;
use topdog_vault::OpenedKey;

/// Makes attempts until one will do.
pub(crate) async fn attempts(
    worker: &Rc<Worker>,
    trail: &Trail,
    Reserved { mut entitled, settlement }: Reserved,
) -> Result<Answer, Refusal> {
    let Some(plan) = entitled.plan.take() else {
        return Err(given_up(settlement, Refusal::Internal, Outcome::InternalError));
    };
    let health = entitled.caller.org.health.clone();
    // How long its client took to send it is no time of a provider's.
    let attempts = Attempts::new(plan.rules, plan.routes.len(), plan.first, now());
    if let Some(percent) = share_of_retries(&plan.rules) {
        health.pay_in(percent);
    }
    Trip {
        worker,
        trail,
        health,
        plan,
        attempts,
        settlement,
        ready: Some(entitled),
        last: None,
        unmade: None,
    }
    .travel()
    .await
}

/// Retries, or hedges, for a hundred requests; none where there are neither.
fn share_of_retries(rules: &Rules) -> Option<u32> {
    let of_hedges = rules.hedge_after.map(|_| HEDGES_PERCENT);
    rules.retries.map(|retries| retries.budget_percent).or(of_hedges)
}

/// Where the policy says nothing of retries.
const HEDGES_PERCENT: u32 = 20;

struct Trip<'a> {
    worker: &'a Rc<Worker>,
    trail: &'a Trail,
    health: Arc<Health>,
    plan: Box<Plan>,
    attempts: Attempts,
    settlement: Settlement,
    /// The first attempt, ready since it was entitled.
    ready: Option<Box<Entitled>>,
    /// What the client is told, if nothing better comes.
    last: Option<Tried>,
    /// Why no attempt was made, if none was.
    unmade: Option<Refusal>,
}

impl Trip<'_> {
    async fn travel(mut self) -> Result<Answer, Refusal> {
        loop {
            let (health, plan) = (&self.health, &self.plan);
            match self.attempts.next(now(), |target| admit(health, plan, target)) {
                Step::GiveUp => return self.give_up().await,
                Step::WaitUntil(due) => {
                    self.settlement.waits();
                    sleep_until(due.into()).await;
                    self.settlement.waits_no_more();
                }
                Step::Send { target, ticket } => {
                    let tried = match self.prepare(target, ticket).await {
                        Ok(sending) => self.race(sending).await,
                        Err(refusal) if is_of_place(&refusal) => {
                            self.attempts.unusable();
                            self.unmade.get_or_insert(refusal);
                            continue;
                        }
                        Err(refusal) => {
                            return Err(given_up(self.settlement, refusal, Outcome::InternalError));
                        }
                    };
                    match tried.heard.failure() {
                        Some(failure) => self.failed(tried, failure),
                        None => return self.answer(tried).await,
                    }
                }
            }
        }
    }

    /// Makes an attempt ready to be sent, with its key open.
    async fn prepare(&mut self, target: usize, ticket: Ticket) -> Result<Sending, Refusal> {
        let prepared = self.say(target);
        let opened = match &prepared {
            Ok(entitled) => find_key(self.worker, self.trail, entitled, &mut self.settlement, true).await,
            Err(refusal) => Err(refusal.clone()),
        };
        let sending = opened.and_then(|key| self.sending(prepared?, key, ticket));
        if sending.is_err()
            && let Some(route) = self.plan.routes.get(target)
        {
            self.health.learnt_nothing(&place(route), ticket);
        }
        sending
    }

    /// The request in the words of the provider that the attempt goes to.
    fn say(&mut self, target: usize) -> Result<Box<Entitled>, Refusal> {
        if target == self.plan.first
            && let Some(ready) = self.ready.take()
        {
            return Ok(ready);
        }
        let original = self.plan.original.as_deref().ok_or(Refusal::Internal)?;
        let route = self.plan.routes.get(target).ok_or(Refusal::Internal)?;
        let mut entitled = original.again(route.clone()).ok_or(Refusal::Internal)?;
        let share = self.settlement.share().ok_or(Refusal::Internal)?;
        entitled.translate(self.trail, share)?;
        share.hold(held(original, &entitled))?;
        Ok(entitled)
    }

    fn sending(
        &self,
        mut entitled: Box<Entitled>,
        key: Option<Arc<OpenedKey>>,
        ticket: Ticket,
    ) -> Result<Sending, Refusal> {
        let route = entitled.route.clone();
        let Destination::Upstream { target, .. } = &route.destination else {
            return Err(Refusal::OperationUnsupported(route.provider));
        };
        let target = target.clone();
        let key_use =
            self.settlement.facts().filter(|_| key.is_some()).and_then(|facts| facts.key_use.clone());
        let shape = Shape::of(&mut entitled);
        let request = request(self.worker, self.trail, &target, key.as_deref(), entitled)?;
        Ok(Sending { target, request, to: Goal { place: place(&route), ticket, route, shape, key, key_use } })
    }

    /// Sends an attempt, and where it has no answer for a while and the policy wants that, another one beside it.
    async fn race(&mut self, sending: Sending) -> Tried {
        let (worker, trail) = (self.worker, self.trail);
        let (rules, deadline) = (*self.attempts.rules(), self.attempts.deadline());
        let at = (sending.to.place.clone(), sending.to.ticket);
        self.settlement.sent();
        self.settlement.waits();
        let mut first = Box::pin(attempt(worker, trail, &rules, deadline, sending));
        let tried = match rules.hedge_after {
            None => first.await,
            Some(after) => match timeout(after, &mut first).await {
                Ok(tried) => tried,
                Err(_) => match self.hedge().await {
                    None => first.await,
                    Some(sending) => {
                        let beside = (sending.to.place.clone(), sending.to.ticket);
                        let mut second = Box::pin(attempt(worker, trail, &rules, deadline, sending));
                        let (tried, is_first) = tokio::select! {
                            tried = &mut first => (tried, true),
                            tried = &mut second => (tried, false),
                        };
                        match tried.heard.failure() {
                            // Dropping the other closes its connection.
                            None => {
                                let (place, ticket) = if is_first { &beside } else { &at };
                                self.health.learnt_nothing(place, *ticket);
                                tried
                            }
                            Some(failure) => {
                                self.note(&tried, Some(failure));
                                if is_first { second.await } else { first.await }
                            }
                        }
                    }
                },
            },
        };
        self.settlement.waits_no_more();
        self.note(&tried, tried.heard.failure());
        tried
    }

    /// A second attempt, ready to be sent; none where there may be none.
    async fn hedge(&mut self) -> Option<Sending> {
        let (health, plan) = (&self.health, &self.plan);
        let admit = |target| admit(health, plan, target);
        let (target, ticket) = self.attempts.hedge(now(), admit, || health.take_retry())?;
        self.prepare(target, ticket).await.ok()
    }

    /// Tells the place's health how an attempt went.
    fn note(&self, tried: &Tried, failure: Option<Failure>) {
        if let Some(failure) = failure {
            self.worker.parts().metrics.attempt_failed(self.trail.labels.get(), failure);
        }
        let (Goal { place, ticket, .. }, breaker) = (&tried.to, self.plan.rules.breaker.as_ref());
        match failure {
            Some(failure) if failure.is_sick() => self.health.failed(place, *ticket, breaker, now()),
            _ => {
                let is_success = matches!(tried.heard, Heard::Success(..));
                self.health.went_well(place, *ticket, breaker, is_success.then_some(tried.took), now());
            }
        }
    }

    /// What follows a failed attempt.
    fn failed(&mut self, tried: Tried, failure: Failure) {
        self.settlement.attempt_failed(failure.may_have_cost());
        tracing::info!(request = %self.trail.request, provider = %tried.to.route.provider, %failure, "an attempt failed");
        let (told, health) = (tried.heard.told(), &self.health);
        self.attempts.failed(failure, told, now(), self.worker.ids.random(), || health.take_retry());
        self.last = Some(tried);
    }

    /// Nothing is left to try: the client gets what the last attempt has heard.
    async fn give_up(mut self) -> Result<Answer, Refusal> {
        match self.last.take() {
            Some(tried) => self.answer(tried).await,
            None => {
                let refusal = self.unmade.unwrap_or_else(|| Refusal::CircuitOpen(self.settlement.provider()));
                Err(given_up(self.settlement, refusal, Outcome::UpstreamFailed))
            }
        }
    }

    /// The client gets that.
    async fn answer(self, Tried { to, heard, .. }: Tried) -> Result<Answer, Refusal> {
        let Self { worker, trail, mut settlement, attempts, .. } = self;
        let rules = attempts.rules();
        let idle = rules.timeouts.idle.unwrap_or(worker.config().upstream_idle_timeout);
        settlement.went_to(&to.route, to.key_use, Patience { idle, deadline: attempts.deadline() });
        trail.attempts.set(attempts.made());
        let is_translated = to.shape.translation().is_some();
        let to = To { worker, trail, shape: to.shape, key: to.key };
        match heard {
            Heard::Success(response, beginning) => {
                settlement.answered(response.status().as_u16());
                match beginning {
                    Some(beginning) => Ok(to.pass_on_stream(settlement, *response, beginning)),
                    None if is_translated => to.succeed_translated(settlement, *response).await,
                    None => to.succeed(settlement, *response).await,
                }
            }
            Heard::FailedStream(response, beginning, _) => {
                settlement.answered(response.status().as_u16());
                Ok(to.pass_on_stream(settlement, *response, beginning))
            }
            Heard::Error { parts, whole, .. } => {
                settlement.answered(parts.status.as_u16());
                to.tell_error(settlement, *parts, whole).await
            }
            Heard::Nothing { refusal, .. } => {
                let outcome = match refusal.blame() {
                    Blame::Us => Outcome::InternalError,
                    Blame::Provider | Blame::Caller => Outcome::UpstreamFailed,
                };
                Err(given_up(settlement, refusal, outcome))
            }
        }
    }
}

fn admit(health: &Health, plan: &Plan, target: usize) -> Admission {
    match plan.routes.get(target) {
        Some(route) => health.admit(&place(route), plan.rules.breaker.as_ref(), now()),
        None => Admission::OpenUntil(now()),
    }
}

/// Is it for want of something of that place, so that another may do?
const fn is_of_place(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::Internal
            | Refusal::LedgerUnavailable
            | Refusal::RecordsUnavailable
            | Refusal::ShuttingDown
            | Refusal::BadHeader(_)
    )
}
