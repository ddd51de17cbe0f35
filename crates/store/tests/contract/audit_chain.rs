use super::*;
use topdog_domain::OrgId;
use topdog_domain::audit::{ChainHash, ChainVerifier};
use topdog_domain::ports::{Batch, OrganisationChange, PageWish};
use topdog_domain::tier::Tier;

contract! {
    an_empty_chain_has_the_genesis_for_its_head,
    verifies_after_concurrent_appends,
    is_listed_from_behind_a_place,
    every_change_writes_its_entry,
    an_id_is_appended_once,
    all_chains_are_listed_whoevers_they_are,
    a_rotation_of_a_key_and_its_entry_are_one,
}

async fn verify(ports: &Ports, org: OrgId) -> u64 {
    let mut verifier = ChainVerifier::new(org);
    loop {
        let (seq, _) = verifier.head();
        let entries = ports.reader.audit_list(org, seq, 7).await.unwrap();
        if entries.is_empty() {
            break;
        }
        for entry in &entries {
            verifier.next(entry).unwrap();
        }
    }
    let (seq, hash) = ports.reader.audit_head(org).await.unwrap();
    verifier.finish(seq, hash).unwrap();
    seq
}

async fn an_empty_chain_has_the_genesis_for_its_head(ports: &Ports) {
    let head = ports.reader.audit_head(OrgId::new()).await.unwrap();
    assert_eq!(head, (0, ChainHash::GENESIS));
}

