//! The end of every change of the configuration: the audit entry and the row of the change feed, committed
//! with the change.

use super::Store;
use super::audit_chain;
use super::doorbell;
use super::engine::{Tx, on_engine, statements};
use topdog_domain::OrgId;
use topdog_domain::audit::AuditDraft;
use topdog_domain::ports::PortError;

impl Store {
    /// Commits a change of an organisation with its audit entry and its announcement.
    pub(super) async fn commit_change(
        &self,
        mut tx: Tx,
        org: OrgId,
        audit: &AuditDraft,
    ) -> Result<(), PortError> {
        audit_chain::append(&mut tx, &[audit]).await?;
        self.commit_announced(tx, Some(org)).await
    }

    /// Commits a change with its announcement; none: of the tiers.
    pub(super) async fn commit_announced(&self, mut tx: Tx, org: Option<OrgId>) -> Result<(), PortError> {
        let org = org.map(|org| org.to_string());
        // The clock's row is held from here to the commit, so that no later number is seen before this one.
        let seq: i64 = on_engine!(tx.conn(), |db| sqlx::query_scalar(TICK).fetch_one(db).await)?;
        on_engine!(tx.conn(), |db| sqlx::query(ANNOUNCE).bind(seq).bind(org).execute(db).await.map(|_| ()))?;
        doorbell::ring(&mut tx).await?;
        tx.commit().await?;
        self.doorbell().notify_waiters();
        Ok(())
    }
}

statements! {
    TICK = "UPDATE change_clock SET seq = seq + 1 WHERE id = 1 RETURNING seq";
    ANNOUNCE = "INSERT INTO config_changes (seq, org) VALUES ($1, $2)";
}
