use super::key_question::{is_taken, question};
use super::provider_keys::find;
use crate::api::{KeyTest, KeyTestResult};
use crate::authority::{ManageProviderKeys, OrgCaller};
use crate::body::Answer;
use crate::params::Named;
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use crate::target::{self, ProviderPlace};
use axum::extract::State;
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use topdog_domain::audit::AuditOutcome;
use topdog_domain::provider::ProviderApi;
use topdog_domain::tenant::ProviderKey;
use topdog_domain::{ProviderKeyId, Refusal, Timestamp};
use topdog_egress::AnswerLimits;
use topdog_vault::{OpenedKey, VaultError};

const LIMITS: AnswerLimits =
    AnswerLimits { timeout: Duration::from_secs(15), max_body_bytes: 8 * 1024 * 1024 };

/// Asks the provider something that costs nothing, with the key. Nothing of its answer but the class of its status is passed on.
pub(super) async fn test(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageProviderKeys>,
    Named(id): Named<ProviderKeyId>,
) -> Result<Answer<KeyTest>, Problem> {
    let key = find(&platform, caller.org_id(), id).await?;
    caller.require_reach(&platform, None, id)?;
    let place = target::of(&platform, &caller.org, &key.provider)?;
    let base = &place.base;
    if base.origin().as_str() != key.origin {
        return Err(Problem::Conflict(format!(
            "the key is for {} only, and the provider is now at {}; rotate it",
            key.origin,
            base.origin()
        )));
    }
    audited(&platform, &caller, &key).await?;
    let opened = match open(&platform, &place, &key, caller.trail.at).await {
        Ok(opened) => opened,
        Err(VaultError::Reference(error)) => {
            let detail = format!("the key could not be fetched: {error}");
            return Ok(Answer(KeyTest { result: KeyTestResult::Unreachable, status_class: None, detail }));
        }
        Err(error) => {
            let draft = caller.trail.draft(key.org, key.id).with("reason", "unreadable");
            platform.spool.append_audit(&draft.ended(AuditOutcome::Failure));
            tracing::error!(key = %key.id, %error, "a provider key can't be opened");
            return Err(Refusal::ProviderKeyUnreadable(key.provider).into());
        }
    };
    ask(&platform, &place, &opened, caller.trail.at).await.map(Answer)
}

/// The key, or the access token that it is exchanged for.
async fn open(
    platform: &Platform,
    place: &ProviderPlace,
    key: &ProviderKey,
    now: Timestamp,
) -> Result<Arc<OpenedKey>, VaultError> {
    let vault = &platform.parts.vault;
    let (opened, _) = vault.open(key, now).await?;
    match place.manner.api() {
        ProviderApi::Vertex => vault.token(key, opened, now).await,
        _ => Ok(opened),
    }
}

/// The use is on disk before the key is used, in every segment: tests are rare enough to wait for it.
async fn audited(
    platform: &Platform,
    caller: &OrgCaller<ManageProviderKeys>,
    key: &ProviderKey,
) -> Result<(), Problem> {
    let draft = caller
        .trail
        .draft(key.org, key.id)
        .with("provider", &key.provider)
        .with("version", key.version)
        .with("origin", &key.origin);
    platform.record(&draft).await
}

async fn ask(
    platform: &Platform,
    place: &ProviderPlace,
    key: &OpenedKey,
    now: Timestamp,
) -> Result<KeyTest, Problem> {
    let origin = place.base.origin();
    if key.origin() != origin.as_str() {
        return Err(Refusal::Internal.into());
    }
    let request = question(place, key, now).ok_or(Refusal::Internal)?;
    let answered = platform.parts.egress.request(origin, request, LIMITS).await;
    Ok(match answered {
        Ok(response) => judged(place.manner.api(), response.status()),
        Err(error) => KeyTest {
            result: KeyTestResult::Unreachable,
            status_class: None,
            detail: error.public_reason().to_owned(),
        },
    })
}

fn judged(api: ProviderApi, status: StatusCode) -> KeyTest {
    let (result, detail) = match status.as_u16() {
        _ if is_taken(api, status) => (KeyTestResult::Ok, "the provider took the key"),
        401 | 403 => {
            (KeyTestResult::Refused, "the provider refused the key; rotate it with one that works there")
        }
        429 => (KeyTestResult::Refused, "the provider knows the key and limits it just now; try again later"),
        500..=599 => {
            (KeyTestResult::Refused, "the provider failed, which says nothing of the key; try again later")
        }
        _ => (KeyTestResult::Refused, "the provider did not answer as its API does; check the base URL"),
    };
    KeyTest { result, status_class: Some(format!("{}xx", status.as_u16() / 100)), detail: detail.to_owned() }
}
