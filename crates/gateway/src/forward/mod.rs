//! Step 6: to the provider and back, changed only where it must be.

mod headers;
mod redaction;
mod relay;
mod send;
mod silence;
mod watch;

pub(crate) use headers::{Resets, say};
pub(crate) use relay::{Relay, Source};

use crate::answer::{Answer, AnswerBody, X_ERROR_SOURCE};
use crate::arrive::Trail;
use crate::entitle::{Destination, Entitled};
use crate::open_key::Opened;
use crate::reserve::Reserved;
use crate::settle::Settlement;
use crate::test_provider;
use crate::worker::Worker;
use bytes::BytesMut;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use topdog_domain::Refusal;
use topdog_domain::usage::Outcome;
use topdog_egress::{SendError, UpstreamBody};
use topdog_vault::OpenedKey;
use watch::Watch;

pub(crate) async fn forward(worker: &Rc<Worker>, trail: &Trail, opened: Opened) -> Result<Answer, Refusal> {
    let Opened { reserved: Reserved { entitled, mut settlement }, key } = opened;
    let Destination::Upstream { target, .. } = &entitled.route.destination else {
        return Ok(test_provider::answer(worker, trail, *entitled, settlement));
    };
    let target = target.clone();
    let shape = Shape::of(&entitled);
    let request = match send::request(worker, trail, &target, key.as_deref(), entitled) {
        Ok(request) => request,
        Err(refusal) => return Err(given_up(settlement, refusal, Outcome::InternalError)),
    };
    settlement.sent();
    let asked = Instant::now();
    let response = match worker.pool.send(target.origin(), request).await {
        Ok(response) => response,
        Err(error) => return Err(failed(trail, settlement, &shape, &error)),
    };
    settlement.answered(response.status().as_u16(), asked.elapsed());
    match response.status() {
        // Nobody asked for an encoding: behind one neither usage nor a repeated key can be seen.
        status if status.is_success() && redaction::is_encoded(response.headers()) => {
            Err(given_up(settlement, Refusal::UpstreamBroken(shape.provider), Outcome::UpstreamFailed))
        }
        status if status.is_success() => Ok(relay(worker, trail, settlement, &shape, key, response)),
        // Boxed: the rare case must not weigh on every request's state.
        status if status.is_client_error() || status.is_server_error() => {
            Box::pin(relay_error(worker, trail, settlement, &shape, key.as_deref(), response)).await
        }
        // A redirect is never followed, nor sent on: the client might take its key there.
        _ => Err(given_up(settlement, Refusal::UpstreamBroken(shape.provider), Outcome::UpstreamFailed)),
    }
}

/// What must still be known of a request once it has been sent.
pub(crate) struct Shape {
    pub(crate) operation: topdog_domain::provider::Operation,
    pub(crate) provider: topdog_domain::provider::ProviderName,
    provider_header: HeaderValue,
    pub(crate) model: std::sync::Arc<str>,
    pub(crate) caller: topdog_domain::directory::Caller,
    /// Is the usage chunk of the stream ours alone?
    strips_usage: bool,
}

impl Shape {
    pub(crate) fn of(entitled: &Entitled) -> Self {
        let operation = entitled.operation;
        Self {
            operation,
            provider: entitled.route.provider.clone(),
            provider_header: entitled.route.provider_header.clone(),
            model: entitled.route.model.clone(),
            caller: entitled.caller.clone(),
            strips_usage: entitled.is_stream
                && !entitled.asks_usage
                && topdog_wire::splice::tells_usage_when_asked(operation),
        }
    }

    /// What learns from an answer of that kind.
    pub(crate) fn watch(&self, content_type: Option<&HeaderValue>) -> Watch {
        Watch::new(self.operation, content_type.map(HeaderValue::as_bytes), self.strips_usage)
    }
}

