//! Whole answers that guardrails judge before anything of them is sent on.

use super::{To, answered, hold, redaction, torn, watch};
use crate::answer::{Answer, AnswerBody};
use crate::guard;
use crate::settle::Settlement;
use bytes::Bytes;
use http::response::Parts;
use std::time::Duration;
use topdog_domain::Refusal;
use topdog_domain::guardrail::{GuardrailBlock, Tally};
use topdog_domain::usage::Outcome;
use topdog_egress::UpstreamBody;

/// A longer answer is not judged, and so not passed on, bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

impl To<'_> {
    /// A success in the caller's dialect: held until it is whole, and judged.
    pub(super) async fn succeed_judged(
        self,
        mut settlement: Settlement,
        parts: Parts,
        mut body: UpstreamBody,
    ) -> Result<Answer, Refusal> {
        let whole = match hold::whole(self.worker, &mut settlement, &mut body, MOST_BYTES).await {
            Ok(whole) => redaction::whole_answer(whole, self.secret()),
            Err(refusal) => return Err(torn(self.trail, settlement, refusal)),
        };
        settlement.learnt(watch::learnt_of_whole(self.shape.operation, &whole));
        let whole = match self.judged(&mut settlement, whole).await {
            Ok(whole) => whole,
            Err(block) => return Err(kept_back(settlement, block)),
        };
        settlement.relayed(whole.len(), Duration::ZERO);
        let headers = self.head(&settlement, parts.headers, false);
        let share = settlement.settle(Outcome::Completed);
        self.recorded().await?;
        Ok(answered(parts.status, headers, AnswerBody::whole(whole, share)))
    }

    /// A whole answer as it may go on.
    pub(super) async fn judged(
        &self,
        settlement: &mut Settlement,
        whole: Bytes,
    ) -> Result<Bytes, GuardrailBlock> {
        let Some(rules) = self.shape.guardrails() else { return Ok(whole) };
        let mut tally = Tally::default();
        let judged = guard::answer(rules, &whole, &mut tally).await;
        settlement.judged(Some(tally));
        Ok(judged?.map_or(whole, Bytes::from))
    }
}

/// Settles a request whose answer a guardrail keeps back: its provider has worked for it, so it counts.
pub(crate) fn kept_back(mut settlement: Settlement, block: GuardrailBlock) -> Refusal {
    let refusal = Refusal::from(block);
    settlement.told(&refusal);
    settlement.settle(Outcome::Blocked);
    refusal
}
