use super::*;
use crate::VaultError;

#[tokio::test]
async fn a_blob_opens_for_its_organisation_and_purpose_only() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let vault = site.vault();
    let sealed = vault.seal_blob(org, "answer:1", b"{\"secret\":\"td_live_\"}").await.unwrap();
    assert!(!sealed.windows(7).any(|part| part == b"td_live"));
    let opened = site.vault().open_blob(org, "answer:1", &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"{\"secret\":\"td_live_\"}");
    for (org, purpose) in [(org, "answer:2"), (org, ""), (other, "answer:1")] {
        let error = vault.open_blob(org, purpose, &sealed).await.err().unwrap();
        assert!(matches!(error, VaultError::Tampered { .. }), "{error}");
    }
}

#[tokio::test]
async fn no_byte_of_a_blob_can_be_changed() {
    let site = Site::new();
    let org = site.org().await;
    let vault = site.vault();
    let sealed = vault.seal_blob(org, "p", b"text").await.unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.open_blob(org, "p", &changed).await.err().unwrap().is_tampering(), "byte {at}");
        assert!(vault.open_blob(org, "p", &sealed[..at]).await.err().unwrap().is_tampering(), "cut at {at}");
    }
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let site = Site::new();
    let org = site.org().await;
    let sealed = site.vault().seal_blob(org, "p", b"").await.unwrap();
    assert!(site.vault().open_blob(org, "p", &sealed).await.unwrap().expose().is_empty());
}
