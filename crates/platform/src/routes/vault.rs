use crate::api::{OrgVaultStatus, Rotation, VaultStatus};
use crate::authority::{ManageProviderKeys, Operator, OrgCaller, ReadProviderKeys};
use crate::body::Answer;
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::audit::AuditOutcome;
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
    caller.require_reach(&platform, None, org)?;
    let draft = caller.trail.draft(org, org);
    let rotated = platform.parts.vault.rotate_org_key(org, caller.trail.at, draft.clone()).await;
    if rotated.is_err() {
        platform.record(&draft.ended(AuditOutcome::Failure)).await?;
    }
    begun(&platform, rotated)
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
    let before = vault.root_version();
    let draft = || operator.trail.draft(OrgId::INSTALLATION, "root_key").with("version_before", before);
    // The key is in a file, which no transaction reaches: what is about to be done is on the disk before, what came of it
    // behind, so that no crash between leaves a rotation of which nothing tells.
    platform.record(&draft().with("step", "begin")).await?;
    let rotated = tokio::task::spawn_blocking(move || vault.rotate_root()).await;
    let rotated = rotated.map_err(|_| Refusal::Internal)?;
    let ended = draft().with("step", "end");
    let ended = match &rotated {
        Ok(version) => ended.with("version", version),
        Err(_) => ended.ended(AuditOutcome::Failure),
    };
    let recorded = platform.record(&ended).await;
    let answer = begun(&platform, rotated);
    recorded.and(answer)
}

/// The answer to a rotation that has begun, for which whoever carries it on is woken.
fn begun(platform: &Platform, rotated: Result<u32, VaultError>) -> Result<Answer<Rotation>, Problem> {
    if rotated.is_ok() {
        platform.parts.rotation_begun.notify_one();
    }
    let version = rotated.map_err(|error| Problem::of_vault(&error))?;
    Ok(Answer(Rotation { version }))
}
