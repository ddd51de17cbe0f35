//! Deleting debug logs: some hundreds a transaction, as nobody else writes meanwhile on SQLite.

use super::Store;
use super::columns::{id_bytes, parsed};
use super::engine::{on_engine, statements};
use topdog_domain::ports::PortError;
use topdog_domain::{OrgId, Timestamp};

/// Debug logs that are deleted in one transaction; more only where more arrived in the same microsecond.
const AT_ONCE: i64 = 256;

impl Store {
    /// Deletes an organisation's debug logs from before `before`, and leaves its usage; how many.
    pub(super) async fn debug_logs_strip(&self, org: OrgId, before: Timestamp) -> Result<u64, PortError> {
        let org = id_bytes(org.uuid());
        let mut deleted = 0;
        loop {
            let last: Option<i64> = on_engine!(self.pools().readers(), |db| sqlx::query_scalar(OLDEST)
                .bind(&org)
                .bind(before.micros())
                .bind(AT_ONCE)
                .fetch_one(db)
                .await)?;
            let Some(last) = last else {
                return Ok(deleted);
            };
            let mut tx = self.pools().begin().await?;
            for statement in [DELETE_UNUSED, STRIP] {
                deleted += on_engine!(tx.conn(), |db| sqlx::query(statement)
                    .bind(&org)
                    .bind(last)
                    .execute(db)
                    .await
                    .map(|done| done.rows_affected()))?;
            }
            tx.commit().await?;
        }
    }

    /// Deletes the debug logs of destroyed organisations, whose records may come late; how many.
    pub(super) async fn debug_logs_strip_ownerless(&self) -> Result<u64, PortError> {
        let orgs: Vec<String> =
            on_engine!(self.pools().readers(), |db| sqlx::query_scalar(DESTROYED).fetch_all(db).await)?;
        let mut deleted = 0;
        for org in orgs {
            let all = Timestamp::from_micros(i64::MAX);
            deleted += self.debug_logs_strip(parsed("organisations.id", &org)?, all).await?;
        }
        Ok(deleted)
    }
}

statements! {
    OLDEST = "SELECT MAX(at) FROM (SELECT at FROM request_records
        WHERE org = $1 AND is_logged = TRUE AND at < $2 ORDER BY at LIMIT $3) AS oldest";
    DELETE_UNUSED = "DELETE FROM request_records
        WHERE org = $1 AND is_logged = TRUE AND at <= $2 AND is_used = FALSE";
    STRIP = "UPDATE request_records SET is_logged = FALSE, detail = NULL
        WHERE org = $1 AND is_logged = TRUE AND at <= $2";
    DESTROYED = "SELECT id FROM organisations WHERE destroyed_at IS NOT NULL";
}
