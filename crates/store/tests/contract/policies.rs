use super::*;
use topdog_domain::OrgId;
use topdog_domain::policy::PolicyScope;
use topdog_domain::ports::{NewPolicy, PageWish, PolicyVersion, VERSIONS_KEPT};
use topdog_domain::{ApiKeyId, WorkspaceId};

contract! {
    each_version_is_kept_and_the_newest_is_in_force,
    only_who_knows_the_version_in_force_changes_it,
    of_many_at_once_one_wins,
    a_deleted_one_is_not_in_force_and_its_numbers_go_on,
    there_are_no_more_than_the_most,
    old_versions_are_forgotten,
    a_change_is_audited_with_its_number_and_announced,
    what_was_refused_leaves_no_trace,
    one_organisation_s_are_nothing_to_another,
    what_is_not_understood_is_in_force_as_such,
    a_destroyed_organisation_has_none,
}

const DENY: &str = r#"{"deny":["gpt-4*"]}"#;

fn wish(org: OrgId, scope: PolicyScope, expected: u32) -> NewPolicy {
    NewPolicy {
        org,
        scope,
        document: Some(DENY.to_owned()),
        expected: Some(expected),
        most: 10,
        author: "operator".to_owned(),
        at: samples::NEW_YEAR,
    }
}

async fn put(ports: &Ports, new: &NewPolicy) -> Result<PolicyVersion, PortError> {
    ports.policies.policy_put(new, &samples::audit(new.org, "policy.put")).await
}

async fn in_force(ports: &Ports, org: OrgId) -> Vec<(PolicyScope, u32)> {
    let facts = ports.change_feed.load_org(org).await.unwrap().unwrap();
    let loaded: Vec<_> = facts.policies.iter().map(|policy| (policy.scope, policy.version)).collect();
    let listed = ports.policies.policy_list(org).await.unwrap();
    assert_eq!(listed.iter().map(|there| (there.scope, there.version)).collect::<Vec<_>>(), loaded);
    for (scope, version) in &loaded {
        let found = ports.policies.policy_find(org, *scope).await.unwrap().unwrap();
        assert_eq!((found.scope, found.version), (*scope, *version));
    }
    loaded
}

fn page(after: Option<&str>, limit: u32) -> PageWish {
    PageWish { after: after.map(str::to_owned), limit }
}

async fn each_version_is_kept_and_the_newest_is_in_force(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let (own, key) = (PolicyScope::Organisation, PolicyScope::Key(ApiKeyId::new()));
    let workspace = PolicyScope::Workspace(WorkspaceId::new());
    assert_eq!(in_force(ports, org).await, []);
    for expected in 0..3 {
        let made = put(ports, &wish(org, own, expected)).await.unwrap();
        assert_eq!((made.version, made.document.as_deref()), (expected + 1, Some(DENY)));
    }
    for scope in [workspace, key] {
        put(ports, &wish(org, scope, 0)).await.unwrap();
    }
    assert_eq!(in_force(ports, org).await, [(key, 1), (own, 3), (workspace, 1)], "by scope as it is written");
    let first = ports.policies.policy_history(org, own, &page(None, 2)).await.unwrap();
    assert_eq!(first.rows.iter().map(|there| there.version).collect::<Vec<_>>(), [3, 2]);
    let rest = ports.policies.policy_history(org, own, &page(first.next.as_deref(), 2)).await.unwrap();
    assert_eq!((rest.rows.len(), rest.rows[0].version, rest.next), (1, 1, None));
    let second = ports.policies.policy_version(org, own, 2).await.unwrap().unwrap();
    assert_eq!(
        (second.version, second.author.as_str(), second.created_at),
        (2, "operator", samples::NEW_YEAR)
    );
    assert_eq!(ports.policies.policy_version(org, own, 4).await.unwrap(), None);
}

async fn only_who_knows_the_version_in_force_changes_it(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let own = PolicyScope::Organisation;
    assert!(is_conflict(put(ports, &wish(org, own, 1)).await));
    put(ports, &wish(org, own, 0)).await.unwrap();
    for stale in [0, 2] {
        assert!(is_conflict(put(ports, &wish(org, own, stale)).await));
        let delete = NewPolicy { document: None, ..wish(org, own, stale) };
        assert!(is_conflict(put(ports, &delete).await));
    }
    assert_eq!(in_force(ports, org).await, [(own, 1)]);
}

async fn of_many_at_once_one_wins(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let own = PolicyScope::Organisation;
    for expected in 0..3 {
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let ports = ports.clone();
            writers.spawn(async move { put(&ports, &wish(org, own, expected)).await });
        }
        let results = writers.join_all().await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.into_iter().filter(Result::is_err).all(is_conflict));
        assert_eq!(in_force(ports, org).await, [(own, expected + 1)]);
    }
}

async fn a_deleted_one_is_not_in_force_and_its_numbers_go_on(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let own = PolicyScope::Organisation;
    let delete = |expected| NewPolicy { document: None, expected, ..wish(org, own, 0) };
    assert!(is_not_found(put(ports, &delete(None)).await), "there is none");
    put(ports, &wish(org, own, 0)).await.unwrap();
    assert_eq!(put(ports, &delete(Some(1))).await.unwrap().document, None);
    assert_eq!(in_force(ports, org).await, []);
    assert_eq!(ports.policies.policy_find(org, own).await.unwrap(), None);
    assert!(is_not_found(put(ports, &delete(None)).await), "there is none any more");
    assert_eq!(put(ports, &wish(org, own, 0)).await.unwrap().version, 3);
    put(ports, &delete(None)).await.unwrap();
    let history = ports.policies.policy_history(org, own, &page(None, 10)).await.unwrap().rows;
    let told: Vec<_> = history.iter().map(|there| (there.version, there.document.is_some())).collect();
    assert_eq!(told, [(4, false), (3, true), (2, false), (1, true)]);
}

