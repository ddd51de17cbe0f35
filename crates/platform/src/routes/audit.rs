use crate::api::{AuditEntry, AuditHead, AuditLog};
use crate::authority::{OrgCaller, ReadAudit};
use crate::body::Answer;
use crate::params::ChainParams;
use crate::platform::Shared;
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::entitlement::Feature;

pub(super) async fn list(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadAudit>,
    wish: ChainParams,
) -> Result<Answer<AuditLog>, Problem> {
    if caller.key.is_some() {
        caller.require_feature(&platform, Feature::AuditLogs)?;
    }
    let (org, records) = (caller.org_id(), &platform.parts.records);
    // The head first: entries that come meanwhile lie behind it, and none before it can be missing.
    let (seq, hash) = records.audit_head(org).await?;
    let entries = records.audit_list(org, wish.after, wish.limit).await?;
    let is_full = u32::try_from(entries.len()).is_ok_and(|count| count >= wish.limit);
    Ok(Answer(AuditLog {
        next_after: entries.last().filter(|_| is_full).map(|entry| entry.seq),
        data: entries.into_iter().map(AuditEntry::from).collect(),
        head: AuditHead { seq, hash: hash.to_string() },
    }))
}
