//! Whatever is changed in or moved between stored rows is an error, never another plaintext.

use topdog_domain::ports::{SealedSecret, WrappedOrgKey, WrappedRoot};
use uuid::Uuid;

use super::*;
use crate::{KeyHasher, VaultError};

/// Every way to change one byte of it, or to cut its end off.
fn spoiled(bytes: &[u8]) -> Vec<Vec<u8>> {
    let changed = (0..bytes.len()).flat_map(|at| {
        [0x01, 0x80].map(|bit| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= bit;
            bytes
        })
    });
    let cut = (0..bytes.len()).map(|len| bytes[..len].to_vec());
    let longer = std::iter::once([bytes, b"x"].concat());
    changed.chain(cut).chain(longer).collect()
}

fn spoiled_text(text: &str) -> Vec<String> {
    spoiled(text.as_bytes()).into_iter().filter_map(|bytes| String::from_utf8(bytes).ok()).collect()
}

fn spoiled_number(number: u32) -> Vec<u32> {
    (0..32).map(|bit| number ^ (1 << bit)).collect()
}

fn spoiled_uuid(uuid: Uuid) -> Vec<Uuid> {
    (0..128).map(|bit| Uuid::from_u128(uuid.as_u128() ^ (1 << bit))).collect()
}

fn spoiled_time(time: Timestamp) -> Vec<Timestamp> {
    (0..64).map(|bit| Timestamp::from_micros(time.micros() ^ (1 << bit))).collect()
}

macro_rules! variants {
    ($row:expr, $($field:ident: $values:expr),* $(,)?) => {{
        let mut rows = Vec::new();
        $(for value in $values {
            let mut row = $row.clone();
            row.$field = value;
            rows.push((stringify!($field), row));
        })*
        rows
    }};
}

fn is_refusal(error: &VaultError) -> bool {
    error.is_tampering() || matches!(error, VaultError::UnknownRoot { .. })
}

#[tokio::test]
async fn no_byte_of_a_sealed_secret_can_be_changed() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let row = site.store.tables().secrets[&(key.id, 1)].clone();
    let rows: Vec<(&str, SealedSecret)> = variants!(
        row,
        org: spoiled_uuid(row.org.uuid()).into_iter().map(OrgId::from_uuid),
        provider_key: spoiled_uuid(row.provider_key.uuid()).into_iter().map(ProviderKeyId::from_uuid),
        version: spoiled_number(row.version),
        provider: spoiled_text("openai").iter().filter_map(|text| ProviderName::parse(text).ok()),
        origin: spoiled_text(&row.origin),
        org_key_version: spoiled_number(row.org_key_version),
        alg: spoiled_text(&row.alg).into_iter().chain(["aes-256-gcm".to_owned()]),
        wrapped_data_key: spoiled(&row.wrapped_data_key),
        ciphertext: spoiled(&row.ciphertext),
    );
    assert!(rows.len() > 500, "{}", rows.len());
    for (field, spoiled) in rows {
        site.store.tables().secrets.insert((key.id, 1), spoiled);
        let error = opens(&site, &key).await.err().unwrap_or_else(|| panic!("{field} is not bound"));
        assert!(error.is_tampering(), "{field}: {error}");
    }
    site.store.keep(row);
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-1");
}

#[tokio::test]
async fn no_byte_of_an_organisations_key_can_be_changed() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let row = site.store.tables().org_keys[&(org, 1)].clone();
    let rows: Vec<(&str, WrappedOrgKey)> = variants!(
        row,
        version: spoiled_number(row.version),
        root_id: spoiled_text(&row.root_id),
        root_version: spoiled_number(row.root_version),
        alg: spoiled_text(&row.alg).into_iter().chain(["aes-256-gcm".to_owned()]),
        wrapped: spoiled(&row.wrapped),
        created_at: spoiled_time(row.created_at),
    );
    for (field, spoiled) in rows {
        site.store.tables().org_keys.insert((org, 1), spoiled);
        let error = opens(&site, &key).await.err().unwrap_or_else(|| panic!("{field} is not bound"));
        assert!(is_refusal(&error), "{field}: {error}");
        let sealing = site.vault().seal(&Slot::from(&key), &text("sk-2"), NOW).await;
        assert!(is_refusal(&sealing.err().unwrap()), "{field} is not bound when sealing");
    }
    site.store.tables().org_keys.insert((org, 1), row);
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-1");
}

