//! Step 6: to the provider and back, changed only where it must be.

mod guarded;
mod headers;
mod hold;
mod redaction;
mod relay;
mod send;
mod silence;
mod translated;
mod watch;

pub(crate) use guarded::kept_back;
pub(crate) use headers::{Resets, X_MODEL, X_PROVIDER, say, stays_here};
pub(crate) use hold::MOST_HELD_BYTES;
pub(crate) use redaction::is_encoded;
pub(crate) use relay::{Relay, Source};
pub(crate) use send::{Upload, request};
pub(crate) use silence::now;

use crate::answer::{Answer, AnswerBody, X_ERROR_SOURCE};
use crate::arrive::Trail;
use crate::entitle::{Destination, Entitled};
use crate::guard::Guard;
use crate::open_key::Opened;
use crate::reserve::Reserved;
use crate::settle::Settlement;
use crate::test_provider;
use crate::translation::Translation;
use crate::worker::Worker;
use bytes::Bytes;
use hold::Held;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::Refusal;
use topdog_domain::guardrail::SideRules;
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::refusal::Blame;
use topdog_domain::usage::Outcome;
use topdog_egress::{SendError, UpstreamBody};
use topdog_vault::OpenedKey;
use watch::Watch;

pub(crate) async fn forward(worker: &Rc<Worker>, trail: &Trail, opened: Opened) -> Result<Answer, Refusal> {
    let Opened { reserved: Reserved { mut entitled, mut settlement }, key } = opened;
    let Destination::Upstream { target, .. } = &entitled.route.destination else {
        return test_provider::answer(worker, trail, *entitled, settlement);
    };
    let target = target.clone();
    let shape = Shape::of(&mut entitled);
    let request = match send::request(worker, trail, &target, key.as_deref(), entitled) {
        Ok(request) => request,
        Err(refusal) => return Err(given_up(settlement, refusal, Outcome::InternalError)),
    };
    settlement.sent();
    settlement.waits();
    let sent = worker.pool.send(target.origin(), request).await;
    settlement.waits_no_more();
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Err(failed(trail, settlement, &error)),
    };
    settlement.answered(response.status().as_u16());
    let to = To { worker, trail, shape, key };
    match response.status() {
        // Nobody asked for an encoding: behind one neither usage nor a repeated key can be seen.
        status if status.is_success() && redaction::is_encoded(response.headers()) => Err(broken(settlement)),
        // Boxed, as the next: they must not weigh on every request's state.
        status if status.is_success() && to.shape.translation.is_some() => {
            Box::pin(to.succeed_translated(settlement, response)).await
        }
        status if status.is_success() => to.succeed(settlement, response).await,
        status if status.is_client_error() || status.is_server_error() => {
            Box::pin(to.relay_error(settlement, response)).await
        }
        // A redirect is never followed, nor sent on: the client might take its key there.
        _ => Err(broken(settlement)),
    }
}

/// How a request's answer is to be read and headed.
pub(crate) struct Shape {
    provider_header: HeaderValue,
    operation: Operation,
    /// Is the usage chunk of the stream ours alone?
    strips_usage: bool,
    /// Does a stream go to its caller as one JSON array?
    is_json_array: bool,
    translation: Option<Box<Translation>>,
    /// What judges its texts; none where no policy has guardrails.
    guard: Option<Box<Guard>>,
}

impl Shape {
    pub(crate) fn of(entitled: &mut Entitled) -> Self {
        let operation = entitled.operation;
        let translation = entitled.translation.take();
        Self {
            operation,
            provider_header: entitled.route.provider_header.clone(),
            is_json_array: entitled.is_json_array,
            strips_usage: entitled.is_stream
                && !entitled.asks_usage
                && translation.is_none()
                && entitled.route.takes_stream_options()
                && topdog_wire::splice::tells_usage_when_asked(operation),
            translation,
            guard: entitled.guard.take(),
        }
    }

    /// What its answer is translated by, if it is.
    pub(crate) fn translation(&self) -> Option<&Translation> {
        self.translation.as_deref()
    }

    /// The guardrails for the answer; none where there are none.
    pub(crate) fn guardrails(&self) -> Option<&Arc<SideRules>> {
        self.guard.as_ref()?.output()
    }