async fn there_are_no_more_than_the_most(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let scopes: Vec<_> = (0..2).map(|_| PolicyScope::Key(ApiKeyId::new())).collect();
    for scope in &scopes {
        put(ports, &NewPolicy { most: 2, ..wish(org, *scope, 0) }).await.unwrap();
    }
    let third = NewPolicy { most: 2, ..wish(org, PolicyScope::Organisation, 0) };
    let refused = put(ports, &third).await;
    assert!(matches!(refused, Err(PortError::LimitReached { used: 2 })), "{refused:?}");
    put(ports, &NewPolicy { most: 2, ..wish(org, scopes[0], 1) }).await.expect("it is there already");
    put(ports, &NewPolicy { document: None, most: 2, ..wish(org, scopes[0], 2) }).await.unwrap();
    put(ports, &third).await.expect("there is room again");
}

async fn old_versions_are_forgotten(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let own = PolicyScope::Organisation;
    let other = PolicyScope::Key(ApiKeyId::new());
    put(ports, &wish(org, other, 0)).await.unwrap();
    for expected in 0..VERSIONS_KEPT + 2 {
        put(ports, &wish(org, own, expected)).await.unwrap();
    }
    assert_eq!(ports.policies.policy_version(org, own, 2).await.unwrap(), None);
    assert!(ports.policies.policy_version(org, own, 3).await.unwrap().is_some());
    let all = ports.policies.policy_history(org, own, &page(None, 200)).await.unwrap().rows;
    assert_eq!(all.len() as u32, VERSIONS_KEPT);
    assert!(ports.policies.policy_version(org, other, 1).await.unwrap().is_some(), "another's stay");
}

async fn a_change_is_audited_with_its_number_and_announced(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let seq = ports.change_feed.newest_change().await.unwrap();
    put(ports, &wish(org, PolicyScope::Organisation, 0)).await.unwrap();
    let changes = ports.change_feed.changes_since(seq).await.unwrap();
    assert_eq!(changes.iter().map(|change| change.org).collect::<Vec<_>>(), [Some(org)]);
    let entries = ports.reader.audit_list(org, 1, 10).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].body.contains("policy.put") && entries[0].body.contains(r#""version":"1""#));
}

async fn what_was_refused_leaves_no_trace(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let seq = ports.change_feed.newest_change().await.unwrap();
    assert!(is_conflict(put(ports, &wish(org, PolicyScope::Organisation, 7)).await));
    assert!(is_not_found(put(ports, &wish(OrgId::new(), PolicyScope::Organisation, 0)).await));
    assert_eq!(ports.change_feed.newest_change().await.unwrap(), seq);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 1);
}

async fn one_organisation_s_are_nothing_to_another(ports: &Ports) {
    let (acme, other) = (add_organisation(ports, "acme").await.id, add_organisation(ports, "other").await.id);
    let key = PolicyScope::Key(ApiKeyId::new());
    put(ports, &wish(acme, key, 0)).await.unwrap();
    assert_eq!(in_force(ports, other).await, []);
    assert_eq!(ports.policies.policy_find(other, key).await.unwrap(), None);
    assert_eq!(ports.policies.policy_version(other, key, 1).await.unwrap(), None);
    assert!(ports.policies.policy_history(other, key, &page(None, 10)).await.unwrap().rows.is_empty());
    put(ports, &wish(other, key, 0)).await.expect("the number is each organisation's own");
    assert_eq!(in_force(ports, acme).await, [(key, 1)]);
    let all = ports.change_feed.load_all().await.unwrap();
    assert!(all.iter().all(|facts| facts.policies.len() == 1));
}

async fn what_is_not_understood_is_in_force_as_such(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let own = PolicyScope::Organisation;
    let newer = NewPolicy { document: Some(r#"{"deny":["a"],"later":1}"#.to_owned()), ..wish(org, own, 0) };
    put(ports, &newer).await.unwrap();
    let facts = ports.change_feed.load_org(org).await.unwrap().unwrap();
    assert_eq!((facts.policies[0].version, &facts.policies[0].policy), (1, &None));
    put(ports, &wish(org, own, 1)).await.unwrap();
    let facts = ports.change_feed.load_org(org).await.unwrap().unwrap();
    assert_eq!(facts.policies[0].policy.as_ref().unwrap().deny()[0].as_str(), "gpt-4*");
}

async fn a_destroyed_organisation_has_none(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    let own = PolicyScope::Organisation;
    put(ports, &wish(org, own, 0)).await.unwrap();
    let audit = samples::audit(org, "organisation.destroy");
    ports.organisations.organisation_destroy(org, &audit).await.unwrap();
    assert_eq!(ports.policies.policy_version(org, own, 1).await.unwrap(), None);
    assert!(is_not_found(put(ports, &wish(org, own, 0)).await));
}