#[tokio::test]
async fn no_byte_of_an_installation_secret_can_be_changed() {
    let site = Site::new();
    KeyHasher::load_or_create(&site.vault()).await.unwrap();
    let place = ("api-key-pepper".to_owned(), 1);
    let row = site.store.tables().installation[&place].clone();
    let rows: Vec<(&str, WrappedRoot)> = variants!(
        row,
        version: spoiled_number(row.version),
        root_id: spoiled_text(&row.root_id),
        root_version: spoiled_number(row.root_version),
        alg: spoiled_text(&row.alg).into_iter().chain(["aes-256-gcm".to_owned()]),
        wrapped: spoiled(&row.wrapped),
    );
    for (field, spoiled) in rows {
        site.store.tables().installation.insert(place.clone(), spoiled);
        let error = KeyHasher::load_or_create(&site.vault()).await.err();
        assert!(is_refusal(&error.unwrap_or_else(|| panic!("{field} is not bound"))), "{field}");
    }
}

#[tokio::test]
async fn no_row_can_be_moved() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let victim = site.sealed(org, "sk-victim").await;
    let (same_org, other_org) = (site.sealed(org, "sk-same").await, site.sealed(other, "sk-other").await);
    let second = ProviderKey { version: 2, ..victim.clone() };
    let newer = site.vault().seal(&Slot::from(&second), &text("sk-newer"), NOW).await.unwrap();
    site.store.keep(newer);
    let row_of = |key: &ProviderKey| site.store.tables().secrets[&(key.id, key.version)].clone();
    let original = row_of(&victim);

    for (what, from) in
        [("key", row_of(&same_org)), ("tenant", row_of(&other_org)), ("version", row_of(&second))]
    {
        let whole = from.clone();
        let renamed = SealedSecret {
            org: original.org,
            provider_key: original.provider_key,
            version: original.version,
            ..from.clone()
        };
        let ciphertext = SealedSecret { ciphertext: from.ciphertext.clone(), ..original.clone() };
        let data_key = SealedSecret { wrapped_data_key: from.wrapped_data_key.clone(), ..original.clone() };
        for row in [whole, renamed, ciphertext, data_key] {
            site.store.tables().secrets.insert((victim.id, 1), row);
            let error = opens(&site, &victim).await.err().unwrap_or_else(|| panic!("moved between {what}s"));
            assert!(error.is_tampering(), "{what}: {error}");
        }
    }
    let swapped = SealedSecret {
        ciphertext: original.wrapped_data_key.clone(),
        wrapped_data_key: original.ciphertext.clone(),
        ..original.clone()
    };
    site.store.tables().secrets.insert((victim.id, 1), swapped);
    assert!(opens(&site, &victim).await.err().unwrap().is_tampering());
    site.store.keep(original);
    assert_eq!(opens(&site, &victim).await.unwrap(), "sk-victim");
}

#[tokio::test]
async fn no_layer_can_stand_for_another() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    KeyHasher::load_or_create(&site.vault()).await.unwrap();
    let key = site.sealed(org, "sk-1").await;
    let original = site.store.tables().org_keys[&(org, 1)].clone();
    let pepper = site.store.tables().installation[&("api-key-pepper".to_owned(), 1)].wrapped.clone();
    let of_other = site.store.tables().org_keys[&(other, 1)].wrapped.clone();
    for wrapped in [pepper, of_other] {
        let row = WrappedOrgKey { wrapped, ..original.clone() };
        site.store.tables().org_keys.insert((org, 1), row);
        assert!(opens(&site, &key).await.err().unwrap().is_tampering());
    }
    let place = ("api-key-pepper".to_owned(), 1);
    let pepper = site.store.tables().installation[&place].clone();
    let row = WrappedRoot { wrapped: original.wrapped, ..pepper };
    site.store.tables().installation.insert(place, row);
    assert!(KeyHasher::load_or_create(&site.vault()).await.err().unwrap().is_tampering());
}

