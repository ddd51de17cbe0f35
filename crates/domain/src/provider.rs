//! Providers, and the kinds of request that can be made of them.

mod family;
mod manner;

pub use family::Family;
pub use manner::{BadManner, Manner, ProviderApi};

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A provider's name: `openai`, a custom endpoint's name, or `test` for the built-in echo.
///
/// Lower-case letters, digits, `-`, `_` and `.`, 1 to 64 of them, beginning with a letter or a digit:
/// it becomes the part of a model name before the first `/`, so it can't hold one itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ProviderName(Arc<str>);

/// The text can't name a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a provider name is 1 to 64 lower-case letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
)]
pub struct BadProviderName;

impl ProviderName {
    /// The name, where the text can be one.
    ///
    /// # Errors
    /// Where it holds other characters, or is empty or too long.
    pub fn parse(text: &str) -> Result<Self, BadProviderName> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        let first = text.bytes().next().ok_or(BadProviderName)?;
        if text.len() > 64 || !first.is_ascii_alphanumeric() || !text.bytes().all(good) {
            return Err(BadProviderName);
        }
        Ok(Self(text.into()))
    }

    /// OpenAI itself.
    #[must_use]
    pub fn openai() -> Self {
        Self("openai".into())
    }

    /// The built-in test provider, whose only model is `echo`.
    #[must_use]
    pub fn test() -> Self {
        Self("test".into())
    }

    /// The provider of a request that was refused before one was known.
    #[must_use]
    pub fn none() -> Self {
        Self("none".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ProviderName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProviderName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The providers that Top Dog knows by name beside the customer's own endpoints.
/// `TEAMS-*` may use these and custom ones; `ENTERPRISE-*` any.
pub const MAJOR_PROVIDERS: &[&str] = &[
    "openai",
    "anthropic",
    "cohere",
    "azure",
    "gemini",
    "vertex",
    "bedrock",
    "mistral",
    "groq",
    "together",
    "fireworks",
    "deepseek",
    "xai",
    "perplexity",
    "openrouter",
    "cerebras",
    "nvidia",
    "huggingface",
];

/// One kind of request that may reach a model provider, by its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/moderations`
    Moderations,
    /// `POST /v1/images/generations`
    ImageGeneration,
    /// `POST /v1/images/edits`
    ImageEdit,
    /// `POST /v1/images/variations`
    ImageVariation,
    /// `POST /v1/audio/speech`
    Speech,
    /// `POST /v1/audio/transcriptions`
    Transcription,
    /// `POST /v1/audio/translations`
    AudioTranslation,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`. It makes no text, uses no tokens and costs nothing, and yet it is an LLM request
    /// as any other: it reaches a model provider with the customer's key, which is what counts (BRIEF part 2), and
    /// the provider limits its rate.
    CountTokens,
    /// `POST /v2/chat`, Cohere's.
    CohereChat,
    /// `POST /v2/embed`
    CohereEmbed,
    /// `POST /v2/rerank`
    Rerank,
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`, Gemini's.
    GenerateContent,
    /// `POST /v1beta/models/{model}:embedContent`
    EmbedContent,
    /// `POST /v1beta/models/{model}:batchEmbedContents`
    BatchEmbedContents,
    /// `POST /v1beta/models/{model}:countTokens`. As [`CountTokens`](Self::CountTokens), it is an LLM request.
    CountContentTokens,
    /// `/providers/{provider}/…`: what Top Dog has no operation of its own for, and may run a model.
    Passthrough,
    /// What a provider keeps (responses, files, batches): read, stored, deleted, by paths of its own or by
    /// `/providers/{provider}/…`. No model runs.
    Resource,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 22] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Moderations,
        Self::ImageGeneration,
        Self::ImageEdit,
        Self::ImageVariation,
        Self::Speech,
        Self::Transcription,
        Self::AudioTranslation,
        Self::Messages,
        Self::CountTokens,
        Self::CohereChat,
        Self::CohereEmbed,
        Self::Rerank,
        Self::GenerateContent,
        Self::EmbedContent,
        Self::BatchEmbedContents,
        Self::CountContentTokens,
        Self::Passthrough,
        Self::Resource,
    ];

    /// Whose API it is of, and so who shapes its requests, answers and errors. What is passed through is of its provider's,
    /// whichever that is, and told of as OpenAI's.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Messages | Self::CountTokens => Family::Anthropic,
            Self::CohereChat | Self::CohereEmbed | Self::Rerank => Family::Cohere,
            Self::GenerateContent
            | Self::EmbedContent
            | Self::BatchEmbedContents
            | Self::CountContentTokens => Family::Gemini,
            Self::Chat
            | Self::Completions
            | Self::Embeddings
            | Self::Responses
            | Self::Moderations
            | Self::ImageGeneration
            | Self::ImageEdit
            | Self::ImageVariation
            | Self::Speech
            | Self::Transcription
            | Self::AudioTranslation
            | Self::Passthrough
            | Self::Resource => Family::OpenAi,
        }
    }

    /// The version of its API, with which its path begins on our side. A provider's base URL has it already where that
    /// is of OpenAI's or Anthropic's family.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self.family() {
            Family::OpenAi | Family::Anthropic => "v1",
            Family::Cohere => "v2",
            Family::Gemini => "v1beta",
        }
    }

    /// The path behind the version, on our side and on a provider's of the same family; of Gemini's the method alone, since
    /// the model stands before it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Moderations => "moderations",
            Self::ImageGeneration => "images/generations",
            Self::ImageEdit => "images/edits",
            Self::ImageVariation => "images/variations",
            Self::Speech => "audio/speech",
            Self::Transcription => "audio/transcriptions",
            Self::AudioTranslation => "audio/translations",
            Self::Messages => "messages",
            Self::CountTokens => "messages/count_tokens",
            Self::CohereChat => "chat",
            Self::CohereEmbed => "embed",
            Self::Rerank => "rerank",
            Self::GenerateContent => "generateContent",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbedContents => "batchEmbedContents",
            Self::CountContentTokens => "countTokens",
            Self::Passthrough | Self::Resource => "",
        }
    }

    /// Has it one path, whatever is asked for?
    #[must_use]
    pub const fn has_path(self) -> bool {
        !matches!(self, Self::Passthrough | Self::Resource) && !matches!(self.family(), Family::Gemini)
    }

    /// Is it understood, so that what it used can be estimated where no provider tells it?
    #[must_use]
    pub const fn is_understood(self) -> bool {
        !matches!(self, Self::Passthrough | Self::Resource)
    }

    /// The operation at that path, version and all: `/v1/chat/completions`. None of Gemini's, whose paths name a model.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
        let found = Self::ALL.into_iter().find(|o| o.path() == rest && o.version() == version);
        found.filter(|operation| operation.has_path())
    }

    /// What records and metrics call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Moderations => "moderations",
            Self::ImageGeneration => "image_generation",
            Self::ImageEdit => "image_edit",
            Self::ImageVariation => "image_variation",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::AudioTranslation => "audio_translation",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::CohereChat => "cohere_chat",
            Self::CohereEmbed => "cohere_embed",
            Self::Rerank => "rerank",
            Self::GenerateContent => "generate_content",
            Self::EmbedContent => "embed_content",
            Self::BatchEmbedContents => "batch_embed_contents",
            Self::CountContentTokens => "count_content_tokens",
            Self::Passthrough => "passthrough",
            Self::Resource => "resource",
        }
    }

    /// Is it part of *basic* OpenAI, all that FREE has of it (BRIEF part 2)?
    #[must_use]
    pub const fn is_basic(self) -> bool {
        matches!(self, Self::Chat | Self::Completions | Self::Embeddings | Self::Responses)
    }

    /// Does a model answer it with text?
    #[must_use]
    pub const fn answers_with_text(self) -> bool {
        matches!(self, Self::Chat | Self::Completions | Self::Responses | Self::Messages | Self::CohereChat)
    }

    /// Is its request body `multipart/form-data` rather than JSON?
    #[must_use]
    pub const fn is_multipart(self) -> bool {
        matches!(self, Self::ImageEdit | Self::ImageVariation | Self::Transcription | Self::AudioTranslation)
    }
}
