//! Step 8: the facts of a settled request, into the spool and the metrics.

use crate::arrive::Trail;
use crate::entitle::Entitled;
use crate::settle::Facts;
use crate::worker::Worker;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::guardrail::{Action, Tally};
use topdog_domain::provider::ProviderName;
use topdog_domain::tier::Limit;
use topdog_domain::usage::{Outcome, RequestRecord, TokenUsage, UsageSource};
use topdog_domain::{RecordId, Refusal};

pub(crate) fn record(worker: &Worker, facts: Facts, outcome: Outcome, is_counted: bool, source: UsageSource) {
    if let Some(judged) = &facts.judged {
        worker.parts().metrics.judged(facts.labels, judged);
    }
    let total = facts.started.elapsed();
    let overhead = total.saturating_sub(facts.waited);
    let tokens = facts.tokens_from(source);
    let record = RequestRecord {
        id: RecordId::from_uuid(facts.request.uuid()),
        request: facts.request,
        at: facts.at,
        org: facts.org,
        workspace: facts.workspace,
        api_key: facts.api_key,
        client_ip: worker.addresses.of(facts.client_ip),
        plan: facts.labels.plan,
        segment: facts.labels.segment,
        operation: facts.operation,
        is_stream: facts.is_stream,
        provider: facts.provider,
        model_requested: facts.model_requested,
        model: facts.model,
        key_use: facts.key_use,
        outcome,
        status: facts.status,
        is_counted,
        tokens,
        source,
        cost_nanodollars: match source {
            UsageSource::None if facts.operation.is_understood() || !is_counted => Some(0),
            // What it used is not known.
            UsageSource::None => None,
            UsageSource::Cache => Some(0),
            _ => facts.price.and_then(|price| worker.parts().catalogue.cost(price, &tokens)),
        },
        first_byte_us: facts.first_byte.map(micros),
        total_us: micros(total),
        overhead_us: micros(overhead),
        bytes_in: facts.bytes_in,
        bytes_out: facts.bytes_out,
        error_code: facts.error_code.map(|code| code.as_ref().into()),
        guardrails: facts.judged.and_then(|judged| judged.told()),
    };
    worker.spool.append_request(&record);
    worker.parts().metrics.settled(&record, overhead, facts.first_byte);
}

/// The record of a request that was given an answer which was kept: no provider heard of it, and it cost nothing.
pub(crate) fn replayed(worker: &Worker, trail: &Trail, entitled: &Entitled, bytes_out: usize) {
    let (total, waited) = (trail.started.elapsed(), entitled.client_wait);
    let overhead = total.saturating_sub(waited);
    let record = RequestRecord {
        id: RecordId::from_uuid(trail.request.uuid()),
        request: trail.request,
        at: trail.at,
        org: entitled.caller.key.org,
        workspace: entitled.caller.key.workspace,
        api_key: entitled.caller.key.id,
        client_ip: entitled.client_ip.to_string().into(),
        plan: trail.labels.get().plan,
        segment: trail.labels.get().segment,
        operation: entitled.operation,
        is_stream: entitled.is_stream,
        provider: entitled.route.provider.clone(),
        model_requested: entitled.model_requested.clone(),
        model: entitled.route.model.clone(),
        key_use: None,
        outcome: Outcome::Completed,
        status: 200,
        is_counted: false,
        tokens: TokenUsage::default(),
        source: UsageSource::Cache,
        cost_nanodollars: Some(0),
        first_byte_us: Some(micros(total)),
        total_us: micros(total),
        overhead_us: micros(overhead),
        bytes_in: entitled.outgoing.len() as u64,
        bytes_out: bytes_out as u64,
        error_code: None,
        guardrails: entitled.guard.as_ref().and_then(|guard| guard.tally.told()),
    };
    worker.spool.append_request(&record);
    worker.parts().metrics.settled(&record, overhead, Some(total));
}

/// Debug-log records of refusals that one organisation gets a minute.
const REFUSALS_A_MINUTE: Limit = Limit::Of(120);

/// The debug-log record of a refused request whose caller is known. What was admitted before it failed has its
/// record from its settlement.
pub(crate) fn refused(worker: &Worker, trail: &Trail, refusal: &Refusal) {
    let (Some((caller, client_ip)), Some(operation)) = (trail.caller.get(), trail.operation.get()) else {
        return;
    };
    if trail.is_admitted.get() || caller.org.meters.refusal_logs.take(REFUSALS_A_MINUTE, trail.at).is_err() {
        return;
    }
    let total_us = micros(trail.started.elapsed());
    worker.spool.append_request(&RequestRecord {
        id: RecordId::from_uuid(trail.request.uuid()),
        request: trail.request,
        at: trail.at,
        org: caller.key.org,
        workspace: caller.key.workspace,
        api_key: caller.key.id,
        client_ip: worker.addresses.of(*client_ip),
        plan: trail.labels.get().plan,
        segment: trail.labels.get().segment,
        operation,
        is_stream: false,
        provider: ProviderName::none(),
        model_requested: "".into(),
        model: "".into(),
        key_use: None,
        outcome: Outcome::Refused,
        status: refusal.status(),
        is_counted: false,
        tokens: TokenUsage::default(),
        source: UsageSource::None,
        cost_nanodollars: None,
        first_byte_us: None,
        total_us,
        overhead_us: total_us,
        bytes_in: 0,
        bytes_out: 0,
        error_code: Some(refusal.code().into()),
        guardrails: decision_of(refusal),
    });
}

/// What kept a request back, where a guardrail did.
fn decision_of(refusal: &Refusal) -> Option<Arc<str>> {
    let Refusal::GuardrailBlocked(block) = refusal else { return None };
    let mut tally = Tally::default();
    tally.add(&block.rule, Action::Block, block.side, 1);
    tally.told()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
