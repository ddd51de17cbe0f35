//! Behaviour of the whole vault over ports in memory.

mod api_keys;
mod blobs;
mod lapsed;
mod memory;
mod opening;
mod rotation;
mod sealing;
mod shown;
mod stored_format;
mod tampering;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use topdog_domain::api_key::{ApiKey, KeyMode};
use topdog_domain::audit::{Actor, AuditDraft};
use topdog_domain::provider::ProviderName;
use topdog_domain::tenant::{KeySource, ProviderKey};
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, OrgId, ProviderKeyId, Timestamp};

use crate::{Cipher, References, RootKeyring, SecretText, Slot, Vault, VaultParts};
use memory::MemoryStore;

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
const TTL_SECONDS: i64 = 60;
const STALE_SECONDS: i64 = 3600;

/// A root key file and a store, which outlive any vault over them.
struct Site {
    folder: TempDir,
    store: Arc<MemoryStore>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        RootKeyring::generate(&folder.path().join("root.key")).unwrap();
        Self { folder, store: Arc::default() }
    }

    fn root_path(&self) -> PathBuf {
        self.folder.path().join("root.key")
    }

    /// A vault as after a start.
    fn vault(&self) -> Vault {
        self.vault_with(Cipher::default(), References::new())
    }

    fn vault_with(&self, cipher: Cipher, references: References) -> Vault {
        vault_over(&self.root_path(), &self.store, cipher, references)
    }

    /// An organisation with its key.
    async fn org(&self) -> OrgId {
        let org = OrgId::new();
        self.vault().create_org_key(org, NOW).await.unwrap();
        org
    }

    /// A sealed and stored provider key.
    async fn sealed(&self, org: OrgId, plaintext: &str) -> ProviderKey {
        let key = provider_key(org);
        let sealed = self.vault().seal(&Slot::from(&key), &text(plaintext), NOW).await.unwrap();
        self.store.keep(sealed);
        key
    }

    /// A provider key by reference, with the reference sealed and stored.
    async fn referenced(&self, org: OrgId, reference: &str) -> ProviderKey {
        let key = ProviderKey { source: KeySource::Reference(reference.to_owned()), ..provider_key(org) };
        let reference = reference.parse().unwrap();
        let sealed = self.vault().seal_reference(&Slot::from(&key), &reference).await.unwrap();
        self.store.keep(sealed);
        key
    }
}

/// What is recorded of a rotation.
fn rotation(org: OrgId) -> AuditDraft {
    AuditDraft::new(NOW, org, Actor::Operator, "org_key.rotate", org)
}

fn vault_over(root: &Path, store: &Arc<MemoryStore>, cipher: Cipher, references: References) -> Vault {
    let parts = VaultParts {
        root: RootKeyring::read(root).unwrap(),
        org_keys: store.clone(),
        secrets: store.clone(),
        installation: store.clone(),
        references,
        cache_ttl: Duration::from_secs(TTL_SECONDS as u64),
        stale_ttl: Duration::from_secs(STALE_SECONDS as u64),
    };
    Vault::with_cipher(parts, cipher)
}

fn provider_key(org: OrgId) -> ProviderKey {
    ProviderKey {
        id: ProviderKeyId::new(),
        org,
        provider: ProviderName::openai(),
        name: "main".to_owned(),
        origin: "https://api.openai.com".to_owned(),
        source: KeySource::Sealed,
        version: 1,
        created_at: NOW,
        rotated_at: NOW,
    }
}

/// A Top Dog key of an organisation of its own.
fn api_key() -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        org: OrgId::new(),
        workspace: None,
        name: "ci".to_owned(),
        mode: KeyMode::Live,
        scopes: Vec::new(),
        models: Vec::new(),
        ip_allow: Vec::new(),
        llm_requests_per_day: Limit::Unlimited,
        expires_at: None,
        created_at: NOW,
        revoked_at: None,
        secrets: Vec::new(),
    }
}

fn text(plaintext: &str) -> SecretText {
    SecretText::new(plaintext.to_owned())
}

/// What a freshly started vault opens for the key.
async fn opens(site: &Site, key: &ProviderKey) -> Result<String, crate::VaultError> {
    let (opened, _) = site.vault().open(key, NOW).await?;
    Ok(opened.expose().to_owned())
}

fn is_shareable<T: Clone + Send + Sync + 'static>() {}

#[test]
fn a_vault_is_shared_between_threads() {
    is_shareable::<Vault>();
}

#[test]
fn the_process_is_hardened() {
    crate::harden_process().unwrap();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    let behaviour = rustix::process::dumpable_behavior().unwrap();
    assert_eq!(behaviour, rustix::process::DumpableBehavior::NotDumpable);
    crate::harden_process().unwrap();
}
