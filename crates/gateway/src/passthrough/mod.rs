//! What Top Dog has no operation of its own for, passed through to a provider by the same journey: `/providers/{provider}/…`,
//! and OpenAI's own paths of what it keeps ([`stateful`]).
//!
//! It is no way around a rule. A path that is an operation's is that operation, wherever it stands. Anything else is
//! refused where a key's models are restricted in any way, since nobody can say what it would run, or whose it would read.

mod body;
mod entitle;
mod named;
mod stateful;

pub(crate) use body::Through;
pub(crate) use entitle::entitle;
pub(crate) use stateful::stateful;

use crate::addressed::{Addressed, MethodCall, Query, decoded};
use http::{HeaderMap, Method};
use topdog_domain::Refusal;
use topdog_domain::provider::{Family, Operation, ProviderName};

/// A request that is to be passed through.
pub(crate) struct Passage {
    pub(crate) provider: ProviderName,
    pub(crate) method: Method,
    /// Behind the provider's base URL; begins with a slash.
    pub(crate) path: String,
    /// Is it known to run no model?
    pub(crate) runs_no_model: bool,
}

/// The paths that say whose they are.
pub(crate) const PROVIDERS: &str = "/providers/";

/// The name of the provider in such a path, and the path there; none where it is no such path.
pub(crate) fn provider_in(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(PROVIDERS)?;
    Some(rest.split_at(rest.find('/')?))
}

impl Passage {
    /// What records call it.
    pub(crate) fn operation(&self) -> Operation {
        let is_kept = self.runs_no_model || self.method == Method::GET || self.method == Method::DELETE;
        if is_kept { Operation::Resource } else { Operation::Passthrough }
    }

    /// The operation that it is in the API of that family, if its path is one's.
    pub(crate) fn addressed(
        &self,
        family: Family,
        query: &str,
        headers: &mut HeaderMap,
    ) -> Option<Result<Addressed, Refusal>> {
        if let Some(operation) = self.operation_there(family) {
            return Some(Ok(Addressed::at(operation, self.provider.clone())));
        }
        let path =
            canonical(&self.path).filter(|_| family == Family::Gemini && self.method == Method::POST)?;
        let call = MethodCall::of(&path)?;
        let addressed = Query::take(query, headers).and_then(|query| call.addressed(query));
        Some(addressed.map(|addressed| addressed.of(self.provider.clone())))
    }

    /// The operation whose path it is in the API of that family, whichever way it is written; none of Gemini's, which name
    /// their model there.
    fn operation_there(&self, family: Family) -> Option<Operation> {
        let path = canonical(&self.path)?;
        let there = |operation: &Operation| {
            let own = format!("/{}", operation.path());
            let with_version = format!("/{}{own}", operation.version());
            // Of Cohere's the base URL has no version.
            path == with_version || (family != Family::Cohere && path == own)
        };
        let operations = Operation::ALL.into_iter().filter(|o| o.family() == family && o.has_path());
        operations.filter(|_| self.method == Method::POST).find(there)
    }

    /// The passage that a path of [`PROVIDERS`] asks for.
    pub(crate) fn of(method: &Method, provider: &str, path: &str) -> Result<Self, Refusal> {
        let provider = ProviderName::parse(provider).map_err(|_| Refusal::NoSuchPath)?;
        if !is_plain(path) {
            return Err(Refusal::BadBody {
                message: "the path behind the provider can't be understood in one way only; write it plainly"
                    .to_owned(),
                param: None,
                code: "invalid_path",
            });
        }
        let is_known =
            [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method);
        if !is_known {
            return Err(Refusal::MethodNotAllowed("GET, POST, PUT, PATCH, DELETE"));
        }
        Ok(Self { provider, method: method.clone(), path: path.to_owned(), runs_no_model: false })
    }
}

/// Does a path stay where it seems to lead, whoever reads it: no empty segment, none that leads up, no separator that is
/// encoded, nothing that is encoded twice? It may end with a slash.
fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    rest.split('/').all(|segment| {
        decoded(segment).is_some_and(|segment| {
            // Some servers cut a segment at a semicolon.
            let name = segment.split(';').next().unwrap_or_default();
            !matches!(name, "" | "." | "..")
                && !segment.contains(['/', '\\', '%'])
                && !segment.contains(char::is_control)
        })
    })
}

/// A plain path as a server may read it, whichever way it is written.
fn canonical(path: &str) -> Option<String> {
    let path = decoded(path)?;
    let segments =
        path.trim_end_matches('/').split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    Some(segments.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for path in
            ["/files", "/files/", "/v1beta/models/x:predict", "/a%3Ab/c", "/files/a..b", "/.well-known"]
        {
            assert!(is_plain(path), "{path}");
        }
        for path in [
            "",
            "files",
            "/",
            "//",
            "/a//b",
            "/..",
            "/../x",
            "/a/..",
            "/a/./b",
            "/%2e%2e/x",
            "/a/%2E./b",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/%252e%252e/x",
            "/..;/x",
            "/..;a=b/x",
            "/.;/x",
            "/a%00",
            "/a%0d%0ab",
            "/a%",
            "/a%zz",
            "/%ff",
            "/;x",
        ] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn an_operations_path_is_that_operation_however_it_is_written() {
        let there =
            |method, path: &str, family| Passage::of(&method, "x", path).unwrap().operation_there(family);
        for path in [
            "/chat/completions",
            "/v1/chat/completions",
            "/ch%61t/completions",
            "/chat/completions/",
            "/chat;a=b/completions",
        ] {
            assert_eq!(there(Method::POST, path, Family::OpenAi), Some(Operation::Chat), "{path}");
            assert_eq!(there(Method::GET, path, Family::OpenAi), None, "{path}");
            assert_eq!(there(Method::POST, path, Family::Anthropic), None, "{path}");
        }
        assert_eq!(there(Method::POST, "/v1/messages", Family::Anthropic), Some(Operation::Messages));
        assert_eq!(there(Method::POST, "/v2/chat", Family::Cohere), Some(Operation::CohereChat));
        assert_eq!(there(Method::POST, "/chat", Family::Cohere), None);
        assert_eq!(there(Method::POST, "/generateContent", Family::Gemini), None);
        assert_eq!(there(Method::POST, "/fine_tuning/jobs", Family::OpenAi), None);
    }

    #[test]
    fn providers_and_their_paths_are_told_apart() {
        assert_eq!(provider_in("/providers/openai/files/x"), Some(("openai", "/files/x")));
        for path in ["/providers/openai", "/providers", "/v1/providers/openai/x"] {
            assert_eq!(provider_in(path), None, "{path}");
        }
        let passage = |provider, path| Passage::of(&Method::GET, provider, path);
        assert!(passage("openai", "/files").is_ok());
        assert!(
            passage("", "/files").is_err()
                && passage("Open%41I", "/files").is_err()
                && passage("..", "/x").is_err()
        );
        assert!(Passage::of(&Method::TRACE, "openai", "/files").is_err());
    }
}
