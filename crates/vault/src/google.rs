//! Keys of Google's service accounts, and the access tokens that they are exchanged for.
//!
//! From Google's manual, "Using OAuth 2.0 for Server to Server Applications": an assertion that the account's key
//! signs (RS256) is exchanged for a token that is good for an hour. Where, the operator says and not the key's text,
//! which is the customer's.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use serde::{Deserialize, Serialize};
use topdog_domain::Timestamp;
use topdog_egress::{AnswerLimits, BaseUrl, Client};
use zeroize::{Zeroize as _, Zeroizing};

use crate::references::ReferenceError;
use crate::secret::{BadSecret, SecretText};

/// What all that Vertex does is behind.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion may be used, seconds; an hour is the most.
const ASSERTION_SECONDS: i64 = 600;
/// A token that is said to be good for longer is asked for anew after so long, seconds.
const LONGEST_SECONDS: u64 = 12 * 3600;

/// What of a service account's key is needed.
#[derive(Deserialize)]
pub(crate) struct ServiceAccount {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key_id: String,
    private_key: SecretText,
}

impl ServiceAccount {
    /// The key that a word is; none where it is another kind of key.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let json = Zeroizing::new(STANDARD.decode(word).ok()?);
        Self::of_json(&json)
    }

    fn of_json(json: &[u8]) -> Option<Self> {
        let account: Self = serde_json::from_slice(json).ok()?;
        (account.kind == "service_account" && account.key_pair().is_some()).then_some(account)
    }

    fn key_pair(&self) -> Option<KeyPair> {
        let body = self.private_key.expose().trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?;
        let body = body.strip_suffix("-----END PRIVATE KEY-----")?;
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
        KeyPair::from_pkcs8(&der).ok()
    }

    /// What is exchanged for a token of that audience (RFC 7523).
    fn assertion(&self, audience: &str, now: Timestamp) -> Option<SecretText> {
        #[derive(Serialize)]
        struct Head<'a> {
            alg: &'a str,
            typ: &'a str,
            kid: &'a str,
        }
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            scope: &'a str,
            aud: &'a str,
            iat: i64,
            exp: i64,
        }
        let iat = now.micros().div_euclid(1_000_000);
        let head = Head { alg: "RS256", typ: "JWT", kid: &self.private_key_id };
        let claims = Claims {
            iss: &self.client_email,
            scope: SCOPE,
            aud: audience,
            iat,
            exp: iat.saturating_add(ASSERTION_SECONDS),
        };
        let mut text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&head).ok()?);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims).ok()?, &mut text);
        let pair = self.key_pair()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Some(SecretText::new(text))
    }
}

/// The JSON of a service account as one word, as every key is one: what is needed of it, in base64.
pub(crate) fn word(json: &str) -> Result<SecretText, BadSecret> {
    let account = ServiceAccount::of_json(json.as_bytes()).ok_or(BadSecret::NoServiceAccount)?;
    let quoted =
        |text: &str| serde_json::to_string(text).map(Zeroizing::new).map_err(|_| BadSecret::NoServiceAccount);
    let json = Zeroizing::new(format!(
        r#"{{"type":"service_account","client_email":{},"private_key_id":{},"private_key":{}}}"#,
        *quoted(&account.client_email)?,
        *quoted(&account.private_key_id)?,
        *quoted(account.private_key.expose())?,
    ));
    Ok(SecretText::new(STANDARD.encode(json.as_bytes())))
}

/// How a word begins, since its JSON does so.
const WORD_BEGINNING: &str = "eyJ0eXBlIjoic2VydmljZV9hY2NvdW50";

/// Is a key a service account's, as it is kept?
pub(crate) fn is_word(key: &str) -> bool {
    key.starts_with(WORD_BEGINNING)
}

/// Where assertions are exchanged for tokens.
pub struct TokenServer {
    client: Client,
    base: BaseUrl,
    uri: Uri,
}

/// An access token.
pub(crate) struct Token {
    pub(crate) secret: SecretText,
    /// How long it is good for.
    pub(crate) good_for: Duration,
}

impl TokenServer {
    /// A server at that URL, such as `https://oauth2.googleapis.com/token`, reached through that client's guard.
    ///
    /// # Errors
    /// [`ReferenceError::NoTokenServer`] where the URL has no path.
    pub fn new(client: Client, url: BaseUrl) -> Result<Self, ReferenceError> {
        let uri = url.path_prefix().parse().map_err(|_| ReferenceError::NoTokenServer)?;
        Ok(Self { client, base: url, uri })
    }

    /// Exchanges an account's assertion.
    pub(crate) async fn token(
        &self,
        account: &ServiceAccount,
        now: Timestamp,
    ) -> Result<Token, ReferenceError> {
        let assertion = account.assertion(&self.base.to_string(), now).ok_or(ReferenceError::TokenRefused)?;
        let body = format!("grant_type={}&assertion={}", GRANT.replace(':', "%3A"), assertion.expose());
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        let limits = AnswerLimits { timeout: Duration::from_secs(5), max_body_bytes: 64 * 1024 };
        let answer = self.client.request(self.base.origin(), request, limits).await;
        let answer = answer.map_err(ReferenceError::TokenUnreachable)?;
        let status = answer.status();
        let body = answer.into_body();
        let read = match status.as_u16() {
            200 => serde_json::from_slice::<TokenAnswer>(&body).map_err(|_| ReferenceError::TokenUnusable),
            400..=403 => Err(ReferenceError::TokenRefused),
            _ => Err(ReferenceError::TokenUnusable),
        };
        // Ours alone by now, so the plaintext can be wiped here too.
        if let Ok(mut body) = body.try_into_mut() {
            body.as_mut().zeroize();
        }
        let TokenAnswer { access_token, expires_in } = read?;
        access_token.check_as_key().map_err(|_| ReferenceError::TokenUnusable)?;
        Ok(Token { secret: access_token, good_for: Duration::from_secs(expires_in.min(LONGEST_SECONDS)) })
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretText,
    expires_in: u64,
}

#[cfg(test)]
mod tests {
    use super::{ServiceAccount, is_word, word};
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    fn account() -> serde_json::Value {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        json!({"private_key": pem, "type": "service_account", "private_key_id": "k", "client_email": "a@b",
            "project_id": "p", "token_uri": "https://evil.example"})
    }

    #[test]
    fn an_accounts_json_becomes_one_word_that_is_read_again() {
        let json = serde_json::to_string_pretty(&account()).unwrap();
        let word = word(&json).unwrap();
        assert!(is_word(word.expose()) && word.check_as_key().is_ok());
        let read = ServiceAccount::read(word.expose()).unwrap();
        assert_eq!((read.client_email.as_str(), read.private_key_id.as_str()), ("a@b", "k"));
        assert!(!is_word("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJ9.c2ln"), "a token is none");
    }

    #[test]
    fn what_is_no_key_of_an_account_is_refused_without_being_repeated() {
        let changed = |field: &str, value: &str| {
            let mut account = account();
            account[field] = value.into();
            account.to_string()
        };
        for bad in [
            "{}".to_owned(),
            "{".to_owned(),
            changed("type", "authorized_user"),
            changed("private_key", "canary"),
            changed("private_key", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----"),
        ] {
            let refused = word(&bad).map(|_| ()).unwrap_err().to_string();
            assert!(refused.contains("service account") && !refused.contains("canary"), "{refused}");
        }
    }
}
