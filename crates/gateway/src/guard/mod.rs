//! Guardrails on the way of a request: what its caller says is judged before anything is reserved ([`input`]), what the
//! model says before it is sent on, whole ([`judge`]) or event by event ([`stream`]). Requests whose policies have no
//! guardrails never get here.

mod input;
mod judge;
mod stream;

pub(crate) use input::input;
pub(crate) use judge::{answer, answer_at_once};
pub(crate) use stream::StreamGuard;

use std::sync::Arc;
use topdog_domain::guardrail::{RuleSet, Side, SideRules, Tally};

/// What judges a request, and what it has found in what the caller said.
#[derive(Clone)]
pub(crate) struct Guard {
    rules: Arc<RuleSet>,
    /// What was found in the input.
    pub(crate) tally: Tally,
}

impl Guard {
    /// The rules for the answer; none where there is nothing to judge it by.
    pub(crate) fn output(&self) -> Option<&Arc<SideRules>> {
        Some(self.rules.on(Side::Output)).filter(|rules| !rules.is_empty())
    }
}
