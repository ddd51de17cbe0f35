//! The closed list of reasons a caller may hear for not getting what it asked for.

use crate::Timestamp;
use crate::api_key::Scope;
use crate::guardrail::GuardrailBlock;
use crate::labels::BadLabel;
use crate::policy::{CapRefusal, PolicyDenial, PolicyScope};
use crate::provider::ProviderName;
use crate::tier::{Limit, Tier, TierName};
use std::borrow::Cow;
use std::fmt;

/// Whose doing a refusal is; decides the class of its status and whether it is our alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller's: 4xx.
    Caller,
    /// The provider's: 502, 504.
    Provider,
    /// Ours: 500, 503.
    Us,
}

/// A tier (or a limit set by the tier) does not allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierRefusal {
    /// The stable name of the limit, such as `llm_requests_per_day` or `provider:anthropic`.
    pub limit: Cow<'static, str>,
    /// The caller's tier.
    pub tier: TierName,
    /// Its size; 0 for a feature that the tier lacks.
    pub allowed: Limit,
    /// What is used of it, where that is a number.
    pub used: Option<u64>,
    /// When it resets, where it does.
    pub resets_at: Option<Timestamp>,
    /// The lowest tier that allows it, where one does.
    pub lifted_by: Option<TierName>,
}

impl TierRefusal {
    /// The refusal of a feature that the tier lacks altogether.
    #[must_use]
    pub fn lacks(tier: &Tier, limit: impl Into<Cow<'static, str>>, lifted_by: Option<TierName>) -> Self {
        Self {
            limit: limit.into(),
            tier: tier.name.clone(),
            allowed: Limit::Of(0),
            used: None,
            resets_at: None,
            lifted_by,
        }
    }
}

