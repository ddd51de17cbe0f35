use super::*;
use crate::{Opening, ReferenceError, VaultError};

fn later(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

fn calls(site: &Site) -> u64 {
    site.store.tables().calls
}

#[tokio::test]
async fn an_opened_key_is_kept_until_its_time_is_up() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    assert!(vault.cached(&key, NOW).is_none());
    assert_eq!(vault.open(&key, NOW).await.unwrap().1, Opening::FromStore);
    let calls_then = calls(&site);
    let last = later(TTL_SECONDS - 1);
    let cached = vault.cached(&key, last).unwrap();
    assert_eq!((cached.expose(), cached.version()), ("sk-1", 1));
    assert_eq!(cached.origin(), "https://api.openai.com");
    assert_eq!(vault.open(&key, last).await.unwrap().1, Opening::Cached);
    assert_eq!(calls(&site), calls_then);
    assert!(vault.cached(&key, later(TTL_SECONDS)).is_none());
    assert_eq!(vault.open(&key, later(TTL_SECONDS)).await.unwrap().1, Opening::FromStore);
}

#[tokio::test]
async fn what_is_expired_can_be_dropped_without_being_asked_for() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    let (opened, _) = vault.open(&key, NOW).await.unwrap();
    let last = TTL_SECONDS + STALE_SECONDS;
    vault.forget_expired(later(last - 1));
    assert_eq!(Arc::strong_count(&opened), 2);
    vault.forget_expired(later(last));
    assert_eq!(Arc::strong_count(&opened), 1);
}

#[tokio::test]
async fn forgetting_is_for_the_one_meant_and_at_once() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let keys =
        [site.sealed(org, "sk-1").await, site.sealed(org, "sk-2").await, site.sealed(other, "sk-3").await];
    let vault = site.vault();
    for key in &keys {
        vault.open(key, NOW).await.unwrap();
    }
    let held = |vault: &Vault| keys.each_ref().map(|key| vault.cached(key, NOW).is_some());
    vault.forget_key(keys[0].id);
    assert_eq!(held(&vault), [false, true, true]);
    vault.forget_org(org);
    assert_eq!(held(&vault), [false, false, true]);
}

#[tokio::test]
async fn a_key_forgotten_while_it_is_opened_is_not_kept() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    let (opened, ()) = tokio::join!(vault.open(&key, NOW), async {
        tokio::task::yield_now().await;
        vault.forget_key(key.id);
    });
    assert_eq!(opened.unwrap().0.expose(), "sk-1");
    assert!(vault.cached(&key, NOW).is_none());
}

#[tokio::test]
async fn a_new_version_is_another_key() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-old").await;
    let vault = site.vault();
    vault.open(&key, NOW).await.unwrap();
    let newer = ProviderKey { version: 2, ..key.clone() };
    let missing = vault.open(&newer, NOW).await.err().unwrap();
    assert!(matches!(missing, VaultError::NoSecret), "{missing}");
    let sealed = vault.seal(&Slot::from(&newer), &text("sk-new"), NOW).await.unwrap();
    site.store.keep(sealed);
    assert!(vault.cached(&newer, NOW).is_none());
    assert_eq!(vault.open(&newer, NOW).await.unwrap().0.expose(), "sk-new");
    assert_eq!(vault.cached(&key, NOW).unwrap().expose(), "sk-old");
}

#[tokio::test]
async fn many_who_want_the_same_key_open_it_once() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    let before = calls(&site);
    let mut openings = Vec::new();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (vault, key) = (vault.clone(), key.clone());
            tokio::spawn(async move {
                let (opened, opening) = vault.open(&key, NOW).await.unwrap();
                assert_eq!(opened.expose(), "sk-1");
                opening
            })
        })
        .collect();
    for task in tasks {
        openings.push(task.await.unwrap());
    }
    assert_eq!(openings.iter().filter(|opening| **opening == Opening::FromStore).count(), 1);
    assert_eq!(calls(&site) - before, 2);
}

