use super::PortError;
use crate::Timestamp;
use async_trait::async_trait;

/// What is remembered of a request with that idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing: it is now this caller's to do.
    Fresh,
    /// It is being done, or broke off before its end.
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

/// Answers to creates, kept for a day, so that a repeated one changes nothing.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Claims the key of that caller, or says what is remembered.
    async fn idempotency_begin(
        &self,
        caller: &str,
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Remembered, PortError>;

    /// Remembers the answer.
    async fn idempotency_finish(
        &self,
        caller: &str,
        key: &str,
        status: u16,
        body: &[u8],
    ) -> Result<(), PortError>;

    /// Forgets a claim that came to nothing.
    async fn idempotency_abandon(&self, caller: &str, key: &str) -> Result<(), PortError>;

    /// Forgets everything from before `before`.
    async fn idempotency_prune(&self, before: Timestamp) -> Result<u64, PortError>;
}
