use crate::api::{CreateProviderKey, Page, ProviderKey, RotateProviderKey, Secret};
use crate::authority::{ManageProviderKeys, OrgCaller, ReadProviderKeys};
use crate::body::{Answer, Done};
use crate::checks::{bad_field, name};
use crate::idempotency::{Create, Created, Keep, Renewed};
use crate::pages::{page, page_of};
use crate::params::{Named, PageParams};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use crate::target;
use axum::extract::State;
use topdog_domain::audit::AuditDraft;
use topdog_domain::directory::OrgView;
use topdog_domain::ports::{PortError, SealedSecret};
use topdog_domain::provider::ProviderApi;
use topdog_domain::tenant::{self, KeySource};
use topdog_domain::{OrgId, ProviderKeyId};
use topdog_vault::{Reference, ReferenceError, SecretText, Slot, VaultError};

/// What a 404 calls one.
const WHAT: &str = "provider key";

pub(super) async fn list(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadProviderKeys>,
    PageParams { wish, .. }: PageParams<ProviderKeyId>,
) -> Result<Answer<Page<ProviderKey>>, Problem> {
    let rows = platform.parts.provider_keys.provider_key_list(caller.org_id()).await?;
    let rows = page_of(rows, &wish, |key| key.id.to_string());
    Ok(Answer(page(rows, |key| shown(&platform, &caller.org, key))))
}

pub(super) async fn show(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadProviderKeys>,
    Named(id): Named<ProviderKeyId>,
) -> Result<Answer<ProviderKey>, Problem> {
    let key = find(&platform, caller.org_id(), id).await?;
    Ok(Answer(shown(&platform, &caller.org, key)))
}

pub(super) async fn create(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageProviderKeys>,
    input: Create<CreateProviderKey>,
) -> Result<Created<ProviderKey>, Problem> {
    input.once(&platform, &caller.trail, Keep::Plain, |wish| make(&platform, &caller, wish)).await
}

async fn make(
    platform: &Platform,
    caller: &OrgCaller<ManageProviderKeys>,
    wish: CreateProviderKey,
) -> Result<ProviderKey, Problem> {
    caller.require_reach(platform, None, &wish.provider)?;
    name("name", &wish.name)?;
    let place = target::of(platform, &caller.org, &wish.provider).inspect_err(|problem| {
        let denied = caller.trail.draft(caller.org_id(), &wish.provider);
        platform.deny(denied.with("reason", problem.code()));
    })?;
    let source = Source::of(caller, place.manner.api(), wish.secret, wish.reference)?;
    let now = caller.trail.at;
    let key = tenant::ProviderKey {
        id: ProviderKeyId::new(),
        org: caller.org_id(),
        provider: wish.provider,
        name: wish.name,
        origin: place.base.origin().to_string(),
        source: source.stored(),
        version: 1,
        created_at: now,
        rotated_at: now,
    };
    let sealed = source.seal(platform, &key).await?;
    let audit = described(caller, &key);
    let created = platform.parts.provider_keys.provider_key_create(&key, &sealed, &audit).await;
    created.map_err(|error| match error {
        PortError::Conflict(_) => {
            Problem::Conflict("a key of that name is there for the provider".to_owned())
        }
        PortError::LimitReached { used } => Problem::Full(format!("{used} provider keys")),
        other => other.into(),
    })?;
    platform.refresh(key.org).await;
    Ok(key.into())
}

pub(super) async fn rotate(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageProviderKeys>,
    Named(id): Named<ProviderKeyId>,
    input: Create<RotateProviderKey>,
) -> Result<Renewed<ProviderKey>, Problem> {
    input
        .once(&platform, &caller.trail, Keep::Plain, |wish| renew(&platform, &caller, id, wish))
        .await
        .map(Renewed)
}

async fn renew(
    platform: &Platform,
    caller: &OrgCaller<ManageProviderKeys>,
    id: ProviderKeyId,
    wish: RotateProviderKey,
) -> Result<ProviderKey, Problem> {
    let present = find(platform, caller.org_id(), id).await?;
    caller.require_reach(platform, None, id)?;
    let place = target::of(platform, &caller.org, &present.provider)?;
    let source = Source::of(caller, place.manner.api(), wish.secret, wish.reference)?;
    let key = tenant::ProviderKey {
        origin: place.base.origin().to_string(),
        source: source.stored(),
        version: present.version.saturating_add(1),
        rotated_at: caller.trail.at,
        ..present
    };
    let sealed = source.seal(platform, &key).await?;
    let audit = described(caller, &key);
    let rotated = platform.parts.provider_keys.provider_key_rotate(&key, &sealed, &audit).await;
    rotated.map_err(|error| match error {
        PortError::Conflict(_) => Problem::Conflict("the key was rotated meanwhile".to_owned()),
        other => Problem::of_port(other, WHAT),
    })?;
    platform.refresh(key.org).await;
    Ok(key.into())
}

