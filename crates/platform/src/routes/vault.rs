use crate::api::{OrgVaultStatus, Rotation, VaultStatus};
use crate::authority::{ManageProviderKeys, Operator, OrgCaller, ReadProviderKeys};
use crate::body::Answer;
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::audit::{AuditDraft, AuditOutcome};
use topdog_domain::{OrgId, Refusal};
use topdog_vault::VaultError;

pub(super) async fn show_org(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadProviderKeys>,
) -> Result<Answer<OrgVaultStatus>, Problem> {
    let versions = platform.parts.org_keys.org_key_list(caller.org_id()).await?;
    let newest = versions.iter().max_by_key(|key| key.version);
    let newest = newest.ok_or(Problem::NotFound("organisation key"))?;
    let data_keys = platform.parts.wrapped_key_counts.data_key_count(caller.org_id()).await?;
    let older = versions.iter().map(|key| key.version).filter(|version| *version < newest.version);
    Ok(Answer(OrgVaultStatus {
        version: newest.version,
        created_at: newest.created_at.into(),
        pending: data_keys.under_older,
        done: data_keys.under_newest,
        older_versions: older.collect(),
    }))
}

pub(super) async fn rotate_org(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageProviderKeys>,
) -> Result<Answer<Rotation>, Problem> {
    platform.require_records()?;
    let org = caller.org_id();
    let rotated = platform.parts.vault.rotate_org_key(org, caller.trail.at).await;
    finished(&platform, caller.trail.draft(org, org), rotated).await
}

pub(super) async fn show_root(
    State(platform): State<Shared>,
    _: Operator,
) -> Result<Answer<VaultStatus>, Problem> {
    let pending = platform.parts.vault.pending().await.map_err(|error| Problem::of_vault(&error))?;
    let all = platform.parts.wrapped_key_counts.wrapped_key_count().await?;
    Ok(Answer(VaultStatus::new(pending, all)))
}

pub(super) async fn rotate_root(
    State(platform): State<Shared>,
    operator: Operator,
) -> Result<Answer<Rotation>, Problem> {
    platform.require_records()?;
    let vault = platform.parts.vault.clone();
    let rotated = tokio::task::spawn_blocking(move || vault.rotate_root()).await;
    let draft = operator.trail.draft(OrgId::INSTALLATION, "root_key");
    finished(&platform, draft, rotated.map_err(|_| Refusal::Internal)?).await
}

/// A rotation's answer, after its audit entry.
async fn finished(
    platform: &Platform,
    draft: AuditDraft,
    rotated: Result<u32, VaultError>,
) -> Result<Answer<Rotation>, Problem> {
    let draft = match &rotated {
        Ok(version) => draft.with("version", version),
        Err(_) => draft.ended(AuditOutcome::Failure),
    };
    if rotated.is_ok() {
        platform.parts.rotation_begun.notify_one();
    }
    platform.record(&draft).await?;
    let version = rotated.map_err(|error| Problem::of_vault(&error))?;
    Ok(Answer(Rotation { version }))
}
