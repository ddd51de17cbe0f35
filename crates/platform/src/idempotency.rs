//! Creates that can be repeated: the same idempotency-key with the same request gives the same answer, for a day.

use crate::authority::Trail;
use crate::body;
use crate::describe::{Gives, Operation, Takes};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::future::Future;
use std::marker::PhantomData;
use topdog_domain::ports::{IdempotencyClaim, Remembered};
use topdog_domain::{OrgId, Refusal};
use utoipa::ToSchema;

/// The body of a create, with what makes it repeatable.
pub(crate) struct Create<T> {
    /// What is to be made.
    pub(crate) body: T,
    once: Option<Once>,
}

/// What a request says of being done once.
struct Once {
    key: String,
    fingerprint: [u8; 32],
}

/// The same, with whose it is and since when.
struct Claimed<'a> {
    claim: IdempotencyClaim<'a>,
    fingerprint: [u8; 32],
}

impl Once {
    fn claim<'a>(&'a self, caller: &'a str, trail: &Trail) -> Claimed<'a> {
        let claim = IdempotencyClaim { caller, key: &self.key, at: trail.at };
        Claimed { claim, fingerprint: self.fingerprint }
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

impl<T: DeserializeOwned> FromRequest<Shared> for Create<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, platform: &Shared) -> Result<Self, Problem> {
        let key = key_of(request.headers())?;
        let path = request.uri().path().to_owned();
        let bytes = body::read(request).await?;
        let once = key.map(|key| Once { key, fingerprint: fingerprint(platform, &path, &bytes) });
        Ok(Self { body: body::parse(&bytes)?, once })
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(key) = sent.next() else { return Ok(None) };
    let is_good = (1..=255).contains(&key.len())
        && key.as_bytes().iter().all(u8::is_ascii_graphic)
        && sent.next().is_none();
    key.to_str()
        .ok()
        .filter(|_| is_good)
        .map(|key| Some(key.to_owned()))
        .ok_or(Refusal::BadHeader("idempotency-key").into())
}

/// A body may hold a provider key: who has the database alone must not be able to test guesses by what is kept of it.
fn fingerprint(platform: &Platform, path: &str, body: &[u8]) -> [u8; 32] {
    platform.parts.hasher.fingerprint("a create", &[path.as_bytes(), body])
}

/// The answer to a create: 201, made now or remembered.
pub(crate) struct Created<T> {
    body: Vec<u8>,
    is_replayed: bool,
    kind: PhantomData<T>,
}

impl<T> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = body::json(StatusCode::CREATED, self.body);
        if self.is_replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The same of what changes something that is there: 200.
pub(crate) struct Renewed<T>(pub(crate) Created<T>);

impl<T> IntoResponse for Renewed<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        *response.status_mut() = StatusCode::OK;
        response
    }
}

/// How an answer is kept for the day.
#[derive(Clone, Copy)]
pub(crate) enum Keep {
    /// As it is: it holds no secret.
    Plain,
    /// Sealed for the organisation: it shows a secret.
    SealedFor(OrgId),
}

impl<T> Create<T> {
    /// Makes it, once: where the same was asked before, gives the answer of then.
    pub(crate) async fn once<A, Making>(
        self,
        platform: &Platform,
        trail: &Trail,
        keep: Keep,
        make: impl FnOnce(T) -> Making,
    ) -> Result<Created<A>, Problem>
    where
        A: Serialize,
        Making: Future<Output = Result<A, Problem>>,
    {
        let caller = trail.caller();
        let once = self.once.as_ref().map(|once| once.claim(&caller, trail));
        if let Some(once) = &once
            && let Some(body) = platform.remembered(once, keep).await?
        {
            return Ok(Created { body, is_replayed: true, kind: PhantomData });
        }
        let made = make(self.body)
            .await
            .and_then(|answer| serde_json::to_vec(&answer).map_err(|_| Problem::from(Refusal::Internal)));
        if let Some(once) = &once {
            platform.remember(once.claim, keep, made.as_deref().ok()).await;
        }
        made.map(|body| Created { body, is_replayed: false, kind: PhantomData })
    }
}

impl Platform {
    /// The answer that is remembered; none where the claim is now this request's.
    async fn remembered(&self, once: &Claimed<'_>, keep: Keep) -> Result<Option<Vec<u8>>, Problem> {
        let port = &self.parts.idempotency;
        match port.idempotency_begin(once.claim, once.fingerprint).await? {
            Remembered::Fresh => Ok(None),
            Remembered::InFlight => Err(Problem::IdempotencyInFlight),
            Remembered::Done { fingerprint, .. } if fingerprint != once.fingerprint => {
                Err(Problem::IdempotencyMismatch)
            }
            Remembered::Done { body, .. } => match keep {
                Keep::Plain => Ok(Some(body)),
                Keep::SealedFor(org) => {
                    let opened = self.parts.vault.open_blob(org, &purpose(once.claim), &body).await;
                    opened.map(|bytes| Some(bytes.expose().to_vec())).map_err(|_| Problem::AnswerGone)
                }
            },
        }
    }

    /// Remembers an answer, or gives the claim back where nothing was made.
    async fn remember(&self, claim: IdempotencyClaim<'_>, keep: Keep, answer: Option<&[u8]>) {
        let port = &self.parts.idempotency;
        let Some(answer) = answer else {
            if let Err(error) = port.idempotency_abandon(claim).await {
                tracing::warn!(%error, "an idempotency key could not be given back");
            }
            return;
        };
        let kept = match keep {
            Keep::Plain => Ok(answer.to_vec()),
            Keep::SealedFor(org) => self.parts.vault.seal_blob(org, &purpose(claim), answer).await,
        };
        // What can't be sealed is not kept: a repeat then hears that the answer is gone.
        let kept = kept.unwrap_or_default();
        if let Err(error) = port.idempotency_finish(claim, StatusCode::CREATED.as_u16(), &kept).await {
            tracing::warn!(%error, "an answer could not be kept for its idempotency key");
        }
    }
}

fn purpose(claim: IdempotencyClaim<'_>) -> String {
    format!("idempotency:{}:{}", claim.caller, claim.key)
}

impl<T: ToSchema + DeserializeOwned> Takes for Create<T> {
    fn describe(operation: &mut Operation) {
        operation.takes_body::<T>();
        operation.parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "description": "1 to 255 visible ASCII characters: the same key with the same body gives the same answer, for a day.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 }
        }));
    }
}

impl<T: ToSchema> Gives for Renewed<T> {
    fn describe(operation: &mut Operation) {
        operation.status = 200;
        operation.answer = Some(operation.refer::<T>());
    }
}

impl<T: ToSchema> Gives for Created<T> {
    fn describe(operation: &mut Operation) {
        operation.status = 201;
        operation.answer = Some(operation.refer::<T>());
    }
}
