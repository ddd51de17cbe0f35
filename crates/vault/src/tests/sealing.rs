use proptest::prelude::*;

use super::*;
use crate::VaultError;

#[tokio::test]
async fn what_was_sealed_opens_and_nothing_stored_shows_it() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-proj-canary").await;
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-proj-canary");
    let row = site.store.tables().secrets[&(key.id, 1)].clone();
    let stored = [row.ciphertext.clone(), row.wrapped_data_key.clone()].concat();
    assert!(!stored.windows(6).any(|part| part == b"canary"));
    assert_eq!((row.alg.as_str(), row.org_key_version), ("aes-256-gcm-siv", 1));
}

#[tokio::test]
async fn every_seal_has_a_key_and_nonces_of_its_own() {
    let site = Site::new();
    let key = provider_key(site.org().await);
    let vault = site.vault();
    let one = vault.seal(&Slot::from(&key), &text("sk-1"), NOW).await.unwrap();
    let two = vault.seal(&Slot::from(&key), &text("sk-1"), NOW).await.unwrap();
    assert_ne!(one.ciphertext, two.ciphertext);
    assert_ne!(one.ciphertext[..12], two.ciphertext[..12]);
    assert_ne!(one.wrapped_data_key, two.wrapped_data_key);
}

#[tokio::test]
async fn opening_follows_the_stored_cipher() {
    let site = Site::new();
    let org = site.org().await;
    let gcm = site.vault_with(Cipher::Aes256Gcm, References::new());
    let key = provider_key(org);
    let sealed = gcm.seal(&Slot::from(&key), &text("sk-gcm"), NOW).await.unwrap();
    assert_eq!(sealed.alg, "aes-256-gcm");
    site.store.keep(sealed);
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-gcm");
    let siv = site.sealed(org, "sk-siv").await;
    assert_eq!(gcm.open(&siv, NOW).await.unwrap().0.expose(), "sk-siv");
}

#[tokio::test]
async fn what_could_break_out_of_a_header_is_not_sealed() {
    let site = Site::new();
    let slot = Slot::from(&provider_key(site.org().await));
    let vault = site.vault();
    let longest = "x".repeat(4096);
    let too_long = "x".repeat(4097);
    for bad in ["", " ", "a b", "a\r\nx: y", "a\n", "a\t", "a\0", "schlüssel", "\u{7f}", &too_long] {
        let error = vault.seal(&slot, &text(bad), NOW).await.err().unwrap();
        assert!(matches!(error, VaultError::BadSecret(_)), "{bad:?}: {error}");
        assert!(bad.trim().is_empty() || !error.to_string().contains(bad));
    }
    for good in ["x", "!~", &longest] {
        vault.seal(&slot, &text(good), NOW).await.unwrap();
    }
}

#[tokio::test]
async fn an_organisations_first_key_is_made_once() {
    let site = Site::new();
    let org = site.org().await;
    let before = site.store.tables().org_keys[&(org, 1)].clone();
    let (one, two) = (site.vault(), site.vault());
    let (first, second) = tokio::join!(one.create_org_key(org, NOW), two.create_org_key(org, NOW));
    first.unwrap();
    second.unwrap();
    assert_eq!(site.store.tables().org_keys[&(org, 1)], before);
    let fresh = OrgId::new();
    let (first, second) = tokio::join!(one.create_org_key(fresh, NOW), two.create_org_key(fresh, NOW));
    first.unwrap();
    second.unwrap();
    assert_eq!(site.store.org_key_versions(fresh), [1]);
}

#[tokio::test]
async fn without_the_organisations_key_nothing_is_sealed() {
    let site = Site::new();
    let slot = Slot::from(&provider_key(OrgId::new()));
    let error = site.vault().seal(&slot, &text("sk-1"), NOW).await.err().unwrap();
    assert!(matches!(error, VaultError::NoOrgKey));
}

#[tokio::test]
async fn a_destroyed_organisations_secrets_are_noise() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let (key, kept) = (site.sealed(org, "sk-1").await, site.sealed(other, "sk-2").await);
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    site.store.shred(org);
    vault.forget_org(org);
    assert!(vault.cached(&key, NOW).is_none());
    assert!(matches!(vault.open(&key, NOW).await.err(), Some(VaultError::NoOrgKey)));
    // The row, as a backup has it, with a key that was made later under the same version.
    vault.create_org_key(org, NOW).await.unwrap();
    assert!(matches!(vault.open(&key, NOW).await.err(), Some(VaultError::Tampered { .. })));
    assert_eq!(opens(&site, &kept).await.unwrap(), "sk-2");
}

#[tokio::test]
async fn another_root_key_is_named_and_opens_nothing() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    std::fs::remove_file(site.root_path()).unwrap();
    RootKeyring::generate(&site.root_path()).unwrap();
    let error = opens(&site, &key).await.err().unwrap();
    assert!(matches!(error, VaultError::UnknownRoot { version: 1, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_key_comes_back_as_it_was(plaintext in "[!-~]{1,200}", provider in "[a-z0-9][a-z0-9_.-]{0,20}", version in 1..u32::MAX) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let site = Site::new();
            let mut key = provider_key(site.org().await);
            key.provider = ProviderName::parse(&provider).unwrap();
            key.version = version;
            let sealed = site.vault().seal(&Slot::from(&key), &text(&plaintext), NOW).await.unwrap();
            site.store.keep(sealed);
            assert_eq!(opens(&site, &key).await.unwrap(), plaintext);
        });
    }
}
