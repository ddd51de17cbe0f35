use super::*;
use topdog_domain::ports::{
    DataKeyCount, RewrapCount, SealedSecret, WrappedKeyCount, WrappedOrgKey, WrappedRoot,
};
use topdog_domain::{OrgId, ProviderKeyId};

contract! {
    versions_of_an_organisations_key_come_newest_first,
    a_version_is_made_once,
    stale_organisation_keys_are_found_and_counted,
    rewrapping_is_compare_and_set,
    data_keys_under_an_old_organisation_key_are_found_and_counted,
    rewrapping_a_data_key_is_compare_and_set,
    only_unused_old_versions_are_pruned,
    organisations_with_old_versions_are_listed_by_id,
    installation_secrets_are_made_once_and_rewrapped,
}

async fn add_secret(ports: &Ports, org: OrgId, name: &str, org_key_version: u32) -> SealedSecret {
    let key = samples::provider_key(org, name);
    let sealed = samples::sealed_secret(&key, org_key_version);
    let audit = samples::audit(org, "provider_key.create");
    ports.provider_keys.provider_key_create(&key, &sealed, &audit).await.unwrap();
    sealed
}

async fn add_org_key(ports: &Ports, org: OrgId, version: u32, root_version: u32) -> WrappedOrgKey {
    let key = samples::org_key(org, version, root_version);
    ports.org_keys.org_key_add(&key, None).await.unwrap();
    key
}

async fn versions_of_an_organisations_key_come_newest_first(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    assert!(ports.org_keys.org_key_list(org).await.unwrap().is_empty());
    let first = add_org_key(ports, org, 1, 1).await;
    let second = add_org_key(ports, org, 2, 1).await;
    assert_eq!(ports.org_keys.org_key_list(org).await.unwrap(), [second, first]);
}

async fn a_version_is_made_once(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let first = add_org_key(ports, org, 1, 1).await;
    let mut rival = samples::org_key(org, 1, 1);
    rival.wrapped = vec![99];
    assert!(is_conflict(ports.org_keys.org_key_add(&rival, None).await));
    assert_eq!(ports.org_keys.org_key_list(org).await.unwrap(), [first]);
}

async fn stale_organisation_keys_are_found_and_counted(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let first = add_org_key(ports, org, 1, 1).await;
    let second = add_org_key(ports, org, 2, 1).await;
    add_org_key(ports, org, 3, 2).await;
    assert_eq!(ports.org_keys.org_key_list_stale("root", 2, 9).await.unwrap(), [first, second]);
    assert_eq!(ports.org_keys.org_key_list_stale("root", 2, 1).await.unwrap().len(), 1);
    assert_eq!(ports.org_keys.org_key_list_stale("other", 2, 9).await.unwrap().len(), 3);
    let pending = ports.org_keys.rewrap_pending("root", 2).await.unwrap();
    assert_eq!(pending, RewrapCount { under_old_root: 2, under_old_org_key: 0 });
}

async fn rewrapping_is_compare_and_set(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let old = add_org_key(ports, org, 1, 1).await;
    let new = WrappedOrgKey { root_version: 2, wrapped: vec![42], ..old.clone() };
    assert!(ports.org_keys.org_key_rewrap(&old, &new).await.unwrap());
    let late = WrappedOrgKey { root_version: 2, wrapped: vec![43], ..old.clone() };
    assert!(!ports.org_keys.org_key_rewrap(&old, &late).await.unwrap());
    let gone = samples::org_key(org, 7, 1);
    assert!(!ports.org_keys.org_key_rewrap(&gone, &gone).await.unwrap());
    assert_eq!(ports.org_keys.org_key_list(org).await.unwrap(), [new]);
    assert_eq!(ports.org_keys.rewrap_pending("root", 2).await.unwrap(), RewrapCount::default());
}

