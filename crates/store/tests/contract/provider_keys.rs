use super::*;
use topdog_domain::OrgId;
use topdog_domain::ProviderKeyId;
use topdog_domain::provider::ProviderName;
use topdog_domain::tenant::{KeySource, ProviderKey};

contract! {
    is_kept_with_its_sealed_form,
    a_reference_is_kept_with_its_sealed_form_too,
    a_key_becomes_a_reference_and_a_reference_a_key,
    a_name_is_taken_once_for_a_provider,
    rotating_keeps_the_last_two_versions,
    a_rotation_must_follow_the_stored_version,
    one_of_many_who_rotate_wins,
    deleting_leaves_no_version,
    belongs_to_its_organisation,
}

async fn create(ports: &Ports, org: OrgId, name: &str) -> ProviderKey {
    let key = samples::provider_key(org, name);
    let sealed = samples::sealed_secret(&key, 1);
    let audit = samples::audit(org, "provider_key.create");
    ports.provider_keys.provider_key_create(&key, &sealed, &audit).await.unwrap();
    key
}

async fn organisation_with_key(ports: &Ports, name: &str) -> OrgId {
    let org = add_organisation(ports, name).await.id;
    ports.org_keys.org_key_add(&samples::org_key(org, 1, 1), None).await.unwrap();
    org
}

async fn rotate(ports: &Ports, key: &ProviderKey) -> Result<(), PortError> {
    let sealed = samples::sealed_secret(key, 1);
    let audit = samples::audit(key.org, "provider_key.rotate");
    ports.provider_keys.provider_key_rotate(key, &sealed, &audit).await
}

async fn is_kept_with_its_sealed_form(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let key = create(ports, org, "main").await;
    assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(ports.provider_keys.provider_key_list(org).await.unwrap(), std::slice::from_ref(&key));
    let sealed = ports.secrets.secret_find(key.id, 1).await.unwrap();
    assert_eq!(sealed, Some(samples::sealed_secret(&key, 1)));
    assert_eq!(ports.secrets.secret_find(key.id, 2).await.unwrap(), None);
    assert_eq!(ports.change_feed.load_org(org).await.unwrap().unwrap().provider_keys, [key]);
}

async fn a_reference_is_kept_with_its_sealed_form_too(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let mut key = samples::provider_key(org, "main");
    key.source = KeySource::Reference("vault:kv/openai#key".to_owned());
    let audit = samples::audit(org, "provider_key.create");
    ports.provider_keys.provider_key_create(&key, &samples::sealed_secret(&key, 1), &audit).await.unwrap();
    assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(ports.secrets.secret_find(key.id, 1).await.unwrap(), Some(samples::sealed_secret(&key, 1)));
}

async fn a_key_becomes_a_reference_and_a_reference_a_key(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let mut key = create(ports, org, "main").await;
    let sources = [KeySource::Reference("env:OPENAI_API_KEY".to_owned()), KeySource::Sealed];
    for (version, source) in (2..).zip(sources) {
        (key.version, key.source) = (version, source);
        rotate(ports, &key).await.unwrap();
        assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), Some(key.clone()));
        let sealed = ports.secrets.secret_find(key.id, version).await.unwrap();
        assert_eq!(sealed, Some(samples::sealed_secret(&key, 1)));
    }
}

async fn a_name_is_taken_once_for_a_provider(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    create(ports, org, "main").await;
    let mut second = samples::provider_key(org, "main");
    let audit = samples::audit(org, "provider_key.create");
    let sealed = samples::sealed_secret(&second, 1);
    assert!(is_conflict(ports.provider_keys.provider_key_create(&second, &sealed, &audit).await));
    assert_eq!(ports.secrets.secret_find(second.id, 1).await.unwrap(), None);
    second.provider = ProviderName::parse("anthropic").unwrap();
    let sealed = samples::sealed_secret(&second, 1);
    ports.provider_keys.provider_key_create(&second, &sealed, &audit).await.unwrap();
}

async fn rotating_keeps_the_last_two_versions(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let mut key = create(ports, org, "main").await;
    let other = create(ports, org, "other").await;
    for version in 2..=4 {
        key.version = version;
        key.origin = format!("https://v{version}.example.com");
        key.rotated_at = key.rotated_at.plus_seconds(60);
        rotate(ports, &key).await.unwrap();
    }
    assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), Some(key.clone()));
    for (version, is_there) in [(1, false), (2, false), (3, true), (4, true)] {
        assert_eq!(ports.secrets.secret_find(key.id, version).await.unwrap().is_some(), is_there);
    }
    assert!(ports.secrets.secret_find(other.id, 1).await.unwrap().is_some());
}

async fn a_rotation_must_follow_the_stored_version(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let key = create(ports, org, "main").await;
    for version in [1, 3] {
        let wrong = ProviderKey { version, ..key.clone() };
        assert!(is_conflict(rotate(ports, &wrong).await));
    }
    let unknown = ProviderKey { id: ProviderKeyId::new(), version: 2, ..key.clone() };
    assert!(is_not_found(rotate(ports, &unknown).await));
    assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), Some(key));
}

async fn one_of_many_who_rotate_wins(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let mut key = create(ports, org, "main").await;
    key.version = 2;
    let wishes: Vec<_> = (0..6)
        .map(|_| {
            let (ports, key) = (ports.clone(), key.clone());
            tokio::spawn(async move { rotate(&ports, &key).await })
        })
        .collect();
    let mut won = 0;
    for wish in wishes {
        match wish.await.unwrap() {
            Ok(()) => won += 1,
            lost => assert!(is_conflict(lost)),
        }
    }
    assert_eq!(won, 1);
}

async fn deleting_leaves_no_version(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let mut key = create(ports, org, "main").await;
    key.version = 2;
    rotate(ports, &key).await.unwrap();
    let audit = samples::audit(org, "provider_key.delete");
    ports.provider_keys.provider_key_delete(org, key.id, &audit).await.unwrap();
    assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), None);
    assert!(ports.provider_keys.provider_key_list(org).await.unwrap().is_empty());
    for version in 1..=2 {
        assert_eq!(ports.secrets.secret_find(key.id, version).await.unwrap(), None);
    }
    let again = samples::audit(org, "provider_key.delete");
    assert!(is_not_found(ports.provider_keys.provider_key_delete(org, key.id, &again).await));
    key.version = 3;
    assert!(is_not_found(rotate(ports, &key).await));
    // Its name is free again.
    create(ports, org, "main").await;
}

async fn belongs_to_its_organisation(ports: &Ports) {
    let org = organisation_with_key(ports, "acme").await;
    let other = organisation_with_key(ports, "other").await;
    let key = create(ports, org, "main").await;
    assert_eq!(ports.provider_keys.provider_key_find(other, key.id).await.unwrap(), None);
    let audit = samples::audit(other, "provider_key.delete");
    assert!(is_not_found(ports.provider_keys.provider_key_delete(other, key.id, &audit).await));
    let stolen = ProviderKey { org: other, version: 2, ..key.clone() };
    assert!(is_not_found(rotate(ports, &stolen).await));
    assert_eq!(ports.provider_keys.provider_key_find(org, key.id).await.unwrap(), Some(key));
}
