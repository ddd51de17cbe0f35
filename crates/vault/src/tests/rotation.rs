use topdog_domain::ports::RewrapCount;

use super::memory::Blows;
use super::*;
use crate::{KeyHasher, RewrapProgress, VaultError};

const NOTHING: RewrapCount = RewrapCount { under_old_root: 0, under_old_org_key: 0 };

/// Past the time for which old versions of organisations' keys stay.
const MUCH_LATER: Timestamp = NOW.plus_seconds(26 * 3600);

async fn finish(vault: &Vault, now: Timestamp) -> RewrapProgress {
    for _ in 0..100 {
        let progress = vault.rewrap_step(now).await.unwrap();
        if progress.pending == NOTHING {
            return progress;
        }
    }
    panic!("the rotation never ends: {:?}", vault.pending().await);
}

#[tokio::test]
async fn an_organisations_key_rotates_under_open_keys() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let keys = [site.sealed(org, "sk-1").await, site.sealed(org, "sk-2").await];
    let untouched = site.sealed(other, "sk-3").await;
    let before = site.store.tables().secrets[&(keys[0].id, 1)].clone();
    let vault = site.vault();
    assert_eq!(vault.pending().await.unwrap(), NOTHING);
    assert_eq!(vault.rotate_org_key(org, NOW, rotation(org)).await.unwrap(), 2);
    assert_eq!(vault.pending().await.unwrap().under_old_org_key, 2);
    assert_eq!(opens(&site, &keys[0]).await.unwrap(), "sk-1");
    assert_eq!(finish(&vault, NOW).await.done, 2);
    let after = site.store.tables().secrets[&(keys[0].id, 1)].clone();
    assert_eq!((before.org_key_version, after.org_key_version), (1, 2));
    assert_ne!(before.wrapped_data_key, after.wrapped_data_key);
    assert_eq!(before.ciphertext, after.ciphertext);
    for (key, plaintext) in [(&keys[0], "sk-1"), (&keys[1], "sk-2"), (&untouched, "sk-3")] {
        assert_eq!(opens(&site, key).await.unwrap(), plaintext);
    }
    assert_eq!(site.store.org_key_versions(other), [1]);
    let newer = site.sealed(org, "sk-4").await;
    assert_eq!(site.store.tables().secrets[&(newer.id, 1)].org_key_version, 2);
}

#[tokio::test]
async fn old_versions_stay_a_day_and_go_when_nothing_needs_them() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let vault = site.vault();
    let blob = vault.seal_blob(org, "p", b"answer").await.unwrap();
    vault.rotate_org_key(org, NOW, rotation(org)).await.unwrap();
    finish(&vault, NOW).await;
    let a_day_later = NOW.plus_seconds(24 * 3600);
    assert_eq!(finish(&vault, a_day_later).await.done, 0);
    assert_eq!(site.store.org_key_versions(org), [1, 2]);
    assert_eq!(vault.open_blob(org, "p", &blob).await.unwrap().expose(), b"answer");
    assert_eq!(finish(&vault, MUCH_LATER).await.done, 1);
    assert_eq!(site.store.org_key_versions(org), [2]);
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-1");
    let gone = vault.open_blob(org, "p", &blob).await.err().unwrap();
    assert!(matches!(gone, VaultError::UnknownVersion(1)), "{gone}");
}

#[tokio::test]
async fn the_root_key_rotates_under_open_keys() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let vault = site.vault();
    let hasher = KeyHasher::load_or_create(&vault).await.unwrap();
    let issued = hasher.issue(KeyMode::Live).unwrap();
    let token = topdog_domain::api_key::Token::parse(issued.token.expose()).unwrap();
    let its_key = api_key();
    assert_eq!(vault.rotate_root().unwrap(), 2);
    assert_eq!(vault.pending().await.unwrap().under_old_root, 2);
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-1");
    assert_eq!(finish(&vault, NOW).await.done, 2);
    assert_eq!(site.store.tables().org_keys[&(org, 1)].root_version, 2);
    // The old version can go from the file now.
    let text = std::fs::read_to_string(site.root_path()).unwrap();
    let without_v1: Vec<_> = text.lines().filter(|line| !line.starts_with("v1 ")).collect();
    std::fs::write(site.root_path(), without_v1.join("\n")).unwrap();
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-1");
    let reloaded = KeyHasher::load_or_create(&site.vault()).await.unwrap();
    assert_eq!(reloaded.hash(&token, &its_key), hasher.hash(&token, &its_key));
}

