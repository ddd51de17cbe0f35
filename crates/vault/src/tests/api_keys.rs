use std::collections::{HashMap, HashSet};

use topdog_domain::ApiKeyId;
use topdog_domain::api_key::{ApiKey, KeyMode, KeySecret, Token};

use super::*;
use crate::KeyHasher;

async fn hasher(site: &Site) -> KeyHasher {
    KeyHasher::load_or_create(&site.vault()).await.unwrap()
}

fn kept_of(hasher: &KeyHasher, token: &Token<'_>, key: &ApiKey) -> KeySecret {
    let (hash, pepper_version) = hasher.hash(token, key);
    KeySecret { public_id: *token.public_id(), hash, pepper_version, not_after: None }
}

#[tokio::test]
async fn an_issued_token_is_well_formed_and_verifies_after_a_restart() {
    let site = Site::new();
    let first = hasher(&site).await;
    let key = api_key();
    for mode in [KeyMode::Live, KeyMode::Test] {
        let issued = first.issue(mode).unwrap();
        let token = Token::parse(issued.token.expose()).unwrap();
        assert_eq!((token.mode(), *token.public_id()), (mode, issued.public_id));
        let kept = kept_of(&first, &token, &key);
        assert_eq!(kept.pepper_version, 1);
        assert!(hasher(&site).await.verify(&token, &key, &kept));
    }
}

#[tokio::test]
async fn only_the_very_token_verifies() {
    let site = Site::new();
    let hasher = hasher(&site).await;
    let (one, two) = (hasher.issue(KeyMode::Live).unwrap(), hasher.issue(KeyMode::Live).unwrap());
    let (one, two) = (Token::parse(one.token.expose()).unwrap(), Token::parse(two.token.expose()).unwrap());
    let key = api_key();
    let kept = kept_of(&hasher, &one, &key);
    assert!(hasher.verify(&one, &key, &kept));
    assert!(!hasher.verify(&two, &key, &kept));
    for at in 0..32 {
        let mut changed = kept.clone();
        changed.hash[at] ^= 1;
        assert!(!hasher.verify(&one, &key, &changed));
    }
    let unknown_pepper = KeySecret { pepper_version: 2, ..kept };
    assert!(!hasher.verify(&one, &key, &unknown_pepper));
}

#[tokio::test]
async fn a_moved_key_verifies_no_token() {
    let hasher = hasher(&Site::new()).await;
    let issued = hasher.issue(KeyMode::Live).unwrap();
    let token = Token::parse(issued.token.expose()).unwrap();
    let key = api_key();
    let kept = kept_of(&hasher, &token, &key);
    let of_another_org = ApiKey { org: OrgId::new(), ..key.clone() };
    let another_key = ApiKey { id: ApiKeyId::new(), ..key.clone() };
    // Neither can be taken for the other by where the parts are joined.
    let exchanged = ApiKey {
        org: OrgId::from_uuid(key.id.uuid()),
        id: ApiKeyId::from_uuid(key.org.uuid()),
        ..key.clone()
    };
    for moved in [of_another_org, another_key, exchanged] {
        assert!(!hasher.verify(&token, &moved, &kept), "{moved:?}");
    }
    let renamed = ApiKey { name: "cd".to_owned(), ..key };
    assert!(hasher.verify(&token, &renamed, &kept));
}

#[tokio::test]
async fn another_installations_pepper_hashes_otherwise() {
    let (here, there) = (hasher(&Site::new()).await, hasher(&Site::new()).await);
    let issued = here.issue(KeyMode::Live).unwrap();
    let token = Token::parse(issued.token.expose()).unwrap();
    let key = api_key();
    assert_ne!(here.hash(&token, &key), there.hash(&token, &key));
    assert!(!there.verify(&token, &key, &kept_of(&here, &token, &key)));
}

#[tokio::test]
async fn nodes_that_start_at_once_share_one_pepper() {
    let site = Site::new();
    let (one, two) = tokio::join!(hasher(&site), hasher(&site));
    let issued = one.issue(KeyMode::Live).unwrap();
    let token = Token::parse(issued.token.expose()).unwrap();
    let key = api_key();
    assert!(two.verify(&token, &key, &kept_of(&one, &token, &key)));
    assert_eq!(site.store.tables().installation.len(), 1);
}

#[tokio::test]
async fn tokens_are_uniform_and_never_come_twice() {
    let hasher = hasher(&Site::new()).await;
    let mut seen = HashSet::new();
    let mut counts = HashMap::<char, u32>::new();
    for _ in 0..2000 {
        let issued = hasher.issue(KeyMode::Live).unwrap();
        let body = issued.token.expose()[8..8 + 12 + 43].to_owned();
        for digit in body.chars() {
            *counts.entry(digit).or_default() += 1;
        }
        assert!(seen.insert(body));
    }
    // 110,000 digits, 1774 of each expected; a digit of a plain `% 62` over bytes would come 25 % more often.
    assert_eq!(counts.len(), 62);
    assert!(counts.values().all(|count| (1500..2050).contains(count)), "{counts:?}");
}
