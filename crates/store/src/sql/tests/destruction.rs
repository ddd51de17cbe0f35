use super::bed::{Bed, on_both};
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::ports::{
    ApiKeys as _, Batch, ChangeFeed as _, OrgKeys as _, Organisations as _, PageWish, PortError,
    ProviderKeys as _, RecordReader as _, RecordSink as _, SealedSecrets as _,
};
use topdog_domain::tenant::{Organisation, ProviderKey};
use topdog_domain::tier::Limit;

const WRAPPED: &[u8] = b"wrapped-organisation-key-of-acme";
const SEALED: &[u8] = b"sealed-provider-key-of-acme";

/// An organisation with one of everything.
async fn full(bed: &Bed) -> (Organisation, ProviderKey) {
    let organisation = bed.organisation("acme").await;
    let org = organisation.id;
    let mut org_key = samples::org_key(org, 1, 1);
    org_key.wrapped = WRAPPED.to_vec();
    bed.store.org_key_add(&org_key, None).await.unwrap();
    let provider_key = samples::provider_key(org, "main");
    let mut sealed = samples::sealed_secret(&provider_key, 1);
    sealed.ciphertext = SEALED.to_vec();
    let audit = samples::audit(org, "provider_key.create");
    bed.store.provider_key_create(&provider_key, &sealed, &audit).await.unwrap();
    let key = samples::api_key(org, "ci");
    bed.store.api_key_create(&key, Limit::Unlimited, &samples::audit(org, "api_key.create")).await.unwrap();
    let requests = vec![samples::request_record(org, NEW_YEAR)];
    bed.store.ship(&Batch { requests, audits: Vec::new() }).await.unwrap();
    (organisation, provider_key)
}

on_both! {
    async fn of_a_destroyed_organisation_only_the_records_stay(bed: &Bed) {
        let (Organisation { id: org, .. }, provider_key) = full(bed).await;
        bed.store.organisation_destroy(org, &samples::audit(org, "organisation.destroy")).await.unwrap();

        assert_eq!(bed.store.organisation_find(org).await.unwrap(), None);
        assert_eq!(bed.store.organisation_find_by_name("acme").await.unwrap(), None);
        assert!(bed.store.organisation_list(&PageWish { after: None, limit: 10 }).await.unwrap().rows.is_empty());
        assert_eq!(bed.store.load_org(org).await.unwrap(), None);
        assert!(bed.store.org_key_list(org).await.unwrap().is_empty());
        assert_eq!(bed.store.secret_find(provider_key.id, 1).await.unwrap(), None);
        assert!(bed.store.provider_key_list(org).await.unwrap().is_empty());
        let keys = bed.store.api_key_list(org, &PageWish { after: None, limit: 10 }).await.unwrap().rows;
        assert!(keys.iter().all(|key| key.revoked_at.is_some() && key.secrets.is_empty()), "{keys:?}");

        let wish = PageWish { after: None, limit: 10 };
        assert_eq!(bed.store.usage_list(org, &wish).await.unwrap().rows.len(), 1);
        assert_eq!(bed.store.audit_head(org).await.unwrap().0, 5);
        let again = bed.store.organisation_destroy(org, &samples::audit(org, "organisation.destroy")).await;
        assert!(matches!(again, Err(PortError::NotFound)), "{again:?}");
        assert_ne!(bed.organisation("acme").await.id, org, "the name is free");
    }

    async fn no_key_comes_to_a_destroyed_organisation(bed: &Bed) {
        let (Organisation { id: org, .. }, mut provider_key) = full(bed).await;
        bed.store.organisation_destroy(org, &samples::audit(org, "organisation.destroy")).await.unwrap();
        let added = bed.store.org_key_add(&samples::org_key(org, 2, 1), None).await;
        assert!(matches!(added, Err(PortError::NotFound)), "{added:?}");
        provider_key.version = 2;
        let sealed = samples::sealed_secret(&provider_key, 1);
        let rotated = bed.store.provider_key_rotate(&provider_key, &sealed, &samples::audit(org, "r")).await;
        assert!(matches!(rotated, Err(PortError::NotFound)), "{rotated:?}");
    }

    async fn nothing_is_sealed_under_a_pruned_version(bed: &Bed) {
        let (Organisation { id: org, .. }, first) = full(bed).await;
        bed.store.org_key_add(&samples::org_key(org, 2, 1), None).await.unwrap();
        assert_eq!(bed.store.org_key_prune(org, 2).await.unwrap(), 0, "version 1 is still used");
        let old = bed.store.secret_find(first.id, 1).await.unwrap().unwrap();
        let new = topdog_domain::ports::SealedSecret { org_key_version: 2, ..old.clone() };
        assert!(bed.store.secret_rewrap(&old, &new).await.unwrap());
        assert!(!bed.store.secret_rewrap(&old, &new).await.unwrap(), "it is no more as it was");
        assert_eq!(bed.store.org_key_prune(org, 2).await.unwrap(), 1);
        let key = samples::provider_key(org, "late");
        let sealed = samples::sealed_secret(&key, 1);
        let late = bed.store.provider_key_create(&key, &sealed, &samples::audit(org, "create")).await;
        assert!(matches!(late, Err(PortError::Conflict(_))), "{late:?}");
        assert_eq!(bed.store.provider_key_find(org, key.id).await.unwrap(), None, "all or nothing");
    }
}

#[tokio::test]
async fn what_is_destroyed_is_overwritten_in_the_files() {
    let bed = Bed::sqlite().await;
    let (Organisation { id: org, .. }, _) = full(&bed).await;
    let holds = |needle: &[u8]| {
        let holds = |file| std::fs::read(file).unwrap().windows(needle.len()).any(|window| window == needle);
        bed.files().iter().any(holds)
    };
    assert!(holds(WRAPPED) && holds(SEALED), "else the test looks in the wrong place");
    bed.store.organisation_destroy(org, &samples::audit(org, "organisation.destroy")).await.unwrap();
    assert!(!holds(WRAPPED) && !holds(SEALED));
}
