//! What a request asks for, by its method, its path and its query; and whose API that is.

use crate::addressed::{Addressed, MethodCall, Query, X_GOOG_API_KEY, decoded, require_no_key};
use crate::arrive::ANTHROPIC_VERSION;
use crate::edge::audience::Audience;
use crate::passthrough::{Passage, provider_in, stateful};
use crate::worker::Worker;
use http::Method;
use http::header::HeaderName;
use http::request::Parts;
use topdog_domain::Refusal;
use topdog_domain::provider::{Family, Operation};

/// What the request wants.
pub(crate) enum Wanted {
    /// Something of a model.
    Operation(Operation),
    /// The same, where the path says more than that.
    Addressed(Box<Addressed>),
    /// Something that Top Dog has no operation of its own for.
    Passage(Box<Passage>),
    /// The list of models.
    ModelList,
    /// One model of the list.
    Model(String),
}

impl Wanted {
    /// Can it reach a provider?
    pub(crate) const fn is_of_provider(&self) -> bool {
        matches!(self, Self::Operation(_) | Self::Addressed(_) | Self::Passage(_))
    }

    /// What records call it; none where it is of no provider.
    pub(crate) fn operation(&self) -> Option<Operation> {
        match self {
            Self::Operation(operation) => Some(*operation),
            Self::Addressed(addressed) => Some(addressed.operation),
            Self::Passage(passage) => Some(passage.operation()),
            Self::ModelList | Self::Model(_) => None,
        }
    }
}

/// What SDKs that Fern generates call themselves; Cohere's do.
const X_SDK_NAME: HeaderName = HeaderName::from_static("x-fern-sdk-name");

/// Whose API is called, and what for, with the query that goes on to a provider.
pub(crate) struct Asked {
    pub(crate) family: Family,
    pub(crate) wanted: Result<(Wanted, Option<String>), Refusal>,
}

impl Asked {
    /// What a request asks for. A key in its query becomes a header.
    pub(crate) fn of(worker: &Worker, parts: &mut Parts) -> Self {
        match Operation::from_path(parts.uri.path()) {
            Some(operation) => {
                let wanted = posted(&parts.method).and_then(|()| onward(parts));
                Self {
                    family: operation.family(),
                    wanted: wanted.map(|query| (Wanted::Operation(operation), query)),
                }
            }
            None => rarer(worker, parts),
        }
    }
}

/// Beside the operations whose path is fixed.
fn rarer(worker: &Worker, parts: &mut Parts) -> Asked {
    let path = parts.uri.path();
    if let Some(call) = MethodCall::of(path) {
        let query = Query::take(parts.uri.query().unwrap_or_default(), &mut parts.headers);
        let wanted = posted(&parts.method).and(query).and_then(|query| call.addressed(query));
        let wanted = wanted.map(|addressed| (Wanted::Addressed(Box::new(addressed)), None));
        return Asked { family: Family::Gemini, wanted };
    }
    if let Some((provider, path)) = provider_in(path) {
        let target = worker.routes.provider(provider);
        let family = target.and_then(|target| target.manner.api().family()).unwrap_or(Family::OpenAi);
        let (provider, path) = (provider.to_owned(), path.to_owned());
        return Asked { family, wanted: passed(parts, family, &provider, &path) };
    }
    if let Some(passage) = stateful(&parts.method, path, &parts.headers) {
        let wanted = passage.and_then(|passage| Ok((Wanted::Passage(Box::new(passage)), onward(parts)?)));
        return Asked { family: Family::OpenAi, wanted };
    }
    let family = family_of(parts);
    let query = match family {
        Family::Gemini => Query::take(parts.uri.query().unwrap_or_default(), &mut parts.headers).map(|_| ()),
        _ => parts.uri.query().map_or(Ok(()), require_no_key),
    };
    let wanted = query.and_then(|()| listed(&parts.method, parts.uri.path()));
    Asked { family, wanted: wanted.map(|wanted| (wanted, None)) }
}

/// What `/providers/{provider}{path}` asks for: an operation, if the path is one's in that provider's API.
fn passed(
    parts: &mut Parts,
    family: Family,
    provider: &str,
    path: &str,
) -> Result<(Wanted, Option<String>), Refusal> {
    let passage = Passage::of(&parts.method, provider, path)?;
    let query = parts.uri.query().unwrap_or_default();
    if let Some(addressed) = passage.addressed(family, query, &mut parts.headers) {
        let rest = if family == Family::Gemini { None } else { onward(parts)? };
        return Ok((Wanted::Addressed(Box::new(addressed?)), rest));
    }
    if family != Family::Gemini {
        return Ok((Wanted::Passage(Box::new(passage)), onward(parts)?));
    }
    let rest = Query::without_key(query, &mut parts.headers)?;
    Ok((Wanted::Passage(Box::new(passage)), rest))
}

/// The list of models, and what is no path of ours.
fn listed(method: &Method, path: &str) -> Result<Wanted, Refusal> {
    let path = path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v1beta/"));
    let path = path.ok_or(Refusal::NoSuchPath)?;
    let wanted = match path.strip_prefix("models") {
        Some("") => Wanted::ModelList,
        Some(model) if model.len() > 1 && model.starts_with('/') => {
            // The SDKs percent-encode the `/` of `provider/model`.
            Wanted::Model(decoded(model.get(1..).unwrap_or_default()).ok_or(Refusal::NoSuchPath)?)
        }
        _ => return Err(Refusal::NoSuchPath),
    };
    match *method {
        Method::GET => Ok(wanted),
        // A method of a model's that isn't known.
        Method::POST if path.contains(':') => Err(Refusal::NoSuchPath),
        _ => Err(Refusal::MethodNotAllowed("GET")),
    }
}

fn posted(method: &Method) -> Result<(), Refusal> {
    if method == Method::POST { Ok(()) } else { Err(Refusal::MethodNotAllowed("POST")) }
}

/// The query as it goes on to a provider.
fn onward(parts: &Parts) -> Result<Option<String>, Refusal> {
    let Some(query) = parts.uri.query() else { return Ok(None) };
    require_no_key(query)?;
    Ok(Some(query.to_owned()))
}

/// Whose API a path is of that is no operation. The list of models several have at the same path: only Anthropic's clients
/// send a version, Cohere's own SDKs say that they are, and Gemini's have a header, or a parameter, of their own for keys.
fn family_of(parts: &Parts) -> Family {
    let headers = &parts.headers;
    match Audience::of(parts.uri.path().as_bytes()) {
        Audience::Model(Family::OpenAi) if headers.contains_key(ANTHROPIC_VERSION) => Family::Anthropic,
        Audience::Model(Family::OpenAi) if headers.get(X_SDK_NAME).is_some_and(|name| name == "cohere") => {
            Family::Cohere
        }
        Audience::Model(Family::OpenAi)
            if headers.contains_key(X_GOOG_API_KEY) || parts.uri.query().is_some_and(Query::holds_key) =>
        {
            Family::Gemini
        }
        Audience::Model(family) => family,
        Audience::Management => Family::OpenAi,
    }
}
