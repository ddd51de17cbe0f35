//! Answers of providers that speak another dialect than the caller: a stream is translated as it passes, all else when it
//! is whole.

use super::guarded::kept_back;
use super::{To, answered, hold, redaction, torn, watch};
use crate::answer::{Answer, AnswerBody};
use crate::settle::{Learnt, Settlement};
use crate::translation::{Translation, X_DROPPED_ANSWER, listed};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use std::time::Duration;
use topdog_domain::Refusal;
use topdog_domain::usage::Outcome;
use topdog_egress::UpstreamBody;
use topdog_wire::redact::KeyFinder;
use topdog_wire::translate::memory_to_translate;

/// A longer answer is not translated, bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

impl To<'_> {
    /// A success, told in the caller's dialect.
    pub(crate) async fn succeed_translated(
        self,
        mut settlement: Settlement,
        response: Response<UpstreamBody>,
    ) -> Result<Answer, Refusal> {
        let (mut parts, mut body) = response.into_parts();
        let watch = self.shape.watch(parts.headers.get(CONTENT_TYPE));
        if watch.is_translated_stream() {
            parts.status = StatusCode::OK;
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            return Ok(self.pass_on(settlement, parts, body, watch, Bytes::new()));
        }
        if !watch.is_json() {
            let refusal = Refusal::UpstreamBroken(settlement.provider());
            return Err(torn(self.trail, settlement, refusal));
        }
        match hold::whole(self.worker, &mut settlement, &mut body, MOST_BYTES).await {
            Ok(whole) => self.tell(settlement, parts, whole).await,
            Err(refusal) => Err(torn(self.trail, settlement, refusal)),
        }
    }

    /// A whole success. It settles now, and goes out at once.
    async fn tell(self, mut settlement: Settlement, parts: Parts, whole: Bytes) -> Result<Answer, Refusal> {
        let Some(translation) = &self.shape.translation else { return Err(Refusal::Internal) };
        if !settlement.hold(memory_to_translate(&whole)) {
            return Err(torn(self.trail, settlement, Refusal::Overloaded));
        }
        let told = match translation.answer(&whole) {
            Ok(told) => told,
            Err(error) => {
                // Of the error only what is ours: its path holds the provider's words.
                let expected = error.expected;
                tracing::warn!(request = %self.trail.request, expected, "an answer can't be translated");
                let refusal = Refusal::UpstreamBroken(settlement.provider());
                return Err(torn(self.trail, settlement, refusal));
            }
        };
        let body = redaction::whole_answer(told.body, self.secret());
        let text_bytes = watch::text_bytes(self.shape.operation, body.len());
        settlement.learnt(Learnt::of_whole(told.usage, text_bytes));
        let body = match self.judged(&mut settlement, body).await {
            Ok(body) => body,
            Err(block) => return Err(kept_back(settlement, block)),
        };
        // It is no more than what has just been let go.
        let _ = settlement.hold(body.len());
        settlement.relayed(body.len(), Duration::ZERO);
        let mut headers = self.head(&settlement, parts.headers, false);
        // Its fields' names are the provider's, which may hold what it was sent.
        if let Some(dropped) = listed(&told.dropped)
            && !KeyFinder::new(self.secret()).is_in(dropped.as_bytes())
        {
            headers.insert(X_DROPPED_ANSWER, dropped);
        }
        let share = settlement.settle(Outcome::Completed);
        self.recorded().await?;
        Ok(answered(StatusCode::OK, headers, AnswerBody::whole(body, share)))
    }
}

/// An error as the caller's dialect says it; its head is changed along with it.
pub(super) fn error(translation: &Translation, parts: &mut Parts, body: &[u8]) -> Bytes {
    let (status, told) = translation.error(parts.status.as_u16(), body);
    parts.status = StatusCode::from_u16(status).unwrap_or(parts.status);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !parts.headers.contains_key(RETRY_AFTER)
        && let Some(wait) = translation.retry_after(body)
    {
        let whole_seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        parts.headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds));
    }
    told
}
