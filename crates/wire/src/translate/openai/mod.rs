//! What OpenAI's two dialects, chat and Responses, have in common.

pub(super) mod cache;
pub(super) mod content;
pub(super) mod failure;
pub(super) mod settings;
pub(super) mod words;
