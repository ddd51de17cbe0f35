//! Efforts as tokens to think and the reverse: a share of what an answer may take, as OpenRouter's manual
//! ("Reasoning tokens") shares them out.

use super::model::Effort;

/// The tokens that an effort may take of these.
pub(crate) const fn tokens(effort: Effort, max_tokens: u64) -> u64 {
    let percent = match effort {
        Effort::Minimal => 10,
        Effort::Low => 20,
        Effort::Medium => 50,
        Effort::High => 80,
        Effort::XHigh | Effort::Max => 95,
    };
    max_tokens.saturating_mul(percent) / 100
}

/// The effort whose share of the limit is nearest.
pub(crate) fn nearest(budget: u64, max_tokens: Option<u64>) -> Effort {
    let percent = max_tokens.filter(|most| *most > 0).map_or(50, |most| budget.saturating_mul(100) / most);
    match percent {
        0..35 => Effort::Low,
        35..65 => Effort::Medium,
        _ => Effort::High,
    }
}
