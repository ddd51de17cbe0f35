use super::PortError;
use crate::Timestamp;
use async_trait::async_trait;

/// What is remembered of a request with that idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing, or a claim that is older than [`CLAIM_LASTS_SECONDS`]: it is now this caller's to do.
    Fresh,
    /// It is being done, or broke off before its end a moment ago.
    InFlight,
    /// It was done, with that answer, sealed by the platform where it holds a secret.
    Done {
        /// The digest of the request.
        fingerprint: [u8; 32],
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

/// How long a claim holds that nothing has come of: longer than any create takes, so that whoever made it and has
/// not answered by then is gone.
pub const CLAIM_LASTS_SECONDS: i64 = 60;

/// A claim on an idempotency key; the time tells it from another's who took the key over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyClaim<'a> {
    /// Whose key it is.
    pub caller: &'a str,
    /// The key.
    pub key: &'a str,
    /// When it was claimed.
    pub at: Timestamp,
}

/// Answers to creates, kept for a day, so that a repeated one changes nothing.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Makes the claim, or says what is remembered.
    async fn idempotency_begin(
        &self,
        claim: IdempotencyClaim<'_>,
        fingerprint: [u8; 32],
    ) -> Result<Remembered, PortError>;

    /// Remembers the answer, where the claim still holds.
    async fn idempotency_finish(
        &self,
        claim: IdempotencyClaim<'_>,
        status: u16,
        body: &[u8],
    ) -> Result<(), PortError>;

    /// Forgets a claim that came to nothing, where it still holds.
    async fn idempotency_abandon(&self, claim: IdempotencyClaim<'_>) -> Result<(), PortError>;

    /// Forgets everything from before `before`.
    async fn idempotency_prune(&self, before: Timestamp) -> Result<u64, PortError>;
}
