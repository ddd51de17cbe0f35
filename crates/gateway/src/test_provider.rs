//! The built-in test provider: `test/echo`, clearly labelled, only where the operator switched it on. It goes
//! the whole journey but the way out, so that a newcomer sees a streamed answer without any provider's key.

use crate::answer::{Answer, AnswerBody};
use crate::arrive::Trail;
use crate::entitle::{Entitled, Outgoing};
use crate::forward::{Relay, Shape, Source, kept_back, say};
use crate::guard;
use crate::settle::Settlement;
use crate::worker::Worker;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use topdog_domain::Refusal;
use topdog_domain::guardrail::Tally;
use topdog_wire::echo::{can_echo, echo_answer, echo_stream_events};

/// Between two events of a stream, so that one sees it flow.
const PACE: Duration = Duration::from_millis(30);

pub(crate) fn answer(
    worker: &Rc<Worker>,
    trail: &Trail,
    mut entitled: Entitled,
    mut settlement: Settlement,
) -> Result<Answer, Refusal> {
    let shape = Shape::of(&mut entitled);
    let operation = entitled.operation;
    let body = match entitled.outgoing {
        Outgoing::Json { body, .. }
        | Outgoing::Translated { body, .. }
        | Outgoing::Addressed { body, .. } => body,
        Outgoing::Through(_) | Outgoing::Form { .. } => Bytes::new(),
    };
    let is_stream = entitled.is_stream && can_echo(operation);
    let (content_type, mut events) = if is_stream {
        ("text/event-stream", echo_stream_events(operation, &body, true))
    } else {
        ("application/json", vec![echo_answer(operation, &body)])
    };
    if let Some(rules) = shape.guardrails().filter(|_| !is_stream) {
        let mut tally = Tally::default();
        for event in &mut events {
            // It is the input, which has been judged in pieces already.
            let judged = guard::answer_at_once(rules, event, &mut tally);
            settlement.judged(Some(std::mem::take(&mut tally)));
            match judged {
                Ok(None) => {}
                Ok(Some(changed)) => *event = changed.into(),
                Err(block) => return Err(kept_back(settlement, block)),
            }
        }
    }
    settlement.sent();
    let status = if can_echo(operation) { 200 } else { 400 };
    settlement.answered(status);
    let content_type = HeaderValue::from_static(content_type);
    let watch = shape.watch(Some(&content_type));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type);
    say(worker, trail, &shape, &settlement, &mut headers);
    let relay =
        Relay::new(worker, trail, Source::Echo(EchoBody::new(events)), watch, settlement, Bytes::new());
    let mut answer = Response::new(AnswerBody::Relay(Box::new(relay)));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// Events, paced.
pub(crate) struct EchoBody {
    events: VecDeque<Bytes>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl EchoBody {
    fn new(events: Vec<Bytes>) -> Self {
        Self { events: events.into(), pause: None }
    }
}

impl Body for EchoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let event = self.events.pop_front();
        if !self.events.is_empty() {
            self.pause = Some(Box::pin(sleep(PACE)));
        }
        Poll::Ready(event.map(|event| Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_empty()
    }
}