#[tokio::test]
async fn another_node_learns_of_a_new_root_version_when_it_meets_one() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let (here, there) = (site.vault(), site.vault());
    here.rotate_root().unwrap();
    finish(&here, NOW).await;
    assert_eq!(there.open(&key, NOW).await.unwrap().0.expose(), "sk-1");
}

#[tokio::test]
async fn a_node_with_an_older_root_file_undoes_nothing() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let old_file = site.folder.path().join("old.key");
    std::fs::copy(site.root_path(), &old_file).unwrap();
    let behind = vault_over(&old_file, &site.store, Cipher::default(), References::new());
    let vault = site.vault();
    vault.rotate_root().unwrap();
    finish(&vault, NOW).await;
    let progress = behind.rewrap_step(NOW).await.unwrap();
    assert_eq!((progress.done, progress.failed.len()), (0, 1));
    assert!(matches!(progress.failed[0].error, VaultError::UnknownRoot { version: 2, .. }));
    let error = behind.open(&key, NOW).await.err().unwrap();
    assert!(matches!(error, VaultError::UnknownRoot { version: 2, .. }), "{error}");
    assert_eq!(site.store.tables().org_keys[&(org, 1)].root_version, 2);
}

#[tokio::test]
async fn a_root_key_given_as_a_value_is_not_rotated_from_here() {
    let site = Site::new();
    let parts = VaultParts {
        root: RootKeyring::from_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap(),
        org_keys: site.store.clone(),
        secrets: site.store.clone(),
        installation: site.store.clone(),
        references: References::new(),
        cache_ttl: Duration::from_secs(60),
        stale_ttl: Duration::ZERO,
    };
    let vault = Vault::new(parts);
    assert!(matches!(vault.rotate_root(), Err(VaultError::RootNotInFile)));
    assert_eq!(vault.rewrap_step(NOW).await.unwrap().pending, NOTHING);
}

#[tokio::test]
async fn a_step_is_bounded_and_many_steps_finish() {
    let site = Site::new();
    let org = site.org().await;
    let mut keys = Vec::new();
    for number in 0..250 {
        keys.push(site.sealed(org, &format!("sk-{number}")).await);
    }
    let vault = site.vault();
    vault.rotate_org_key(org, NOW, rotation(org)).await.unwrap();
    let mut left = Vec::new();
    loop {
        let progress = vault.rewrap_step(NOW).await.unwrap();
        assert!(progress.done <= 100);
        left.push(progress.pending.under_old_org_key);
        if progress.pending == NOTHING {
            break;
        }
    }
    assert_eq!(left, [150, 50, 0]);
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(opens(&site, key).await.unwrap(), format!("sk-{number}"));
    }
}

#[tokio::test]
async fn a_spoiled_row_is_reported_and_holds_up_no_other() {
    let site = Site::new();
    let (org, other) = (site.org().await, site.org().await);
    let mut bad = Vec::new();
    for _ in 0..120 {
        let key = site.sealed(org, "sk-bad").await;
        site.store.tables().secrets.get_mut(&(key.id, 1)).unwrap().wrapped_data_key[15] ^= 1;
        bad.push(key);
    }
    let good = site.sealed(other, "sk-good").await;
    let vault = site.vault();
    vault.rotate_org_key(org, NOW, rotation(org)).await.unwrap();
    vault.rotate_org_key(other, NOW, rotation(other)).await.unwrap();
    let mut failed = 0;
    for _ in 0..4 {
        let progress = vault.rewrap_step(MUCH_LATER).await.unwrap();
        failed += progress.failed.len();
        assert!(
            progress.failed.iter().all(|failure| failure.org == Some(org) && failure.error.is_tampering())
        );
    }
    assert!(failed > 0);
    assert_eq!(vault.pending().await.unwrap().under_old_org_key, 120);
    assert_eq!(opens(&site, &good).await.unwrap(), "sk-good");
    assert_eq!(site.store.tables().secrets[&(good.id, 1)].org_key_version, 2);
    assert_eq!(site.store.org_key_versions(org), [1, 2]);
}

#[tokio::test]
async fn two_rotations_at_once_are_one() {
    let site = Site::new();
    let org = site.org().await;
    let (one, two) = (site.vault(), site.vault());
    let (first, second) = tokio::join!(
        one.rotate_org_key(org, NOW, rotation(org)),
        two.rotate_org_key(org, NOW, rotation(org))
    );
    assert_eq!((first.unwrap(), second.unwrap()), (2, 2));
    assert_eq!(site.store.org_key_versions(org), [1, 2]);
    let nobody = OrgId::new();
    let none = one.rotate_org_key(nobody, NOW, rotation(nobody)).await.err().unwrap();
    assert!(matches!(none, VaultError::NoOrgKey));
}

