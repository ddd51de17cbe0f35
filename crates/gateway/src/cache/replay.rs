use super::X_CACHE;
use crate::answer::{Answer, AnswerBody, identify};
use crate::arrive::Trail;
use crate::entitle::Entitled;
use crate::record;
use crate::reserve::require_ready;
use crate::share::Share;
use crate::worker::Worker;
use bytes::Bytes;
use http::header::AGE;
use http::{HeaderName, HeaderValue, Response};
use std::sync::Arc;
use topdog_domain::Refusal;
use topdog_domain::response_cache::KeptAnswer;

/// Gives a kept answer: a stream with all its events at once. It is recorded like any other, before its first byte in a
/// regulated segment.
pub(crate) async fn replay(
    worker: &Worker,
    trail: &Trail,
    entitled: Box<Entitled>,
    share: Share,
    kept: Arc<KeptAnswer>,
) -> Result<Answer, Refusal> {
    require_ready(worker, trail)?;
    let is_regulated = trail.labels.get().segment.is_regulated();
    let age =
        u64::try_from(trail.at.micros().saturating_sub(kept.at.micros()) / 1_000_000).unwrap_or_default();
    let body = Bytes::from_owner(Body(kept.clone()));
    trail.is_admitted.set(true);
    record::replayed(worker, trail, &entitled, body.len());
    drop(entitled);
    if is_regulated {
        worker.spool.durable().await.map_err(|_| Refusal::RecordsUnavailable)?;
    }
    let mut answer = Response::new(AnswerBody::whole(body, Some(share)));
    let headers = answer.headers_mut();
    for (name, value) in &kept.headers {
        // They came out of such a map.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(&**name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    identify(headers, trail);
    headers.insert(X_CACHE, HeaderValue::from_static("hit"));
    headers.insert(AGE, HeaderValue::from(age));
    Ok(answer)
}

/// The body of a kept answer, shared by all who are given it.
struct Body(Arc<KeptAnswer>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}