/// Why a caller is refused. Every one has a stable `code`, a status and a message that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request's head or framing is no HTTP that can be understood in one way only; says what is wrong.
    MalformedRequest(&'static str),
    /// The request's head is larger than this many bytes, or has too many fields.
    HeadTooLarge(usize),
    /// The request's head was begun, and did not come to its end in time.
    HeadTimeout,
    /// The request expects what is not offered (RFC 9110, 10.1.1).
    UnmetExpectation,
    /// A label header outside its list.
    BadLabel(BadLabel),
    /// A header that can't be understood; its name is given, never its value.
    BadHeader(&'static str),
    /// The body can't be understood. `message` is fit for the caller.
    BadBody {
        /// What is wrong and what is expected.
        message: String,
        /// The field at fault.
        param: Option<String>,
        /// The dialect's code, such as `invalid_json`.
        code: &'static str,
    },
    /// The body is larger than this many bytes.
    BodyTooLarge(u64),
    /// The body came too slowly.
    BodyTimeout,
    /// The content type is not what the endpoint takes, which is given.
    UnsupportedMediaType(&'static str),
    /// Nothing is at that path.
    NoSuchPath,
    /// The path takes another method, which is given.
    MethodNotAllowed(&'static str),
    /// No key was presented.
    MissingKey,
    /// The key is not one of ours: misspelt, unknown, revoked. One answer for all, on purpose.
    UnknownKey,
    /// The key is right but past its end.
    ExpiredKey,
    /// The key may not be used from this address.
    IpNotAllowed,
    /// The key lacks the scope.
    ScopeMissing(Scope),
    /// The key's model allow-list does not hold the model.
    ModelNotAllowed(String),
    /// A rule of a policy refuses the model.
    PolicyDenied(Box<PolicyDenial>),
    /// A guardrail of a policy keeps back the request, or its answer.
    GuardrailBlocked(Box<GuardrailBlock>),
    /// The key's models are restricted, and it can't be seen which one the request would use.
    ModelUnseen,
    /// A cap that a policy sets is reached.
    CapExceeded(Box<CapRefusal>),
    /// A policy caps spending, and what the model costs is not known.
    PriceUnknown {
        /// As asked for.
        model: String,
        /// Whose policy it is.
        scope: PolicyScope,
    },
    /// The tier does not allow it.
    Tier(Box<TierRefusal>),
    /// The organisation has more keys than its tier allows, and this is none of the oldest, which stay.
    KeyOverLimit(Box<TierRefusal>),
    /// No model has that plain name.
    UnknownModel {
        /// As asked for.
        model: String,
        /// The nearest names that exist.
        nearest: Vec<String>,
    },
    /// Several providers have a model of that plain name, and none of them made it.
    AmbiguousModel {
        /// As asked for.
        model: String,
        /// The whole names that it can be asked for by.
        candidates: Vec<String>,
    },
    /// The provider does not offer that endpoint.
    OperationUnsupported(ProviderName),
    /// The organisation has no key for the provider.
    NoProviderKey(ProviderName),
    /// The organisation's stored key for the provider can't be opened.
    ProviderKeyUnreadable(ProviderName),
    /// The key reference of the organisation leads nowhere just now.
    ProviderKeyUnreachable(ProviderName),
    /// The provider can't be reached.
    UpstreamUnreachable(ProviderName),
    /// The provider did not answer in time.
    UpstreamTimeout(ProviderName),
    /// The provider broke off, or spoke what can't be understood.
    UpstreamBroken(ProviderName),
    /// Every target of the route has failed of late and is left alone; the provider of the first.
    CircuitOpen(ProviderName),
    /// The ledger of limits can't be asked, and nothing is left of what was leased.
    LedgerUnavailable,
    /// Records can't be kept just now (full disk), and this request may not go unrecorded.
    RecordsUnavailable,
    /// The node has heard of no changes for so long that it may not serve a regulated request: its key may be revoked.
    ChangesUnknown,
    /// So many requests of the organisation are under way on this node, and it may have no more.
    ConcurrencyLimit(u64),
    /// The bodies of the organisation's requests take up so many bytes of this node, and may take no more.
    BodyMemoryLimit(u64),
    /// The node has as much to do as it may take on.
    Overloaded,
    /// The node stops, and could not wait for the answer any longer.
    ShuttingDown,
    /// Something is wrong with Top Dog.
    Internal,
}

impl From<GuardrailBlock> for Refusal {
    fn from(block: GuardrailBlock) -> Self {
        Self::GuardrailBlocked(Box::new(block))
    }
}

impl Refusal {
    /// A refusal by tier.
    #[must_use]
    pub fn tier(refusal: TierRefusal) -> Self {
        Self::Tier(Box::new(refusal))
    }

    /// What the tier does not allow, where it is the tier that refuses.
    #[must_use]
    pub fn by_tier(&self) -> Option<&TierRefusal> {
        match self {
            Self::Tier(refusal) | Self::KeyOverLimit(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Does a request that is refused so before it is admitted take no API call? A tier or a cap refuses it, or the node
    /// is to blame.
    #[must_use]
    pub fn takes_no_api_call(&self) -> bool {
        let is_the_nodes = matches!(
            self,
            Self::ConcurrencyLimit(_)
                | Self::BodyMemoryLimit(_)
                | Self::Overloaded
                | Self::LedgerUnavailable
                | Self::RecordsUnavailable
                | Self::ChangesUnknown
        );
        is_the_nodes || self.by_tier().is_some() || matches!(self, Self::CapExceeded(_))
    }

    /// The stable code, part of the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MalformedRequest(_) => "malformed_request",
            Self::HeadTooLarge(_) => "head_too_large",
            Self::HeadTimeout => "request_timeout",
            Self::UnmetExpectation => "expectation_failed",
            Self::BadLabel(_) => "invalid_label",
            Self::BadHeader(_) => "invalid_header",
            Self::BadBody { code, .. } => code,
            Self::BodyTooLarge(_) => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::NoSuchPath => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::MissingKey => "missing_api_key",
            Self::UnknownKey => "invalid_api_key",
            Self::ExpiredKey => "expired_api_key",
            Self::IpNotAllowed => "ip_not_allowed",
            Self::ScopeMissing(_) => "scope_missing",
            Self::ModelNotAllowed(_) => "model_not_allowed",
            Self::PolicyDenied(_) => "policy_denied",
            Self::GuardrailBlocked(_) => "guardrail_blocked",
            Self::ModelUnseen => "model_unseen",
            Self::CapExceeded(_) => "cap_exceeded",
            Self::PriceUnknown { .. } => "price_unknown",
            Self::Tier(_) | Self::KeyOverLimit(_) => "tier_limit",
            Self::UnknownModel { .. } => "model_not_found",
            Self::AmbiguousModel { .. } => "ambiguous_model",
            Self::OperationUnsupported(_) => "operation_unsupported",
            Self::NoProviderKey(_) => "no_provider_key",
            Self::ProviderKeyUnreadable(_) => "provider_key_unreadable",
            Self::ProviderKeyUnreachable(_) => "provider_key_unreachable",
            Self::UpstreamUnreachable(_) => "upstream_unreachable",
            Self::UpstreamTimeout(_) => "upstream_timeout",
            Self::UpstreamBroken(_) => "upstream_failed",
            Self::CircuitOpen(_) => "circuit_open",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::RecordsUnavailable => "records_unavailable",
            Self::ChangesUnknown => "changes_unknown",
            Self::ConcurrencyLimit(_) => "concurrency_limit",
            Self::BodyMemoryLimit(_) => "body_memory_limit",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "server_shutting_down",
            Self::Internal => "internal_error",
        }
    }

    /// The HTTP status (DESIGN part 7).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::MalformedRequest(_)
            | Self::BadLabel(_)
            | Self::BadHeader(_)
            | Self::BadBody { .. }
            | Self::GuardrailBlocked(_)
            | Self::OperationUnsupported(_) => 400,
            Self::MissingKey | Self::UnknownKey | Self::ExpiredKey => 401,
            Self::IpNotAllowed
            | Self::ScopeMissing(_)
            | Self::ModelNotAllowed(_)
            | Self::PolicyDenied(_)
            | Self::ModelUnseen
            | Self::PriceUnknown { .. }
            | Self::KeyOverLimit(_)
            | Self::NoProviderKey(_) => 403,
            Self::Tier(t) if t.used.is_some() => 429,
            Self::Tier(_) => 403,
            Self::NoSuchPath | Self::UnknownModel { .. } | Self::AmbiguousModel { .. } => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::HeadTimeout | Self::BodyTimeout => 408,
            Self::BodyTooLarge(_) => 413,
            Self::UnsupportedMediaType(_) => 415,
            Self::UnmetExpectation => 417,
            Self::HeadTooLarge(_) => 431,
            Self::ConcurrencyLimit(_) | Self::BodyMemoryLimit(_) | Self::CapExceeded(_) => 429,
            Self::Internal | Self::ProviderKeyUnreadable(_) => 500,
            Self::UpstreamUnreachable(_)
            | Self::UpstreamBroken(_)
            | Self::CircuitOpen(_)
            | Self::ProviderKeyUnreachable(_) => 502,
            Self::LedgerUnavailable
            | Self::RecordsUnavailable
            | Self::ChangesUnknown
            | Self::Overloaded
            | Self::ShuttingDown => 503,
            Self::UpstreamTimeout(_) => 504,
        }
    }

    /// Whose doing it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self.status() {
            502 | 504 => Blame::Provider,
            500 | 503 => Blame::Us,
            _ => Blame::Caller,
        }
    }

    /// The request field at fault, where one is.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::BadBody { param, .. } => param.as_deref(),
            Self::UnknownModel { .. }
            | Self::AmbiguousModel { .. }
            | Self::ModelNotAllowed(_)
            | Self::PolicyDenied(_)
            | Self::PriceUnknown { .. } => Some("model"),
            _ => None,
        }
    }
}

