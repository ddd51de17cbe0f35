//! Step 5: the provider key, opened but not looked at.

use crate::arrive::Trail;
use crate::entitle::{Destination, Entitled};
use crate::reserve::Reserved;
use crate::settle::Settlement;
use crate::worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use topdog_domain::audit::{Actor, AuditDraft, AuditOutcome};
use topdog_domain::provider::ProviderApi;
use topdog_domain::tenant::ProviderKey;
use topdog_domain::usage::{KeyUse, Outcome};
use topdog_domain::{Refusal, Timestamp};
use topdog_vault::{OpenedKey, Opening, VaultError};

/// How long a request waits for a key to be opened anew that was open a while ago: a database that is slow delays it
/// by no more.
const OVERDUE: Duration = Duration::from_millis(100);

/// A request with the key it will be sent with; none where its destination takes none.
pub(crate) struct Opened {
    pub(crate) reserved: Reserved,
    pub(crate) key: Option<Arc<OpenedKey>>,
}

pub(crate) async fn open_key(
    worker: &Rc<Worker>,
    trail: &Trail,
    mut reserved: Reserved,
) -> Result<Opened, Refusal> {
    let Reserved { entitled, settlement } = &mut reserved;
    // A stream may last for minutes: should the process be killed meanwhile, there will be no record of it.
    let is_audited = trail.labels.get().segment.is_regulated() || entitled.is_stream;
    match find_key(worker, trail, entitled, settlement, is_audited).await {
        Ok(key) => Ok(Opened { reserved, key }),
        Err(refusal) => {
            reserved.settlement.rejected(&refusal);
            reserved.settlement.settle(Outcome::InternalError);
            Err(refusal)
        }
    }
}

/// Opens the key for where the request goes. Its use is in the audit log when this ends, if it `is_audited`, and on the
/// disk in a regulated segment; else the request's record has it.
pub(crate) async fn find_key(
    worker: &Rc<Worker>,
    trail: &Trail,
    entitled: &Entitled,
    settlement: &mut Settlement,
    is_audited: bool,
) -> Result<Option<Arc<OpenedKey>>, Refusal> {
    let Destination::Upstream { target, key: Some(id) } = &entitled.route.destination else {
        return Ok(None);
    };
    let provider = &entitled.route.provider;
    let org = entitled.caller.org.clone();
    let key = org.provider_key_by_id(*id).ok_or_else(|| Refusal::NoProviderKey(provider.clone()))?;
    if key.origin != target.origin().as_str() {
        // A changed base URL never gets the key that was brought for the old one.
        fail(worker, trail, entitled, key, "origin_changed");
        return Err(Refusal::ProviderKeyUnreadable(provider.clone()));
    }
    let opened = match worker.parts().vault.cached(key, trail.at) {
        Some(opened) => opened,
        None => Box::pin(open_from_vault(worker, trail, entitled, key)).await?,
    };
    let opened = match target.manner.api() {
        ProviderApi::Vertex => Box::pin(token(worker, trail, entitled, key, opened)).await?,
        _ => opened,
    };
    if is_audited {
        let used = draft(trail, entitled, key, "provider_key.use");
        worker.spool.append_audit(&used.with("operation", entitled.operation.name()));
    }
    if trail.labels.get().segment.is_regulated() {
        worker.spool.durable().await.map_err(|_| Refusal::RecordsUnavailable)?;
    }
    settlement.key_opened(KeyUse { provider_key: key.id, version: opened.version(), is_audited });
    Ok(Some(opened))
}

async fn open_from_vault(
    worker: &Rc<Worker>,
    trail: &Trail,
    entitled: &Entitled,
    key: &ProviderKey,
) -> Result<Arc<OpenedKey>, Refusal> {
    let vault = &worker.parts().vault;
    let opening =
        open_anew(worker.clone(), key.clone(), draft(trail, entitled, key, "provider_key.open"), trail.at);
    let opened = match vault.lapsed(key, trail.at) {
        None => opening.await,
        Some(lapsed) => {
            let patience = if lapsed.is_cut_off() { Duration::ZERO } else { OVERDUE };
            // It goes on without this request, for the next one.
            match timeout(patience, tokio::task::spawn_local(opening)).await {
                Ok(Ok(opened)) => opened,
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!(provider_key = %key.id, "opening a key anew is overdue, its last opening serves");
                    // None where it was revoked meanwhile.
                    return vault.carry_on(key, trail.at).ok_or(Refusal::LedgerUnavailable);
                }
            }
        }
    };
    opened.map_err(|error| unopened(worker, trail, entitled, key, &error))
}

/// What Vertex is shown: the access token that a service account's key is exchanged for.
async fn token(
    worker: &Rc<Worker>,
    trail: &Trail,
    entitled: &Entitled,
    key: &ProviderKey,
    opened: Arc<OpenedKey>,
) -> Result<Arc<OpenedKey>, Refusal> {
    let exchanged = worker.parts().vault.token(key, opened, trail.at).await;
    exchanged.map_err(|error| unopened(worker, trail, entitled, key, &error))
}

/// Opens a key, and leaves the audit entry of its opening with whoever asked first.
async fn open_anew(
    worker: Rc<Worker>,
    key: ProviderKey,
    entry: AuditDraft,
    now: Timestamp,
) -> Result<Arc<OpenedKey>, VaultError> {
    let (opened, opening) = worker.parts().vault.open(&key, now).await?;
    if matches!(opening, Opening::FromStore | Opening::Fetched) {
        worker.spool.append_audit(&entry);
    }
    Ok(opened)
}

fn unopened(
    worker: &Worker,
    trail: &Trail,
    entitled: &Entitled,
    key: &ProviderKey,
    error: &VaultError,
) -> Refusal {
    tracing::error!(request = %trail.request, provider_key = %key.id, %error, "a provider key can't be opened");
    let provider = key.provider.clone();
    match error {
        VaultError::Reference(_) => {
            fail(worker, trail, entitled, key, "reference_unreachable");
            Refusal::ProviderKeyUnreachable(provider)
        }
        VaultError::Store(_) => Refusal::LedgerUnavailable,
        _ => {
            fail(worker, trail, entitled, key, "unreadable");
            Refusal::ProviderKeyUnreadable(provider)
        }
    }
}

fn fail(worker: &Worker, trail: &Trail, entitled: &Entitled, key: &ProviderKey, reason: &str) {
    let draft =
        draft(trail, entitled, key, "provider_key.open").ended(AuditOutcome::Failure).with("reason", reason);
    worker.spool.append_audit(&draft);
}

fn draft(trail: &Trail, entitled: &Entitled, key: &ProviderKey, action: &str) -> AuditDraft {
    let caller = &entitled.caller.key;
    let mut draft = AuditDraft::new(trail.at, key.org, Actor::ApiKey(caller.id.to_string()), action, key.id);
    draft.request = Some(trail.request);
    draft.ip = Some(entitled.client_ip.to_string());
    draft.with("version", key.version).with("provider", &key.provider).with("model", &entitled.route.model)
}
