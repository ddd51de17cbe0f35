//! The request as the provider gets it.

use super::headers;
use super::silence::Silence;
use crate::arrive::Trail;
use crate::edge::body::BodyReader;
use crate::entitle::{Entitled, Outgoing};
use crate::routes::Target;
use crate::worker::Worker;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use topdog_domain::{Refusal, Timestamp};
use topdog_egress::{BoxError, RequestBody};
use topdog_vault::{AwsKey, OpenedKey, Shown, SignedHeader, Signing};
use topdog_wire::multipart::{ModelFinder, Rest};
use topdog_wire::splice::{splice, tells_usage_when_asked};

/// Where both sides speak the same dialect, the model's name and the key are spliced in, and all else stays as it came.
/// What has been translated goes with few headers of its own.
pub(crate) fn request(
    worker: &Worker,
    trail: &Trail,
    target: &Target,
    key: Option<&OpenedKey>,
    entitled: Box<Entitled>,
) -> Result<Box<Request<RequestBody>>, Refusal> {
    let Entitled { operation, headers, query, outgoing, route, .. } = *entitled;
    let native =
        || target.uri(operation, &route.model, query.as_deref()).ok_or(Refusal::BadHeader("the query"));
    let mut request = match outgoing {
        Outgoing::Json { body, marks } => {
            let wants_usage = target.takes_stream_options && tells_usage_when_asked(operation);
            let body = RequestBody::Full(splice(body, &marks, &route.model, wants_usage));
            post(native()?, headers::out(headers, trail, target.manner.api()), body)
        }
        Outgoing::Form { finder, rest } => {
            let body = RequestBody::stream(Upload::form(worker, *finder, *rest, &route.model));
            post(native()?, headers::out(headers, trail, target.manner.api()), body)
        }
        Outgoing::Through(through) => {
            through.request(worker, headers::out(headers, trail, target.manner.api()))
        }
        Outgoing::Addressed { uri, body } => {
            post(uri, headers::out(headers, trail, target.manner.api()), RequestBody::Full(body))
        }
        Outgoing::Translated { uri, body } => {
            post(uri, headers::out_translated(&headers, trail, target.manner.api()), RequestBody::Full(body))
        }
    };
    if let Some(key) = key {
        // By the time that it is sent: one that took long to come would be signed as of too long ago.
        let now = worker.parts().clock.now();
        authorise(&mut request, target, key, now)?;
    }
    Ok(request)
}

fn post(uri: Uri, headers: HeaderMap, body: RequestBody) -> Box<Request<RequestBody>> {
    let mut request = Box::new(Request::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

/// The only place that reads a provider key.
fn authorise(
    request: &mut Request<RequestBody>,
    target: &Target,
    key: &OpenedKey,
    now: Timestamp,
) -> Result<(), Refusal> {
    match key.shown_to(target.manner.api()).ok_or(Refusal::Internal)? {
        Shown::Header(name, value) => {
            request.headers_mut().insert(name, value);
        }
        Shown::Signature(pair) => {
            let headers = signature(request, target, &pair, now).ok_or(Refusal::Internal)?;
            request.headers_mut().extend(headers);
        }
    }
    Ok(())
}

/// What signs a request to Bedrock; none where it can't be signed, as one whose body is still to come.
fn signature(
    request: &Request<RequestBody>,
    target: &Target,
    pair: &AwsKey<'_>,
    now: Timestamp,
) -> Option<Vec<SignedHeader>> {
    let RequestBody::Full(payload) = request.body() else { return None };
    pair.sign(&Signing {
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        host: target.origin().host_header().to_str().ok()?,
        content_type: None,
        payload,
        at: now,
        region: target.manner.region()?,
        service: "bedrock",
    })
}

/// A body on its way through: of a form what was held until its model had come, then the rest as it comes.
pub(crate) struct Upload {
    held: VecDeque<Bytes>,
    /// What reads the rest of a form along; none where it isn't known what it is.
    rest: Option<Rest>,
    reader: BodyReader,
    /// Bytes still to come, where the client has told.
    length: Option<u64>,
    has_ended: bool,
    silence: Silence,
    silent_since: Option<Instant>,
}

impl Upload {
    /// Whatever it is.
    pub(crate) fn plain(worker: &Worker, reader: BodyReader) -> Self {
        Self::of(worker, reader, VecDeque::new(), None)
    }

    fn form(worker: &Worker, finder: ModelFinder, reader: BodyReader, model: &str) -> Self {
        let spliced = finder.splice(model);
        Self::of(worker, reader, spliced.held.into(), Some(spliced.rest))
    }

    fn of(worker: &Worker, reader: BodyReader, held: VecDeque<Bytes>, rest: Option<Rest>) -> Self {
        let held_bytes: usize = held.iter().map(Bytes::len).sum();
        let length = reader.announced().map(|rest| rest + held_bytes as u64);
        Self {
            held,
            rest,
            reader,
            length,
            has_ended: false,
            silence: Silence::new(worker.config().body_idle_timeout),
            silent_since: None,
        }
    }

    fn sent(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.length = self.length.map(|left| left.saturating_sub(bytes.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let form = self.get_mut();
        if let Some(bytes) = form.held.pop_front() {
            return form.sent(bytes);
        }
        if form.has_ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(next) = form.reader.poll_next(cx) else {
            let since = *form.silent_since.get_or_insert_with(Instant::now);
            let is_too_long = form.silence.poll_too_long(since, cx);
            return if is_too_long {
                Poll::Ready(Some(Err("the client is silent".into())))
            } else {
                Poll::Pending
            };
        };
        form.silent_since = None;
        match next {
            Ok(Some(bytes)) => match form.rest.as_mut().map_or(Ok(()), |rest| rest.feed(&bytes)) {
                Ok(()) => form.sent(bytes),
                Err(bad) => Poll::Ready(Some(Err(bad.into()))),
            },
            Ok(None) => {
                form.has_ended = true;
                match form.rest.as_mut().map_or(Ok(()), |rest| rest.finish()) {
                    Ok(()) => Poll::Ready(None),
                    Err(bad) => Poll::Ready(Some(Err(bad.into()))),
                }
            }
            Err(refusal) => Poll::Ready(Some(Err(refusal.to_string().into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