/// What happened, why, and what to do next; fit for the caller.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedRequest(what) => write!(f, "this is no HTTP request that can be understood: {what}; check the client, and what stands between it and Top Dog"),
            Self::HeadTooLarge(limit) => write!(f, "the request's head is larger than {limit} bytes, or has too many fields; send fewer and shorter headers"),
            Self::HeadTimeout => f.write_str("the request's head came too slowly; send it again without pauses"),
            Self::UnmetExpectation => f.write_str("the header expect can only be 100-continue here; correct it or leave it out"),
            Self::BadLabel(bad) => write!(f, "{bad}; send one of these values or leave the header out"),
            Self::BadHeader(name) => write!(f, "the header {name} can't be understood; correct it or leave it out"),
            Self::BadBody { message, .. } => f.write_str(message),
            Self::BodyTooLarge(limit) => write!(f, "the request body is larger than {limit} bytes; send a smaller one"),
            Self::BodyTimeout => f.write_str("the request body came too slowly; send it again without pauses"),
            Self::UnsupportedMediaType(want) => write!(f, "this endpoint takes {want}; set content-type accordingly"),
            Self::NoSuchPath => f.write_str("nothing is at this path; check the base URL (for OpenAI's clients it ends in /v1) and the endpoint's name"),
            Self::MethodNotAllowed(allow) => write!(f, "this endpoint takes {allow} only"),
            Self::MissingKey => f.write_str("no Top Dog API key was sent; send one as `Authorization: Bearer td_live_…` or `x-api-key`"),
            Self::UnknownKey => f.write_str("this is not a valid Top Dog API key; it is misspelt, unknown or revoked: check it, or have a new one made (a provider's own key belongs into the vault, not here)"),
            Self::ExpiredKey => f.write_str("this Top Dog API key has expired; use its successor or have a new one made"),
            Self::IpNotAllowed => f.write_str("this Top Dog API key may not be used from this address; use it from an allowed network or have its allow-list changed"),
            Self::ScopeMissing(scope) => write!(f, "this Top Dog API key lacks the scope `{}`; use a key that has it", scope.name()),
            Self::ModelNotAllowed(model) => write!(f, "this Top Dog API key may not use the model `{model}`; GET /v1/models lists those it may"),
            Self::PolicyDenied(denial) => denial.fmt(f),
            Self::GuardrailBlocked(block) => block.fmt(f),
            Self::ModelUnseen => f.write_str("the models of this Top Dog API key are restricted, and it can't be seen which one this request would use; use an endpoint of Top Dog's own, or a key without such rules"),
            Self::CapExceeded(cap) => cap.fmt(f),
            Self::PriceUnknown { model, scope } => write!(f, "the policy of {} caps spending, and what the model `{model}` costs is not known; have its price added, or the cap say `unknown_price = \"allow\"`", scope.owner()),
            Self::Tier(refusal) => write_tier(f, refusal),
            Self::KeyOverLimit(refusal) => write_key_over_limit(f, refusal),
            Self::UnknownModel { model, nearest } => {
                write!(f, "no model is called `{model}`")?;
                if nearest.is_empty() {
                    f.write_str("; write it as provider/model, such as openai/gpt-4o-mini")
                } else {
                    write!(f, "; did you mean {}? a model that is new can be written as provider/model", nearest.join(", "))
                }
            }
            Self::AmbiguousModel { model, candidates } => write!(f, "several providers have a model called `{model}`; ask for it as one of {}", candidates.join(", ")),
            Self::OperationUnsupported(p) => write!(f, "the provider `{p}` does not offer this endpoint; use another model"),
            Self::NoProviderKey(p) => write!(f, "your organisation has no key for the provider `{p}`; add one with `topdog provider-keys add --provider {p}`"),
            Self::ProviderKeyUnreadable(p) => write!(f, "the stored key for the provider `{p}` can't be opened; add it again (its endpoint may have changed), or ask the operator"),
            Self::ProviderKeyUnreachable(p) => write!(f, "the key for the provider `{p}` is fetched by a reference, which leads nowhere just now; check the variable of the server's environment, the file or the vault that it names"),
            Self::UpstreamUnreachable(p) => write!(f, "the provider `{p}` can't be reached; try again, and check its status page and base URL"),
            Self::UpstreamTimeout(p) => write!(f, "the provider `{p}` did not answer in time; try again"),
            Self::UpstreamBroken(p) => write!(f, "the provider `{p}` broke off its answer; try again"),
            Self::CircuitOpen(p) => write!(f, "the provider `{p}` and whatever else the policy's route has failed of late, and are left alone for a moment; try again, or give the route another fallback"),
            Self::LedgerUnavailable => f.write_str("limits can't be checked just now; try again in a moment"),
            Self::RecordsUnavailable => f.write_str("this request could not be recorded, so it was not made; try again in a moment"),
            Self::ChangesUnknown => f.write_str("this server has heard of no changes for too long to serve a request of a regulated segment; try again in a moment"),
            Self::ConcurrencyLimit(limit) => write!(f, "your organisation has {limit} requests under way on this server, as many as it may; try again when one of them has ended"),
            Self::BodyMemoryLimit(limit) => write!(f, "the requests of your organisation hold {limit} bytes of bodies in this server's memory, as many as they may; try again when one of them has ended"),
            Self::ShuttingDown => f.write_str("the server is stopping and could wait no longer for this answer; send the request again"),
            Self::Overloaded => f.write_str("this node takes on no more just now; try again in a moment"),
            Self::Internal => f.write_str("something is wrong with Top Dog; try again, and give the request id to the operator"),
        }
    }
}

fn write_tier(f: &mut fmt::Formatter<'_>, r: &TierRefusal) -> fmt::Result {
    match r.used {
        Some(used) => {
            write!(f, "the limit {} of tier {} is reached: {used} of {} used", r.limit, r.tier, r.allowed)?
        }
        None => write!(f, "tier {} does not include {}", r.tier, r.limit)?,
    }
    if let Some(at) = r.resets_at {
        write!(f, "; it resets at {at}")?;
    }
    match &r.lifted_by {
        Some(tier) => write!(f, "; tier {tier} allows more"),
        None => Ok(()),
    }
}

fn write_key_over_limit(f: &mut fmt::Formatter<'_>, r: &TierRefusal) -> fmt::Result {
    let live = r.used.unwrap_or_default();
    write!(
        f,
        "your organisation has {live} live Top Dog API keys and tier {} allows {}: the oldest work, and this is none of them; have keys that are not needed revoked",
        r.tier, r.allowed
    )?;
    match &r.lifted_by {
        Some(tier) => write!(f, "; tier {tier} allows more"),
        None => Ok(()),
    }
}
