use super::*;
use topdog_domain::OrgId;
use topdog_domain::labels::DataSegment;
use topdog_domain::ports::{OrganisationChange, PageWish};

contract! {
    is_found_by_id_and_by_name,
    begins_with_its_workspace,
    a_name_is_taken_once,
    one_of_many_who_want_a_name_gets_it,
    pages_lose_and_repeat_nothing,
    changes_only_what_it_is_told,
    nothing_can_be_done_to_one_that_is_not_there,
    destroying_shreds_its_keys_and_frees_its_name,
    destroying_leaves_usage_and_audit,
}

async fn is_found_by_id_and_by_name(ports: &Ports) {
    let acme = add_organisation(ports, "acme").await;
    add_organisation(ports, "Acme").await;
    assert_eq!(ports.organisations.organisation_find(acme.id).await.unwrap(), Some(acme.clone()));
    assert_eq!(ports.organisations.organisation_find_by_name("acme").await.unwrap(), Some(acme));
    assert_eq!(ports.organisations.organisation_find_by_name("acm").await.unwrap(), None);
    assert_eq!(ports.organisations.organisation_find(OrgId::new()).await.unwrap(), None);
}

async fn begins_with_its_workspace(ports: &Ports) {
    let mut new = samples::organisation("acme", "PRO");
    new.workspace.data_segment = Some(DataSegment::Medical);
    let audit = samples::audit(new.organisation.id, "organisation.create");
    ports.organisations.organisation_create(&new, &audit).await.unwrap();
    add_organisation(ports, "other").await;
    let workspaces = ports.organisations.workspace_list(new.organisation.id).await.unwrap();
    assert_eq!(workspaces, [new.workspace]);
}

async fn a_name_is_taken_once(ports: &Ports) {
    let first = add_organisation(ports, "acme").await;
    let second = samples::organisation("acme", "FREE");
    let audit = samples::audit(second.organisation.id, "organisation.create");
    assert!(is_conflict(ports.organisations.organisation_create(&second, &audit).await));
    // Nothing of it is there: not the workspace, nor the audit entry.
    assert!(ports.organisations.workspace_list(second.organisation.id).await.unwrap().is_empty());
    assert_eq!(ports.reader.audit_head(second.organisation.id).await.unwrap().0, 0);
    assert_eq!(ports.organisations.organisation_find_by_name("acme").await.unwrap(), Some(first));
}

async fn one_of_many_who_want_a_name_gets_it(ports: &Ports) {
    let wishes: Vec<_> = (0..8)
        .map(|_| {
            let organisations = ports.organisations.clone();
            tokio::spawn(async move {
                let new = samples::organisation("acme", "PRO");
                let audit = samples::audit(new.organisation.id, "organisation.create");
                organisations.organisation_create(&new, &audit).await
            })
        })
        .collect();
    let mut made = 0;
    for wish in wishes {
        match wish.await.unwrap() {
            Ok(()) => made += 1,
            result => assert!(is_conflict(result)),
        }
    }
    assert_eq!(made, 1);
}

async fn pages_lose_and_repeat_nothing(ports: &Ports) {
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(add_organisation(ports, &format!("org {number}")).await.id);
    }
    ids.sort();
    for limit in [1, 3, 7, 50] {
        let mut seen = Vec::new();
        let mut wish = PageWish { after: None, limit };
        loop {
            let page = ports.organisations.organisation_list(&wish).await.unwrap();
            assert!(page.rows.len() <= limit as usize);
            seen.extend(page.rows.iter().map(|row| row.id));
            match page.next {
                Some(next) => wish.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, ids);
    }
}

async fn changes_only_what_it_is_told(ports: &Ports) {
    let acme = add_organisation(ports, "acme").await;
    let audit = || samples::audit(acme.id, "organisation.change");
    let change = OrganisationChange { tier: Some(samples::tier("PRO")), data_segment: None };
    let changed = ports.organisations.organisation_change(acme.id, &change, &audit()).await.unwrap();
    assert_eq!((changed.tier.as_str(), changed.data_segment), ("PRO", None));

    let change = OrganisationChange { tier: None, data_segment: Some(Some(DataSegment::Medical)) };
    let changed = ports.organisations.organisation_change(acme.id, &change, &audit()).await.unwrap();
    assert_eq!((changed.tier.as_str(), changed.data_segment), ("PRO", Some(DataSegment::Medical)));

    let change = OrganisationChange { tier: None, data_segment: Some(None) };
    let changed = ports.organisations.organisation_change(acme.id, &change, &audit()).await.unwrap();
    assert_eq!(changed.data_segment, None);
    assert_eq!(ports.organisations.organisation_find(acme.id).await.unwrap(), Some(changed));
}

