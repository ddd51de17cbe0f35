//! Keys and tokens: each maker's begin with words of its own, which is what they are for.

use super::{Shape, byte_before, first, pattern};
use crate::guardrail::finder::{Found, Tail};
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

pub(super) const SECRET: Shape = Shape { longest: LONGEST, find };

/// Of the longest beginning: a JWT's header and the first letters of its claims.
const LONGEST: usize = 272;

/// The beginnings of keys, as their makers document them (OpenAI and those that write keys alike, Anthropic, AWS, GitHub,
/// GitLab, Slack, Google, Stripe, Top Dog, Groq, Hugging Face, Replicate, xAI, Perplexity, NVIDIA, npm, PyPI, SendGrid,
/// Grafana, DigitalOcean), of JWTs (RFC 7519) and of private keys in PEM (RFC 7468).
static BEGINNINGS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let keys = [
        r"sk-[A-Za-z0-9_-]{16,48}",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        r"gh[pousr]_[A-Za-z0-9]{30}",
        r"github_pat_[A-Za-z0-9_]{22}",
        r"glpat-[A-Za-z0-9_-]{20}",
        r"xox[abeprs]-[A-Za-z0-9-]{10}",
        r"AIza[A-Za-z0-9_-]{35}",
        r"[sprw][kh](?:sec)?_(?:live|test)_[A-Za-z0-9]{16}",
        r"td_(?:live|test)_[A-Za-z0-9]{20}",
        r"(?:gsk|hf|npm|r8|glsa|dop_v1)_[A-Za-z0-9]{24}",
        r"(?:xai|pplx|nvapi)-[A-Za-z0-9_-]{24}",
        r"pypi-[A-Za-z0-9_-]{40}",
        r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{16}",
        r"eyJ[A-Za-z0-9_-]{8,256}\.eyJ[A-Za-z0-9_-]",
    ];
    pattern(&format!(r"(?:{})|-----BEGIN [A-Z ]{{0,32}}PRIVATE KEY(?: BLOCK)?-----", keys.join("|")))
});

fn find(text: &str, from: usize) -> Option<Found> {
    first(BEGINNINGS.as_ref(), text, from, tail)
}

fn tail(text: &str, span: Range<usize>) -> Option<Tail> {
    let is_within_word = byte_before(text, span.start).is_some_and(|byte| byte.is_ascii_alphabetic());
    let found = text.get(span)?;
    if found.starts_with("-----") {
        return Some(Tail::PEM);
    }
    if is_within_word {
        return None;
    }
    // `sk-` is also how words begin that stand in names; a key has digits.
    if found.starts_with("sk-") && !found.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Tail::Token { has_dots: found.starts_with("eyJ") || found.starts_with("SG.") })
}
