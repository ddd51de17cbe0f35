//! A key whose time is up while what it comes from can't be asked.

use super::*;
use crate::{Opening, ReferenceError, VaultError};
use memory::Blows;

/// The retry comes so long after a failure.
const RETRY_SECONDS: i64 = 5;

fn later(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

fn cut_off(site: &Site) {
    let mut tables = site.store.tables();
    tables.fuse = Some((tables.calls, Blows::Before));
}

#[tokio::test]
async fn with_the_store_away_an_opened_key_serves_for_its_grace_and_no_longer() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    cut_off(&site);
    for at in [TTL_SECONDS, TTL_SECONDS + 60, TTL_SECONDS + STALE_SECONDS - 1] {
        let (opened, opening) = vault.open(&key, later(at)).await.unwrap();
        assert_eq!((opened.expose(), opening), ("sk-1", Opening::Lapsed));
    }
    let end = later(TTL_SECONDS + STALE_SECONDS);
    assert!(matches!(vault.open(&key, end).await.err(), Some(VaultError::Store(_))));
    assert!(vault.cached(&key, end).is_none() && vault.lapsed(&key, end).is_none());
}

#[tokio::test]
async fn after_one_failure_nobody_waits_but_one_now_and_then() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    cut_off(&site);
    let lapse = later(TTL_SECONDS);
    assert!(vault.cached(&key, lapse).is_none(), "it is used unasked before anyone has asked");
    assert!(!vault.lapsed(&key, lapse).unwrap().is_cut_off());
    vault.open(&key, lapse).await.unwrap();
    assert!(vault.lapsed(&key, lapse).unwrap().is_cut_off());
    let retry = later(TTL_SECONDS + RETRY_SECONDS);
    assert!(vault.cached(&key, lapse).is_some());
    let turns = (0..20).filter(|_| vault.cached(&key, retry).is_none()).count();
    assert_eq!(turns, 1);
    site.store.tables().fuse = None;
    let again = later(TTL_SECONDS + 2 * RETRY_SECONDS);
    assert!(vault.cached(&key, again).is_none());
    assert_eq!(vault.open(&key, again).await.unwrap().1, Opening::FromStore);
    assert!(!vault.lapsed(&key, again).unwrap().is_cut_off());
}

#[tokio::test]
async fn who_has_waited_long_enough_spares_the_others_the_wait() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    assert!(vault.carry_on(&key, NOW).is_none(), "nothing was ever opened");
    vault.open(&key, NOW).await.unwrap();
    let lapse = later(TTL_SECONDS);
    assert_eq!(vault.carry_on(&key, lapse).unwrap().expose(), "sk-1");
    assert_eq!(vault.cached(&key, lapse).unwrap().expose(), "sk-1");
}

#[tokio::test]
async fn what_is_revoked_serves_nobody_whether_or_not_the_store_answers() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    cut_off(&site);
    let lapse = later(TTL_SECONDS);
    vault.open(&key, lapse).await.unwrap();
    vault.forget_key(key.id);
    assert!(vault.cached(&key, lapse).is_none());
    assert!(matches!(vault.open(&key, lapse).await.err(), Some(VaultError::Store(_))));

    site.store.tables().fuse = None;
    vault.open(&key, NOW).await.unwrap();
    site.store.shred(org);
    assert!(matches!(vault.open(&key, lapse).await.err(), Some(VaultError::NoOrgKey)));
    assert!(vault.lapsed(&key, lapse).is_none(), "what was destroyed is still held");
}

#[tokio::test]
async fn a_reference_that_says_no_is_gone_at_once() {
    let site = Site::new();
    let file = site.folder.path().join("key");
    std::fs::write(&file, "sk-file\n").unwrap();
    let key = site.referenced(site.org().await, &format!("file:{}", file.display())).await;
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let lapse = later(TTL_SECONDS);
    let gone = vault.open(&key, lapse).await.err();
    assert!(matches!(gone, Some(VaultError::Reference(ReferenceError::NoFile(_)))));
    assert!(vault.lapsed(&key, lapse).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    site.store.tables().is_silent = true;
    let error = vault.open(&key, NOW).await.err().unwrap();
    assert!(error.is_unreachable() && error.is_transient(), "{error}");
}

#[test]
fn only_what_could_not_be_asked_is_unreachable() {
    use topdog_domain::ports::PortError;
    let store = |error: PortError| VaultError::from(error).is_unreachable();
    assert!(store(PortError::Unavailable("away".into())));
    assert!(!store(PortError::Corrupt("a row".to_owned())));
    let reference = |error: ReferenceError| VaultError::from(error).is_unreachable();
    assert!(reference(ReferenceError::Unusable));
    for no in [ReferenceError::Denied, ReferenceError::NoField, ReferenceError::NoKvServer] {
        assert!(!reference(no));
    }
    for no in [VaultError::NoSecret, VaultError::NoOrgKey, VaultError::Tampered { what: "secret" }] {
        assert!(!no.is_unreachable());
    }
}