async fn nothing_can_be_done_to_one_that_is_not_there(ports: &Ports) {
    let nobody = OrgId::new();
    let audit = samples::audit(nobody, "organisation.change");
    let change = OrganisationChange { tier: Some(samples::tier("PRO")), data_segment: None };
    assert!(is_not_found(ports.organisations.organisation_change(nobody, &change, &audit).await));
    assert!(is_not_found(ports.organisations.organisation_destroy(nobody, &audit).await));
    assert_eq!(ports.reader.audit_head(nobody).await.unwrap().0, 0);
}

async fn destroying_shreds_its_keys_and_frees_its_name(ports: &Ports) {
    let acme = add_organisation(ports, "acme").await;
    let other = add_organisation(ports, "other").await;
    let limit = topdog_domain::tier::Limit::Unlimited;
    let mut provider_keys = Vec::new();
    for org in [acme.id, other.id] {
        ports.org_keys.org_key_add(&samples::org_key(org, 1, 1), None).await.unwrap();
        let key = samples::provider_key(org, "main");
        let sealed = samples::sealed_secret(&key, 1);
        let audit = samples::audit(org, "provider_key.create");
        ports.provider_keys.provider_key_create(&key, &sealed, &audit).await.unwrap();
        provider_keys.push(key.id);
        let audit = samples::audit(org, "api_key.create");
        ports.api_keys.api_key_create(&samples::api_key(org, "ci"), limit, &audit).await.unwrap();
    }
    let audit = samples::audit(acme.id, "organisation.destroy");
    ports.organisations.organisation_destroy(acme.id, &audit).await.unwrap();

    assert!(ports.org_keys.org_key_list(acme.id).await.unwrap().is_empty());
    assert!(ports.secrets.secret_find(provider_keys[0], 1).await.unwrap().is_none());
    assert!(ports.provider_keys.provider_key_list(acme.id).await.unwrap().is_empty());
    assert_eq!(ports.organisations.organisation_find(acme.id).await.unwrap(), None);
    assert!(ports.change_feed.load_org(acme.id).await.unwrap().is_none());
    let listed = ports.organisations.organisation_list(&PageWish { after: None, limit: 9 }).await.unwrap();
    assert_eq!(listed.rows, std::slice::from_ref(&other));
    let again = samples::audit(acme.id, "organisation.destroy");
    assert!(is_not_found(ports.organisations.organisation_destroy(acme.id, &again).await));

    // Nothing can be sealed for it any more, and its keys can't be made anew.
    assert!(is_not_found(ports.org_keys.org_key_add(&samples::org_key(acme.id, 2, 1), None).await));
    let late = samples::api_key(acme.id, "late");
    assert!(is_not_found(ports.api_keys.api_key_create(&late, limit, &again).await));

    // The others have lost nothing.
    assert_eq!(ports.org_keys.org_key_list(other.id).await.unwrap().len(), 1);
    assert!(ports.secrets.secret_find(provider_keys[1], 1).await.unwrap().is_some());
    assert_eq!(ports.change_feed.load_org(other.id).await.unwrap().unwrap().api_keys.len(), 1);
    add_organisation(ports, "acme").await;
}

async fn destroying_leaves_usage_and_audit(ports: &Ports) {
    let acme = add_organisation(ports, "acme").await;
    let record = samples::request_record(acme.id, samples::NEW_YEAR);
    let batch = topdog_domain::ports::Batch { requests: vec![record], audits: Vec::new() };
    ports.sink.ship(&batch).await.unwrap();
    let audit = samples::audit(acme.id, "organisation.destroy");
    ports.organisations.organisation_destroy(acme.id, &audit).await.unwrap();
    let usage = ports.reader.usage_list(acme.id, &PageWish { after: None, limit: 9 }).await.unwrap();
    assert_eq!(usage.rows.len(), 1);
    let entries = ports.reader.audit_list(acme.id, 0, 9).await.unwrap();
    assert_eq!(entries.len(), 3);
    assert!(entries[2].body.contains("organisation.destroy"));
}
