//! The families of APIs: who shaped a request, its errors and its way to carry a key.

use serde::{Deserialize, Serialize};

/// Whose API something speaks. A caller speaks the family of the endpoint that it calls, a provider the one that its
/// configuration names; where the two differ, what passes is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// OpenAI's, and that of all who speak like it: `Authorization: Bearer`, `{"error": {…}}`.
    OpenAi,
    /// Anthropic's: `x-api-key` and `anthropic-version`, `{"type": "error", "error": {…}}`.
    Anthropic,
    /// Cohere's, version 2: `Authorization: Bearer`, `{"id", "message"}`.
    Cohere,
    /// Google's Gemini: `x-goog-api-key`, `{"error": {"code", "message", "status"}}`.
    Gemini,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Anthropic, Self::Cohere, Self::Gemini];

    /// The stable name, as in configuration and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Cohere => "cohere",
            Self::Gemini => "gemini",
        }
    }

    /// The family of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}
