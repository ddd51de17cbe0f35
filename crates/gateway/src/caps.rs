//! Caps, as a part of step 4: what a request may use is taken from each cap before it is sent, and settled to what it
//! has used at its end. A request that no cap holds never comes here.

use crate::arrive::Trail;
use crate::entitle::{Entitled, Route};
use crate::worker::Worker;
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::cap_meter::CapUnits;
use topdog_domain::policy::{CapInForce, CapUnit, UnknownPrice};
use topdog_domain::ports::CapLedger;
use topdog_domain::provider::Operation;
use topdog_domain::quota::{Exhausted, NotTaken};
use topdog_domain::usage::TokenUsage;

/// What a request has taken of the caps that hold it. Dropped, all of it goes back: the request used nothing.
pub(crate) struct TakenCaps {
    caps: Arc<[CapInForce]>,
    /// Of each cap, in their order, as far as they have been asked.
    taken: Vec<Taken>,
    ledger: Arc<dyn CapLedger>,
}

enum Taken {
    /// It counts at its end.
    Units(CapUnits),
    /// A place among those under way.
    Place,
    /// Its price is not known, and the cap lets it through.
    Nothing,
}

/// Takes of each cap what the request may use, all or nothing.
pub(crate) async fn take(
    worker: &Worker,
    trail: &Trail,
    entitled: &Entitled,
    caps: &Arc<[CapInForce]>,
) -> Result<TakenCaps, Refusal> {
    let estimate = estimate(worker, entitled);
    let cost = dearest(worker, entitled, &estimate);
    let is_seen = entitled.operation != Operation::Passthrough;
    let ledger = worker.parts().caps.clone();
    let mut all = TakenCaps { caps: caps.clone(), taken: Vec::with_capacity(caps.len()), ledger };
    for cap in caps.iter() {
        let need = match (cap.cap.unit, cost) {
            (CapUnit::ConcurrentRequests, _) => {
                all.taken.push(place(cap)?);
                continue;
            }
            (CapUnit::Requests, _) => 1,
            // It runs no model.
            _ if entitled.operation == Operation::Resource => {
                all.taken.push(Taken::Nothing);
                continue;
            }
            // One at least: where nothing is left, nothing is let in.
            (CapUnit::Tokens, _) if is_seen => estimate.total().max(1),
            (CapUnit::Nanodollars, Some(cost)) if is_seen => u64::try_from(cost).unwrap_or_default().max(1),
            (CapUnit::Nanodollars, _) if cap.cap.unknown_price == UnknownPrice::Allow => {
                all.taken.push(Taken::Nothing);
                continue;
            }
            // What is not counted is not capped.
            (CapUnit::Nanodollars | CapUnit::Tokens, _) => {
                let model = entitled.model_requested.to_string();
                return Err(Refusal::PriceUnknown { model, scope: cap.scope });
            }
        };
        let Some(per) = cap.cap.per else { return Err(Refusal::Internal) };
        let window = per.window(trail.at);
        let taken = cap.meter.take(need, cap.cap.most, window, all.ledger.as_ref(), trail.at).await;
        all.taken.push(Taken::Units(taken.map_err(|not_taken| refusal(cap, need, not_taken))?));
    }
    Ok(all)
}

impl TakenCaps {
    /// The request counts: what it has used is kept, the rest goes back. A cost that is not known stays the estimate.
    pub(crate) fn settle(mut self, tokens: &TokenUsage, cost_nanodollars: Option<i64>) {
        for (cap, taken) in self.caps.iter().zip(self.taken.drain(..)) {
            match taken {
                Taken::Units(units) => {
                    let used = match cap.cap.unit {
                        CapUnit::Tokens => tokens.total(),
                        CapUnit::Nanodollars => cost_nanodollars
                            .map_or(units.count(), |cost| u64::try_from(cost).unwrap_or_default()),
                        CapUnit::Requests | CapUnit::ConcurrentRequests => units.count(),
                    };
                    cap.meter.settle(units, used);
                    if cap.meter.owes() {
                        pay(cap, &self.ledger);
                    }
                }
                Taken::Place => cap.meter.in_use.give_back(1),
                Taken::Nothing => {}
            }
        }
    }
}

