//! Guardrails: what of an organisation's texts may go to a model and come back, by rules of its policies.
//!
//! [`document`] is how rules are written, [`checked`] what they must be like, [`finder`] and [`detect`] what they find,
//! [`rules`] those of all scopes together, and [`scan`] is how a text is judged, whole or as it comes.
//!
//! The law in short. Every scope's rules hold. A rule finds *matches*: a bounded beginning that is looked for, and for
//! keys a run of characters behind it. So a text that comes in pieces is judged as the whole is: what can't be told
//! yet is held back, and no more than the longest beginning is. Rules are judged each by itself, on the text as it was;
//! what several of them redact is replaced once. A rule costs time in proportion to the text, whatever the pattern.

pub mod checked;
pub mod decision;
pub mod detect;
pub mod document;
pub mod finder;
pub mod rules;
pub mod scan;

pub use checked::{BadGuardrail, Guardrails, Rule};
pub use decision::{Decision, GuardrailBlock, Tally};
pub use document::{Action, Detector, GuardrailsDocument, RuleDocument, Side, Sides};
pub use rules::{RuleSet, SideRules};
pub use scan::Scan;
