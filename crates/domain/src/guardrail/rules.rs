//! The rules of all scopes together, as they judge a request's texts.

use super::checked::{Guardrails, MOST_INPUT_BYTES, Rule};
use super::decision::{BlockCause, GuardrailBlock};
use super::document::{Action, Side};
use super::finder::Finder;
use crate::policy::PolicyScope;
use std::sync::Arc;

/// What holds for a key's requests. There is one only where a policy has guardrails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    input: Arc<SideRules>,
    output: Arc<SideRules>,
    most_input_bytes: u64,
    /// Whose limit that is.
    limited_by: PolicyScope,
}

/// The rules for one of the texts, in the order of the scopes, narrowest first.
#[derive(Debug)]
pub struct SideRules {
    side: Side,
    rules: Vec<ScopedRule>,
    /// Each finder, and the place of its rule.
    finders: Vec<(usize, Finder)>,
}

/// They are the same where the same rules are.
impl PartialEq for SideRules {
    fn eq(&self, other: &Self) -> bool {
        self.side == other.side && self.rules == other.rules
    }
}

impl Eq for SideRules {}

/// A rule, and whose policy it is of.
#[derive(Debug, Clone)]
pub struct ScopedRule {
    /// Its name.
    pub name: Arc<str>,
    /// Whose policy it is of.
    pub scope: PolicyScope,
    /// What it does.
    pub action: Action,
    /// What stands where something was redacted.
    pub replacement: Arc<str>,
    rule: Arc<Rule>,
}

impl PartialEq for ScopedRule {
    fn eq(&self, other: &Self) -> bool {
        self.scope == other.scope && Arc::ptr_eq(&self.rule, &other.rule)
    }
}

impl Eq for ScopedRule {}

impl RuleSet {
    /// The guardrails of these scopes together, narrowest first; none where there are none.
    #[must_use]
    pub fn of<'a>(layers: impl Iterator<Item = (PolicyScope, &'a Guardrails)>) -> Option<Self> {
        let layers: Vec<_> = layers.collect();
        let (widest, _) = *layers.last()?;
        let tightest = layers
            .iter()
            .filter_map(|(scope, guardrails)| Some((guardrails.document().max_input_bytes?, *scope)))
            .min_by_key(|(most, _)| *most);
        let (most_input_bytes, limited_by) = tightest.unwrap_or((MOST_INPUT_BYTES, widest));
        let of = |side| Arc::new(SideRules::of(side, &layers));
        Some(Self { input: of(Side::Input), output: of(Side::Output), most_input_bytes, limited_by })
    }

    /// The rules for that text.
    #[must_use]
    pub const fn on(&self, side: Side) -> &Arc<SideRules> {
        match side {
            Side::Input => &self.input,
            Side::Output => &self.output,
        }
    }

    /// Refuses more text than may be sent.
    ///
    /// # Errors
    /// The block, by whose limit it is.
    pub fn require_size(&self, bytes: u64) -> Result<(), GuardrailBlock> {
        if bytes <= self.most_input_bytes {
            return Ok(());
        }
        let (rule, cause) = ("max_input_bytes".into(), BlockCause::TooLong(self.most_input_bytes));
        Err(GuardrailBlock { rule, scope: self.limited_by, side: Side::Input, cause })
    }
}

impl SideRules {
    fn of(side: Side, layers: &[(PolicyScope, &Guardrails)]) -> Self {
        let rules = layers.iter().flat_map(|(scope, guardrails)| {
            let of_side = guardrails.rules().iter().filter(|rule| rule.on.has(side));
            of_side.map(|rule| ScopedRule {
                name: (&*rule.name).into(),
                scope: *scope,
                action: rule.action,
                replacement: (&*rule.replacement).into(),
                rule: rule.clone(),
            })
        });
        let rules: Vec<_> = rules.collect();
        let finders = rules
            .iter()
            .enumerate()
            .flat_map(|(place, scoped)| scoped.rule.finders.iter().map(move |finder| (place, finder.clone())))
            .collect();
        Self { side, rules, finders }
    }

    /// Which text they are for.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Does any of them change or keep back what it finds?
    #[must_use]
    pub fn can_act(&self) -> bool {
        self.rules.iter().any(|rule| rule.action != Action::Flag)
    }

    /// The first of them that changes or keeps back what it finds, for telling whose doing it is.
    #[must_use]
    pub fn first_acting(&self) -> Option<&ScopedRule> {
        self.rules.iter().find(|rule| rule.action != Action::Flag)
    }

    /// Each rule, in order.
    #[must_use]
    pub fn rules(&self) -> &[ScopedRule] {
        &self.rules
    }

    /// Each finder, and the place of its rule.
    pub(super) fn finders(&self) -> &[(usize, Finder)] {
        &self.finders
    }

    /// What that rule says where it keeps a text back.
    #[must_use]
    pub fn block(&self, rule: &ScopedRule, cause: BlockCause) -> GuardrailBlock {
        GuardrailBlock { rule: rule.name.clone(), scope: rule.scope, side: self.side, cause }
    }
}
