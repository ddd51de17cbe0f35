//! One request, one connection, a bounded answer: for everything that is not the data plane.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;

use crate::body::RequestBody;
use crate::connect::{Connection, Egress};
use crate::error::{EgressError, Lost};
use crate::h1::{self, Patience};
use crate::origin::Origin;
use crate::pool::{address_h1, address_h2};

/// Fetches whole answers: vault references, provider-key tests, webhooks, discovery documents.
///
/// No pooling, no redirects (a 3xx is an answer like any other), no proxy.
#[derive(Clone)]
pub struct Client {
    egress: Egress,
}

/// What an answer may cost.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLimits {
    /// For the whole exchange, connecting included.
    pub timeout: Duration,
    /// Of the body; the head has limits of its own, 64 KiB and 100 fields.
    pub max_body_bytes: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(15), max_body_bytes: 1024 * 1024 }
    }
}

impl Client {
    /// A client that goes out through this gate.
    pub fn new(egress: Egress) -> Self {
        Self { egress }
    }

    /// The gate, to check targets against its policy before they are stored.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Sends a request and collects its answer; the URI's scheme and authority and the `Host` header are
    /// replaced by the origin's.
    ///
    /// # Errors
    /// Any [`EgressError`].
    pub async fn request(
        &self,
        origin: &Origin,
        request: Request<Bytes>,
        limits: AnswerLimits,
    ) -> Result<Response<Bytes>, EgressError> {
        let exchange = Box::pin(self.exchange(origin, request, limits));
        tokio::time::timeout(limits.timeout, exchange).await.map_err(|_| EgressError::Timeout)?
    }

    async fn exchange(
        &self,
        origin: &Origin,
        request: Request<Bytes>,
        limits: AnswerLimits,
    ) -> Result<Response<Bytes>, EgressError> {
        let AnswerLimits { max_body_bytes, timeout } = limits;
        let mut request = Box::new(request.map(RequestBody::from));
        match self.egress.connect(origin).await? {
            Connection::H1(line) => {
                address_h1(&mut request, origin);
                let (head, body) =
                    line.send(request, Patience { head: timeout, send_idle: timeout }).await?.into_parts();
                Ok(Response::from_parts(head, collect(body, |error| error.0, max_body_bytes).await?))
            }
            // The connection must outlive the body, so its sender is held until the end.
            Connection::H2(mut sender) => {
                address_h2(&mut request, origin).map_err(EgressError::Protocol)?;
                let answer = sender.try_send_request(*request).await;
                let answer = answer.map_err(|error| EgressError::Protocol(Lost::of(error.error())))?;
                let (head, body) = answer.into_parts();
                Ok(Response::from_parts(head, collect(body, |error| Lost::of(&error), max_body_bytes).await?))
            }
        }
    }
}

impl From<h1::Failure> for EgressError {
    fn from(failure: h1::Failure) -> Self {
        match failure {
            h1::Failure::Unsent(_) => Self::ConnectFailed,
            h1::Failure::Late => Self::Timeout,
            h1::Failure::Lost(lost) => Self::Protocol(lost),
        }
    }
}

/// The whole body, counted as it arrives: a declared length may lie, and often there is none.
async fn collect<B>(
    mut body: B,
    lost: impl Fn(B::Error) -> Lost,
    max_bytes: usize,
) -> Result<Bytes, EgressError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(EgressError::BodyTooLarge);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| EgressError::Protocol(lost(error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > max_bytes.saturating_sub(whole.len()) {
            return Err(EgressError::BodyTooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