impl Drop for TakenCaps {
    fn drop(&mut self) {
        for (cap, taken) in self.caps.iter().zip(self.taken.drain(..)) {
            match taken {
                Taken::Units(units) => cap.meter.give_back(units),
                Taken::Place => cap.meter.in_use.give_back(1),
                Taken::Nothing => {}
            }
        }
    }
}

/// Tells the ledger at once what was used beyond an estimate, so that other nodes hear of it. Where there is no runtime
/// any more, the meter remembers it until its leases are returned.
fn pay(cap: &CapInForce, ledger: &Arc<dyn CapLedger>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let (meter, ledger) = (cap.meter.clone(), ledger.clone());
        runtime.spawn(async move {
            if let Err(error) = meter.pay(ledger.as_ref()).await {
                tracing::warn!(cap = meter.name(), %error, "the ledger can't be told what was used beyond an estimate");
            }
        });
    }
}

fn place(cap: &CapInForce) -> Result<Taken, Refusal> {
    let most = cap.cap.most;
    if cap.meter.in_use.try_take(1, most) {
        return Ok(Taken::Place);
    }
    let at_a_time = Exhausted {
        limit: most,
        used: cap.meter.in_use.now(),
        resets_at: topdog_domain::Timestamp::from_micros(0),
    };
    Err(Refusal::CapExceeded(Box::new(cap.reached(1, at_a_time))))
}

fn refusal(cap: &CapInForce, need: u64, not_taken: NotTaken) -> Refusal {
    match not_taken {
        NotTaken::Exhausted(exhausted) => Refusal::CapExceeded(Box::new(cap.reached(need, exhausted))),
        NotTaken::Unavailable(error) => {
            tracing::error!(%error, "the ledger of caps can't be asked");
            Refusal::LedgerUnavailable
        }
    }
}

/// What the estimate costs at the dearest of the places that the request may go to; none where one's price is not known.
fn dearest(worker: &Worker, entitled: &Entitled, estimate: &TokenUsage) -> Option<i64> {
    let catalogue = &worker.parts().catalogue;
    let cost = |route: &Route| route.price.and_then(|price| catalogue.cost(price, estimate));
    let own = cost(&entitled.route)?;
    let Some(plan) = &entitled.plan else { return Some(own) };
    plan.routes.iter().try_fold(own, |dearest, route| Some(dearest.max(cost(route)?)))
}

/// What a request may use: four bytes of its body a token of input, and as much output as it asks for at the most, for
/// each answer; where it does not say, what models mostly give at the most, and no more than the model takes.
fn estimate(worker: &Worker, entitled: &Entitled) -> TokenUsage {
    let bytes = entitled.outgoing.len();
    if entitled.operation == Operation::CountTokens {
        return TokenUsage::default();
    }
    let input = topdog_wire::usage::estimate_input(bytes);
    let output = if entitled.operation.answers_with_text() {
        let context = entitled.route.price.and_then(|price| worker.parts().catalogue.context(price));
        let usual = context.map_or(USUAL_OUTPUT, |context| context.min(USUAL_OUTPUT));
        let one = entitled.bounds.max_output_tokens.unwrap_or(usual);
        one.saturating_mul(entitled.bounds.n.unwrap_or(1).max(1))
    } else {
        0
    };
    TokenUsage { input, output: output.min(MOST_OUTPUT), ..TokenUsage::default() }
}

/// Tokens: what a request that sets no bound is taken to be answered with.
const USUAL_OUTPUT: u64 = 16_384;
/// Far beyond any answer, and no number that overflows a sum of money.
const MOST_OUTPUT: u64 = 1_000_000_000;
