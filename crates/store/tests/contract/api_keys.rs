use super::*;
use std::collections::HashSet;
use topdog_domain::api_key::{KeyMode, Scope};
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::ports::{NewSecret, PageWish};
use topdog_domain::tier::Limit;
use topdog_domain::{ApiKeyId, OrgId, Timestamp, WorkspaceId};

contract! {
    is_found_as_it_was_made,
    belongs_to_its_organisation,
    the_limit_holds_for_live_keys,
    the_limit_holds_when_all_come_at_once,
    a_live_name_is_taken_once,
    a_revoked_key_frees_its_name_and_its_place,
    rotating_leaves_the_old_secret_its_grace,
    rotating_twice_leaves_one_old_secret,
    rotating_never_lengthens_a_grace,
    a_revoked_key_can_be_neither_rotated_nor_revoked,
    pages_are_in_the_order_of_ids,
}

async fn create(ports: &Ports, org: OrgId, name: &str) -> topdog_domain::api_key::ApiKey {
    let key = samples::api_key(org, name);
    let audit = samples::audit(org, "api_key.create");
    ports.api_keys.api_key_create(&key, Limit::Unlimited, &audit).await.unwrap();
    key
}

async fn rotate(
    ports: &Ports,
    org: OrgId,
    id: ApiKeyId,
    old_until: Timestamp,
) -> topdog_domain::api_key::ApiKey {
    let new = NewSecret { secret: samples::key_secret(), old_until };
    ports.api_keys.api_key_rotate(org, id, &new, &samples::audit(org, "api_key.rotate")).await.unwrap()
}

async fn is_found_as_it_was_made(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let mut key = samples::api_key(org, "everything");
    key.workspace = Some(WorkspaceId::new());
    key.mode = KeyMode::Test;
    key.scopes = vec![Scope::Llm, Scope::AuditRead];
    key.models = vec!["openai/*".to_owned(), "gpt-4o".to_owned()];
    key.ip_allow = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    key.llm_requests_per_day = Limit::Of(5);
    key.expires_at = Some(NEW_YEAR.plus_seconds(60));
    let audit = samples::audit(org, "api_key.create");
    ports.api_keys.api_key_create(&key, Limit::Unlimited, &audit).await.unwrap();
    assert_eq!(ports.api_keys.api_key_find(org, key.id).await.unwrap(), Some(key.clone()));
    let facts = ports.change_feed.load_org(org).await.unwrap().unwrap();
    assert_eq!(facts.api_keys, [key]);
}

async fn belongs_to_its_organisation(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    let key = create(ports, org, "ci").await;
    assert_eq!(ports.api_keys.api_key_find(other, key.id).await.unwrap(), None);
    let new = NewSecret { secret: samples::key_secret(), old_until: NEW_YEAR };
    let audit = samples::audit(other, "api_key.rotate");
    assert!(is_not_found(ports.api_keys.api_key_rotate(other, key.id, &new, &audit).await));
    assert!(is_not_found(ports.api_keys.api_key_revoke(other, key.id, &audit).await));
    let page = PageWish { after: None, limit: 9 };
    assert!(ports.api_keys.api_key_list(other, &page).await.unwrap().rows.is_empty());
    assert_eq!(ports.api_keys.api_key_find(org, key.id).await.unwrap(), Some(key));
}

async fn the_limit_holds_for_live_keys(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    create(ports, org, "one").await;
    create(ports, org, "two").await;
    let key = samples::api_key(org, "three");
    let audit = samples::audit(org, "api_key.create");
    let refused = ports.api_keys.api_key_create(&key, Limit::Of(2), &audit).await;
    assert!(matches!(refused, Err(PortError::LimitReached { used: 2 })), "{refused:?}");
    assert_eq!(ports.api_keys.api_key_find(org, key.id).await.unwrap(), None);
    ports.api_keys.api_key_create(&key, Limit::Of(3), &audit).await.unwrap();
}

async fn the_limit_holds_when_all_come_at_once(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let wishes: Vec<_> = (0..50)
        .map(|number| {
            let api_keys = ports.api_keys.clone();
            tokio::spawn(async move {
                let key = samples::api_key(org, &format!("key {number}"));
                api_keys.api_key_create(&key, Limit::Of(5), &samples::audit(org, "api_key.create")).await
            })
        })
        .collect();
    let mut made = 0;
    for wish in wishes {
        match wish.await.unwrap() {
            Ok(()) => made += 1,
            refused => assert!(matches!(refused, Err(PortError::LimitReached { used: 5 })), "{refused:?}"),
        }
    }
    assert_eq!(made, 5);
    let page = ports.api_keys.api_key_list(org, &PageWish { after: None, limit: 99 }).await.unwrap();
    assert_eq!(page.rows.len(), 5);
    // Who was refused left no entry behind.
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 6);
}

