use crate::api::{OrgVaultStatus, Rotation, VaultStatus};
use crate::authority::{ManageProviderKeys, Operator, OrgCaller, ReadProviderKeys};
use crate::body::Answer;
use crate::platform::Shared;
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::Refusal;
use topdog_domain::audit::AuditOutcome;

pub(super) async fn show_org(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadProviderKeys>,
) -> Result<Answer<OrgVaultStatus>, Problem> {
    let versions = platform.parts.org_keys.org_key_list(caller.org_id()).await?;
    let newest = versions.iter().max_by_key(|key| key.version);
    let newest = newest.ok_or(Problem::NotFound("organisation key"))?;
    let older = versions.iter().map(|key| key.version).filter(|version| *version < newest.version);
    Ok(Answer(OrgVaultStatus {
        version: newest.version,
        created_at: newest.created_at.into(),
        older_versions: older.collect(),
    }))
}

pub(super) async fn rotate_org(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageProviderKeys>,
) -> Result<Answer<Rotation>, Problem> {
    let org = caller.org_id();
    let rotated = platform.parts.vault.rotate_org_key(org, caller.trail.at).await;
    let draft = caller.trail.draft(org, org);
    let draft = match &rotated {
        Ok(version) => draft.with("version", version),
        Err(_) => draft.ended(AuditOutcome::Failure),
    };
    platform.spool.append_audit(&draft);
    let version = rotated.map_err(|error| Problem::of_vault(&error))?;
    platform.spool.durable().await.map_err(|error| {
        tracing::error!(%error, "an audit entry could not be kept");
        Refusal::RecordsUnavailable
    })?;
    Ok(Answer(Rotation { version }))
}

pub(super) async fn show_root(
    State(platform): State<Shared>,
    _: Operator,
) -> Result<Answer<VaultStatus>, Problem> {
    let pending = platform.parts.vault.pending().await;
    pending.map(|count| Answer(count.into())).map_err(|error| Problem::of_vault(&error))
}

pub(super) async fn rotate_root(
    State(platform): State<Shared>,
    operator: Operator,
) -> Result<Answer<Rotation>, Problem> {
    let vault = platform.parts.vault.clone();
    let rotated = tokio::task::spawn_blocking(move || vault.rotate_root()).await;
    let version = rotated.map_err(|_| Refusal::Internal)?.map_err(|error| Problem::of_vault(&error))?;
    // The root key is no organisation's, so no chain has a place for this.
    tracing::warn!(version, request = ?operator.trail.request, "the operator rotated the root key");
    Ok(Answer(Rotation { version }))
}