    /// What learns from an answer of that kind.
    pub(crate) fn watch(&self, content_type: Option<&HeaderValue>) -> Watch {
        let content_type = content_type.map(HeaderValue::as_bytes);
        let translator = self.translation.as_ref().and_then(|translation| translation.stream());
        let watch = Watch::new(self.operation, content_type, self.strips_usage, translator)
            .guarded(self.guardrails());
        if self.is_json_array { watch.telling_an_array() } else { watch }
    }
}

/// What is needed to send an answer on to its client.
pub(crate) struct To<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) trail: &'a Trail,
    pub(crate) shape: Shape,
    /// What the provider was sent, and may repeat.
    pub(crate) key: Option<Arc<OpenedKey>>,
}

impl To<'_> {
    /// A success: held until it is whole where it is short and plain, else sent on as it comes.
    pub(crate) async fn succeed(
        self,
        mut settlement: Settlement,
        response: Response<UpstreamBody>,
    ) -> Result<Answer, Refusal> {
        let (parts, mut body) = response.into_parts();
        let watch = self.shape.watch(parts.headers.get(CONTENT_TYPE));
        if self.shape.guardrails().is_some() && watch.can_be_judged_whole() {
            // Boxed: few requests have guardrails.
            return Box::pin(self.succeed_judged(settlement, parts, body)).await;
        }
        let mut beginning = Bytes::new();
        if watch.is_json() && hold::announced(&body) <= hold::MOST_HELD_BYTES {
            match hold::answer(self.worker, &mut settlement, &mut body).await {
                Ok(Held::Whole(whole)) => return self.whole(settlement, parts, whole).await,
                Ok(Held::Beginning(bytes)) => beginning = bytes,
                Err(refusal) => return Err(torn(self.trail, settlement, refusal)),
            }
        }
        Ok(self.pass_on(settlement, parts, body, watch, beginning))
    }

    /// A stream of which a beginning was waited for.
    pub(crate) fn pass_on_stream(
        self,
        settlement: Settlement,
        response: Response<UpstreamBody>,
        beginning: Bytes,
    ) -> Answer {
        let (mut parts, body) = response.into_parts();
        let watch = self.shape.watch(parts.headers.get(CONTENT_TYPE));
        if self.shape.translation.is_some() {
            parts.status = StatusCode::OK;
        }
        self.pass_on(settlement, parts, body, watch, beginning)
    }

    /// An answer that is sent on as it comes, behind what has come already.
    fn pass_on(
        self,
        settlement: Settlement,
        parts: Parts,
        body: UpstreamBody,
        watch: Watch,
        beginning: Bytes,
    ) -> Answer {
        let mut headers = self.head(&settlement, parts.headers, watch.keeps_length());
        if watch.tells_an_array() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        }
        let watch = watch.hiding(self.key);
        let source = Source::Upstream(body);
        let relay = Relay::new(self.worker, self.trail, source, watch, settlement, beginning);
        answered(parts.status, headers, AnswerBody::Relay(Box::new(relay)))
    }

    /// A success that has come whole. It settles now, and goes out at once.
    async fn whole(self, mut settlement: Settlement, parts: Parts, whole: Bytes) -> Result<Answer, Refusal> {
        let whole = redaction::whole_answer(whole, self.secret());
        settlement.learnt(watch::learnt_of_whole(self.shape.operation, &whole));
        if !whole.is_empty() {
            settlement.relayed(whole.len(), Duration::ZERO);
        }
        let headers = self.head(&settlement, parts.headers, true);
        let share = settlement.settle(Outcome::Completed);
        self.recorded().await?;
        Ok(answered(parts.status, headers, AnswerBody::whole(whole, share)))
    }

    /// A provider's own error, sent on without the keys that it may hold.
    async fn relay_error(
        self,
        mut settlement: Settlement,
        response: Response<UpstreamBody>,
    ) -> Result<Answer, Refusal> {
        let (parts, mut body) = response.into_parts();
        match hold::error(self.worker, &mut settlement, &mut body).await {
            Ok(whole) => self.tell_error(settlement, parts, whole).await,
            Err(refusal) => Err(given_up(settlement, refusal, Outcome::UpstreamFailed)),
        }
    }

    /// The same, where the whole of it has come.
    pub(crate) async fn tell_error(
        self,
        mut settlement: Settlement,
        mut parts: Parts,
        whole: Bytes,
    ) -> Result<Answer, Refusal> {
        let redacted = if !redaction::is_readable(&parts.headers, &whole) {
            let (family, request) = (self.trail.family.get(), self.trail.request_header.to_str().ok());
            let (provider, status) = (settlement.provider(), parts.status.as_u16());
            redaction::unreadable(&provider, &mut parts.headers, family, status, request)
        } else if let Some(translation) = &self.shape.translation {
            let told = translated::error(translation, &mut parts, &whole);
            settlement.told_status(parts.status.as_u16());
            redaction::error_body(&told, self.secret())
        } else {
            redaction::error_body(&whole, self.secret())
        };
        settlement.failed("upstream_error");
        settlement.relayed(redacted.len(), Duration::ZERO);
        let mut headers = self.head(&settlement, parts.headers, false);
        headers.insert(X_ERROR_SOURCE, HeaderValue::from_static("upstream"));
        let share = settlement.settle(Outcome::UpstreamError);
        self.recorded().await?;
        Ok(answered(parts.status, headers, AnswerBody::whole(redacted, share)))
    }

    /// The head's fields: the provider's, as far as they are for the client, and ours.
    fn head(&self, settlement: &Settlement, theirs: HeaderMap, keeps_length: bool) -> HeaderMap {
        let mut headers = match &self.shape.translation {
            None => headers::back(theirs, keeps_length, self.secret()),
            Some(_) => headers::back_translated(&theirs, self.secret()),
        };
        say(self.worker, self.trail, &self.shape, settlement, &mut headers);
        headers
    }

    /// In a regulated segment, the record of what has been settled is on the disk before the answer is sent.
    async fn recorded(&self) -> Result<(), Refusal> {
        if self.trail.labels.get().segment.is_regulated() {
            self.worker.spool.durable().await.map_err(|_| Refusal::RecordsUnavailable)?;
        }
        Ok(())
    }

    fn secret(&self) -> &[u8] {
        self.key.as_deref().map(OpenedKey::expose).unwrap_or_default().as_bytes()
    }
}