/// A success, sent on as it comes.
fn relay(
    worker: &Rc<Worker>,
    trail: &Trail,
    settlement: Settlement,
    shape: &Shape,
    key: Option<Arc<OpenedKey>>,
    response: Response<UpstreamBody>,
) -> Answer {
    let (parts, body) = response.into_parts();
    let secret = key.as_deref().map(OpenedKey::expose).unwrap_or_default();
    let watch = shape.watch(parts.headers.get(CONTENT_TYPE));
    let mut headers = headers::back(parts.headers, watch.keeps_length(), secret.as_bytes());
    let watch = watch.hiding(key);
    headers::say(worker, trail, shape, settlement.overhead(), &mut headers);
    let relay = Relay::new(worker, trail, Source::Upstream(body), watch, settlement);
    let mut answer = Response::new(AnswerBody::Relay(Box::new(relay)));
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = headers;
    answer
}

/// The largest error body that is read of a provider.
const MOST_ERROR_BYTES: usize = 256 * 1024;

/// A provider's own error, sent on without the keys that it may hold.
async fn relay_error(
    worker: &Rc<Worker>,
    trail: &Trail,
    mut settlement: Settlement,
    shape: &Shape,
    key: Option<&OpenedKey>,
    response: Response<UpstreamBody>,
) -> Result<Answer, Refusal> {
    let (mut parts, body) = response.into_parts();
    let asked = Instant::now();
    let read = error_body(worker, body).await;
    settlement.waited(asked.elapsed());
    let Some(whole) = read else {
        return Err(given_up(
            settlement,
            Refusal::UpstreamBroken(shape.provider.clone()),
            Outcome::UpstreamFailed,
        ));
    };
    let secret = key.map(OpenedKey::expose).unwrap_or_default();
    let redacted = redaction::error_body(&shape.provider, &mut parts.headers, &whole, secret.as_bytes());
    settlement.failed("upstream_error");
    settlement.relayed(redacted.len(), std::time::Duration::ZERO);
    let mut headers = headers::back(parts.headers, false, secret.as_bytes());
    headers::say(worker, trail, shape, settlement.overhead(), &mut headers);
    headers.insert(X_ERROR_SOURCE, HeaderValue::from_static("upstream"));
    settlement.settle(Outcome::UpstreamError);
    if trail.labels.get().segment.is_regulated() {
        worker.spool.durable().await.map_err(|_| Refusal::RecordsUnavailable)?;
    }
    let mut answer = Response::new(AnswerBody::Full(redacted));
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The whole of an error body; none where it breaks off, falls silent, or is too large to be one.
async fn error_body(worker: &Worker, mut body: UpstreamBody) -> Option<BytesMut> {
    let mut whole = BytesMut::new();
    while let Some(frame) =
        tokio::time::timeout(worker.config().upstream_idle_timeout, body.frame()).await.ok()?
    {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if whole.len() + data.len() > MOST_ERROR_BYTES {
            return None;
        }
        whole.extend_from_slice(&data);
    }
    Some(whole)
}

fn failed(trail: &Trail, settlement: Settlement, shape: &Shape, error: &SendError) -> Refusal {
    tracing::warn!(request = %trail.request, provider = %shape.provider, %error, "no answer from the provider");
    let provider = shape.provider.clone();
    let refusal = match error {
        SendError::HeadTimeout => Refusal::UpstreamTimeout(provider),
        SendError::BeforeHead(topdog_egress::Lost::RequestBody) => Refusal::BadBody {
            message: "the request body broke off or is malformed; send it again".to_owned(),
            param: None,
            code: "incomplete_body",
        },
        SendError::BeforeHead(_) => Refusal::UpstreamBroken(provider),
        SendError::Refused(_) | SendError::Connect(_) => Refusal::UpstreamUnreachable(provider),
    };
    given_up(settlement, refusal, Outcome::UpstreamFailed)
}

/// Settles a request that no provider accepted.
fn given_up(mut settlement: Settlement, refusal: Refusal, outcome: Outcome) -> Refusal {
    settlement.rejected(refusal.status(), refusal.code());
    settlement.settle(outcome);
    refusal
}
