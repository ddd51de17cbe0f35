//! What a caller says, said to a provider that speaks otherwise, and what that answers, said to the caller.
//!
//! Operation and provider alone decide whether anything is translated ([`Way`]): where both speak the same, bytes pass as
//! they came and never get here. A request is translated once, before anything is reserved ([`request`]); its
//! [`Translation`] goes with it and translates what comes back. The dialects themselves are `topdog_wire::translate`.

mod dropped;
mod request;
mod traits;

pub(crate) use dropped::listed;
pub(crate) use request::{Told, translate};

use bytes::Bytes;
use http::HeaderValue;
use http::header::HeaderName;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::provider::{Family, Operation, ProviderApi};
use topdog_domain::{RequestId, Timestamp};
use topdog_wire::translate::embeddings::{self, AnswerShape, EmbeddingContext, EmbeddingDialect};
use topdog_wire::translate::{self, AnswerContext, BadAnswer, Dialect, StreamTranslator, TranslatedAnswer};

/// Asks for lenient translation; in answers, names the dialect that was translated.
pub(crate) const X_TRANSLATION: HeaderName = HeaderName::from_static("x-topdog-translation");
/// What of a request was left out.
pub(crate) const X_DROPPED: HeaderName = HeaderName::from_static("x-topdog-dropped");
/// What of an answer was left out.
pub(crate) const X_DROPPED_ANSWER: HeaderName = HeaderName::from_static("x-topdog-dropped-answer");

/// How a request gets from its caller's words to its provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it came: both speak the same.
    Native,
    /// Translated.
    Translated(Pair),
}

/// Two dialects of the same kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    /// A conversation.
    Chat { caller: Dialect, provider: Dialect },
    /// Embeddings.
    Embeddings { caller: EmbeddingDialect, provider: EmbeddingDialect },
}

impl Way {
    /// The way to a provider with that API; none where it has nothing like the operation.
    pub(crate) const fn between(operation: Operation, provider: ProviderApi) -> Option<Self> {
        let pair = match (operation, provider) {
            (Operation::Passthrough | Operation::Resource, _) => return Some(Self::Native),
            (Operation::Moderations, ProviderApi::Azure)
            | (Operation::EmbedContent | Operation::BatchEmbedContents, ProviderApi::Vertex) => return None,
            _ if speaks(provider, operation.family()) => return Some(Self::Native),
            (Operation::Chat, _) => conversation(Dialect::OpenAiChat, provider),
            (Operation::Responses, _) => conversation(Dialect::OpenAiResponses, provider),
            (Operation::Messages, _) => conversation(Dialect::Anthropic, provider),
            (Operation::CohereChat, _) => conversation(Dialect::Cohere, provider),
            (Operation::GenerateContent, _) => conversation(Dialect::Gemini, provider),
            (Operation::Embeddings, _) => return texts(EmbeddingDialect::OpenAi, provider),
            (Operation::CohereEmbed, _) => return texts(EmbeddingDialect::Cohere, provider),
            (Operation::EmbedContent | Operation::BatchEmbedContents, _) => {
                return texts(EmbeddingDialect::Gemini, provider);
            }
            _ => return None,
        };
        Some(Self::Translated(pair))
    }
}

/// Does a provider with that API speak the family's dialect?
const fn speaks(provider: ProviderApi, family: Family) -> bool {
    match provider.family() {
        Some(spoken) => spoken as u8 == family as u8,
        None => false,
    }
}

const fn conversation(caller: Dialect, provider: ProviderApi) -> Pair {
    let provider = match provider {
        // What all who are like OpenAI have.
        ProviderApi::OpenAi | ProviderApi::Azure => Dialect::OpenAiChat,
        ProviderApi::Anthropic => Dialect::Anthropic,
        ProviderApi::Cohere => Dialect::Cohere,
        ProviderApi::Gemini | ProviderApi::Vertex => Dialect::Gemini,
        ProviderApi::Bedrock => Dialect::BedrockConverse,
    };
    Pair::Chat { caller, provider }
}