#[tokio::test]
async fn several_nodes_step_while_keys_are_read_and_made() {
    let site = Arc::new(Site::new());
    let org = site.org().await;
    let mut keys = Vec::new();
    for number in 0..40 {
        keys.push(site.sealed(org, &format!("sk-{number}")).await);
    }
    let vault = site.vault();
    vault.rotate_org_key(org, NOW, rotation(org)).await.unwrap();
    vault.rotate_root().unwrap();
    let steppers: Vec<_> = (0..3)
        .map(|_| {
            let node = site.vault();
            tokio::spawn(async move { finish(&node, MUCH_LATER).await })
        })
        .collect();
    let reader = {
        let (site, keys) = (Arc::clone(&site), keys.clone());
        tokio::spawn(async move {
            for (number, key) in keys.iter().enumerate() {
                assert_eq!(opens(&site, key).await.unwrap(), format!("sk-{number}"));
            }
        })
    };
    let maker = {
        let site = Arc::clone(&site);
        tokio::spawn(async move { site.sealed(org, "sk-new").await })
    };
    for stepper in steppers {
        assert!(stepper.await.unwrap().failed.is_empty());
    }
    reader.await.unwrap();
    assert_eq!(opens(&site, &maker.await.unwrap()).await.unwrap(), "sk-new");
    assert_eq!(finish(&site.vault(), MUCH_LATER).await.pending, NOTHING);
}

/// Both rotations with everything there is, from the first call to the last.
async fn rotate_everything(vault: &Vault, orgs: &[OrgId]) -> Result<(), VaultError> {
    for org in orgs {
        vault.rotate_org_key(*org, NOW, rotation(*org)).await?;
    }
    vault.rotate_root()?;
    loop {
        let progress = vault.rewrap_step(MUCH_LATER).await?;
        let is_pruned = progress.done == 0;
        if progress.pending == NOTHING && is_pruned {
            return Ok(());
        }
    }
}

async fn killed_at(call: u64, blows: Blows) -> bool {
    let site = Site::new();
    let orgs = [site.org().await, site.org().await];
    let mut keys = Vec::new();
    for org in orgs {
        keys.push((site.sealed(org, "sk-1").await, "sk-1"));
        keys.push((site.sealed(org, "sk-2").await, "sk-2"));
    }
    let hasher = KeyHasher::load_or_create(&site.vault()).await.unwrap();
    let issued = hasher.issue(KeyMode::Live).unwrap();
    let token = topdog_domain::api_key::Token::parse(issued.token.expose()).unwrap();

    let at = site.store.tables().calls + call;
    site.store.tables().fuse = Some((at, blows));
    let was_killed = rotate_everything(&site.vault(), &orgs).await.is_err();
    site.store.tables().fuse = None;

    for (key, plaintext) in &keys {
        assert_eq!(opens(&site, key).await.unwrap(), *plaintext, "killed at call {call}");
    }
    let after_kill = KeyHasher::load_or_create(&site.vault()).await.unwrap();
    let its_key = api_key();
    assert_eq!(after_kill.hash(&token, &its_key), hasher.hash(&token, &its_key));
    rotate_everything(&site.vault(), &orgs).await.unwrap();
    assert_eq!(site.vault().pending().await.unwrap(), NOTHING);
    for (key, plaintext) in &keys {
        assert_eq!(opens(&site, key).await.unwrap(), *plaintext);
    }
    for org in orgs {
        assert_eq!(site.store.org_key_versions(org).len(), 1, "old versions are left after a kill at {call}");
    }
    was_killed
}

#[tokio::test]
async fn a_kill_between_any_two_calls_is_harmless() {
    for blows in [Blows::Before, Blows::After] {
        let mut kills = 0;
        while killed_at(kills + 1, blows).await {
            kills += 1;
        }
        assert!(kills > 20, "only {kills} calls were tried");
    }
}

#[tokio::test]
async fn a_rotation_that_was_killed_is_finished_by_steps_alone() {
    let site = Site::new();
    let org = site.org().await;
    let key = site.sealed(org, "sk-1").await;
    let at = site.store.tables().calls + 2;
    site.store.tables().fuse = Some((at, Blows::After));
    assert!(site.vault().rotate_org_key(org, NOW, rotation(org)).await.is_err());
    site.store.tables().fuse = None;
    let fresh = site.vault();
    finish(&fresh, MUCH_LATER).await;
    finish(&fresh, MUCH_LATER).await;
    assert_eq!(site.store.org_key_versions(org), [2]);
    assert_eq!(opens(&site, &key).await.unwrap(), "sk-1");
}
