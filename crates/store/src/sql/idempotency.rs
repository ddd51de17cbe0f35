//! Answers to creates, kept so that a repeated one changes nothing.

use super::Store;
use super::columns::{digest, unsigned};
use super::engine::{on_engine, statements};
use async_trait::async_trait;
use topdog_domain::Timestamp;
use topdog_domain::ports::{CLAIM_LASTS_SECONDS, Idempotency, IdempotencyClaim, PortError, Remembered};

#[async_trait]
impl Idempotency for Store {
    async fn idempotency_begin(
        &self,
        claim: IdempotencyClaim<'_>,
        fingerprint: [u8; 32],
    ) -> Result<Remembered, PortError> {
        let mut tx = self.pools().begin().await?;
        let claimed = on_engine!(tx.conn(), |db| sqlx::query(CLAIM)
            .bind(claim.caller)
            .bind(claim.key)
            .bind(fingerprint.as_slice())
            .bind(claim.at.micros())
            .bind(claim.at.plus_seconds(-CLAIM_LASTS_SECONDS).micros())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
        if claimed > 0 {
            tx.commit().await?;
            return Ok(Remembered::Fresh);
        }
        let row: Option<AnswerRow> = on_engine!(tx.conn(), |db| sqlx::query_as(FIND)
            .bind(claim.caller)
            .bind(claim.key)
            .fetch_optional(db)
            .await)?;
        tx.roll_back().await?;
        // Abandoned between the two statements: whoever asks again will find it free.
        row.map_or(Ok(Remembered::InFlight), Remembered::try_from)
    }

    async fn idempotency_finish(
        &self,
        claim: IdempotencyClaim<'_>,
        status: u16,
        body: &[u8],
    ) -> Result<(), PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(FINISH)
            .bind(claim.caller)
            .bind(claim.key)
            .bind(claim.at.micros())
            .bind(i64::from(status))
            .bind(body)
            .execute(db)
            .await
            .map(|_| ()))
    }

    async fn idempotency_abandon(&self, claim: IdempotencyClaim<'_>) -> Result<(), PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(ABANDON)
            .bind(claim.caller)
            .bind(claim.key)
            .bind(claim.at.micros())
            .execute(db)
            .await
            .map(|_| ()))
    }

    async fn idempotency_prune(&self, before: Timestamp) -> Result<u64, PortError> {
        on_engine!(self.pools().writer(), |db| sqlx::query(PRUNE)
            .bind(before.micros())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))
    }
}

#[derive(sqlx::FromRow)]
struct AnswerRow {
    fingerprint: Vec<u8>,
    status: Option<i64>,
    body: Option<Vec<u8>>,
}

impl TryFrom<AnswerRow> for Remembered {
    type Error = PortError;

    fn try_from(row: AnswerRow) -> Result<Self, PortError> {
        let Some(status) = row.status else {
            return Ok(Self::InFlight);
        };
        Ok(Self::Done {
            fingerprint: digest("idempotency.fingerprint", &row.fingerprint)?,
            status: unsigned("idempotency.status", status)?,
            body: row.body.unwrap_or_default(),
        })
    }
}

statements! {
    CLAIM = "INSERT INTO idempotency (caller, key, fingerprint, begun_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (caller, key) DO UPDATE SET fingerprint = excluded.fingerprint, begun_at = excluded.begun_at
        WHERE idempotency.status IS NULL AND idempotency.begun_at <= $5";
    FIND = "SELECT fingerprint, status, body FROM idempotency WHERE caller = $1 AND key = $2";
    FINISH = "UPDATE idempotency SET status = $4, body = $5
        WHERE caller = $1 AND key = $2 AND begun_at = $3 AND status IS NULL";
    ABANDON = "DELETE FROM idempotency WHERE caller = $1 AND key = $2 AND begun_at = $3 AND status IS NULL";
    PRUNE = "DELETE FROM idempotency WHERE begun_at < $1";
}
