//! How a key is shown to its provider: in a header, or by what it signs.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use topdog_domain::provider::ProviderApi;

use crate::aws::AwsKey;
use crate::cache::OpenedKey;
use crate::google;

/// What a request carries of its key.
pub enum Shown<'k> {
    /// One header.
    Header(HeaderName, HeaderValue),
    /// The headers that [`AwsKey::sign`] makes of the whole request.
    Signature(AwsKey<'k>),
}

impl OpenedKey {
    /// What a request to a provider with that API carries; none where the key can't be carried. Only the forwarding
    /// step may ask.
    #[must_use]
    pub fn shown_to(&self, api: ProviderApi) -> Option<Shown<'_>> {
        let key = self.expose();
        // What signs is never sent, also where the provider's API is another now than the key was brought for.
        if google::is_word(key) || (api != ProviderApi::Bedrock && AwsKey::read(key).is_some()) {
            return None;
        }
        let (name, scheme) = match api {
            ProviderApi::OpenAi | ProviderApi::Cohere | ProviderApi::Vertex => {
                (header::AUTHORIZATION, BEARER)
            }
            ProviderApi::Anthropic => (HeaderName::from_static("x-api-key"), ""),
            ProviderApi::Gemini => (HeaderName::from_static("x-goog-api-key"), ""),
            // Entra's tokens stand where Azure's own keys don't.
            ProviderApi::Azure if is_jwt(key) => (header::AUTHORIZATION, BEARER),
            ProviderApi::Azure => (HeaderName::from_static("api-key"), ""),
            ProviderApi::Bedrock => match AwsKey::read(key) {
                Some(pair) => return Some(Shown::Signature(pair)),
                // The half that signs would be sent.
                None if AwsKey::is_meant(key) => return None,
                None => (header::AUTHORIZATION, BEARER),
            },
        };
        let mut value = Vec::with_capacity(scheme.len() + key.len());
        value.extend_from_slice(scheme.as_bytes());
        value.extend_from_slice(key.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(value)).ok()?;
        value.set_sensitive(true);
        Some(Shown::Header(name, value))
    }
}

const BEARER: &str = "Bearer ";

/// Is it a token of three parts (RFC 7519)?
fn is_jwt(key: &str) -> bool {
    key.starts_with("eyJ") && key.bytes().filter(|byte| *byte == b'.').count() == 2
}
