//! Plaintext and its manners: wiped when dropped, shown by nothing, never copied by accident.

use serde::Deserialize;
use topdog_domain::provider::ProviderApi;
use zeroize::Zeroize;

use crate::aws::AwsKey;
use crate::google;

/// The most characters that a provider key may have.
const MAX_KEY_LEN: usize = 4096;

/// Secret text, such as a provider key or a token.
///
/// It can't be shown, by intent or by a derive on something that holds it:
/// ```compile_fail
/// let secret = topdog_vault::SecretText::new("sk-1".to_owned());
/// println!("{secret:?}");
/// ```
/// ```compile_fail
/// let secret = topdog_vault::SecretText::new("sk-1".to_owned());
/// println!("{secret}");
/// ```
/// nor copied:
/// ```compile_fail
/// let secret = topdog_vault::SecretText::new("sk-1".to_owned());
/// let _ = secret.clone();
/// ```
/// nor written into an answer:
/// ```compile_fail
/// let secret = topdog_vault::SecretText::new("sk-1".to_owned());
/// serde_json::to_string(&secret);
/// ```
/// nor compared, which would tell by its timing how much of a guess is right:
/// ```compile_fail
/// let secret = topdog_vault::SecretText::new("sk-1".to_owned());
/// let _ = secret == secret;
/// ```
/// What it can do is be read, by name:
/// ```
/// let secret = topdog_vault::SecretText::new("sk-1".to_owned());
/// assert_eq!(secret.expose(), "sk-1");
/// ```
#[derive(Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text over; no copy of it is made.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The plaintext. Every call of this is a place to ask: why here?
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Can this be a provider key, which becomes a header's value: visible ASCII without spaces, 1 to 4096
    /// characters?
    ///
    /// # Errors
    /// Where it can't; the error does not say which character it was.
    pub fn check_as_key(&self) -> Result<(), BadSecret> {
        let is_good =
            (1..=MAX_KEY_LEN).contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_graphic());
        if is_good { Ok(()) } else { Err(BadSecret::NoKey) }
    }

    /// The text as it is kept as a key for a provider with that API. Amazon's pair must be one; the JSON of a service
    /// account of Google's becomes one word.
    ///
    /// # Errors
    /// Where it can't be a key there; the error does not say what of it.
    pub fn into_key_for(self, api: ProviderApi) -> Result<Self, BadSecret> {
        if api == ProviderApi::Vertex && is_json(&self.0) {
            return google::word(&self.0);
        }
        self.check_as_key()?;
        let is_broken_pair = || AwsKey::read(&self.0).is_none() && AwsKey::is_meant(&self.0);
        if api == ProviderApi::Bedrock && is_broken_pair() {
            return Err(BadSecret::NoPair);
        }
        Ok(self)
    }

    /// The text as a key, where it is not known for which API: what was fetched from elsewhere.
    pub(crate) fn into_key(self) -> Result<Self, BadSecret> {
        let api = if is_json(&self.0) { ProviderApi::Vertex } else { ProviderApi::OpenAi };
        self.into_key_for(api)
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Secret bytes, such as an answer that holds a key.
///
/// As mute as [`SecretText`]:
/// ```compile_fail
/// let secret = topdog_vault::SecretBytes::new(vec![1]);
/// println!("{secret:?}");
/// ```
/// ```compile_fail
/// let secret = topdog_vault::SecretBytes::new(vec![1]);
/// let _ = secret.clone();
/// ```
/// ```compile_fail
/// let secret = topdog_vault::SecretBytes::new(vec![1]);
/// serde_json::to_string(&secret);
/// ```
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over; no copy of them is made.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The plaintext. Every call of this is a place to ask: why here?
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The same bytes as text; none where they are not UTF-8.
    #[must_use]
    pub fn into_text(mut self) -> Option<SecretText> {
        match String::from_utf8(std::mem::take(&mut self.0)) {
            Ok(text) => Some(SecretText::new(text)),
            Err(not_text) => {
                not_text.into_bytes().zeroize();
                None
            }
        }
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The text can't be a provider key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// It can't be any.
    #[error(
        "a provider key is 1 to 4096 visible ascii characters without spaces; paste it again, without quotes or line ends"
    )]
    NoKey,
    /// It is neither a pair of Amazon's nor a bearer key.
    #[error(
        "a key for bedrock is ACCESS_KEY_ID:SECRET, ACCESS_KEY_ID:SECRET:SESSION_TOKEN or a bedrock api key"
    )]
    NoPair,
    /// It is JSON, and no key of a service account.
    #[error("that is no key of a google service account; give the whole json file, with its private key")]
    NoServiceAccount,
}
