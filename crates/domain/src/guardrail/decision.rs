//! What was decided on a text, for records, metrics and refusals: the rule and how often, never what it found.

use super::document::{Action, Side};
use crate::policy::PolicyScope;
use std::fmt;
use std::sync::Arc;

/// What a rule has done to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The rule's name.
    pub rule: Arc<str>,
    /// What it does.
    pub action: Action,
    /// On which of the texts.
    pub side: Side,
    /// How often it found something.
    pub count: u32,
}

/// A text that a guardrail keeps back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardrailBlock {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Whose policy it is of.
    pub scope: PolicyScope,
    /// Which text.
    pub side: Side,
    /// Why.
    pub cause: BlockCause,
}

/// Why a text is kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockCause {
    /// The rule found something.
    Found,
    /// The text has more than so many bytes.
    TooLong(u64),
    /// The text can't be judged.
    Unreadable,
}

impl fmt::Display for GuardrailBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, scope, side, cause } = self;
        let owner = scope.owner();
        match (cause, side) {
            (BlockCause::Found, Side::Input) => write!(
                f,
                "the guardrail `{rule}` of {owner} blocks this request; take out what it is about, or ask who keeps the policy"
            ),
            (BlockCause::Found, Side::Output) => write!(
                f,
                "the guardrail `{rule}` of {owner} blocks the model's answer; ask for something else, or ask who keeps the policy"
            ),
            (BlockCause::TooLong(most), _) => write!(
                f,
                "the guardrails of {owner} take {most} bytes of text at the most (`{rule}`); send less"
            ),
            (BlockCause::Unreadable, _) => write!(
                f,
                "the guardrail `{rule}` of {owner} can't read the answer, so that it is not passed on; ask without `logprobs`, or ask who keeps the policy"
            ),
        }
    }
}

/// The decisions on one request, as they are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(Vec<Decision>);

impl Tally {
    /// Adds what a rule has found.
    pub fn add(&mut self, rule: &Arc<str>, action: Action, side: Side, count: u32) {
        let is_same = |made: &&mut Decision| made.rule == *rule && made.action == action && made.side == side;
        match self.0.iter_mut().find(is_same) {
            Some(made) => made.count = made.count.saturating_add(count),
            None => self.0.push(Decision { rule: rule.clone(), action, side, count }),
        }
    }

    /// Adds what another holds.
    pub fn extend(&mut self, other: &Self) {
        for made in &other.0 {
            self.add(&made.rule, made.action, made.side, made.count);
        }
    }

    /// Adds what another holds of the same texts, read otherwise: what was only flagged before is not counted again.
    pub fn extend_with_new(&mut self, other: &Self) {
        let flagged: Vec<_> =
            self.0.iter().filter(|made| made.action == Action::Flag).map(|made| made.rule.clone()).collect();
        for made in other.0.iter().filter(|made| !flagged.contains(&made.rule)) {
            self.add(&made.rule, made.action, made.side, made.count);
        }
    }

    /// The decisions, each rule's once for each side.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.0
    }

    /// Has no rule found anything?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