fn answered(status: StatusCode, headers: HeaderMap, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

fn failed(trail: &Trail, settlement: Settlement, error: &SendError) -> Refusal {
    let refusal = unanswered(trail, settlement.provider(), error);
    given_up(settlement, refusal, Outcome::UpstreamFailed)
}

/// What a caller is told whose request has no answer.
pub(crate) fn unanswered(trail: &Trail, provider: ProviderName, error: &SendError) -> Refusal {
    tracing::warn!(request = %trail.request, %provider, %error, "no answer from the provider");
    match error {
        SendError::HeadTimeout => Refusal::UpstreamTimeout(provider),
        SendError::BeforeHead(topdog_egress::Lost::RequestBody) => Refusal::BadBody {
            message: "the request body broke off or is malformed; send it again".to_owned(),
            param: None,
            code: "incomplete_body",
        },
        SendError::BeforeHead(_) => Refusal::UpstreamBroken(provider),
        SendError::Refused(_) | SendError::Connect(_) => Refusal::UpstreamUnreachable(provider),
    }
}

/// Settles a request whose provider answered what can't be understood.
fn broken(settlement: Settlement) -> Refusal {
    let refusal = Refusal::UpstreamBroken(settlement.provider());
    given_up(settlement, refusal, Outcome::UpstreamFailed)
}

/// Settles a request that no provider accepted.
pub(crate) fn given_up(mut settlement: Settlement, refusal: Refusal, outcome: Outcome) -> Refusal {
    settlement.rejected(&refusal);
    settlement.settle(outcome);
    refusal
}

/// Settles a request that its provider accepted, and whose answer did not come to its end: it counts.
fn torn(trail: &Trail, mut settlement: Settlement, refusal: Refusal) -> Refusal {
    tracing::warn!(request = %trail.request, code = refusal.code(), "an answer broke off before it was sent on");
    settlement.told(&refusal);
    let is_ours = refusal.blame() == Blame::Us;
    settlement.settle(if is_ours { Outcome::InternalError } else { Outcome::UpstreamFailed });
    refusal
}