#[tokio::test]
async fn a_changed_origin_or_provider_never_gets_the_old_key() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    for origin in ["https://evil.example.com", "http://api.openai.com", "https://api.openai.com:8443", ""] {
        let moved = ProviderKey { origin: origin.to_owned(), ..key.clone() };
        assert!(vault.cached(&moved, NOW).is_none());
        assert!(vault.open(&moved, NOW).await.err().unwrap().is_tampering());
        // Even where the row's own column was changed with it.
        let row = site.store.tables().secrets[&(key.id, 1)].clone();
        site.store.keep(SealedSecret { origin: origin.to_owned(), ..row.clone() });
        assert!(vault.open(&moved, NOW).await.err().unwrap().is_tampering());
        site.store.keep(row);
    }
    let renamed = ProviderKey { provider: ProviderName::parse("azure").unwrap(), ..key.clone() };
    assert!(vault.cached(&renamed, NOW).is_none());
    assert!(vault.open(&renamed, NOW).await.err().unwrap().is_tampering());
    assert_eq!(vault.open(&key, NOW).await.unwrap().0.expose(), "sk-1");
}

/// A vault that would fetch all of these.
fn following(site: &Site, variables: &[(&str, &str)]) -> Vault {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
    site.vault_with(Cipher::default(), References::new().with_env(variables))
}

#[tokio::test]
async fn only_the_reference_that_was_sealed_is_followed() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let key = site.referenced(org, "env:MINE").await;
    let theirs = site.referenced(other, "env:THEIRS").await;
    let vault = following(&site, &[("MINE", "sk-mine"), ("THEIRS", "sk-theirs")]);
    let source = |text: &str| KeySource::Reference(text.to_owned());
    let secret_of = |key: &ProviderKey| site.store.tables().secrets.get(&(key.id, key.version)).cloned();
    let moved: [(&str, ProviderKey); 7] = [
        ("changed", ProviderKey { source: source("env:THEIRS"), ..key.clone() }),
        ("not as it was written", ProviderKey { source: source("env:MINE "), ..key.clone() }),
        ("no reference at all", ProviderKey { source: source("sk-real"), ..key.clone() }),
        ("moved", ProviderKey { org, ..theirs.clone() }),
        ("made up", ProviderKey { id: ProviderKeyId::new(), ..key.clone() }),
        ("of another version", ProviderKey { version: 2, ..key.clone() }),
        ("for another place", ProviderKey { origin: "https://evil.example.com".to_owned(), ..key.clone() }),
    ];
    for (what, row) in moved {
        let error = vault.open(&row, NOW).await.err().unwrap_or_else(|| panic!("{what}: it was followed"));
        assert!(matches!(error, VaultError::Tampered { .. }), "{what}: {error}");
    }
    // Nor where what was sealed is moved with it.
    let sealed = secret_of(&theirs).unwrap();
    site.store.keep(SealedSecret { org, ..sealed });
    let stolen = ProviderKey { org, ..theirs.clone() };
    assert!(matches!(vault.open(&stolen, NOW).await.err(), Some(VaultError::Tampered { .. })));
    assert_eq!(vault.open(&key, NOW).await.unwrap().0.expose(), "sk-mine");
}

#[tokio::test]
async fn a_key_is_never_taken_for_a_reference_nor_the_other_way_round() {
    let site = Site::new();
    let org = site.org().await;
    // A customer may bring any text as a key.
    let sealed = site.sealed(org, "env:ROOT").await;
    let referenced = site.referenced(org, "env:ROOT").await;
    let vault = following(&site, &[("ROOT", "everything")]);
    let followed = ProviderKey { source: KeySource::Reference("env:ROOT".to_owned()), ..sealed.clone() };
    let sent = ProviderKey { source: KeySource::Sealed, ..referenced.clone() };
    for row in [followed, sent] {
        let error = vault.open(&row, NOW).await.err().unwrap();
        assert!(matches!(error, VaultError::Tampered { .. }), "{error}");
    }
    assert_eq!(vault.open(&sealed, NOW).await.unwrap().0.expose(), "env:ROOT");
    assert_eq!(vault.open(&referenced, NOW).await.unwrap().0.expose(), "everything");
}

#[tokio::test]
async fn errors_name_the_layer_and_hold_no_secret() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-canary").await;
    site.store.tables().secrets.get_mut(&(key.id, 1)).unwrap().ciphertext[20] ^= 1;
    let error = opens(&site, &key).await.err().unwrap();
    assert!(error.to_string().starts_with("stored secret was changed or moved"), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
}
