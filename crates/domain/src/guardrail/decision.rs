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

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.side.name(), self.action.name(), self.rule, self.count)
    }
}

impl Decision {
    /// The decision that is written so; none where it is none that this version knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (side, action) = (words.next()?, words.next()?);
        let decision = Self {
            side: Side::ALL.into_iter().find(|known| known.name() == side)?,
            action: Action::ALL.into_iter().find(|known| known.name() == action)?,
            rule: words.next()?.into(),
            count: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(decision)
    }

    /// The decisions of a request's record, which tells them as [`Tally::told`] does.
    pub fn told(record: &str) -> impl Iterator<Item = Self> {
        record.split(", ").filter_map(Self::parse)
    }
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
                "the guardrail `{rule}` of {owner} can't read this request or what would answer it, so that it is not passed on; use an endpoint that Top Dog knows, without `logprobs`"
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

    /// The decisions as a request's record tells them; none where there are none.
    #[must_use]
    pub fn told(&self) -> Option<Arc<str>> {
        let told: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        (!told.is_empty()).then(|| told.join(", ").into())
    }

    /// Has no rule found anything?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
