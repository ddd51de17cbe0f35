use crate::api::ProblemBody;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use std::fmt;
use std::sync::Arc;
use topdog_domain::delegation::Excess;
use topdog_domain::ports::PortError;
use topdog_domain::refusal::TierRefusal;
use topdog_domain::{Refusal, Timestamp};
use topdog_vault::VaultError;

/// Everything that the management API answers with instead of what was asked for.
#[derive(Debug)]
pub(crate) enum Problem {
    /// A reason from the closed list that both planes share.
    Refused(Refusal),
    /// What the path names is not there, or not the caller's to see.
    NotFound(&'static str),
    /// Something of that name is there, or it was changed meanwhile; says what.
    Conflict(String),
    /// There are as many as there can be; says of what.
    Full(String),
    /// A query parameter can't be understood.
    BadParameter(String),
    /// A field can be read and is not acceptable.
    BadField {
        /// Which.
        param: &'static str,
        /// What is expected.
        message: String,
    },
    /// A key can't be fetched by the reference that was given; says why and what to do.
    ReferenceUnreachable(String),
    /// Only the operator may.
    OperatorOnly(&'static str),
    /// A key would be wider than the one that asks for it.
    TooWide(Excess),
    /// It concerns more than the workspace that the key is bound to.
    OutsideWorkspace,
    /// The idempotency key was used for another request.
    IdempotencyMismatch,
    /// The request with that idempotency key is under way.
    IdempotencyInFlight,
    /// The answer that was kept can't be shown again.
    AnswerGone,
    /// The store can't be asked just now.
    StoreUnavailable,
}

impl Problem {
    /// The status it answers with.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => {
                StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Full(_) | Self::IdempotencyInFlight | Self::AnswerGone => {
                StatusCode::CONFLICT
            }
            Self::BadParameter(_) => StatusCode::BAD_REQUEST,
            Self::BadField { .. } | Self::ReferenceUnreachable(_) | Self::IdempotencyMismatch => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::OperatorOnly(_) | Self::TooWide(_) | Self::OutsideWorkspace => StatusCode::FORBIDDEN,
            Self::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Full(_) => "full",
            Self::BadParameter(_) => "invalid_parameter",
            Self::BadField { .. } => "invalid_field",
            Self::ReferenceUnreachable(_) => "reference_unreachable",
            Self::OperatorOnly(_) => "operator_only",
            Self::TooWide(_) => "wider_than_own_key",
            Self::OutsideWorkspace => "outside_workspace",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::IdempotencyInFlight => "idempotency_in_flight",
            Self::AnswerGone => "idempotency_answer_gone",
            Self::StoreUnavailable => "store_unavailable",
        }
    }

    /// What a port could not do to a thing that the path names.
    pub(crate) fn of_port(error: PortError, what: &'static str) -> Self {
        match error {
            PortError::NotFound => Self::NotFound(what),
            other => other.into(),
        }
    }

    /// What the vault could not do.
    pub(crate) fn of_vault(error: &VaultError) -> Self {
        tracing::error!(%error, "the vault refused");
        match error {
            VaultError::RootNotInFile => Self::Conflict(error.to_string()),
            _ if error.is_transient() => Self::StoreUnavailable,
            _ => Self::Refused(Refusal::Internal),
        }
    }

    /// Was it the tier that refused? Such a request counts nothing.
    pub(crate) fn is_by_tier(&self) -> bool {
        self.tier_refusal().is_some()
    }

    fn tier_refusal(&self) -> Option<&TierRefusal> {
        match self {
            Self::Refused(refusal) => refusal.by_tier(),
            _ => None,
        }
    }

    /// The whole answer, in the course of the request with that id.
    pub(crate) fn render(&self, request_id: &str, plans_url: &str, now: Timestamp) -> Response {
        let status = self.status();
        let body = serde_json::to_vec(&self.body(request_id, plans_url)).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(at) = self.tier_refusal().and_then(|tier| tier.resets_at) {
            headers.insert(RETRY_AFTER, now.seconds_until(at).max(1).into());
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn body(&self, request_id: &str, plans_url: &str) -> ProblemBody {
        let status = self.status();
        let param = match self {
            Self::Refused(refusal) => refusal.param(),
            Self::BadField { param, .. } => Some(*param),
            Self::ReferenceUnreachable(_) => Some("reference"),
            _ => None,
        };
        let mut body = ProblemBody {
            kind: format!("urn:topdog:{}", self.code()),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code().to_owned(),
            instance: request_id.to_owned(),
            param: param.map(str::to_owned),
            limit: None,
            tier: None,
            allowed: None,
            used: None,
            resets_at: None,
            lifted_by: None,
            plans_url: None,
        };
        if let Some(tier) = self.tier_refusal() {
            body.limit = Some(tier.limit.clone().into_owned());
            body.tier = Some(tier.tier.clone());
            body.allowed = Some(tier.allowed);
            body.used = tier.used;
            body.resets_at = tier.resets_at.map(Into::into);
            body.lifted_by.clone_from(&tier.lifted_by);
            body.plans_url = Some(plans_url.to_owned());
        }
        body
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::NoSuchPath) => f.write_str("nothing is at this path; GET /api/v1/openapi.json lists what there is"),
            Self::Refused(Refusal::MethodNotAllowed(_)) => {
                f.write_str("this path does not take that method; the header allow says which it takes")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotFound(what) => write!(f, "no such {what}; list those there are, and check the spelling"),
            Self::Conflict(what) => write!(f, "{what}; choose another, or look at what is there"),
            Self::Full(most) => {
                write!(f, "there are {most}, and an organisation can have no more; delete one first")
            }
            Self::BadParameter(message) => f.write_str(message),
            Self::BadField { param, message } => write!(f, "`{param}` is not acceptable: {message}"),
            Self::ReferenceUnreachable(why) => write!(f, "the key can't be fetched by its reference: {why}, or give the key itself (`seal = true` in topdog apply)"),
            Self::OperatorOnly(what) => write!(f, "only the operator may {what}; ask the operator"),
            Self::TooWide(excess) => write!(f, "a key can't make a key wider than itself: {excess}; narrow it, or use a wider key"),
            Self::OutsideWorkspace => f.write_str("your key is bound to a workspace, and this concerns more than that; use a key that is not"),
            Self::IdempotencyMismatch => f.write_str("this idempotency-key was sent with another request before; use a new one for a new request"),
            Self::IdempotencyInFlight => f.write_str("a request with this idempotency-key is under way, or broke off within the last minute; send it again in a minute"),
            Self::AnswerGone => f.write_str("the request with this idempotency-key was done, but its answer can't be shown again; look at what is there, and rotate the key if its secret was lost"),
            Self::StoreUnavailable => f.write_str("the store can't be asked just now; try again in a moment"),
        }
    }
}

/// The edge renders it: only there the request id is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Excess> for Problem {
    fn from(excess: Excess) -> Self {
        Self::TooWide(excess)
    }
}

/// What a port could not do, where the handler knows nothing better to say.
impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        match error {
            PortError::NotFound => Self::NotFound("object"),
            PortError::Conflict(what) => Self::Conflict(what.to_owned()),
            PortError::Unavailable(cause) => {
                tracing::error!(%cause, "the store can't be asked");
                Self::StoreUnavailable
            }
            PortError::LimitReached { .. } | PortError::Corrupt(_) => {
                tracing::error!(%error, "the store did not answer as it should");
                Self::Refused(Refusal::Internal)
            }
        }
    }
}