/// Shippers of several nodes and administrators append to the chains of two organisations at the same time.
async fn verifies_after_concurrent_appends(ports: &Ports) {
    let (acme, other) = (add_organisation(ports, "acme").await.id, add_organisation(ports, "other").await.id);
    let mut tasks = tokio::task::JoinSet::new();
    for node in 0..4 {
        let ports = ports.clone();
        // Each in another order, as two that lock both chains would wait for each other.
        let orgs = if node % 2 == 0 { [acme, other] } else { [other, acme] };
        tasks.spawn(async move {
            for round in 0..10 {
                let draft = |org| samples::audit(org, "test.round").with("node", node).with("round", round);
                let batch = Batch { requests: Vec::new(), audits: orgs.map(draft).to_vec() };
                ports.sink.ship(&batch).await.unwrap();
                let change = OrganisationChange { tier: Some(samples::tier("PRO")), data_segment: None };
                let audit = samples::audit(orgs[0], "organisation.change");
                ports.organisations.organisation_change(orgs[0], &change, &audit).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(verify(ports, acme).await, 61);
    assert_eq!(verify(ports, other).await, 61);
}

async fn is_listed_from_behind_a_place(ports: &Ports) {
    let org = OrgId::new();
    let audits = (0..5).map(|number| samples::audit(org, "test.count").with("number", number)).collect();
    ports.sink.ship(&Batch { requests: Vec::new(), audits }).await.unwrap();
    let places = |entries: Vec<topdog_domain::audit::AuditEntry>| -> Vec<u64> {
        entries.iter().map(|entry| entry.seq).collect()
    };
    assert_eq!(places(ports.reader.audit_list(org, 0, 9).await.unwrap()), [1, 2, 3, 4, 5]);
    assert_eq!(places(ports.reader.audit_list(org, 2, 2).await.unwrap()), [3, 4]);
    assert!(ports.reader.audit_list(org, 5, 9).await.unwrap().is_empty());
    let entries = ports.reader.audit_list(org, 0, 9).await.unwrap();
    for (number, entry) in entries.iter().enumerate() {
        assert!(entry.body.contains(&format!("\"number\":\"{number}\"")), "{}", entry.body);
    }
}

async fn every_change_writes_its_entry(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    ports.org_keys.org_key_add(&samples::org_key(org, 1, 1), None).await.unwrap();
    let unlimited = topdog_domain::tier::Limit::Unlimited;
    let (api_key, endpoint) = (samples::api_key(org, "ci"), samples::endpoint(org, "vllm"));
    let mut provider_key = samples::provider_key(org, "main");
    let audit = |action| samples::audit(org, action);

    ports.api_keys.api_key_create(&api_key, unlimited, &audit("api_key.create")).await.unwrap();
    let new = topdog_domain::ports::NewSecret { secret: samples::key_secret(), old_until: samples::NEW_YEAR };
    ports.api_keys.api_key_rotate(org, api_key.id, &new, &audit("api_key.rotate")).await.unwrap();
    ports.api_keys.api_key_revoke(org, api_key.id, &audit("api_key.revoke")).await.unwrap();
    let sealed = samples::sealed_secret(&provider_key, 1);
    let keys = &ports.provider_keys;
    keys.provider_key_create(&provider_key, &sealed, &audit("provider_key.create")).await.unwrap();
    provider_key.version = 2;
    let sealed = samples::sealed_secret(&provider_key, 1);
    keys.provider_key_rotate(&provider_key, &sealed, &audit("provider_key.rotate")).await.unwrap();
    keys.provider_key_delete(org, provider_key.id, &audit("provider_key.delete")).await.unwrap();
    ports.endpoints.endpoint_create(&endpoint, &audit("endpoint.create")).await.unwrap();
    ports.endpoints.endpoint_replace(&endpoint, &audit("endpoint.replace")).await.unwrap();
    ports.endpoints.endpoint_delete(org, &endpoint.name, &audit("endpoint.delete")).await.unwrap();
    ports.organisations.organisation_destroy(org, &audit("organisation.destroy")).await.unwrap();

    let actions: Vec<String> =
        ports.reader.audit_list(org, 0, 99).await.unwrap().iter().map(action_of).collect();
    let expected = [
        "organisation.create",
        "api_key.create",
        "api_key.rotate",
        "api_key.revoke",
        "provider_key.create",
        "provider_key.rotate",
        "provider_key.delete",
        "endpoint.create",
        "endpoint.replace",
        "endpoint.delete",
        "organisation.destroy",
    ];
    assert_eq!(actions, expected);
    assert_eq!(verify(ports, org).await, 11);
    let changes = ports.change_feed.changes_since(0).await.unwrap();
    assert_eq!(changes.iter().filter(|change| change.org == Some(org)).count(), 11);
}

fn action_of(entry: &topdog_domain::audit::AuditEntry) -> String {
    let body: serde_json::Value = serde_json::from_str(&entry.body).unwrap();
    body["action"].as_str().unwrap().to_owned()
}

async fn an_id_is_appended_once(ports: &Ports) {
    let org = OrgId::new();
    let draft = samples::audit(org, "test.twice");
    let batch = Batch { requests: Vec::new(), audits: vec![draft.clone(), draft] };
    ports.sink.ship(&batch).await.unwrap();
    ports.sink.ship(&batch).await.unwrap();
    assert_eq!(verify(ports, org).await, 1);
}

async fn all_chains_are_listed_whoevers_they_are(ports: &Ports) {
    let mut all = vec![OrgId::INSTALLATION];
    ports.tiers.tier_put(&samples_tier(), &samples::audit(OrgId::INSTALLATION, "tier.put")).await.unwrap();
    for name in ["living", "destroyed"] {
        all.push(add_organisation(ports, name).await.id);
    }
    ports
        .organisations
        .organisation_destroy(all[2], &samples::audit(all[2], "organisation.destroy"))
        .await
        .unwrap();
    // Of one that there never was, as a record may come later than everything else of it.
    let nobody = OrgId::new();
    let audits = vec![samples::audit(nobody, "test.entry")];
    ports.sink.ship(&Batch { requests: Vec::new(), audits }).await.unwrap();
    all.push(nobody);
    all.sort();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = ports.reader.audit_chain_list(&PageWish { after, limit: 2 }).await.unwrap();
        assert!(page.rows.len() <= 2);
        listed.extend(page.rows);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, all);
}

fn samples_tier() -> Tier {
    Tier::standard_catalogue().remove(0)
}

async fn a_rotation_of_a_key_and_its_entry_are_one(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let entries = async || ports.reader.audit_head(org).await.unwrap().0;
    let before = entries().await;
    let audit = samples::audit(org, "org_key.rotate");
    ports.org_keys.org_key_add(&samples::org_key(org, 1, 1), None).await.unwrap();
    assert_eq!(entries().await, before);
    ports.org_keys.org_key_add(&samples::org_key(org, 2, 1), Some(&audit)).await.unwrap();
    assert_eq!(entries().await, before + 1);
    // Somebody else's version: neither key nor entry.
    let again = samples::audit(org, "org_key.rotate");
    assert!(is_conflict(ports.org_keys.org_key_add(&samples::org_key(org, 2, 1), Some(&again)).await));
    assert_eq!(entries().await, before + 1);
}