async fn data_keys_under_an_old_organisation_key_are_found_and_counted(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    add_org_key(ports, org, 1, 1).await;
    add_org_key(ports, other, 1, 1).await;
    let first = add_secret(ports, org, "first", 1).await;
    let second = add_secret(ports, org, "second", 1).await;
    add_secret(ports, other, "main", 1).await;
    assert_eq!(ports.org_keys.rewrap_pending("root", 1).await.unwrap(), RewrapCount::default());
    add_org_key(ports, org, 2, 1).await;
    add_secret(ports, org, "third", 2).await;

    let mut stale = ports.secrets.secret_list_stale(org, 2, 9).await.unwrap();
    stale.sort_by_key(|secret| secret.provider_key);
    let mut expected = vec![first, second];
    expected.sort_by_key(|secret| secret.provider_key);
    assert_eq!(stale, expected);
    assert_eq!(ports.secrets.secret_list_stale(org, 2, 1).await.unwrap().len(), 1);
    let pending = ports.org_keys.rewrap_pending("root", 1).await.unwrap();
    assert_eq!(pending, RewrapCount { under_old_root: 0, under_old_org_key: 2 });
    let counts = &ports.wrapped_key_counts;
    let of_org = DataKeyCount { under_newest: 1, under_older: 2 };
    assert_eq!(counts.data_key_count(org).await.unwrap(), of_org);
    let of_other = DataKeyCount { under_newest: 1, under_older: 0 };
    assert_eq!(counts.data_key_count(other).await.unwrap(), of_other);
    assert_eq!(counts.data_key_count(OrgId::new()).await.unwrap(), DataKeyCount::default());
    let in_all = WrappedKeyCount { under_root: 3, under_org_keys: 4 };
    assert_eq!(counts.wrapped_key_count().await.unwrap(), in_all);
}

async fn rewrapping_a_data_key_is_compare_and_set(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    add_org_key(ports, org, 1, 1).await;
    let old = add_secret(ports, org, "main", 1).await;
    add_org_key(ports, org, 2, 1).await;
    let new = SealedSecret { org_key_version: 2, wrapped_data_key: vec![42], ..old.clone() };
    assert!(ports.secrets.secret_rewrap(&old, &new).await.unwrap());
    let late = SealedSecret { org_key_version: 2, wrapped_data_key: vec![43], ..old.clone() };
    assert!(!ports.secrets.secret_rewrap(&old, &late).await.unwrap());
    let gone = SealedSecret { provider_key: ProviderKeyId::new(), ..old.clone() };
    assert!(!ports.secrets.secret_rewrap(&gone, &gone).await.unwrap());
    assert_eq!(ports.secrets.secret_find(old.provider_key, 1).await.unwrap(), Some(new));
}

async fn only_unused_old_versions_are_pruned(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let other = add_organisation(ports, "other").await.id;
    for version in 1..=3 {
        add_org_key(ports, org, version, 1).await;
    }
    add_org_key(ports, other, 1, 1).await;
    add_secret(ports, org, "main", 2).await;
    assert_eq!(ports.org_keys.org_key_prune(org, 3).await.unwrap(), 1);
    let left: Vec<_> =
        ports.org_keys.org_key_list(org).await.unwrap().iter().map(|key| key.version).collect();
    assert_eq!(left, [3, 2]);
    assert_eq!(ports.org_keys.org_key_list(other).await.unwrap().len(), 1);
}

async fn organisations_with_old_versions_are_listed_by_id(ports: &Ports) {
    let mut rotating = Vec::new();
    for (name, versions) in [("a", 2), ("b", 1), ("c", 3), ("d", 2)] {
        let org = add_organisation(ports, name).await.id;
        for version in 1..=versions {
            add_org_key(ports, org, version, 1).await;
        }
        if versions > 1 {
            rotating.push(org);
        }
    }
    rotating.sort();
    assert_eq!(ports.org_keys.org_key_list_superseded(None, 9).await.unwrap(), rotating);
    let first = ports.org_keys.org_key_list_superseded(None, 1).await.unwrap();
    assert_eq!(first, rotating[..1]);
    let rest = ports.org_keys.org_key_list_superseded(Some(first[0]), 9).await.unwrap();
    assert_eq!(rest, rotating[1..]);
}

async fn installation_secrets_are_made_once_and_rewrapped(ports: &Ports) {
    let pepper = |version, root_version, byte| WrappedRoot {
        name: "api-key-pepper".to_owned(),
        version,
        root_id: "root".to_owned(),
        root_version,
        alg: "aes-256-gcm-siv".to_owned(),
        wrapped: vec![byte],
    };
    let secrets = &ports.installation_secrets;
    secrets.root_wrapped_add(&pepper(1, 1, 10)).await.unwrap();
    assert!(is_conflict(secrets.root_wrapped_add(&pepper(1, 1, 11)).await));
    secrets.root_wrapped_add(&pepper(2, 1, 20)).await.unwrap();
    assert_eq!(ports.org_keys.rewrap_pending("root", 2).await.unwrap().under_old_root, 2);
    secrets.root_wrapped_put(&pepper(1, 2, 12)).await.unwrap();
    let listed = secrets.root_wrapped_list("api-key-pepper").await.unwrap();
    assert_eq!(listed, [pepper(2, 1, 20), pepper(1, 2, 12)]);
    assert!(secrets.root_wrapped_list("other").await.unwrap().is_empty());
    assert_eq!(ports.org_keys.rewrap_pending("root", 2).await.unwrap().under_old_root, 1);
}
