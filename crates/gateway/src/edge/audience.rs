//! Who hears a refusal, as far as the path tells: the management API and each family have a shape of their own.

use crate::passthrough::PROVIDERS;
use topdog_domain::provider::Family;

/// The clients of one shape of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Those of the management API.
    Management,
    /// Those of a model API.
    Model(Family),
}

impl Audience {
    /// Who asks for that path.
    pub(crate) fn of(path: &[u8]) -> Self {
        if path.starts_with(b"/api/") { Self::Management } else { Self::Model(family_of(path)) }
    }
}

/// Is that a path of the data plane, or meant to be one?
pub(crate) fn is_of_models(path: &str) -> bool {
    MODEL_PATHS.iter().chain(&MISSPELT).any(|beginning| path.starts_with(beginning))
}

/// What paths begin with whose client has another base URL than it should, such as one without its `/v1`: they lead
/// nowhere, and are told so in the dialect.
const MISSPELT: [&str; 8] =
    ["/chat/", "/completions", "/embeddings", "/responses", "/messages", "/models", "/v1", "//"];

/// What the paths of the data plane begin with, the commonest first.
const MODEL_PATHS: [&str; 4] = ["/v1/", "/v2/", "/v1beta/", PROVIDERS];

/// The family that has that path, whether or not something is there.
fn family_of(path: &[u8]) -> Family {
    let behind = path.strip_prefix(b"/v1/messages");
    let is_messages = behind.is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b'?')));
    match () {
        () if is_messages => Family::Anthropic,
        () if path.starts_with(b"/v2/") => Family::Cohere,
        () if path.starts_with(b"/v1beta/") => Family::Gemini,
        () => Family::OpenAi,
    }
}