/// The way of texts to be embedded; none where the provider's family has nothing like it.
const fn texts(caller: EmbeddingDialect, provider: ProviderApi) -> Option<Way> {
    let provider = match provider {
        ProviderApi::OpenAi | ProviderApi::Azure => EmbeddingDialect::OpenAi,
        ProviderApi::Cohere => EmbeddingDialect::Cohere,
        ProviderApi::Gemini => EmbeddingDialect::Gemini,
        ProviderApi::Anthropic | ProviderApi::Bedrock | ProviderApi::Vertex => return None,
    };
    Some(Way::Translated(Pair::Embeddings { caller, provider }))
}

impl Pair {
    /// The provider's dialect by name, as a header's value.
    const fn provider_name(self) -> &'static str {
        match self {
            Self::Chat { provider, .. } => provider.name(),
            Self::Embeddings { provider: EmbeddingDialect::OpenAi, .. } => "openai",
            Self::Embeddings { provider: EmbeddingDialect::Cohere, .. } => "cohere",
            Self::Embeddings { provider: EmbeddingDialect::Gemini, .. } => "gemini",
        }
    }

    /// The dialects of errors: the caller's, and the provider's.
    const fn of_errors(self) -> (Dialect, Dialect) {
        match self {
            Self::Chat { caller, provider } => (caller, provider),
            Self::Embeddings { caller, provider } => (errors_beside(caller), errors_beside(provider)),
        }
    }
}

/// The conversation's dialect whose errors embeddings share.
const fn errors_beside(dialect: EmbeddingDialect) -> Dialect {
    match dialect {
        EmbeddingDialect::OpenAi => Dialect::OpenAiChat,
        EmbeddingDialect::Cohere => Dialect::Cohere,
        EmbeddingDialect::Gemini => Dialect::Gemini,
    }
}

/// What is needed to tell a request's answer in its caller's dialect.
pub(crate) struct Translation {
    pair: Pair,
    /// Ids that the provider doesn't give are made of it.
    id: String,
    at: Timestamp,
    model: Arc<str>,
    wants_usage: bool,
    vectors: AnswerShape,
    /// What was left out of the request, where its caller allowed that.
    dropped: Option<HeaderValue>,
}

impl Translation {
    fn new(pair: Pair, request: RequestId, at: Timestamp, model: Arc<str>) -> Self {
        Self {
            pair,
            id: request.uuid().simple().to_string(),
            at,
            model,
            wants_usage: false,
            vectors: AnswerShape::default(),
            dropped: None,
        }
    }

    /// A whole answer.
    pub(crate) fn answer(&self, body: &[u8]) -> Result<TranslatedAnswer, BadAnswer> {
        match self.pair {
            Pair::Chat { caller, provider } => translate::answer(provider, caller, body, &self.context()),
            Pair::Embeddings { caller, provider } => {
                let context = EmbeddingContext { id: &self.id, model: &self.model, shape: self.vectors };
                embeddings::answer(provider, caller, body, &context)
            }
        }
    }

    /// An error: its status and body.
    pub(crate) fn error(&self, status: u16, body: &[u8]) -> (u16, Bytes) {
        let (caller, provider) = self.pair.of_errors();
        translate::error(provider, caller, status, body)
    }

    /// How long an error asks to wait in its body.
    pub(crate) fn retry_after(&self, body: &[u8]) -> Option<Duration> {
        translate::retry_after(self.pair.of_errors().1, body)
    }

    /// What translates a stream; none where such an answer is never one.
    pub(crate) fn stream(&self) -> Option<StreamTranslator> {
        match self.pair {
            Pair::Chat { caller, provider } => Some(StreamTranslator::new(provider, caller, &self.context())),
            Pair::Embeddings { .. } => None,
        }
    }

    /// What is said of it in an answer's head.
    pub(crate) fn say(&self, headers: &mut http::HeaderMap) {
        headers.insert(X_TRANSLATION, HeaderValue::from_static(self.pair.provider_name()));
        if let Some(dropped) = &self.dropped {
            headers.insert(X_DROPPED, dropped.clone());
        }
    }

    fn context(&self) -> AnswerContext<'_> {
        AnswerContext {
            id: &self.id,
            created: u64::try_from(self.at.micros() / 1_000_000).unwrap_or_default(),
            model: &self.model,
            wants_usage: self.wants_usage,
            is_json_array: false,
        }
    }
}
