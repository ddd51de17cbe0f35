//! Where providers are: base URLs taken apart once, not for every request.

use crate::config::ProviderConfig;
use crate::translation::Pair;
use http::{HeaderValue, Uri};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::rc::Rc;
use topdog_domain::provider::{Family, Manner, Operation, ProviderApi, ProviderName};
use topdog_domain::tenant::Endpoint;
use topdog_egress::{BaseUrl, Origin};
use topdog_wire::translate::Dialect;
use topdog_wire::translate::embeddings::EmbeddingDialect;

/// A place that requests can be sent to.
pub(crate) struct Target {
    /// Whose, as a header's value.
    pub(crate) provider_header: HeaderValue,
    /// How it is spoken to.
    pub(crate) manner: Manner,
    /// Can a stream be asked for its usage there, in OpenAI's dialect?
    pub(crate) takes_stream_options: bool,
    base: BaseUrl,
    paths: [Option<Uri>; Operation::ALL.len()],
}

impl Target {
    fn new(name: &str, base: BaseUrl, manner: Manner, takes_stream_options: bool) -> Self {
        // A provider's name is made of letters, digits, `-`, `_` and `.`.
        let provider_header = HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("unknown"));
        let paths = Operation::ALL.map(|operation| base.join(&path_of(operation)).ok());
        Self { provider_header, manner, takes_stream_options, base, paths }
    }

    /// The origin, which a provider key must be bound to.
    pub(crate) fn origin(&self) -> &Origin {
        self.base.origin()
    }

    /// The path of an operation there that comes in its own dialect, with the client's query where it sent one.
    pub(crate) fn uri(&self, operation: Operation, model: &str, query: Option<&str>) -> Option<Uri> {
        match (self.manner.api_version(), query) {
            (None, None) => self.paths.get(operation as usize)?.clone(),
            (None, Some(query)) => self.base.join(&format!("{}?{query}", path_of(operation))).ok(),
            (Some(version), _) => self.deployment(operation, model, version),
        }
    }

    /// The path of a deployment of Azure's, where its API has versions by date (learn.microsoft.com, "Azure OpenAI REST
    /// API reference"). What the client's own query says could contradict the version, and OpenAI's has none.
    fn deployment(&self, operation: Operation, model: &str, version: &str) -> Option<Uri> {
        let path = operation.path();
        let path = match operation {
            Operation::Responses => format!("/{path}?api-version={version}"),
            _ => format!("/deployments/{}/{path}?api-version={version}", segment(model)),
        };
        self.base.join(&path).ok()
    }
}

/// An operation's path behind a base URL, which has the version where that is of OpenAI's or Anthropic's family.
fn path_of(operation: Operation) -> String {
    match operation.family() {
        Family::OpenAi | Family::Anthropic => format!("/{}", operation.path()),
        Family::Cohere | Family::Gemini => format!("/{}/{}", operation.version(), operation.path()),
    }
}

/// Where a request goes whose path names its model, in Gemini's own API.
impl Target {
    /// The path of that operation of a model. A stream is asked for as events, whatever its caller gets.
    pub(crate) fn addressed_uri(&self, operation: Operation, model: &str, is_stream: bool) -> Option<Uri> {
        if is_stream { self.gemini(model, STREAM_METHOD) } else { self.gemini(model, operation.path()) }
    }
}

/// Where what is passed through goes.
impl Target {
    /// Does its API name a model in the path, in a way that nothing but its own operations is read for?
    pub(crate) fn names_models_in_paths(&self) -> bool {
        match self.manner.api() {
            ProviderApi::Bedrock | ProviderApi::Vertex => true,
            _ => self.manner.api_version().is_some(),
        }
    }

    /// A path behind the base URL, and no other place. Clients that put the version before it themselves need not know
    /// that the base URL has it already.
    pub(crate) fn passage_uri(&self, path: &str, query: Option<&str>) -> Option<Uri> {
        let has_version = self.base.path_prefix().ends_with("/v1");
        let path = match path.strip_prefix("/v1") {
            Some(rest) if has_version && rest.starts_with('/') => rest,
            _ => path,
        };
        match query {
            None => self.base.join(path).ok(),
            Some(query) => self.base.join(&format!("{path}?{query}")).ok(),
        }
    }
}