pub(super) async fn delete(
    State(platform): State<Shared>,
    caller: OrgCaller<ManageProviderKeys>,
    Named(id): Named<ProviderKeyId>,
) -> Result<Done, Problem> {
    let org = caller.org_id();
    caller.require_reach(&platform, None, id)?;
    let audit = caller.trail.draft(org, id);
    let deleted = platform.parts.provider_keys.provider_key_delete(org, id, &audit).await;
    deleted.map_err(|error| Problem::of_port(error, WHAT))?;
    platform.refresh_or(org, |facts| facts.provider_keys.retain(|key| key.id != id)).await;
    Ok(Done)
}

/// Where a key's plaintext is to come from.
enum Source {
    Sealed(SecretText),
    Reference(Reference),
}

impl Source {
    fn of(
        caller: &OrgCaller<ManageProviderKeys>,
        api: ProviderApi,
        secret: Option<Secret>,
        reference: Option<String>,
    ) -> Result<Self, Problem> {
        match (secret, reference) {
            (Some(secret), None) => {
                let key = SecretText::new(secret.expose().to_owned()).into_key_for(api);
                key.map(Self::Sealed).map_err(|bad| bad_field("secret", bad.to_string()))
            }
            (None, Some(reference)) => {
                // What it names is read with the operator's own authority, whichever organisation it is for.
                caller.require_operator("set a key by reference")?;
                let reference = reference.parse::<Reference>();
                reference.map(Self::Reference).map_err(|bad| bad_field("reference", bad.to_string()))
            }
            _ => Err(bad_field("secret", "give exactly one of `secret` and `reference`")),
        }
    }

    fn stored(&self) -> KeySource {
        match self {
            Self::Sealed(_) => KeySource::Sealed,
            Self::Reference(reference) => KeySource::Reference(reference.to_string()),
        }
    }

    async fn seal(&self, platform: &Platform, key: &tenant::ProviderKey) -> Result<SealedSecret, Problem> {
        let (vault, slot) = (&platform.parts.vault, Slot::from(key));
        let sealed = match self {
            Self::Sealed(secret) => vault.seal(&slot, secret, key.rotated_at).await,
            Self::Reference(reference) => {
                // Said now, to whoever can mend it, and not to the first request.
                vault.check_reference(reference).await.map_err(not_fetched)?;
                vault.seal_reference(&slot, reference).await
            }
        };
        sealed.map_err(|error| match error {
            VaultError::BadSecret(bad) => bad_field("secret", bad.to_string()),
            other => Problem::of_vault(&other),
        })
    }
}

fn not_fetched(error: VaultError) -> Problem {
    match error {
        VaultError::Reference(never @ ReferenceError::Private(_)) => {
            bad_field("reference", never.to_string())
        }
        VaultError::Reference(error) => Problem::ReferenceUnreachable(error.to_string()),
        VaultError::BadSecret(bad) => {
            Problem::ReferenceUnreachable(format!("what is there is no key: {bad}"))
        }
        other => Problem::of_vault(&other),
    }
}

fn described(caller: &OrgCaller<ManageProviderKeys>, key: &tenant::ProviderKey) -> AuditDraft {
    let source = match &key.source {
        KeySource::Sealed => "sealed",
        KeySource::Reference(_) => "reference",
    };
    caller
        .trail
        .draft(key.org, key.id)
        .with("provider", &key.provider)
        .with("name", &key.name)
        .with("origin", &key.origin)
        .with("source", source)
        .with("version", key.version)
}

/// The key, with a warning where it can't be used just now.
fn shown(platform: &Platform, org: &OrgView, key: tenant::ProviderKey) -> ProviderKey {
    let base = target::find(platform, org, &key.provider).map(|place| place.base);
    let mut shown = ProviderKey::from(key);
    shown.warning = match base {
        None => {
            Some("the provider is not here any more; delete the key, or bring the endpoint back".to_owned())
        }
        Some(base) if base.origin().as_str() != shown.origin => Some(format!(
            "the provider is now at {}, and the key is for {} only; rotate it with the key to use there",
            base.origin(),
            shown.origin
        )),
        Some(_) => None,
    };
    shown
}

pub(super) async fn find(
    platform: &Platform,
    org: OrgId,
    id: ProviderKeyId,
) -> Result<tenant::ProviderKey, Problem> {
    let found = platform.parts.provider_keys.provider_key_find(org, id).await?;
    found.ok_or(Problem::NotFound(WHAT))
}
