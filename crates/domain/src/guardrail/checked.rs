//! What guardrails must be like before they are stored or applied.

use super::document::{Action, GuardrailsDocument, RuleDocument, Sides};
use super::finder::Finder;
use std::collections::HashSet;
use std::sync::Arc;

/// The most rules of a policy: each of them reads every text.
pub const MOST_RULES: usize = 50;
/// The most patterns of a policy: each takes memory of every node.
pub const MOST_PATTERNS: usize = 20;
/// The most keywords of a rule.
pub const MOST_KEYWORDS: usize = 100;
/// Bytes of text that a request with guardrails may have at the most, and where a policy sets none.
pub const MOST_INPUT_BYTES: u64 = 4 * 1024 * 1024;
/// Characters of a replacement.
const LONGEST_REPLACEMENT: usize = 64;

/// Guardrails that are as they must be.
#[derive(Debug, Clone)]
pub struct Guardrails {
    document: GuardrailsDocument,
    rules: Vec<Arc<Rule>>,
}

/// They are what is written.
impl PartialEq for Guardrails {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

impl Eq for Guardrails {}

/// A rule that is as it must be.
#[derive(Debug)]
pub struct Rule {
    /// What refusals, records and messages call it: up to 64 lower-case letters, digits, `-` and `_`.
    pub name: Box<str>,
    /// What is done where it finds something.
    pub action: Action,
    /// Which texts it is for.
    pub on: Sides,
    /// What stands where something was redacted.
    pub replacement: Box<str>,
    /// What it finds: several finders of one rule are as several rules.
    pub finders: Vec<Finder>,
}

/// What is wrong with guardrails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGuardrail(pub String);

impl Guardrails {
    /// The guardrails that are written so, if they are as they must be.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(document: GuardrailsDocument) -> Result<Self, BadGuardrail> {
        if document.rules.len() > MOST_RULES {
            let count = document.rules.len();
            return Err(BadGuardrail(format!("there are {count} rules, and there can be {MOST_RULES}")));
        }
        if document.rules.iter().filter(|rule| rule.pattern.is_some()).count() > MOST_PATTERNS {
            return Err(BadGuardrail(format!("there can be {MOST_PATTERNS} rules with a pattern")));
        }
        if document.max_input_bytes.is_some_and(|most| most == 0 || most > MOST_INPUT_BYTES) {
            return Err(BadGuardrail(format!("`max_input_bytes` is from 1 to {MOST_INPUT_BYTES}")));
        }
        let mut names = HashSet::new();
        let mut rules = Vec::with_capacity(document.rules.len());
        for (place, written) in document.rules.iter().enumerate() {
            if !is_name(&written.name) {
                let number = place + 1;
                return Err(BadGuardrail(format!("rule number {number}: a name is {NAME}")));
            }
            if !names.insert(written.name.as_str()) {
                return Err(BadGuardrail(format!(
                    "the rule `{}` is there twice; name it apart",
                    written.name
                )));
            }
            let rule = rule(written)
                .map_err(|BadGuardrail(why)| BadGuardrail(format!("the rule `{}`: {why}", written.name)))?;
            rules.push(Arc::new(rule));
        }
        stay_redacted(&rules)?;
        Ok(Self { document, rules })
    }

    /// As they are written.
    #[must_use]
    pub const fn document(&self) -> &GuardrailsDocument {
        &self.document
    }

    /// The rules, in their order.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}

fn rule(written: &RuleDocument) -> Result<Rule, BadGuardrail> {
    let kinds = [!written.detect.is_empty(), !written.keywords.is_empty(), written.pattern.is_some()];
    if kinds.iter().filter(|is_there| **is_there).count() != 1 {
        let message = "it finds one of `detect`, `keywords` and `pattern`; write one of them";
        return Err(BadGuardrail(message.to_owned()));
    }
    let finders = if let Some(pattern) = &written.pattern {
        vec![Finder::pattern(pattern)?]
    } else if written.keywords.is_empty() {
        written.detect.iter().map(|detector| Finder::detector(*detector)).collect()
    } else if written.keywords.len() > MOST_KEYWORDS {
        return Err(BadGuardrail(format!("there can be {MOST_KEYWORDS} keywords")));
    } else {
        vec![Finder::keywords(&written.keywords)?]
    };
    if written.replacement.is_some() && written.action != Action::Redact {
        return Err(BadGuardrail("only what is redacted has a `replacement`; leave it out".to_owned()));
    }
    let replacement = match &written.replacement {
        Some(text) if !is_replacement(text) => {
            let message = format!(
                "a `replacement` is up to {LONGEST_REPLACEMENT} characters, without quotes, backslashes and control characters"
            );
            return Err(BadGuardrail(message));
        }
        Some(text) => text.as_str().into(),
        None => format!("[redacted:{}]", written.name).into(),
    };
    Ok(Rule {
        name: written.name.as_str().into(),
        action: written.action,
        on: written.on,
        replacement,
        finders,
    })
}

/// What stands for something redacted must not be found itself: a text that is judged again stays as it is.
fn stay_redacted(rules: &[Arc<Rule>]) -> Result<(), BadGuardrail> {
    for redacting in rules.iter().filter(|rule| rule.action == Action::Redact) {
        let found = |rule: &&Arc<Rule>| {
            rule.action != Action::Flag
                && rule.finders.iter().any(|finder| finder.find(&redacting.replacement, 0).is_some())
        };
        if let Some(rule) = rules.iter().find(found) {
            return Err(BadGuardrail(format!(
                "the rule `{}` finds what stands where `{}` redacts; set another `replacement`",
                rule.name, redacting.name
            )));
        }
    }
    Ok(())
}

const NAME: &str = "1 to 64 lower-case letters, digits, `-` and `_`";

fn is_name(name: &str) -> bool {
    let is_good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(is_good)
}

/// Without what would have to be escaped, so that it may stand in JSON within a string, too.
fn is_replacement(text: &str) -> bool {
    text.chars().count() <= LONGEST_REPLACEMENT
        && !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))
}