async fn a_live_name_is_taken_once(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    create(ports, org, "ci").await;
    let second = samples::api_key(org, "ci");
    let audit = samples::audit(org, "api_key.create");
    assert!(is_conflict(ports.api_keys.api_key_create(&second, Limit::Unlimited, &audit).await));
    create(ports, other, "ci").await;
}

async fn a_revoked_key_frees_its_name_and_its_place(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let first = create(ports, org, "ci").await;
    let mut audit = samples::audit(org, "api_key.revoke");
    audit.at = NEW_YEAR.plus_seconds(5);
    ports.api_keys.api_key_revoke(org, first.id, &audit).await.unwrap();

    let revoked = ports.api_keys.api_key_find(org, first.id).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(audit.at));
    assert!(revoked.secrets.is_empty());
    assert!(ports.change_feed.load_org(org).await.unwrap().unwrap().api_keys.is_empty());
    let second = samples::api_key(org, "ci");
    let audit = samples::audit(org, "api_key.create");
    ports.api_keys.api_key_create(&second, Limit::Of(1), &audit).await.unwrap();
    let listed = ports.api_keys.api_key_list(org, &PageWish { after: None, limit: 9 }).await.unwrap();
    assert_eq!(listed.rows.len(), 2);
}

async fn rotating_leaves_the_old_secret_its_grace(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let key = create(ports, org, "ci").await;
    let until = NEW_YEAR.plus_seconds(3_600);
    let new = NewSecret { secret: samples::key_secret(), old_until: until };
    let audit = samples::audit(org, "api_key.rotate");
    let rotated = ports.api_keys.api_key_rotate(org, key.id, &new, &audit).await.unwrap();
    assert_eq!(rotated.secrets.len(), 2);
    assert_eq!(rotated.secrets[0], new.secret);
    assert_eq!(rotated.secrets[1].public_id, key.secrets[0].public_id);
    assert_eq!(rotated.secrets[1].not_after, Some(until));
    assert_eq!(ports.api_keys.api_key_find(org, key.id).await.unwrap(), Some(rotated.clone()));
    assert_eq!(ports.change_feed.load_org(org).await.unwrap().unwrap().api_keys, [rotated]);
}

async fn rotating_twice_leaves_one_old_secret(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let key = create(ports, org, "ci").await;
    let first = rotate(ports, org, key.id, NEW_YEAR.plus_seconds(10)).await;
    let second = rotate(ports, org, key.id, NEW_YEAR.plus_seconds(20)).await;
    assert_eq!(second.secrets.len(), 2);
    assert_eq!(second.secrets[1].public_id, first.secrets[0].public_id);
    assert_eq!(second.secrets[1].not_after, Some(NEW_YEAR.plus_seconds(20)));
}

async fn rotating_never_lengthens_a_grace(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let mut key = samples::api_key(org, "ci");
    key.secrets[0].not_after = Some(NEW_YEAR.plus_seconds(10));
    let audit = samples::audit(org, "api_key.create");
    ports.api_keys.api_key_create(&key, Limit::Unlimited, &audit).await.unwrap();
    let rotated = rotate(ports, org, key.id, NEW_YEAR.plus_seconds(3_600)).await;
    assert_eq!(rotated.secrets[1].not_after, Some(NEW_YEAR.plus_seconds(10)));
}

async fn a_revoked_key_can_be_neither_rotated_nor_revoked(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let key = create(ports, org, "ci").await;
    ports.api_keys.api_key_revoke(org, key.id, &samples::audit(org, "api_key.revoke")).await.unwrap();
    let new = NewSecret { secret: samples::key_secret(), old_until: NEW_YEAR };
    for id in [key.id, ApiKeyId::new()] {
        let audit = samples::audit(org, "api_key.rotate");
        assert!(is_not_found(ports.api_keys.api_key_rotate(org, id, &new, &audit).await));
        assert!(is_not_found(ports.api_keys.api_key_revoke(org, id, &audit).await));
    }
}

async fn pages_are_in_the_order_of_ids(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(create(ports, org, &format!("key {number}")).await.id);
        create(ports, other, &format!("key {number}")).await;
    }
    ids.sort();
    let mut seen = Vec::new();
    let mut wish = PageWish { after: None, limit: 2 };
    loop {
        let page = ports.api_keys.api_key_list(org, &wish).await.unwrap();
        assert!(page.rows.iter().all(|key| key.secrets.len() == 1));
        seen.extend(page.rows.iter().map(|key| key.id));
        let Some(next) = page.next else { break };
        wish.after = Some(next);
    }
    assert_eq!(seen, ids);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 5);
}