/// How a stream is asked for, and as events.
const STREAM_METHOD: &str = "streamGenerateContent?alt=sse";

/// Where a translated request goes: the paths of the makers' manuals.
impl Target {
    /// The path of a pair's provider side. A model in it is text of the caller's, and is made a single segment.
    pub(crate) fn translated_uri(&self, pair: Pair, model: &str, is_stream: bool) -> Option<Uri> {
        let operation = match pair {
            Pair::Chat { provider: Dialect::OpenAiChat, .. } => Operation::Chat,
            Pair::Chat { provider: Dialect::Anthropic, .. } => Operation::Messages,
            Pair::Chat { provider: Dialect::Cohere, .. } => Operation::CohereChat,
            Pair::Chat { provider: Dialect::Gemini, .. } if is_stream => {
                return self.gemini(model, STREAM_METHOD);
            }
            Pair::Chat { provider: Dialect::Gemini, .. } => return self.gemini(model, "generateContent"),
            Pair::Embeddings { provider: EmbeddingDialect::OpenAi, .. } => Operation::Embeddings,
            Pair::Embeddings { provider: EmbeddingDialect::Cohere, .. } => Operation::CohereEmbed,
            Pair::Embeddings { provider: EmbeddingDialect::Gemini, .. } => {
                return self.gemini(model, "batchEmbedContents");
            }
            Pair::Chat { provider: Dialect::BedrockConverse, .. } => {
                let method = if is_stream { "converse-stream" } else { "converse" };
                return self.base.join(&format!("/model/{}/{method}", segment(model))).ok();
            }
            // No pair has these on the provider's side.
            Pair::Chat { provider: Dialect::OpenAiResponses, .. } => return None,
        };
        self.uri(operation, model, None)
    }

    fn gemini(&self, model: &str, method: &str) -> Option<Uri> {
        let models = match self.manner.api() {
            // Below the base's project and location.
            ProviderApi::Vertex => "/publishers/google/models",
            _ => "/v1beta/models",
        };
        self.base.join(&format!("{models}/{}:{method}", segment(model))).ok()
    }
}

/// A text as one segment of a path (RFC 3986, 2.3).
fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// A thread's targets: the configured providers', and those of the customers' endpoints it has met.
pub(crate) struct Routes {
    providers: HashMap<ProviderName, Rc<Target>>,
    endpoints: RefCell<HashMap<String, Rc<Target>>>,
}

/// Beyond this many, endpoints' targets are made anew for want of a place.
const MOST_ENDPOINTS: usize = 10_000;

impl Routes {
    pub(crate) fn new(providers: &[ProviderConfig]) -> Self {
        let target = |provider: &ProviderConfig| {
            let ProviderConfig { name, base, manner, takes_stream_options } = provider;
            let target = Target::new(name.as_str(), base.clone(), manner.clone(), *takes_stream_options);
            (name.clone(), Rc::new(target))
        };
        Self { providers: providers.iter().map(target).collect(), endpoints: RefCell::default() }
    }

    /// The target of a configured provider.
    pub(crate) fn provider(&self, name: &str) -> Option<Rc<Target>> {
        self.providers.get(name).cloned()
    }

    /// The target of a customer's endpoint; none where its base URL can't be one.
    pub(crate) fn endpoint(&self, endpoint: &Endpoint) -> Option<Rc<Target>> {
        let Endpoint { name, base_url, manner, .. } = endpoint;
        let mut endpoints = self.endpoints.borrow_mut();
        if let Some(target) = endpoints.get(base_url)
            && target.provider_header == name.as_str()
            && target.manner == *manner
        {
            return Some(target.clone());
        }
        if endpoints.len() >= MOST_ENDPOINTS {
            endpoints.clear();
        }
        let base = BaseUrl::parse(base_url).ok()?;
        let target = Rc::new(Target::new(name.as_str(), base, manner.clone(), true));
        endpoints.insert(base_url.to_owned(), target.clone());
        Some(target)
    }
}
