//! What a policy must be like before it is stored or applied.

use super::caching::{self, CacheDocument};
use super::caps::{self, Cap};
use super::document::PolicyDocument;
use super::pattern::Pattern;
use super::route::{MOST_ROUTES, Route};
use crate::guardrail::{BadGuardrail, Guardrails};
use std::collections::HashMap;

/// The most aliases of a policy, and the most patterns in each of its lists: every request asks each of them.
pub const MOST_RULES: usize = 100;
/// Bytes of a policy's JSON: every node keeps all of them in memory.
pub const MOST_BYTES: usize = 32 * 1024;
/// Steps from an alias to its model within one policy.
pub const LONGEST_CHAIN: usize = 8;

/// A policy that is as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    document: PolicyDocument,
    aliases: HashMap<Box<str>, Box<str>>,
    allow: Option<Vec<Pattern>>,
    deny: Vec<Pattern>,
    routes: Vec<Route>,
    guardrails: Option<Guardrails>,
    caps: Vec<Cap>,
}

/// What is wrong with a policy, and in which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {message}")]
pub struct BadPolicy {
    /// The field.
    pub field: &'static str,
    /// What is wrong, and what to do; holds no more of the policy than the place, or a name that is fit to be shown.
    pub message: String,
}

impl Policy {
    /// The policy that is written so, if it is as it must be.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(document: PolicyDocument) -> Result<Self, BadPolicy> {
        let aliases = aliases(&document)?;
        let allow = document.allow.as_ref().map(|texts| patterns("allow", texts)).transpose()?;
        if allow.as_ref().is_some_and(Vec::is_empty) {
            let message =
                "an empty list could mean all or nothing; leave it out for all, or deny `*` for nothing";
            return Err(bad("allow", message));
        }
        let deny = patterns("deny", &document.deny)?;
        let routes = routes(&document)?;
        let guardrails = document.guardrails.clone().map(Guardrails::check).transpose();
        let guardrails = guardrails.map_err(|BadGuardrail(message)| bad("guardrails", message))?;
        let caps = caps::check(&document.caps)?;
        document.cache.map(caching::check).transpose()?;
        let size = serde_json::to_string(&document).map_or(usize::MAX, |json| json.len());
        if size > MOST_BYTES {
            let message = format!(
                "the whole is {size} bytes of JSON and can be {MOST_BYTES}; write fewer or shorter rules"
            );
            return Err(bad("document", message));
        }
        Ok(Self { document, aliases, allow, deny, routes, guardrails, caps })
    }

    /// The policy of a stored text, if this version of Top Dog understands it.
    #[must_use]
    pub fn stored(json: &str) -> Option<Self> {
        Self::check(serde_json::from_str(json).ok()?).ok()
    }

    /// As it is written.
    #[must_use]
    pub const fn document(&self) -> &PolicyDocument {
        &self.document
    }

    /// What a name leads to next, where it is an alias.
    #[must_use]
    pub fn alias(&self, name: &str) -> Option<&str> {
        self.aliases.get(name).map(|target| &**target)
    }

    /// The only models that may be used; none: all that are not denied.
    #[must_use]
    pub fn allow(&self) -> Option<&[Pattern]> {
        self.allow.as_deref()
    }

    /// Which answers may be given again.
    #[must_use]
    pub const fn cache(&self) -> Option<&CacheDocument> {
        self.document.cache.as_ref()
    }

    /// How much may be spent, used or under way.
    #[must_use]
    pub fn caps(&self) -> &[Cap] {
        &self.caps
    }

    /// Models that may not be used.
    #[must_use]
    pub fn deny(&self) -> &[Pattern] {
        &self.deny
    }

    /// Where requests go, and what is tried where that fails.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What of texts may go to models and come back.
    #[must_use]
    pub const fn guardrails(&self) -> Option<&Guardrails> {
        self.guardrails.as_ref()
    }
}

fn bad(field: &'static str, message: impl Into<String>) -> BadPolicy {
    BadPolicy { field, message: message.into() }
}

fn patterns(field: &'static str, texts: &[String]) -> Result<Vec<Pattern>, BadPolicy> {
    if texts.len() > MOST_RULES {
        return Err(bad(field, format!("there are {} patterns, and there can be {MOST_RULES}", texts.len())));
    }
    let parse = |(place, text): (usize, &String)| {
        Pattern::parse(text).map_err(|why| bad(field, format!("number {}: {why}", place + 1)))
    };
    texts.iter().enumerate().map(parse).collect()
}

fn routes(document: &PolicyDocument) -> Result<Vec<Route>, BadPolicy> {
    let written = &document.routes;
    if written.len() > MOST_ROUTES {
        return Err(bad("routes", format!("there are {}, and there can be {MOST_ROUTES}", written.len())));
    }
    written.iter().enumerate().map(|(place, route)| Route::check(route, place + 1)).collect()
}

fn aliases(document: &PolicyDocument) -> Result<HashMap<Box<str>, Box<str>>, BadPolicy> {
    const FIELD: &str = "aliases";
    let written = &document.aliases.0;
    if written.len() > MOST_RULES {
        return Err(bad(FIELD, format!("there are {}, and there can be {MOST_RULES}", written.len())));
    }
    let mut aliases: HashMap<Box<str>, Box<str>> = HashMap::with_capacity(written.len());
    for (place, (name, target)) in written.iter().enumerate() {
        let number = place + 1;
        if !is_plain_name(name) {
            return Err(bad(FIELD, format!("number {number}: a name is {NAME}")));
        }
        if !is_target(target) {
            return Err(bad(FIELD, format!("`{name}` stands for {TARGET}")));
        }
        if aliases.insert(name.as_str().into(), target.as_str().into()).is_some() {
            return Err(bad(FIELD, format!("`{name}` is there twice; give it once")));
        }
    }
    for (name, _) in written {
        follow(&aliases, name)?;
    }
    Ok(aliases)
}

/// Refuses a name that leads round in a circle, or by too long a way.
fn follow(aliases: &HashMap<Box<str>, Box<str>>, first: &str) -> Result<(), BadPolicy> {
    let mut name = first;
    for _ in 0..LONGEST_CHAIN {
        match aliases.get(name) {
            Some(target) => name = target,
            None => return Ok(()),
        }
    }
    if aliases.contains_key(name) {
        let message = format!(
            "`{first}` leads back to itself, or to a model by more than {LONGEST_CHAIN} steps; have it stand for the model"
        );
        return Err(bad("aliases", message));
    }
    Ok(())
}

const NAME: &str = "1 to 100 letters, digits, `-`, `_`, `.` and `:`";
const TARGET: &str = "a model, as `provider/model` or by its plain name, or another alias: 1 to 200 visible ASCII characters without `*`";

/// No slash: what is asked for as `provider/model` always is just that.
fn is_plain_name(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (1..=100).contains(&name.len()) && name.bytes().all(is_good)
}

fn is_target(target: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_graphic() && byte != b'*';
    (1..=200).contains(&target.len()) && target.bytes().all(is_good)
}
