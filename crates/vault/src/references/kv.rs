//! A KV version 2 engine of HashiCorp Vault or OpenBao.
//!
//! Wire format: `GET {base}/v1/{mount}/data/{path}` with `X-Vault-Token` and, where there is one,
//! `X-Vault-Namespace`; the answer is `{"data": {"data": {FIELD: VALUE}, "metadata": …}}`
//! (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, "Read secret version").

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use topdog_egress::{AnswerLimits, BaseUrl, Client};
use zeroize::Zeroize as _;

use super::ReferenceError;
use crate::secret::SecretText;

/// The server, and what it knows us by.
pub struct KvServer {
    client: Client,
    base: BaseUrl,
    token: HeaderValue,
    namespace: Option<HeaderValue>,
    limits: AnswerLimits,
}

impl KvServer {
    /// A server at that address, such as `https://vault.example.com:8200`, reached through that client's guard.
    ///
    /// # Errors
    /// [`ReferenceError::Denied`] where token or namespace can't be a header's value.
    pub fn new(
        client: Client,
        base: BaseUrl,
        token: &SecretText,
        namespace: Option<&str>,
    ) -> Result<Self, ReferenceError> {
        let header = |text: &str| HeaderValue::from_str(text).map_err(|_| ReferenceError::Denied);
        let mut token = header(token.expose().trim())?;
        token.set_sensitive(true);
        Ok(Self {
            client,
            base,
            token,
            namespace: namespace.map(header).transpose()?,
            limits: AnswerLimits { timeout: Duration::from_secs(5), max_body_bytes: 64 * 1024 },
        })
    }

    pub(super) async fn fetch(
        &self,
        mount: &str,
        path: &str,
        field: &str,
    ) -> Result<SecretText, ReferenceError> {
        let uri = self.base.join(&format!("/v1/{mount}/data/{path}")).map_err(ReferenceError::Unreachable)?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert("x-vault-token", self.token.clone());
        if let Some(namespace) = &self.namespace {
            request.headers_mut().insert("x-vault-namespace", namespace.clone());
        }
        let answer = self
            .client
            .request(self.base.origin(), request, self.limits)
            .await
            .map_err(ReferenceError::Unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(ReferenceError::NoField),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(ReferenceError::Denied),
            _ => return Err(ReferenceError::Unusable),
        }
        let body = answer.into_body();
        let found = read_field(&body, field);
        // Ours alone by now, so the plaintext can be wiped here too.
        if let Ok(mut body) = body.try_into_mut() {
            body.as_mut().zeroize();
        }
        found
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Versioned<'a>,
}

#[derive(Deserialize)]
struct Versioned<'a> {
    /// None where the version is deleted.
    #[serde(borrow)]
    data: Option<HashMap<String, &'a RawValue>>,
}

fn read_field(body: &[u8], field: &str) -> Result<SecretText, ReferenceError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| ReferenceError::Unusable)?;
    let fields = answer.data.data.ok_or(ReferenceError::NoField)?;
    let value = fields.get(field).ok_or(ReferenceError::NoField)?;
    serde_json::from_str(value.get()).map_err(|_| ReferenceError::Unusable)
}