#[tokio::test]
async fn a_failure_is_shared_and_then_tried_again() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    let before = calls(&site);
    site.store.tables().fuse = Some((before, memory::Blows::Before));
    let (one, two) = tokio::join!(vault.open(&key, NOW), vault.open(&key, NOW));
    for error in [one.err().unwrap(), two.err().unwrap()] {
        assert!(matches!(error, VaultError::Store(_)) && error.is_transient(), "{error}");
    }
    assert_eq!(calls(&site) - before, 1);
    site.store.tables().fuse = None;
    assert_eq!(vault.open(&key, NOW).await.unwrap().0.expose(), "sk-1");
}

#[tokio::test]
async fn where_the_first_caller_leaves_the_next_takes_over() {
    let site = Site::new();
    let key = site.sealed(site.org().await, "sk-1").await;
    let vault = site.vault();
    let mut first = Box::pin(vault.open(&key, NOW));
    assert!(futures_poll(first.as_mut()).await);
    let second = {
        let (vault, key) = (vault.clone(), key.clone());
        tokio::spawn(async move { vault.open(&key, NOW).await.unwrap().1 })
    };
    tokio::task::yield_now().await;
    drop(first);
    assert_eq!(second.await.unwrap(), Opening::FromStore);
}

/// Polls once; true where it is still pending.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn a_reference_is_fetched_when_needed_and_cached_alike() {
    let site = Site::new();
    let file = site.folder.path().join("key");
    std::fs::write(&file, "sk-file\n").unwrap();
    let key = site.referenced(site.org().await, &format!("file:{}", file.display())).await;
    let vault = site.vault();
    let (opened, opening) = vault.open(&key, NOW).await.unwrap();
    assert_eq!((opened.expose(), opening), ("sk-file", Opening::Fetched));
    std::fs::write(&file, "sk-newer\n").unwrap();
    assert_eq!(vault.open(&key, NOW).await.unwrap().0.expose(), "sk-file");
    assert_eq!(vault.open(&key, later(TTL_SECONDS)).await.unwrap().0.expose(), "sk-newer");
}

#[tokio::test]
async fn a_reference_outlives_a_rotation_of_its_organisations_key() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.referenced(org, "env:KEY").await;
    let env = [("KEY".to_owned(), text("sk-env"))];
    let vault = site.vault_with(Cipher::default(), References::new().with_env(env));
    vault.rotate_org_key(org, NOW, rotation(org)).await.unwrap();
    while vault.rewrap_step(later(48 * 3600)).await.unwrap().pending.under_old_org_key > 0 {}
    vault.rewrap_step(later(48 * 3600)).await.unwrap();
    assert_eq!(site.store.org_key_versions(org), [2]);
    assert_eq!(vault.open(&key, NOW).await.unwrap().0.expose(), "sk-env");
}

#[tokio::test]
async fn what_a_reference_gives_is_checked_like_what_is_sealed() {
    let site = Site::new();
    let org = site.org().await;
    let env = [("BAD".to_owned(), text("a b")), ("GOOD".to_owned(), text("sk-env"))];
    let vault = site.vault_with(Cipher::default(), References::new().with_env(env));
    let open = async |reference: &str| {
        let checked = vault.check_reference(&reference.parse().unwrap()).await;
        let opened = vault.open(&site.referenced(org, reference).await, NOW).await;
        assert_eq!(checked.is_ok(), opened.is_ok(), "{reference}");
        opened
    };
    assert_eq!(open("env:GOOD").await.unwrap().0.expose(), "sk-env");
    assert!(matches!(open("env:BAD").await.err(), Some(VaultError::BadSecret(_))));
    let missing = open("env:NONE").await.err();
    assert!(
        matches!(missing, Some(VaultError::Reference(ReferenceError::NoVariable(name))) if name == "NONE")
    );
}
