use crate::platform::Platform;
use crate::problem::Problem;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use topdog_domain::audit::{AuditDraft, AuditOutcome};
use topdog_domain::quota::MinuteWindow;
use topdog_domain::tier::Limit;
use topdog_domain::{OrgId, Refusal};

/// How many denials of one organisation are audited a minute: what a caller is refused costs it nothing, so it
/// must not be able to fill the disk with it.
const DENIALS_A_MINUTE: Limit = Limit::Of(60);

/// What is left of it for each organisation.
#[derive(Default)]
pub(crate) struct DenialBudget(Mutex<HashMap<OrgId, Arc<MinuteWindow>>>);

impl Platform {
    /// Whether records are being kept. What can't be recorded is not done, where its entry can't be part of the
    /// change's own transaction.
    pub(crate) fn require_records(&self) -> Result<(), Problem> {
        if self.parts.spool.is_healthy() { Ok(()) } else { Err(Refusal::RecordsUnavailable.into()) }
    }

    /// Records what was done outside a transaction of its own, and waits until the entry is on the disk.
    pub(crate) async fn record(&self, draft: &AuditDraft) -> Result<(), Problem> {
        self.spool.append_audit(draft);
        self.spool.durable().await.map_err(|error| {
            tracing::error!(%error, action = draft.action, "an audit entry could not be kept");
            Refusal::RecordsUnavailable.into()
        })
    }

    /// Records an attempt that was not allowed, in the chain of the organisation whose key made it.
    pub(crate) fn deny(&self, draft: AuditDraft) {
        let window = {
            let mut windows = self.denials.0.lock().unwrap_or_else(PoisonError::into_inner);
            windows.entry(draft.org).or_default().clone()
        };
        if window.take(DENIALS_A_MINUTE, draft.at).is_ok() {
            self.spool.append_audit(&draft.ended(AuditOutcome::Denied));
        }
    }
}
